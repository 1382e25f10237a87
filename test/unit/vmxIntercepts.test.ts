import assert from 'node:assert/strict';
import { Permitted } from '../../src/cpu/isa/permitted';
import { Gpr, Offset } from '../../src/cpu/state';
import { Exit, type ExitRecord, Primary, Secondary } from '../../src/vmx';
import { At, GUEST_CODE, VmxRig } from './vmxRig';

const BASE = Primary.SECONDARY_CONTROLS | Primary.MSR_BITMAPS | Primary.HLT_EXITING;
const BASE2 = Secondary.EPT | Secondary.UNRESTRICTED_GUEST;

/** The first exit of a guest with more controls. */
function firstExit(code: string, controls: { primary?: number; secondary?: number; long?: boolean; prepare?: (rig: VmxRig) => void } = {}): { rig: VmxRig; exit: ExitRecord } {
  const rig = new VmxRig();
  if (controls.long) rig.longModeGuest(code);
  else rig.realModeGuest(code);
  rig.control('primary', BASE | (controls.primary ?? 0));
  rig.control('secondary', BASE2 | (controls.secondary ?? 0));
  controls.prepare?.(rig);
  return { rig, exit: rig.launch() };
}

describe('VMX intercepts: instructions', () => {
  it('each by its control, and not without it', () => {
    for (const [name, code, primary, secondary] of [
      ['RDTSC', '0f 31', Primary.RDTSC_EXITING, 0],
      ['PAUSE', 'f3 90', Primary.PAUSE_EXITING, 0],
      ['WBINVD', '0f 09', 0, Secondary.WBINVD_EXITING],
      ['INVLPG', '0f 01 3e 34 12', Primary.INVLPG_EXITING, 0],
      ['GDTR_IDTR_ACCESS', '0f 01 06 00 10 ; sgdt [0x1000]', 0, Secondary.DESCRIPTOR_TABLE_EXITING],
    ] as const) {
      assert.equal(firstExit(`${code}\n f4`).exit.name, 'HLT', name);
      assert.equal(firstExit(`${code}\n f4`, { primary, secondary }).exit.name, name);
    }
    assert.equal(firstExit('0f 08').exit.name, 'INVD');
  });

  it('VMCALL exits at CPL 3 too, with the hypercall\'s number', () => {
    const { exit } = firstExit('0f 01 c1 ; vmcall', {
      long: true,
      prepare: (rig) => {
        rig.set({ GUEST_CS_ACCESS_RIGHTS: 0xa0fb, GUEST_SS_ACCESS_RIGHTS: 0xc0f3, GUEST_CS_SELECTOR: 0x1b, GUEST_SS_SELECTOR: 0x23 });
        rig.cpu.state.setReg(Gpr.RAX, 2n);
      },
    });
    assert.deepEqual([exit.name, exit.details, exit.instructionLength], ['VMCALL', { number: 2 }, 3]);
  });

  it('VMCALL exits in real mode, where its kin are undefined', () => {
    assert.equal(firstExit('0f 01 c1 ; vmcall').exit.name, 'VMCALL');
    assert.equal(firstExit('0f 01 c4 ; vmxoff').exit.name, 'TRIPLE_FAULT');
  });

  it('VMX instructions exit with displacement and instruction information', () => {
    const { rig, exit } = firstExit('0f 78 54 8b 10 ; vmread [rbx+rcx*4+16], rdx', { long: true });
    assert.deepEqual([exit.name, exit.qualification], ['VMREAD', 16n]);
    assert.equal(Number(rig.get('VM_EXIT_INSTRUCTION_INFO')), (2 | (2 << 7) | (3 << 15) | (1 << 18) | (3 << 23) | (2 << 28)) >>> 0);
  });

  it('RDTSCP needs its control, else #UD', () => {
    const withhold = firstExit('0f 01 f9 ; rdtscp', { prepare: (rig) => rig.set({ EXCEPTION_BITMAP: 1 << 6 }) });
    assert.deepEqual([withhold.exit.name, withhold.exit.details.exception], ['EXCEPTION_OR_NMI', '#UD']);
    assert.equal(firstExit('0f 01 f9 f4', { secondary: Secondary.RDTSCP }).exit.name, 'HLT');
  });

  it('the time-stamp counter is offset and scaled', () => {
    const { rig, exit } = firstExit('0f 31 f4 ; rdtsc; hlt', { primary: Primary.TSC_OFFSETTING, secondary: Secondary.TSC_SCALING, prepare: (rig) => rig.set({ TSC_OFFSET: 0x1_0000_0000n, TSC_MULTIPLIER: 2n << 48n }) });
    assert.equal(rig.cpu.state.reg(Gpr.RDX), 1n);
    assert.equal(rig.cpu.state.reg32(Gpr.RAX), (exit.icount - 1) * 2);
  });
  it('the time-stamp counter that is offset alone is no work for TypeScript, and the host reads its own', () => {
    for (const [code, secondary] of [['0f 31 f4 ; rdtsc; hlt', 0], ['0f 01 f9 f4 ; rdtscp; hlt', Secondary.RDTSCP]] as const) {
      const { rig, exit } = firstExit(code, { primary: Primary.TSC_OFFSETTING, secondary, prepare: (rig) => rig.set({ TSC_OFFSET: -0x1_0000_0000n }) });
      const { state } = rig.cpu;
      assert.equal((state.reg(Gpr.RDX) << 32n) | state.reg(Gpr.RAX), BigInt.asUintN(64, BigInt(exit.icount - 1) - 0x1_0000_0000n));
      assert.equal(state.get64(Offset.GUEST_TSC_OFFSET), 0n);
    }
    const rig = firstExit('f4').rig; // offset unused
    rig.set({ TSC_OFFSET: 5n });
    rig.cpu.state.set32(Offset.VMX_MODE, 2);
    assert.equal(rig.unit.plainTimestamps(), Permitted.RDTSC);
    rig.control('primary', BASE | Primary.TSC_OFFSETTING | Primary.RDTSC_EXITING);
    assert.equal(rig.unit.plainTimestamps(), 0);
    rig.control('primary', BASE | Primary.TSC_OFFSETTING);
    rig.control('secondary', BASE2 | Secondary.TSC_SCALING);
    assert.equal(rig.unit.plainTimestamps(), 0);
    rig.set({ TSC_MULTIPLIER: 1n << 48n });
    assert.equal(rig.unit.plainTimestamps(), Permitted.RDTSC);
  });
});

describe('VMX intercepts: registers', () => {
  it('host-owned bits of CR0 and CR4 read from the shadow and exit when they would change', () => {
    const prepare = (rig: VmxRig): void => rig.set({ CR4_GUEST_HOST_MASK: 0x2000, CR4_READ_SHADOW: 0, CR0_GUEST_HOST_MASK: 0x20, CR0_READ_SHADOW: 0x20 });
    const same = firstExit('0f 20 e0 0f 22 e0 f4 ; mov eax, cr4; mov cr4, eax; hlt', { prepare });
    assert.equal(same.exit.name, 'HLT');
    assert.equal(same.rig.cpu.state.reg32(Gpr.RAX), 0);
    assert.equal(same.rig.get('GUEST_CR4'), 0x2000n);
    const changed = firstExit('66 b8 00 20 00 00 0f 22 e0 ; mov eax, 0x2000; mov cr4, eax', { prepare });
    assert.deepEqual([changed.exit.name, changed.exit.details], ['CR_ACCESS', { cr: 4, access: 'mov to', register: 'RAX', value: '0x2000' }]);
  });

  it('CR3 and CR8 exit by their controls, CR3 not for target values', () => {
    const load = '66 b9 00 50 00 00 0f 22 d9 f4 ; mov ecx, 0x5000; mov cr3, ecx; hlt';
    assert.equal(firstExit(load).exit.name, 'HLT');
    assert.deepEqual(firstExit(load, { primary: Primary.CR3_LOAD_EXITING }).exit.details, { cr: 3, access: 'mov to', register: 'RCX', value: '0x5000' });
    assert.equal(firstExit(load, { primary: Primary.CR3_LOAD_EXITING, prepare: (rig) => rig.set({ CR3_TARGET_COUNT: 2, CR3_TARGET_VALUE_1: 0x5000 }) }).exit.name, 'HLT');
    assert.deepEqual(firstExit('0f 20 db ; mov ebx, cr3', { primary: Primary.CR3_STORE_EXITING }).exit.details, { cr: 3, access: 'mov from', register: 'RBX' });
    assert.deepEqual(firstExit('44 0f 20 c0 ; mov rax, cr8', { primary: Primary.CR8_STORE_EXITING, long: true }).exit.details, { cr: 8, access: 'mov from', register: 'RAX' });
  });

  it('CLTS and LMSW', () => {
    const prepare = (rig: VmxRig): void => rig.set({ CR0_GUEST_HOST_MASK: 9, CR0_READ_SHADOW: 8 });
    assert.deepEqual(firstExit('0f 06 ; clts', { prepare }).exit.details, { cr: 0, access: 'clts' });
    assert.deepEqual(firstExit('b8 09 00 0f 01 f0 ; mov ax, 9; lmsw ax', { prepare }).exit.details, { cr: 0, access: 'lmsw', source: 9, memory: false });
    const plain = firstExit('b8 08 00 0f 01 f0 f4 ; mov ax, 8; lmsw ax; hlt', { prepare });
    assert.deepEqual([plain.exit.name, plain.rig.get('GUEST_CR0')], ['HLT', 0x30n]);
  });

  it('an unrestricted guest may switch protection on and off, but not VMXE', () => {
    const { exit } = firstExit('66 b8 21 00 00 00 0f 22 c0 66 b8 20 00 00 00 0f 22 c0 f4', {});
    assert.equal(exit.name, 'HLT');
    const vmxe = firstExit('66 31 c0 0f 22 e0 ; xor eax, eax; mov cr4, eax', { prepare: (rig) => rig.set({ EXCEPTION_BITMAP: 1 << 13 }) });
    assert.equal(vmxe.exit.details.exception, '#GP');
    assert.equal(vmxe.exit.details.errorCode, undefined); // real mode
  });

  it('debug registers', () => {
    assert.deepEqual(firstExit('0f 23 f9 ; mov dr7, ecx', { primary: Primary.MOV_DR_EXITING, prepare: (rig) => rig.cpu.state.setReg(Gpr.RCX, 0x401n) }).exit.details, { dr: 7, access: 'mov to', register: 'RCX', value: '0x401' });
  });
});

describe('VMX intercepts: ports and MSRs', () => {
  it('the I/O bitmaps select ports', () => {
    const prepare = (rig: VmxRig): void => {
      rig.writeBytes(At.IO_BITMAPS + 0x70 / 8, [0x03]);
      rig.writeBytes(At.IO_BITMAPS + 0x1000 + 0x4ff / 8, [0x80]);
    };
    const { rig, exit } = firstExit('e6 64 e4 71 ; out 0x64, al; in al, 0x71', { primary: Primary.IO_BITMAPS, prepare });
    assert.deepEqual([exit.name, exit.details, rig.ports.length], ['IO_INSTRUCTION', { port: 0x71, direction: 'in', size: 1 }, 1]);
    assert.equal(exit.qualification, BigInt((0x71 << 16) | 0x48));
    // A wider access exits when any of its ports is selected.
    const wide = firstExit('ba fe 84 ef ; mov dx, 0x84fe; out dx, ax', { primary: Primary.IO_BITMAPS, prepare });
    assert.deepEqual([wide.exit.name, wide.exit.details.port, wide.exit.details.size], ['IO_INSTRUCTION', 0x84fe, 2]);
  });

  it('string I/O tells its address', () => {
    const { exit } = firstExit('bf 34 12 ba 70 00 b9 02 00 f3 6c ; mov di, 0x1234; mov dx, 0x70; mov cx, 2; rep insb', { primary: Primary.UNCONDITIONAL_IO_EXITING });
    assert.deepEqual([exit.details, exit.linear], [{ port: 0x70, direction: 'in', size: 1, string: true, rep: true }, 0x1234n]);
  });

  it('the MSR bitmap selects reads and writes, low and high; outside its ranges everything exits', () => {
    const msr = (index: number, write: boolean): string => `66 b9 ${[0, 8, 16, 24].map((n) => ((index >>> n) & 0xff).toString(16)).join(' ')} 66 31 c0 66 31 d2 0f ${write ? '30' : '32'} f4`;
    const prepare = (offset: number, index: number) => (rig: VmxRig): void => rig.writeBytes(At.MSR_BITMAP + offset + ((index & 0x1fff) >>> 3), [1 << (index & 7)]);
    assert.equal(firstExit(msr(0x174, false)).exit.name, 'HLT');
    assert.deepEqual(firstExit(msr(0x174, false), { prepare: prepare(0, 0x174) }).exit.details, { msr: 0x174 });
    assert.equal(firstExit(msr(0x174, true), { prepare: prepare(0, 0x174) }).exit.name, 'HLT');
    assert.deepEqual(firstExit(msr(0x174, true), { prepare: prepare(0x800, 0x174) }).exit.details, { msr: 0x174, value: '0x0' });
    assert.equal(firstExit(msr(0xc000_0080, false), { prepare: prepare(0x400, 0x80) }).exit.name, 'RDMSR');
    assert.equal(firstExit(msr(0xc000_0080, true), { prepare: prepare(0xc00, 0x80) }).exit.name, 'WRMSR');
    assert.equal(firstExit(msr(0x4000_0000, false)).exit.name, 'RDMSR');
  });
});

describe('VMX intercepts: exceptions', () => {
  it('the exception bitmap selects; CR2 keeps its value on a page-fault exit', () => {
    const prepare = (rig: VmxRig): void => {
      rig.set({ EXCEPTION_BITMAP: 1 << 14 });
      rig.guest64(0x4000 + 0x50 * 8, 0n);
    };
    const { rig, exit } = firstExit('48 89 04 25 10 00 05 00 ; mov [0x50010], rax', { long: true, prepare });
    assert.deepEqual(exit.details, { vector: 14, exception: '#PF', type: 'hardware exception', errorCode: 2, address: '0x50010' });
    assert.equal(exit.guestRip, BigInt(GUEST_CODE));
    assert.equal(rig.get('VM_EXIT_INTERRUPTION_INFO'), 0x8000_0b0en);
    assert.equal(rig.cpu.state.get64(0x228), 0n);
  });

  it('mask and match turn the page-fault bit around', () => {
    const prepare = (match: number) => (rig: VmxRig): void => {
      rig.set({ EXCEPTION_BITMAP: (1 << 14) | (1 << 8), PAGE_FAULT_ERROR_CODE_MASK: 2, PAGE_FAULT_ERROR_CODE_MATCH: match });
      rig.guest64(0x4000 + 0x50 * 8, 0n);
    };
    const write = '48 89 04 25 10 00 05 00';
    assert.equal(firstExit(write, { long: true, prepare: prepare(2) }).exit.details.exception, '#PF');
    // Not selected: the guest has no IDT, so the page fault becomes a double fault.
    assert.equal(firstExit(write, { long: true, prepare: prepare(0) }).exit.details.exception, '#DF');
  });

  it('a triple fault exits', () => {
    const { exit } = firstExit('0f 0b ; ud2', { long: true, prepare: (rig) => rig.set({ GUEST_IDTR_LIMIT: 0 }) });
    assert.deepEqual([exit.name, exit.guestRip], ['TRIPLE_FAULT', BigInt(GUEST_CODE)]);
  });

  it('INT3 exits with its length, INT n never', () => {
    const prepare = (rig: VmxRig): void => {
      rig.set({ EXCEPTION_BITMAP: 0xffff_ffff });
      rig.guest64(0x20 * 4, 0x8000n);
      rig.guest(0x8000, 'f4');
    };
    const { exit, rig } = firstExit('90 cc', { prepare });
    assert.deepEqual([exit.details.exception, exit.details.type, exit.instructionLength, Number(exit.guestRip)], ['#BP', 'software exception', 1, GUEST_CODE + 1]);
    assert.equal(rig.get('VM_EXIT_INTERRUPTION_INFO'), 0x8000_0603n);
    assert.equal(firstExit('cd 20', { prepare }).exit.name, 'HLT');
  });

  it('the host\'s acknowledge control does not matter for exceptions', () => {
    const { exit } = firstExit('0f 0b', { prepare: (rig) => { rig.control('exit', Exit.HOST_ADDRESS_SPACE_SIZE | Exit.ACKNOWLEDGE_INTERRUPT); rig.set({ EXCEPTION_BITMAP: 1 << 6 }); } });
    assert.equal(exit.details.exception, '#UD');
  });
});
