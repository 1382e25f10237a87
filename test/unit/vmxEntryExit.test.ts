import assert from 'node:assert/strict';
import { Gpr, Offset, Seg } from '../../src/cpu/state';
import { TSC_FREQUENCY } from '../../src/cpu/system/cpuid';
import { Encoding, Entry, Exit, type ExitRecord, type FieldName, Pin, Primary, Secondary, VmxUnit } from '../../src/vmx';
import { LASTING_EXITS } from '../../src/vmx/observe';
import { Private } from '../../src/vmx/privateState';
import { Reason } from '../../src/vmx/tables';
import { At, GUEST_CODE, VmxRig } from './vmxRig';

const VMX_MISC = 0x485;

const CPUID_HLT = '0f a2 f4 ; cpuid; hlt';

/** All that a record says. */
const told = ({ n, cpu, icount, reason, name, qualification, guestRip, instructionLength, linear, gpa, details }: ExitRecord): ExitRecord => ({ n, cpu, icount, reason, name, qualification, guestRip, instructionLength, linear, gpa, details });

describe('VM entry and exit', () => {
  it('a guest in real mode runs to CPUID; the VMM is back in 64-bit mode', () => {
    const rig = new VmxRig().realModeGuest(CPUID_HLT);
    const exit = rig.launch({ RAX: 1n, RCX: 7n });
    assert.deepEqual(told(exit), { n: 1, cpu: 0, icount: exit.icount, reason: 10, name: 'CPUID', qualification: 0n, guestRip: BigInt(GUEST_CODE), instructionLength: 2, linear: undefined, gpa: undefined, details: { leaf: 1, subleaf: 7 } });
    assert.equal(rig.get('VM_EXIT_REASON'), 10n);
    assert.equal(rig.get('GUEST_RIP'), BigInt(GUEST_CODE));
    assert.equal(rig.get('VM_EXIT_INSTRUCTION_LENGTH'), 2n);
    const s = rig.cpu.state;
    assert.equal(s.rip, BigInt(At.EXIT_HANDLER) + 1n);
    assert.equal(s.reg(Gpr.RSP), BigInt(At.HOST_STACK));
    assert.deepEqual([s.efer, s.access(Seg.CS), s.selector(Seg.CS), s.selector(Seg.TR), s.limit(Seg.TR)], [0x500, 0xa09b, 8, 24, 0x67]);
    assert.equal(rig.unit.nonRoot, false);
    assert.deepEqual([rig.unit.exits, rig.unit.entries], [1, 1]);
  });

  it('VMRESUME goes on behind the instruction; launching twice is error 4, resuming first error 5', () => {
    const rig = new VmxRig().realModeGuest(CPUID_HLT);
    rig.host('0f 01 c3 ; vmresume');
    assert.equal(rig.status, 5);
    assert.equal(rig.failures.length, 1, 'executed once');
    rig.launch();
    rig.host('0f 01 c2 ; vmlaunch');
    assert.equal(rig.status, 4);
    assert.equal(rig.resumeBehind().name, 'HLT');
    assert.equal(rig.get('GUEST_ACTIVITY_STATE'), 0n);
  });

  it('a VM entry is blocked after MOV SS: error 26', () => {
    const rig = new VmxRig().realModeGuest(CPUID_HLT);
    rig.host('8e d2 0f 01 c2 ; mov ss, edx; vmlaunch', { RDX: 0n });
    assert.equal(rig.status, 26);
  });

  it('a guest that enters long mode by itself has the IA-32e mode guest control set by the exit', () => {
    const rig = new VmxRig().realModeGuest(`
      66 b8 20 20 00 00  ; mov eax, PAE | VMXE
      0f 22 e0           ; mov cr4, eax
      66 b8 00 10 00 00  ; mov eax, 0x1000
      0f 22 d8           ; mov cr3, eax
      66 b9 80 00 00 c0  ; mov ecx, IA32_EFER
      66 b8 00 01 00 00  ; mov eax, LME
      66 31 d2           ; xor edx, edx
      0f 30              ; wrmsr
      66 b8 21 00 00 80  ; mov eax, PG | NE | PE
      0f 22 c0           ; mov cr0, eax
      0f a2              ; cpuid
      f4                 ; hlt`);
    rig.guest64(0x1000, 0x2007n);
    rig.guest64(0x2000, 0x3007n);
    rig.guest64(0x3000, 0x87n);
    // EFER is swapped through MSR lists, as the course's VMM does.
    rig.write64(At.MSR_LISTS, 0xc000_0080n);
    rig.write64(At.MSR_LISTS + 16, 0xc000_0080n);
    rig.write64(At.MSR_LISTS + 24, 0x500n);
    rig.set({ VM_ENTRY_MSR_LOAD_ADDRESS: At.MSR_LISTS, VM_ENTRY_MSR_LOAD_COUNT: 1, VM_EXIT_MSR_STORE_ADDRESS: At.MSR_LISTS, VM_EXIT_MSR_STORE_COUNT: 1, VM_EXIT_MSR_LOAD_ADDRESS: At.MSR_LISTS + 16, VM_EXIT_MSR_LOAD_COUNT: 1 });
    assert.equal(rig.launch().name, 'CPUID');
    assert.equal(Number(rig.get('VM_ENTRY_CONTROLS')) & Entry.IA32E_MODE_GUEST, Entry.IA32E_MODE_GUEST);
    assert.equal(rig.read64(At.MSR_LISTS + 8), 0x500n);
    assert.equal(rig.cpu.state.efer, 0x500);
    assert.equal(rig.resumeBehind().name, 'HLT');
    assert.equal(rig.get('GUEST_CR0'), 0x8000_0031n);
  });

  it('registers that are not in the VMCS pass through; those in it are saved', () => {
    const rig = new VmxRig().realModeGuest('66 b8 78 56 34 12 bc 34 12 66 9c f4 ; mov eax, 0x12345678; mov sp, 0x1234; pushfd; hlt');
    rig.launch({ R15: 0x1122_3344_5566_7788n });
    assert.equal(rig.cpu.state.reg(Gpr.R15), 0x1122_3344_5566_7788n);
    assert.equal(rig.cpu.state.reg32(Gpr.RAX), 0x1234_5678);
    assert.equal(rig.get('GUEST_RSP'), 0x1230n);
    assert.equal(rig.read64(At.GUEST + 0x1230) & 0xffff_ffffn, 2n);
  });

  it('a saved guest state is a valid one: exit, then resume, in real and in long mode', () => {
    for (const mode of ['realModeGuest', 'longModeGuest'] as const) {
      const rig = new VmxRig()[mode]('90 0f a2 90 0f a2 f4 ; nop; cpuid; nop; cpuid; hlt');
      assert.equal(rig.launch().name, 'CPUID');
      assert.equal(rig.resumeBehind().name, 'CPUID');
      assert.equal(rig.resumeBehind().name, 'HLT');
      assert.deepEqual(rig.failures, []);
    }
  });

  it('the clock counts VMLAUNCH and the guest\'s instructions, not those that exit', () => {
    const rig = new VmxRig().realModeGuest('90 90 90 0f a2 ; nop x 3; cpuid');
    const before = rig.cpu.state.icount;
    const exit = rig.launch();
    assert.equal(exit.icount - before, 1 + 3);
    assert.equal(rig.cpu.state.icount - before, 1 + 3 + 1); // and the HLT of the exit handler
  });

  it('the last exit can be told from the state alone', () => {
    const rig = new VmxRig().realModeGuest('e6 71 ; out 0x71, al');
    rig.control('primary', Primary.SECONDARY_CONTROLS | Primary.UNCONDITIONAL_IO_EXITING | Primary.MSR_BITMAPS);
    const exit = rig.launch({ RAX: 0x1ffn });
    assert.deepEqual(exit.details, { port: 0x71, direction: 'out', size: 1, value: 0xff });
    assert.deepEqual(told(new VmxUnit(rig.cpu).lastExit!), told(exit));
  });

  it('a record that was reported lasts for LASTING_EXITS more exits, and its copy for ever', () => {
    const rig = new VmxRig().realModeGuest(CPUID_HLT);
    rig.launch({ RAX: 1n });
    const record = rig.unit.exitRecords.last(rig.unit);
    const [before, copy] = [told(record), record.copy()];
    rig.unit.setF64(Private.EXITS, 2);
    rig.cpu.state.set32(Private.EXIT_REASON, Reason.HLT);
    for (let n = 1; n < LASTING_EXITS; n++) rig.unit.exitRecords.last(rig.unit);
    assert.deepEqual(told(record), before);
    assert.equal(rig.unit.exitRecords.last(rig.unit), record, 'used again');
    assert.equal(record.name, 'HLT');
    assert.deepEqual([told(copy), told(copy.copy())], [before, before]);
  });
});

describe('VM entry: what is checked', () => {
  const failing = (fields: Partial<Record<FieldName, number | bigint>>, mode: 'realModeGuest' | 'longModeGuest' = 'longModeGuest'): VmxRig => {
    const rig = new VmxRig()[mode](CPUID_HLT);
    rig.set(fields);
    rig.host('0f 01 c2 ; vmlaunch');
    return rig;
  };
  const ids = (rig: VmxRig): string[] => rig.failures.at(-1)!.checks.map((c) => c.id);

  it('controls: error 7, every failing check with its fields', () => {
    const rig = failing({ EPT_POINTER: 0x2_0003, CR3_TARGET_COUNT: 5, HOST_CR4: 0 });
    assert.equal(rig.status, 7);
    assert.deepEqual(ids(rig), ['control.cr3-target-count', 'control.eptp.memory-type', 'control.eptp.walk-length', 'host.cr4.fixed', 'host.size.pae']);
    assert.deepEqual(rig.failures.at(-1)!.checks[2]!.fields, [Encoding.EPT_POINTER]);
    assert.equal(rig.exits.length, 0);
  });

  it('host state: error 8', () => {
    for (const [fields, id] of [
      [{ HOST_CR0: 0x8000_0001 }, 'host.cr0.fixed'],
      [{ HOST_CR3: 1n << 41n }, 'host.cr3.width'],
      [{ HOST_RIP: 0x8000_0000_0000n }, 'host.rip.canonical'],
      [{ HOST_CS_SELECTOR: 0 }, 'host.cs.null'],
      [{ HOST_TR_SELECTOR: 0x1b }, 'host.tr.selector'],
      [{ HOST_FS_BASE: 1n << 63n }, 'host.fs.base'],
    ] as const) {
      const rig = failing(fields);
      assert.equal(rig.status, 8, id);
      assert.deepEqual(ids(rig), [id]);
    }
    const rig = failing({});
    assert.equal(rig.failures.length, 0);
  });

  it('a 64-bit VMM without the host address-space size control: error 8', () => {
    const rig = new VmxRig().realModeGuest(CPUID_HLT);
    rig.control('exit', 0);
    rig.host('0f 01 c2 ; vmlaunch');
    assert.equal(rig.status, 8);
    assert.deepEqual(ids(rig), ['host.size.64']);
  });

  it('guest state: exit 33, the host state loaded, all checks reported', () => {
    for (const [fields, expected] of [
      [{ GUEST_CR4: 0x20 }, ['guest.cr4.fixed']],
      [{ GUEST_CR0: 0x21 }, ['guest.long-mode.paging']],
      [{ GUEST_RFLAGS: 0 }, ['guest.rflags.reserved']],
      [{ GUEST_RIP: 0x1_0000_0000_0000n }, ['guest.rip.upper-bits']],
      [{ GUEST_TR_ACCESS_RIGHTS: 0x89 }, ['guest.tr.type']],
      [{ GUEST_CS_ACCESS_RIGHTS: 0xe09b }, ['guest.cs.size']],
      [{ GUEST_DS_LIMIT: 0x1234 }, ['guest.ds.granularity']],
      [{ GUEST_ACTIVITY_STATE: 4 }, ['guest.activity.supported']],
      [{ GUEST_INTERRUPTIBILITY_STATE: 1 }, ['guest.interruptibility.sti']],
      [{ GUEST_PENDING_DEBUG_EXCEPTIONS: 0x100 }, ['guest.pending-debug.reserved']],
    ] as const) {
      const rig = failing(fields);
      assert.deepEqual(ids(rig), expected);
      assert.equal(rig.get('VM_EXIT_REASON'), 0x8000_0021n);
      assert.equal(rig.exits.at(-1)!.name, 'ENTRY_FAILURE_GUEST_STATE');
      assert.equal(rig.failures.at(-1)!.exitReason, 33);
      assert.equal(rig.cpu.state.rip, BigInt(At.EXIT_HANDLER) + 1n);
      // The launch did not happen.
      rig.host('0f 01 c3 ; vmresume');
      assert.equal(rig.status, 5);
    }
  });

  it('exit 33 tells link pointer and PDPTEs by its qualification', () => {
    const link = failing({ VMCS_LINK_POINTER: 0x1_2345 });
    assert.deepEqual([link.get('EXIT_QUALIFICATION'), ids(link)], [4n, ['guest.link-pointer.address']]);
    const rig = new VmxRig().realModeGuest(CPUID_HLT);
    rig.set({ GUEST_CR0: 0x8000_0021, GUEST_CR4: 0x2020, GUEST_PDPTE0: 3 });
    rig.host('0f 01 c2 ; vmlaunch');
    assert.deepEqual([rig.get('EXIT_QUALIFICATION'), ids(rig)], [2n, ['guest.pdpte0']]);
  });

  it('exit 34 names the MSR entry that cannot be loaded', () => {
    const rig = new VmxRig().realModeGuest(CPUID_HLT);
    rig.write64(At.MSR_LISTS, 0xc000_0082n);
    rig.write64(At.MSR_LISTS + 16, 0xdeadn);
    rig.set({ VM_ENTRY_MSR_LOAD_ADDRESS: At.MSR_LISTS, VM_ENTRY_MSR_LOAD_COUNT: 2 });
    rig.host('0f 01 c2 ; vmlaunch');
    assert.equal(rig.get('VM_EXIT_REASON'), 0x8000_0022n);
    assert.equal(rig.get('EXIT_QUALIFICATION'), 2n);
    assert.equal(rig.cpu.state.access(Seg.CS), 0xa09b);
  });

  it('without unrestricted guest, real mode and its segments are refused', () => {
    const rig = new VmxRig(['unrestricted-guest']).realModeGuest(CPUID_HLT);
    rig.host('0f 01 c2 ; vmlaunch');
    assert.equal(rig.status, 7);
    rig.control('secondary', Secondary.EPT);
    rig.host('0f 01 c2 ; vmlaunch');
    assert.ok(ids(rig).includes('guest.cr0.fixed') && ids(rig).includes('guest.cs.type'));
  });

  it('an MSR that the exit cannot load is a VMX abort: the processor shuts down', () => {
    const rig = new VmxRig().realModeGuest(CPUID_HLT);
    rig.write64(At.MSR_LISTS, 0xdeadn);
    rig.set({ VM_EXIT_MSR_LOAD_ADDRESS: At.MSR_LISTS, VM_EXIT_MSR_LOAD_COUNT: 1 });
    assert.throws(() => rig.launch(), /shutdown/);
    assert.match(rig.failures.at(-1)!.message, /VMX abort/);
    assert.equal(rig.read64(At.VMCS) >> 32n, 4n);
  });
});

describe('VM entry: events and timers', () => {
  it('an injected interrupt goes through the guest\'s vector table and clears the valid bit', () => {
    const rig = new VmxRig().realModeGuest(CPUID_HLT);
    rig.guest(0x8000, 'f4 ; hlt');
    rig.guest64(0x20 * 4, 0x8000n);
    rig.set({ VM_ENTRY_INTERRUPTION_INFO: 0x8000_0020, GUEST_RFLAGS: 0x202 });
    const exit = rig.launch();
    assert.deepEqual([exit.name, exit.guestRip], ['HLT', 0x8000n]);
    assert.equal(rig.get('VM_ENTRY_INTERRUPTION_INFO'), 0x20n);
    assert.equal(rig.get('GUEST_RSP'), 0x5ffan);
    assert.equal(rig.read64(At.GUEST + 0x5ffa) & 0xffff_ffff_ffffn, 0x0202_0000_7000n);
  });

  it('a fault while an event is delivered gives IDT-vectoring information', () => {
    const rig = new VmxRig().realModeGuest(CPUID_HLT);
    rig.write64(rig.eptEntry(0x5000), 0n); // the stack
    rig.set({ VM_ENTRY_INTERRUPTION_INFO: 0x8000_0021, GUEST_RFLAGS: 0x202 });
    const exit = rig.launch();
    assert.equal(exit.name, 'EPT_VIOLATION');
    assert.equal(rig.get('IDT_VECTORING_INFO'), 0x8000_0021n);
    assert.equal(exit.details.during, 'delivery of external interrupt vector 0x21');
    assert.equal(exit.guestRip, BigInt(GUEST_CODE));
  });

  it('the preemption timer ends an endless loop at an exact clock, and what is left is saved', () => {
    const rig = new VmxRig().realModeGuest('eb fe ; jmp self');
    rig.control('pin', Pin.PREEMPTION_TIMER);
    rig.control('exit', Exit.HOST_ADDRESS_SPACE_SIZE | Exit.SAVE_PREEMPTION_TIMER);
    rig.set({ PREEMPTION_TIMER_VALUE: 10 });
    const period = 2 ** Number(rig.unit.readMsr(VMX_MISC)! & 0x1fn);
    const start = rig.cpu.state.icount + 1;
    const exit = rig.launch();
    assert.equal(exit.name, 'PREEMPTION_TIMER');
    assert.equal(exit.icount, (Math.floor(start / period) + 10) * period);
    assert.equal(rig.get('PREEMPTION_TIMER_VALUE'), 0n);
    const other = new VmxRig().realModeGuest('0f a2 90 90 90 f4 ; cpuid; 3 times nop; hlt');
    other.control('pin', Pin.PREEMPTION_TIMER);
    other.control('exit', Exit.HOST_ADDRESS_SPACE_SIZE | Exit.SAVE_PREEMPTION_TIMER);
    other.set({ PREEMPTION_TIMER_VALUE: 1000 });
    assert.equal(other.launch().name, 'CPUID');
    assert.equal(other.get('PREEMPTION_TIMER_VALUE'), 1000n);
    assert.equal(other.resumeBehind().name, 'HLT');
    assert.ok(other.get('PREEMPTION_TIMER_VALUE') < 1000n, 'instructions of the guest take time');
  });
  it('KVM uses the preemption timer: all its bits last ten seconds', () => {
    const period = 2 ** Number(new VmxRig().unit.readMsr(VMX_MISC)! & 0x1fn);
    assert.ok((0xffff_ffff * period) / TSC_FREQUENCY >= 10);
  });

  it('a timer of 0 exits before the guest\'s first instruction', () => {
    const rig = new VmxRig().realModeGuest(CPUID_HLT);
    rig.control('pin', Pin.PREEMPTION_TIMER);
    rig.set({ PREEMPTION_TIMER_VALUE: 0 });
    const exit = rig.launch();
    assert.deepEqual([exit.name, exit.guestRip], ['PREEMPTION_TIMER', BigInt(GUEST_CODE)]);
  });

  it('the monitor trap flag exits after each instruction', () => {
    const rig = new VmxRig().realModeGuest('90 90 0f a2 ; nop; nop; cpuid');
    rig.control('primary', Primary.SECONDARY_CONTROLS | Primary.MONITOR_TRAP_FLAG);
    assert.deepEqual([rig.launch(), rig.resume(), rig.resume()].map((e) => [e.name, Number(e.guestRip)]), [['MONITOR_TRAP_FLAG', GUEST_CODE + 1], ['MONITOR_TRAP_FLAG', GUEST_CODE + 2], ['CPUID', GUEST_CODE + 2]]);
  });

  it('an external interrupt exits whatever RFLAGS.IF is, and is acknowledged', () => {
    const rig = new VmxRig().realModeGuest('eb fe ; jmp self');
    rig.control('pin', Pin.EXTERNAL_INTERRUPT_EXITING);
    rig.control('exit', Exit.HOST_ADDRESS_SPACE_SIZE | Exit.ACKNOWLEDGE_INTERRUPT);
    rig.interrupts = [0x31];
    const exit = rig.launch();
    assert.deepEqual([exit.name, exit.details], ['EXTERNAL_INTERRUPT', { vector: 0x31 }]);
    assert.equal(rig.get('VM_EXIT_INTERRUPTION_INFO'), 0x8000_0031n);
    assert.deepEqual(rig.interrupts, []);
  });

  it('without external-interrupt exiting the guest takes it', () => {
    const rig = new VmxRig().realModeGuest('90 90 f4 ; nop; nop; hlt');
    rig.guest(0x8000, '0f a2 ; cpuid');
    rig.guest64(0x31 * 4, 0x8000n);
    rig.set({ GUEST_RFLAGS: 0x202 });
    rig.interrupts = [0x31];
    const exit = rig.launch();
    assert.deepEqual([exit.name, exit.guestRip], ['CPUID', 0x8000n]);
  });

  it('interrupt-window exiting exits after STI and its shadow', () => {
    const rig = new VmxRig().realModeGuest('90 fb 90 90 f4 ; nop; sti; nop; nop; hlt');
    rig.control('primary', Primary.SECONDARY_CONTROLS | Primary.HLT_EXITING | Primary.INTERRUPT_WINDOW_EXITING);
    const exit = rig.launch();
    assert.deepEqual([exit.name, Number(exit.guestRip)], ['INTERRUPT_WINDOW', GUEST_CODE + 3]);
  });

  it('a HLT that does not exit waits in the guest and is woken by the interrupt', () => {
    const rig = new VmxRig().realModeGuest('fb f4 0f a2 ; sti; hlt; cpuid');
    rig.control('primary', Primary.SECONDARY_CONTROLS);
    rig.host('0f 01 c2 ; vmlaunch');
    assert.equal(rig.unit.nonRoot, true);
    assert.equal(rig.cpu.state.get32(Offset.ACTIVITY), 1);
    rig.guest(0x8000, 'cf ; iret');
    rig.guest64(0x31 * 4, 0x8000n);
    rig.interrupts = [0x31];
    rig.cpu.run(1000);
    assert.equal(rig.exits.at(-1)!.name, 'CPUID');
  });

  it('NMIs exit and are blocked afterwards', () => {
    const rig = new VmxRig().realModeGuest('90 eb fe ; nop; jmp self');
    rig.control('pin', Pin.NMI_EXITING);
    rig.cpu.state.set32(Offset.NMI_PENDING, 0);
    rig.host('0f a2 ; cpuid');
    rig.cpu.state.set32(Offset.INTERRUPTIBILITY, 8); // blocked until the guest runs
    rig.cpu.state.set32(Offset.NMI_PENDING, 1);
    rig.set({ GUEST_INTERRUPTIBILITY_STATE: 0 });
    const exit = rig.launch();
    assert.deepEqual([exit.name, exit.details.type], ['EXCEPTION_OR_NMI', 'NMI']);
    assert.equal(rig.cpu.state.get32(Offset.INTERRUPTIBILITY), 8);
    assert.equal(rig.cpu.state.get32(Offset.NMI_PENDING), 0);
  });

  it('RFLAGS.TF set by the VM entry: the #DB comes after the guest\'s first instruction', () => {
    const rig = new VmxRig().realModeGuest('90 90 f4 ; nop; nop; hlt');
    rig.set({ EXCEPTION_BITMAP: 1 << 1, GUEST_RFLAGS: 0x102 });
    const exit = rig.launch();
    assert.deepEqual([exit.name, Number(exit.guestRip), exit.qualification], ['EXCEPTION_OR_NMI', GUEST_CODE + 1, 0x4000n]);
  });

  it('a pending single step is delivered before the first instruction', () => {
    const rig = new VmxRig().realModeGuest('90 90 f4');
    rig.set({ EXCEPTION_BITMAP: 1 << 1, GUEST_RFLAGS: 0x102, GUEST_PENDING_DEBUG_EXCEPTIONS: 0x4000 });
    const exit = rig.launch();
    assert.deepEqual([exit.name, Number(exit.guestRip), exit.qualification], ['EXCEPTION_OR_NMI', GUEST_CODE, 0x4000n]);
  });
});
