/** Virtual interrupts: evaluation, delivery, EOI, self-IPI, x2APIC MSRs, posted interrupts. Tiny VMMs; a title names its rule. */
import assert from 'node:assert/strict';
import { Gpr, Offset } from '../../src/cpu/state';
import { Exit, Pin, Primary, Secondary, Tertiary, VmxMsr } from '../../src/vmx';
import { APIC, ApicRig, DESCRIPTOR, NOTIFICATION, vectorOf, VIRTUAL_APIC } from './vmxApicRig';
import { GUEST_CODE, VmxRig } from './vmxRig';

const SHADOW = Primary.TPR_SHADOW;
const ACCESSES = Secondary.VIRTUALIZE_APIC_ACCESSES;
const REGISTERS = Secondary.APIC_REGISTER_VIRTUALIZATION;
const X2APIC = Secondary.VIRTUALIZE_X2APIC;
const DELIVERY = Secondary.VIRTUAL_INTERRUPT_DELIVERY;
const Reg = { TPR: 0x80, PPR: 0xa0, EOI: 0xb0, ISR: 0x100, IRR: 0x200, ICR: 0x300, SELF_IPI: 0x3f0 } as const;
const IF = 0x202;
const NOPS_HLT = '90 90 f4 ; nop; nop; hlt';
const STI_HLT = 'fb 90 f4 ; sti; nop; hlt';

const hex = (n: number): string => [0, 8, 16, 24].map((shift) => ((n >>> shift) & 0xff).toString(16)).join(' ');
/** mov ecx, msr; wrmsr or rdmsr; hlt. */
const WRMSR = (msr: number): string => `b9 ${hex(msr)} 0f 30 f4`;
const RDMSR = (msr: number): string => `b9 ${hex(msr)} 0f 32 f4`;
const WRITE = (offset: number): string => `89 83 ${hex(offset)} f4 ; mov [rbx+${offset}], eax; hlt`;

interface Options { secondary?: number; primary?: number; pin?: number; exit?: number }
const delivering = (code: string, { secondary = 0, primary = 0, pin = 0, exit = 0 }: Options = {}): ApicRig => new ApicRig(code, { primary: SHADOW | primary, secondary: DELIVERY | secondary, pin, exit });
const bitOf = (rig: ApicRig, set: number, vector: number): number => (rig.apic(set + (vector >>> 5) * 0x10) >>> (vector & 31)) & 1;
function request(rig: ApicRig, ...vectors: number[]): ApicRig {
  for (const vector of vectors) {
    const at = Reg.IRR + (vector >>> 5) * 0x10;
    rig.setApic(at, (rig.apic(at) | (1 << (vector & 31))) >>> 0);
  }
  return rig;
}

describe('VMX: virtual-interrupt delivery', () => {
  it('virtual.entry: VM entry evaluates RVI and delivers through the guest\'s IDT before the first instruction', () => {
    const rig = request(delivering(NOPS_HLT), 0x51, 0x33).inService(0x51, 0);
    rig.set({ GUEST_RFLAGS: IF });
    const exit = rig.launch();
    assert.equal(vectorOf(exit), 0x51);
    assert.deepEqual(rig.interruptStatus, { rvi: 0x33, svi: 0x51 });
    assert.deepEqual([bitOf(rig, Reg.IRR, 0x51), bitOf(rig, Reg.ISR, 0x51), bitOf(rig, Reg.IRR, 0x33), rig.apic(Reg.PPR)], [0, 1, 1, 0x50]);
    assert.equal(rig.guestStack(0), BigInt(GUEST_CODE));
  });
  it('virtual.entry.ppr: VM entry computes VPPR from VTPR and SVI', () => {
    for (const [tpr, svi, ppr] of [[0x35, 0x28, 0x35], [0x25, 0x38, 0x30], [0x35, 0x38, 0x35]] as const) {
      const rig = delivering('f4').setApic(Reg.TPR, tpr).inService(0, svi);
      rig.launch();
      assert.equal(rig.apic(Reg.PPR), ppr);
    }
  });
  it('virtual.priority: a request whose class is not above the processor priority waits', () => {
    for (const [rvi, tpr, delivered] of [[0x51, 0x50, false], [0x5f, 0x4f, true], [0x4f, 0x40, false]] as const) {
      const rig = request(delivering(NOPS_HLT), rvi).setApic(Reg.TPR, tpr).inService(rvi, 0);
      rig.set({ GUEST_RFLAGS: IF });
      assert.equal(vectorOf(rig.launch()) === rvi, delivered);
    }
  });
  it('virtual.blocking: RFLAGS.IF, STI and MOV SS hold it back', () => {
    const masked = request(delivering(NOPS_HLT), 0x51).inService(0x51, 0);
    assert.equal(vectorOf(masked.launch()) === 0x51, false);
    const sti = request(delivering(STI_HLT), 0x51).inService(0x51, 0);
    assert.equal(vectorOf(sti.launch()), 0x51);
    assert.equal(sti.guestStack(0), BigInt(GUEST_CODE + 2)); // behind the NOP that follows STI
    const shadow = request(delivering(NOPS_HLT), 0x51).inService(0x51, 0);
    shadow.set({ GUEST_RFLAGS: IF, GUEST_INTERRUPTIBILITY_STATE: 2 });
    shadow.launch();
    assert.equal(shadow.guestStack(0), BigInt(GUEST_CODE + 1));
  });
  it('virtual.window: interrupt-window exiting keeps it from being recognized', () => {
    const rig = request(delivering(NOPS_HLT, { primary: Primary.INTERRUPT_WINDOW_EXITING }), 0x51).inService(0x51, 0);
    rig.set({ GUEST_RFLAGS: IF });
    assert.deepEqual([rig.launch().name, rig.interruptStatus.rvi], ['INTERRUPT_WINDOW', 0x51]);
  });
  it('virtual.hlt: it ends the HLT state', () => {
    const rig = request(delivering('f4'), 0x51).inService(0x51, 0);
    rig.set({ GUEST_RFLAGS: IF, GUEST_ACTIVITY_STATE: 1 });
    assert.equal(vectorOf(rig.launch()), 0x51);
  });
  it('virtual.nmi: an NMI that the guest takes itself comes first', () => {
    const rig = request(delivering(NOPS_HLT), 0x51).inService(0x51, 0);
    rig.set({ GUEST_RFLAGS: IF });
    rig.unit.observer!.entry = () => rig.cpu.state.set32(Offset.NMI_PENDING, 1);
    assert.equal(vectorOf(rig.launch()), 2);
    assert.equal(rig.interruptStatus.rvi, 0x51);
  });
  it('virtual.injection: an injected interrupt goes first, the virtual one waits for IF', () => {
    const rig = request(delivering(NOPS_HLT), 0x51).inService(0x51, 0);
    rig.set({ GUEST_RFLAGS: IF, VM_ENTRY_INTERRUPTION_INFO: 0x8000_0040 });
    assert.equal(vectorOf(rig.launch()), 0x40);
    assert.equal(rig.interruptStatus.rvi, 0x51);
  });
  it('virtual.fault: a fault of its delivery has it as IDT-vectoring information', () => {
    const rig = request(delivering(NOPS_HLT), 0x51).inService(0x51, 0);
    rig.set({ GUEST_RFLAGS: IF, GUEST_IDTR_LIMIT: 0x4ff, EXCEPTION_BITMAP: 1 << 13 });
    const exit = rig.launch();
    assert.deepEqual([exit.details.exception, rig.get('IDT_VECTORING_INFO')], ['#GP', 0x8000_0051n]);
    assert.deepEqual(rig.interruptStatus, { rvi: 0, svi: 0x51 });
  });
  it('virtual.tpr: lowering the task priority delivers what waited', () => {
    const rig = request(delivering('44 0f 22 c0 90 f4 ; mov cr8, rax; nop; hlt'), 0x51).setApic(Reg.TPR, 0x60).inService(0x51, 0);
    rig.set({ GUEST_RFLAGS: IF, TPR_THRESHOLD: 15 });
    assert.equal(vectorOf(rig.launch({ RAX: 4n })), 0x51);
    assert.equal(rig.guestStack(0), BigInt(GUEST_CODE + 4));
  });
});

describe('VMX: EOI and IPI virtualization', () => {
  it('virtual.eoi: a write to EOI ends the interrupt in service and delivers the next', () => {
    const rig = request(delivering(WRITE(Reg.EOI), { secondary: ACCESSES }), 0x33).inService(0x33, 0x51);
    rig.setApic(Reg.ISR + 0x20, 1 << 0x11).setApic(Reg.ISR + 0x10, 1);
    rig.set({ GUEST_RFLAGS: IF });
    const exit = rig.launch({ RBX: BigInt(APIC), RAX: 0x77n });
    assert.equal(vectorOf(exit), 0x33);
    assert.deepEqual(rig.interruptStatus, { rvi: 0, svi: 0x33 });
    assert.deepEqual([bitOf(rig, Reg.ISR, 0x51), bitOf(rig, Reg.ISR, 0x20), rig.apic(Reg.EOI)], [0, 1, 0]);
  });
  it('virtual.eoi.exit: the EOI-exit bitmap asks for an exit with the vector', () => {
    for (const [vector, field] of [[0x51, 'EOI_EXIT_BITMAP_1'], [0xa0, 'EOI_EXIT_BITMAP_2'], [0xff, 'EOI_EXIT_BITMAP_3'], [0x20, 'EOI_EXIT_BITMAP_0']] as const) {
      const rig = delivering(WRITE(Reg.EOI), { secondary: ACCESSES }).inService(0, vector);
      rig.setApic(Reg.ISR + (vector >>> 5) * 0x10, (1 << (vector & 31)) >>> 0);
      rig.set({ [field]: 1n << BigInt(vector & 63) });
      const exit = rig.launch({ RBX: BigInt(APIC) });
      assert.deepEqual([exit.name, exit.qualification, exit.guestRip], ['VIRTUALIZED_EOI', BigInt(vector), BigInt(GUEST_CODE + 6)]);
      assert.deepEqual(rig.interruptStatus, { rvi: 0, svi: 0 });
    }
  });
  it('virtual.icr.self: an ICR write that is a self-IPI is one; others exit with reason 56', () => {
    const run = (command: number): { rig: ApicRig; name: string; vector: number } => {
      const rig = delivering(WRITE(Reg.ICR), { secondary: ACCESSES });
      rig.set({ GUEST_RFLAGS: IF });
      const exit = rig.launch({ RBX: BigInt(APIC), RAX: BigInt(command) });
      return { rig, name: exit.name, vector: vectorOf(exit) };
    };
    assert.equal(run(0x4_0061).vector, 0x61);
    assert.equal(run(0x4_4861).vector, 0x61); // level and destination mode do not matter
    for (const command of [0x61, 0x8_0061, 0x4_0461, 0x4_8061, 0x4_000f, 0x14_0061, 0x4_1061, 0x4_2061]) assert.equal(run(command).name, 'APIC_WRITE', command.toString(16));
  });
});

describe('VMX: x2APIC virtualization', () => {
  it('x2apic.tpr: MSR 808H is VTPR, 64 bits of the page', () => {
    const rig = new ApicRig(RDMSR(0x808), { primary: SHADOW, secondary: X2APIC });
    rig.write64(VIRTUAL_APIC + 0x80, 0x1234_5678_9abc_def0n);
    assert.equal(rig.launch().name, 'HLT');
    assert.deepEqual([rig.cpu.state.reg(Gpr.RAX), rig.cpu.state.reg(Gpr.RDX)], [0x9abc_def0n, 0x1234_5678n]);
    const write = new ApicRig(WRMSR(0x808), { primary: SHADOW, secondary: X2APIC }).setApic(Reg.TPR, 0x90);
    write.set({ TPR_THRESHOLD: 4 });
    const exit = write.launch({ RAX: 0x30n, RDX: 0n });
    assert.deepEqual([exit.name, exit.guestRip, write.apic(Reg.TPR)], ['TPR_BELOW_THRESHOLD', BigInt(GUEST_CODE + 7), 0x30]);
  });
  it('x2apic.reserved: bits beyond a register raise #GP', () => {
    for (const [msr, rax, rdx] of [[0x808, 0x100n, 0n], [0x808, 0n, 1n], [0x80b, 1n, 0n], [0x83f, 0x141n, 0n]] as const) {
      const rig = delivering(WRMSR(msr), { secondary: X2APIC });
      rig.set({ EXCEPTION_BITMAP: 1 << 13 });
      assert.equal(rig.launch({ RAX: rax, RDX: rdx }).details.exception, '#GP');
    }
  });
  it('x2apic.real: what is not virtualized is the local APIC\'s', () => {
    for (const code of [RDMSR(0x80d), WRMSR(0x80b), WRMSR(0x83f)]) {
      const rig = new ApicRig(code, { primary: SHADOW, secondary: X2APIC }); // the rig has no local APIC
      rig.set({ EXCEPTION_BITMAP: 1 << 13 });
      assert.equal(rig.launch({ RAX: 0n, RDX: 0n }).details.exception, '#GP');
    }
    const off = new ApicRig(RDMSR(0x808), { primary: SHADOW });
    off.set({ EXCEPTION_BITMAP: 1 << 13 });
    assert.equal(off.launch().details.exception, '#GP');
  });
  it('x2apic.registers: APIC-register virtualization reads every MSR of the range from the page', () => {
    for (const msr of [0x800, 0x802, 0x80b, 0x80e, 0x830, 0x831, 0x83f, 0x8ff]) {
      const rig = new ApicRig(RDMSR(msr), { primary: SHADOW, secondary: X2APIC | REGISTERS });
      rig.write64(VIRTUAL_APIC + ((msr & 0xff) << 4), 0x7000_0000_0000_0001n + BigInt(msr));
      assert.equal(rig.launch().name, 'HLT');
      assert.equal(rig.cpu.state.reg(Gpr.RAX), BigInt(msr + 1));
    }
  });
  it('x2apic.eoi and x2apic.self-ipi', () => {
    const eoi = delivering(WRMSR(0x80b), { secondary: X2APIC }).inService(0, 0x51);
    eoi.set({ EOI_EXIT_BITMAP_1: 1n << 0x11n });
    assert.deepEqual([eoi.launch({ RAX: 0n, RDX: 0n }).qualification, eoi.exits.at(-1)!.name], [0x51n, 'VIRTUALIZED_EOI']);
    const self = delivering(WRMSR(0x83f), { secondary: X2APIC });
    self.set({ GUEST_RFLAGS: IF });
    assert.equal(vectorOf(self.launch({ RAX: 0x71n, RDX: 0n })), 0x71);
    const low = delivering(WRMSR(0x83f), { secondary: X2APIC }).launch({ RAX: 0xfn, RDX: 0n });
    assert.deepEqual([low.name, low.qualification, low.guestRip], ['APIC_WRITE', 0x3f0n, BigInt(GUEST_CODE + 7)]);
  });
  it('x2apic.bitmap: the MSR bitmap comes first', () => {
    const rig = delivering(RDMSR(0x808), { secondary: X2APIC });
    rig.writeBytes(0x1_3000 + 0x101, [1]);
    assert.equal(rig.launch().name, 'RDMSR');
  });
});

describe('VMX: posted interrupts', () => {
  const posting = (code: string, more: Options = {}): ApicRig => {
    const rig = delivering(code, { pin: Pin.POSTED_INTERRUPTS, exit: Exit.ACKNOWLEDGE_INTERRUPT, ...more });
    rig.set({ GUEST_RFLAGS: IF });
    return rig;
  };
  it('posted.merge: the notification vector moves PIR to VIRR, clears ON, ends the interrupt and delivers', () => {
    const rig = posting(NOPS_HLT);
    rig.write64(DESCRIPTOR + 8, 1n << 0x21n); // 0x61
    rig.write64(DESCRIPTOR + 24, 1n << 0x10n); // 0xd0
    rig.write64(DESCRIPTOR + 32, 0x1234_0001n);
    rig.interrupts = [NOTIFICATION];
    assert.equal(vectorOf(rig.launch()), 0xd0);
    assert.deepEqual(rig.interruptStatus, { rvi: 0x61, svi: 0xd0 });
    assert.deepEqual([8, 24, 32].map((at) => rig.read64(DESCRIPTOR + at)), [0n, 0n, 0x1234_0000n]);
    assert.deepEqual([rig.ended, bitOf(rig, Reg.IRR, 0x61)], [1, 1]);
  });
  it('posted.masked: it is processed while the guest has interrupts off, without a VM exit', () => {
    const rig = posting(NOPS_HLT);
    rig.set({ GUEST_RFLAGS: 2 });
    rig.write64(DESCRIPTOR + 8, 1n << 0x21n);
    rig.interrupts = [NOTIFICATION];
    const exit = rig.launch();
    assert.deepEqual([exit.name, exit.guestRip, rig.interruptStatus.rvi], ['HLT', BigInt(GUEST_CODE + 2), 0x61]);
  });
  it('posted.other: another vector exits and is acknowledged', () => {
    const rig = posting(NOPS_HLT);
    rig.interrupts = [0x40];
    const exit = rig.launch();
    assert.deepEqual([exit.name, exit.details.vector, rig.ended], ['EXTERNAL_INTERRUPT', 0x40, 0]);
  });
  it('posted.hlt: a halted guest wakes when there is something to deliver, and only then', () => {
    const rig = posting('f4 f4');
    rig.control('primary', Primary.SECONDARY_CONTROLS | Primary.MSR_BITMAPS | SHADOW);
    rig.set({ GUEST_ACTIVITY_STATE: 1 });
    rig.interrupts = [NOTIFICATION];
    assert.throws(() => rig.launch(), /no VM exit/); // it halts for good
    assert.deepEqual([rig.activity, rig.ended, rig.cpu.state.rip], [1, 1, BigInt(GUEST_CODE)]);
    rig.write64(DESCRIPTOR + 8, 1n << 0x21n);
    rig.interrupts = [NOTIFICATION];
    rig.cpu.run(10);
    assert.equal(rig.cpu.state.rip, 0x9061n + 1n);
  });
});

describe('VMX: IPI virtualization', () => {
  const TABLE = 0x1_b000;
  const OTHER = 0x1_c040;
  /** A guest that may send to virtual processors 0 to 3, of which 2 has the descriptor OTHER. */
  function sending(code: string, secondary: number): { rig: ApicRig; sent: number[][] } {
    const rig = new ApicRig(code, { primary: SHADOW | Primary.TERTIARY_CONTROLS, secondary });
    const sent: number[][] = [];
    (rig.cpu.interrupts as { sendInterrupt?: (vector: number, destination: number) => void }).sendInterrupt = (vector, destination) => void sent.push([vector, destination]);
    rig.set({ TERTIARY_PROCESSOR_BASED_CONTROLS: Tertiary.IPI_VIRTUALIZATION, PID_POINTER_TABLE_ADDRESS: TABLE, LAST_PID_POINTER_INDEX: 3 });
    rig.write64(TABLE + 2 * 8, BigInt(OTHER | 1));
    rig.write64(OTHER + 32, BigInt(NOTIFICATION << 16) | (0x0700n << 32n));
    return { rig, sent };
  }
  const xapic = (command: number, target: number): ReturnType<typeof sending> & { name: string } => {
    const { rig, sent } = sending(WRITE(Reg.ICR), ACCESSES);
    rig.setApic(0x310, (target << 24) >>> 0);
    return { rig, sent, name: rig.launch({ RBX: BigInt(APIC), RAX: BigInt(command) }).name };
  };
  const x2apic = (command: number, target: number): ReturnType<typeof sending> & { name: string; exception: unknown } => {
    const { rig, sent } = sending(WRMSR(0x830), X2APIC);
    rig.set({ EXCEPTION_BITMAP: 1 << 13 });
    const exit = rig.launch({ RAX: BigInt(command), RDX: BigInt(target) });
    return { rig, sent, name: exit.name, exception: exit.details.exception };
  };

  it('ipi.post: sets the vector in PIR and ON, and notifies once', () => {
    for (const send of [xapic, x2apic]) {
      const { rig, sent, name } = send(0x4061, 2);
      assert.equal(name, 'HLT');
      assert.equal(rig.read64(OTHER + 8), 1n << 0x21n);
      assert.equal(rig.read64(OTHER + 32) & 3n, 1n);
      assert.deepEqual(sent, [[NOTIFICATION, 0x700]]);
      assert.equal(rig.apic(Reg.ICR), 0x4061);
    }
  });
  it('ipi.suppressed: with ON or SN set nobody is notified', () => {
    for (const bits of [1n, 2n]) {
      const { rig, sent } = sending(WRMSR(0x830), X2APIC);
      rig.write64(OTHER + 32, rig.read64(OTHER + 32) | bits);
      assert.equal(rig.launch({ RAX: 0x61n, RDX: 2n }).name, 'HLT');
      assert.deepEqual([sent.length, rig.read64(OTHER + 8), rig.read64(OTHER + 32) & 3n], [0, 1n << 0x21n, bits]);
    }
  });
  it('ipi.exit: other destinations, commands and pointers are the VMM\'s', () => {
    // Beyond the table, no valid pointer; shorthand, logical, delivery mode, level; vector below 16.
    for (const [command, target] of [[0x61, 4], [0x61, 1], [0x8_0061, 2], [0x861, 2], [0x461, 2], [0x8061, 2], [0x0f, 2]] as const) {
      assert.equal(xapic(command, target).name, 'APIC_WRITE', command.toString(16));
      assert.equal(x2apic(command, target).name, 'APIC_WRITE', command.toString(16));
    }
    const { rig } = sending(WRMSR(0x830), X2APIC);
    rig.write64(TABLE + 2 * 8, BigInt(OTHER | 3)); // a reserved bit
    const exit = rig.launch({ RAX: 0x61n, RDX: 2n });
    assert.deepEqual([exit.name, exit.qualification], ['APIC_WRITE', 0x300n]);
  });
  it('ipi.reserved: reserved bits raise #GP from WRMSR and exit from memory', () => {
    assert.equal(x2apic(0x10_0061, 2).exception, '#GP');
    assert.equal(xapic(0x10_0061, 2).name, 'APIC_WRITE');
    assert.equal(x2apic(0x1061, 2).name, 'APIC_WRITE', 'delivery status is not one of them');
  });
  it('ipi.withheld: without the feature there are no tertiary controls', () => {
    const { capabilities } = new VmxRig(['tertiary-controls']).unit;
    assert.equal(capabilities.read(VmxMsr.PROCBASED_CTLS3), undefined);
    assert.equal(capabilities.controls.primary.may & Primary.TERTIARY_CONTROLS, 0);
    assert.equal(new VmxRig().unit.capabilities.read(VmxMsr.PROCBASED_CTLS3), BigInt(Tertiary.IPI_VIRTUALIZATION));
  });
});
