/** What comes first: faults and VM exits of VMX instructions by mode, events at the same boundary, steps of event injection. A title names its rule. */
import assert from 'node:assert/strict';
import { readFlags } from '../../src/cpu/flags';
import { Gpr, Offset, Seg } from '../../src/cpu/state';
import { Encoding, Entry, Pin, Primary, Secondary } from '../../src/vmx';
import { rigFor } from './vmxEntryVmm';
import { bytes } from './machineCode';
import { At, GUEST_CODE, VmxRig } from './vmxRig';

const Vector = { DB: 1, BP: 3, UD: 6, DF: 8, NP: 11, SS: 12, GP: 13, PF: 14 } as const;
const HOST_IDT = 0x12_0000;
const HOST_GDT = 0x12_2000;
const HOST_HANDLERS = 0x12_3000;

/** Runs the VMM's bytes with an IDT whose handlers halt. Returns the vector of the exception, or -1. */
function hostFault(rig: VmxRig, code: string, { cpl = 0, compatibility = false, registers = {} as Partial<Record<keyof typeof Gpr, bigint>> } = {}): number {
  for (let vector = 0; vector < 32; vector++) {
    rig.writeBytes(HOST_HANDLERS + vector, [0xf4]);
    const handler = BigInt(HOST_HANDLERS + vector);
    rig.write64(HOST_IDT + vector * 16, (handler & 0xffffn) | (8n << 16n) | (0x8e00n << 32n) | ((handler >> 16n) << 48n));
    rig.write64(HOST_IDT + vector * 16 + 8, 0n);
  }
  rig.write64(HOST_GDT + 8, 0x00af_9b00_0000_ffffn);
  const s = rig.cpu.state;
  s.set64(Offset.IDTR_BASE, BigInt(HOST_IDT));
  s.set32(Offset.IDTR_LIMIT, 0x1ff);
  s.set64(Offset.GDTR_BASE, BigInt(HOST_GDT));
  s.set32(Offset.GDTR_LIMIT, 0xff);
  s.setSegBase(Seg.TR, 0x12_4000n);
  s.setLimit(Seg.TR, 0x67);
  s.setAccess(Seg.TR, 0x8b);
  rig.write64(0x12_4004, BigInt(At.HOST_STACK)); // RSP0
  for (const seg of [Seg.CS, Seg.SS]) s.setAccess(seg, (s.access(seg) & ~0x60) | (cpl << 5));
  if (compatibility) s.setAccess(Seg.CS, (s.access(Seg.CS) & ~0x2000) | 0x4000);
  s.set32(Offset.CPL, cpl);
  s.rip = BigInt(At.HOST_CODE);
  s.set32(Offset.ACTIVITY, 0);
  s.setReg(Gpr.RSP, BigInt(At.HOST_STACK) - 0x100n);
  for (const [name, value] of Object.entries(registers)) s.setReg(Gpr[name as keyof typeof Gpr], value);
  rig.writeBytes(At.HOST_CODE, [...bytes(code), 0xf4]);
  rig.cpu.stateChanged();
  rig.cpu.run(1000);
  const vector = Number(s.rip) - 1 - HOST_HANDLERS;
  return vector >= 0 && vector < 32 ? vector : -1;
}

const VMX_INSTRUCTIONS: Readonly<Record<string, string>> = {
  VMXON: 'f3 0f c7 30', VMXOFF: '0f 01 c4', VMCLEAR: '66 0f c7 30', VMPTRLD: '0f c7 30', VMPTRST: '0f c7 38', VMREAD: '0f 78 da', VMWRITE: '0f 79 d8',
  VMLAUNCH: '0f 01 c2', VMRESUME: '0f 01 c3', VMCALL: '0f 01 c1', INVEPT: '66 0f 38 80 08', INVVPID: '66 0f 38 81 08',
};

/** A rig at power-on. */
const power = (): VmxRig => rigFor([], []);

describe('VMX instructions: what comes first', () => {
  it('vmx.mode.root: #UD in compatibility mode, then #GP above CPL 0, before every operand', () => {
    for (const [name, code] of Object.entries(VMX_INSTRUCTIONS)) {
      const registers = { RAX: 0x4000_0000n }; // no memory is mapped there
      assert.equal(hostFault(power().vmxOn(), code, { compatibility: true, registers }), Vector.UD, `${name} in compatibility mode`);
      assert.equal(hostFault(power().vmxOn(), code, { cpl: 3, registers }), Vector.GP, `${name} at CPL 3`);
      assert.equal(hostFault(power().vmxOn(), code, { cpl: 3, compatibility: true, registers }), Vector.UD, `${name} at CPL 3 in compatibility mode`);
    }
  });
  it('vmx.mode.guest: #UD in real, virtual-8086 and compatibility mode, an exit in 64-bit mode at any CPL; VMCALL always exits', () => {
    for (const [name, code] of Object.entries(VMX_INSTRUCTIONS)) {
      const undefinedFor = name === 'VMCALL' ? 'VMCALL' : 'EXCEPTION_OR_NMI';
      const real = power().realModeGuest(code);
      real.set({ EXCEPTION_BITMAP: 1 << Vector.UD });
      assert.equal(real.launch().name, undefinedFor, `${name} in real mode`);
      const compatibility = power().longModeGuest(code);
      compatibility.set({ EXCEPTION_BITMAP: 1 << Vector.UD, GUEST_CS_ACCESS_RIGHTS: 0xc09b });
      assert.equal(compatibility.launch().name, undefinedFor, `${name} in compatibility mode`);
      const user = power().longModeGuest(code);
      user.set({ GUEST_CS_ACCESS_RIGHTS: 0xa0fb, GUEST_SS_ACCESS_RIGHTS: 0xc0f3, GUEST_CS_SELECTOR: 0x1b, GUEST_SS_SELECTOR: 0x23 });
      assert.equal(user.launch({ RAX: 0x4000_0000n }).name, name, `${name} at CPL 3`);
    }
  });
  it('vmx.operand.page-fault: an operand in memory faults before the address in it is judged', () => {
    for (const name of ['VMCLEAR', 'VMPTRLD', 'VMPTRST']) assert.equal(hostFault(power().vmxOn(), VMX_INSTRUCTIONS[name]!, { registers: { RAX: 0x4000_0000n } }), Vector.PF, name);
    assert.equal(hostFault(power(), VMX_INSTRUCTIONS.VMXON!, { registers: { RAX: 0x4000_0000n } }), Vector.PF);
    assert.equal(hostFault(power().vmxOn(), VMX_INSTRUCTIONS.VMXON!, { registers: { RAX: 0x4000_0000n } }), -1); // error 15 comes before
  });
  it('vmx.invalidate.type: INVEPT and INVVPID refuse a type before they read their descriptor', () => {
    for (const name of ['INVEPT', 'INVVPID']) {
      const rig = power().vmxOn();
      assert.equal(hostFault(rig, VMX_INSTRUCTIONS[name]!, { registers: { RAX: 0x4000_0000n, RCX: 9n } }), -1, name);
      assert.equal(rig.status, 28);
      assert.equal(hostFault(power().vmxOn(), VMX_INSTRUCTIONS[name]!, { registers: { RAX: 0x4000_0000n, RCX: 2n } }), Vector.PF, name);
    }
  });
  it('vmx.vmread.no-vmcs: without a current VMCS VMREAD and VMWRITE fail before operands and encodings', () => {
    const rig = power();
    rig.pointer(VMX_INSTRUCTIONS.VMXON!, At.VMXON);
    assert.equal(hostFault(rig, '0f 78 18 ; vmread [rax], rbx', { registers: { RAX: 0x4000_0000n, RBX: 0x7ffen } }), -1);
    assert.equal(rig.status, 'invalid');
  });
  it('vmx.vmread.encoding: error 12 comes before the store to memory, the load of VMWRITE before error 12', () => {
    const rig = power().vmxOn();
    assert.equal(hostFault(rig, '0f 78 18 ; vmread [rax], rbx', { registers: { RAX: 0x4000_0000n, RBX: 0x7ffen } }), -1);
    assert.equal(rig.status, 12);
    assert.equal(hostFault(power().vmxOn(), '0f 79 18 ; vmwrite rbx, [rax]', { registers: { RAX: 0x4000_0000n, RBX: 0x7ffen } }), Vector.PF);
  });
  it('vmx.vmread.high-bits: bits 63:15 of an encoding must be 0', () => {
    const rig = power().vmxOn();
    rig.host('0f 78 da ; vmread rdx, rbx', { RBX: BigInt(Encoding.GUEST_RIP) | (1n << 32n) });
    assert.equal(rig.status, 12);
  });
  it('vmx.flags: VMsucceed clears the six status flags, VMfail sets one of CF and ZF', () => {
    const STATUS = 0x8d5;
    const rig = power().vmxOn();
    const after = (code: string, registers: Partial<Record<keyof typeof Gpr, bigint>>): number => {
      rig.host(`b9 ff 7f 00 00 66 b8 ff 7f 66 83 c0 01 48 89 f0 ${code}`, registers); // sets OF, AF, PF, SF
      return readFlags(rig.cpu.state) & STATUS;
    };
    assert.equal(after('0f 78 da ; vmread rdx, rbx', { RBX: BigInt(Encoding.GUEST_RIP) }), 0);
    assert.equal(after('0f 78 da ; vmread rdx, rbx', { RBX: 0x7ffen }), 0x40);
    rig.pointer(VMX_INSTRUCTIONS.VMCLEAR!, At.VMCS);
    assert.equal(after('0f 78 da ; vmread rdx, rbx', { RBX: BigInt(Encoding.GUEST_RIP) }), 1);
  });
});

describe('VMX: instructions of the guest, what comes first', () => {
  const USER = { GUEST_CS_ACCESS_RIGHTS: 0xa0fb, GUEST_SS_ACCESS_RIGHTS: 0xc0f3, GUEST_CS_SELECTOR: 0x1b, GUEST_SS_SELECTOR: 0x23 };
  /** The exit that a guest's first instruction causes: its name, or the vector of an exception. */
  function outcome(code: string, fields: Parameters<VmxRig['set']>[0], { secondary = 0, primary = 0, registers = {} as Parameters<VmxRig['launch']>[0] } = {}): string | number {
    const rig = power().longModeGuest(code);
    rig.control('primary', Primary.SECONDARY_CONTROLS | Primary.HLT_EXITING | Primary.MSR_BITMAPS | primary);
    rig.control('secondary', Secondary.EPT | Secondary.UNRESTRICTED_GUEST | secondary);
    rig.set({ EXCEPTION_BITMAP: 0xffff_ffff, ...fields });
    const { name } = rig.launch(registers);
    return name === 'EXCEPTION_OR_NMI' ? Number(rig.get('VM_EXIT_INTERRUPTION_INFO')) & 0xff : name;
  }

  it('vmx.enable: what the VMM has not enabled is undefined before privilege counts', () => {
    const cases = [['INVPCID', '66 0f 38 82 08', Secondary.INVPCID], ['RDTSCP', '0f 01 f9', Secondary.RDTSCP], ['XSAVES', '48 0f c7 28', Secondary.XSAVES], ['XRSTORS', '48 0f c7 18', Secondary.XSAVES]] as const;
    for (const [name, code, enable] of cases) {
      const fields = { ...USER, GUEST_CR4: 0x4_2024 }; // OSXSAVE and TSD
      assert.equal(outcome(code, fields), Vector.UD, `${name} that is not enabled, at CPL 3`);
      assert.equal(outcome(code, fields, { secondary: enable }), Vector.GP, `${name} at CPL 3`);
    }
  });
  it('vmx.exit-before-operand: the exit comes before the address of a memory operand is judged', () => {
    const registers = { RAX: 1n << 63n };
    const tables = { SGDT: '0f 01 00', SIDT: '0f 01 08', LGDT: '0f 01 10', LIDT: '0f 01 18', SLDT: '0f 00 00', STR: '0f 00 08', LLDT: '0f 00 10', LTR: '0f 00 18' };
    for (const [name, code] of Object.entries(tables)) {
      const reason = name.endsWith('DT') && !name.includes('LDT') ? 'GDTR_IDTR_ACCESS' : 'LDTR_TR_ACCESS';
      assert.equal(outcome(code, {}, { secondary: Secondary.DESCRIPTOR_TABLE_EXITING, registers }), reason, name);
      assert.equal(outcome(code, {}, { registers }), Vector.GP, `${name} that does not exit`);
    }
    for (const [name, code] of [['INS', '6c'], ['OUTS', '6e']] as const) {
      const string = { RSI: 1n << 63n, RDI: 1n << 63n, RDX: 0x71n };
      assert.equal(outcome(code, {}, { primary: Primary.UNCONDITIONAL_IO_EXITING, registers: string }), 'IO_INSTRUCTION', name);
      assert.equal(outcome(code, {}, { registers: string }), Vector.GP, `${name} that does not exit`);
    }
    assert.equal(outcome('66 0f 38 82 08', {}, { secondary: Secondary.INVPCID, primary: Primary.INVLPG_EXITING, registers }), 'INVPCID');
    assert.equal(outcome('66 0f 38 82 08', {}, { secondary: Secondary.INVPCID, registers }), Vector.GP);
  });
});

describe('VMX: which event comes first', () => {
  const PRIORITY = Primary.SECONDARY_CONTROLS | Primary.HLT_EXITING | Primary.MSR_BITMAPS;
  function first(fields: Parameters<VmxRig['set']>[0], { primary = 0, pin = 0, code = '90 90 f4', event = (_: VmxRig): void => undefined } = {}): { rig: VmxRig; name: string; at: number } {
    const rig = new VmxRig().realModeGuest(code);
    rig.control('primary', PRIORITY | primary);
    rig.control('pin', pin);
    rig.set(fields);
    rig.unit.observer!.entry = () => event(rig);
    // What did not come first must not reach the VMM, which has no IDT.
    rig.unit.observer!.exit = (exit) => {
      rig.exits.push(exit);
      rig.cpu.state.set32(Offset.NMI_PENDING, 0);
    };
    const exit = rig.launch();
    return { rig, name: exit.name, at: Number(exit.guestRip) - GUEST_CODE };
  }
  const TIMER = Pin.PREEMPTION_TIMER;
  const STEP = 0x4000;
  const interrupt = (rig: VmxRig): void => void rig.interrupts.push(0x40);
  const nmi = (rig: VmxRig): void => rig.cpu.state.set32(Offset.NMI_PENDING, 1);

  it('priority.monitor-trap: before pending debug exceptions, which it saves', () => {
    const { rig, name } = first({ GUEST_PENDING_DEBUG_EXCEPTIONS: STEP, EXCEPTION_BITMAP: 2, VM_ENTRY_INTERRUPTION_INFO: 0x8000_0700 }, { pin: TIMER });
    assert.deepEqual([name, rig.get('GUEST_PENDING_DEBUG_EXCEPTIONS')], ['MONITOR_TRAP_FLAG', BigInt(STEP)]);
  });
  it('priority.monitor-trap.step: a single step behind the instruction stays pending', () => {
    const { rig, name, at } = first({ GUEST_RFLAGS: 0x102, EXCEPTION_BITMAP: 2 }, { primary: Primary.MONITOR_TRAP_FLAG });
    assert.deepEqual([name, at, rig.get('GUEST_PENDING_DEBUG_EXCEPTIONS')], ['MONITOR_TRAP_FLAG', 1, BigInt(STEP)]);
    assert.equal(rig.resume().details.exception, '#DB');
  });
  it('priority.debug: pending debug exceptions before the preemption timer', () => {
    const { name, rig } = first({ GUEST_PENDING_DEBUG_EXCEPTIONS: STEP, EXCEPTION_BITMAP: 2, PREEMPTION_TIMER_VALUE: 0 }, { pin: TIMER });
    assert.deepEqual([name, rig.exits[0]!.details.exception], ['EXCEPTION_OR_NMI', '#DB']);
    const enabled = first({ GUEST_PENDING_DEBUG_EXCEPTIONS: 0x1003, EXCEPTION_BITMAP: 2, PREEMPTION_TIMER_VALUE: 0 }, { pin: TIMER });
    assert.deepEqual([enabled.name, enabled.rig.exits[0]!.qualification], ['EXCEPTION_OR_NMI', 3n]);
    const disabled = first({ GUEST_PENDING_DEBUG_EXCEPTIONS: 3, EXCEPTION_BITMAP: 2, PREEMPTION_TIMER_VALUE: 0 }, { pin: TIMER });
    assert.equal(disabled.name, 'PREEMPTION_TIMER');
  });
  it('priority.timer: the preemption timer before NMIs, windows and interrupts, after injection', () => {
    const all = { primary: Primary.NMI_WINDOW_EXITING | Primary.INTERRUPT_WINDOW_EXITING, pin: TIMER | Pin.NMI_EXITING | Pin.VIRTUAL_NMIS | Pin.EXTERNAL_INTERRUPT_EXITING };
    assert.equal(first({ GUEST_RFLAGS: 0x202, PREEMPTION_TIMER_VALUE: 0 }, { ...all, event: (rig) => { nmi(rig); interrupt(rig); } }).name, 'PREEMPTION_TIMER');
    const injected = first({ VM_ENTRY_INTERRUPTION_INFO: 0x8000_0306, PREEMPTION_TIMER_VALUE: 0 }, { pin: TIMER });
    assert.deepEqual([injected.name, injected.rig.get('GUEST_RIP')], ['PREEMPTION_TIMER', 0n]); // the vector table is all zeros
  });
  it('priority.nmi-window: before an NMI, which comes before the interrupt window and interrupts', () => {
    const pin = Pin.NMI_EXITING | Pin.VIRTUAL_NMIS | Pin.EXTERNAL_INTERRUPT_EXITING;
    const event = (rig: VmxRig): void => { nmi(rig); interrupt(rig); };
    assert.equal(first({ GUEST_RFLAGS: 0x202 }, { primary: Primary.NMI_WINDOW_EXITING | Primary.INTERRUPT_WINDOW_EXITING, pin, event }).name, 'NMI_WINDOW');
    assert.equal(first({ GUEST_RFLAGS: 0x202 }, { primary: Primary.INTERRUPT_WINDOW_EXITING, pin, event }).name, 'EXCEPTION_OR_NMI');
    assert.equal(first({ GUEST_RFLAGS: 0x202 }, { primary: Primary.INTERRUPT_WINDOW_EXITING, pin, event: interrupt }).name, 'INTERRUPT_WINDOW');
    assert.equal(first({ GUEST_RFLAGS: 0x202 }, { pin, event: interrupt }).name, 'EXTERNAL_INTERRUPT');
  });
  it('priority.mov-ss: debug exceptions wait for the end of blocking by MOV SS, the timer does not', () => {
    const blocked = { GUEST_RFLAGS: 0x102, GUEST_PENDING_DEBUG_EXCEPTIONS: STEP, GUEST_INTERRUPTIBILITY_STATE: 2, EXCEPTION_BITMAP: 2 };
    const { name, at } = first(blocked);
    assert.deepEqual([name, at], ['EXCEPTION_OR_NMI', 1]);
    const timer = first({ ...blocked, PREEMPTION_TIMER_VALUE: 0 }, { pin: TIMER });
    assert.deepEqual([timer.name, timer.rig.get('GUEST_PENDING_DEBUG_EXCEPTIONS'), timer.rig.get('GUEST_INTERRUPTIBILITY_STATE')], ['PREEMPTION_TIMER', BigInt(STEP), 2n]);
    // An instruction that exits leaves them pending, and the state can be entered again.
    const exits = first(blocked, { code: '0f a2 ; cpuid' });
    assert.deepEqual([exits.name, exits.rig.get('GUEST_PENDING_DEBUG_EXCEPTIONS'), exits.rig.get('GUEST_INTERRUPTIBILITY_STATE')], ['CPUID', BigInt(STEP), 2n]);
    exits.rig.resume();
    assert.equal(exits.rig.failures.length, 0);
  });
  it('priority.mov-ss.instruction: MOV SS with TF set is saved with its pending single step', () => {
    const { rig, name } = first({ GUEST_RFLAGS: 0x102, EXCEPTION_BITMAP: 2 }, { code: '8e d0 0f a2 ; mov ss, ax; cpuid' });
    assert.deepEqual([name, rig.get('GUEST_PENDING_DEBUG_EXCEPTIONS'), rig.get('GUEST_INTERRUPTIBILITY_STATE')], ['CPUID', BigInt(STEP), 2n]);
  });
  it('priority.mov-dr: MOV-DR exiting comes before general detect', () => {
    const fields = { GUEST_DR7: 0x2400, EXCEPTION_BITMAP: 2 };
    const run = (primary: number): string => {
      const rig = new VmxRig().realModeGuest('0f 21 c0 ; mov eax, dr0');
      rig.control('entry', Entry.LOAD_DEBUG_CONTROLS);
      rig.control('primary', PRIORITY | primary);
      rig.set(fields);
      return rig.launch().name;
    };
    assert.equal(run(Primary.MOV_DR_EXITING), 'DR_ACCESS');
    assert.equal(run(0), 'EXCEPTION_OR_NMI');
  });
});

describe('VMX: event injection', () => {
  const IDT = 0xa000;
  const HANDLER = 0x9000;
  /** A 64-bit guest whose handlers halt. */
  function injecting(info: number, fields: Parameters<VmxRig['set']>[0] = {}): VmxRig {
    const rig = new VmxRig().longModeGuest('90 f4');
    for (let vector = 0; vector < 256; vector++) {
      rig.guest64(IDT + vector * 16, (BigInt(HANDLER + vector) & 0xffffn) | (8n << 16n) | (0x8e00n << 32n));
      rig.guest(HANDLER + vector, 'f4');
    }
    rig.guest64(0x8008, 0x00af_9b00_0000_ffffn);
    rig.set({ GUEST_IDTR_BASE: IDT, GUEST_IDTR_LIMIT: 0xfff, GUEST_GDTR_BASE: 0x8000, VM_ENTRY_INTERRUPTION_INFO: info, ...fields });
    return rig;
  }
  const stack = (rig: VmxRig, n: number): bigint => rig.read64(At.GUEST + Number(rig.get('GUEST_RSP')) + n * 8);
  const vectorAt = (rig: VmxRig): number => Number(rig.get('GUEST_RIP')) - HANDLER;

  it('injection.types: each type goes through the IDT with its return address and error code', () => {
    for (const [info, fields, back, code] of [
      [0x8000_0041, { GUEST_RFLAGS: 0x202 }, 0, undefined],
      [0x8000_0202, {}, 0, undefined],
      [0x8000_0306, {}, 0, undefined],
      [0x8000_0b0d, { VM_ENTRY_EXCEPTION_ERROR_CODE: 0x1230 }, 0, 0x1230n],
      [0x8000_0441, { VM_ENTRY_INSTRUCTION_LENGTH: 2 }, 2, undefined],
      [0x8000_0441, { VM_ENTRY_INSTRUCTION_LENGTH: 0 }, 0, undefined],
      [0x8000_0501, { VM_ENTRY_INSTRUCTION_LENGTH: 1 }, 1, undefined],
      [0x8000_0603, { VM_ENTRY_INSTRUCTION_LENGTH: 1 }, 1, undefined],
    ] as const) {
      const rig = injecting(info, fields);
      assert.equal(rig.launch().name, 'HLT');
      assert.equal(vectorAt(rig), info & 0xff);
      const returns = code === undefined ? 0 : 1;
      if (code !== undefined) assert.equal(stack(rig, 0), code);
      assert.equal(stack(rig, returns), BigInt(GUEST_CODE + back), info.toString(16));
      assert.equal(rig.get('VM_ENTRY_INTERRUPTION_INFO') >> 31n, 0n);
    }
  });
  it('injection.bitmap: an injected exception does not exit, nor change CR2, DR6 or DR7', () => {
    const rig = injecting(0x8000_0b0e, { EXCEPTION_BITMAP: 0xffff_ffff, VM_ENTRY_EXCEPTION_ERROR_CODE: 2 });
    rig.cpu.state.set64(Offset.CR2, 0x1234n);
    assert.equal(rig.launch().name, 'HLT');
    assert.equal(rig.cpu.state.get64(Offset.CR2), 0x1234n);
    const debug = injecting(0x8000_0301, { EXCEPTION_BITMAP: 0xffff_ffff });
    debug.cpu.state.set64(Offset.DR6, 0xffff_0ff0n);
    assert.equal(debug.launch().name, 'HLT');
    assert.equal(debug.cpu.state.get64(Offset.DR6), 0xffff_0ff0n);
  });
  it('injection.fault: its own fault exits with IDT-vectoring information, length and error code', () => {
    for (const [info, length] of [[0x8000_0441, 2n], [0x8000_0306, 0n]] as const) {
      const rig = injecting(info, { GUEST_IDTR_LIMIT: 0x2f, EXCEPTION_BITMAP: (1 << Vector.GP) | (1 << Vector.DF), VM_ENTRY_INSTRUCTION_LENGTH: 2 });
      const exit = rig.launch();
      assert.deepEqual([exit.details.exception, rig.get('IDT_VECTORING_INFO'), rig.get('VM_EXIT_INSTRUCTION_LENGTH')], ['#GP', BigInt(info), length]);
      assert.equal(rig.get('GUEST_RIP'), BigInt(GUEST_CODE));
      // The error code tells of an external event but for software ones.
      assert.equal(rig.get('VM_EXIT_INTERRUPTION_ERROR_CODE') & 1n, info === 0x8000_0441 ? 0n : 1n);
    }
    const withCode = injecting(0x8000_0b0d, { GUEST_IDTR_LIMIT: 0x2f, EXCEPTION_BITMAP: 1 << Vector.DF, VM_ENTRY_EXCEPTION_ERROR_CODE: 0x55 });
    assert.equal(withCode.launch().details.exception, '#DF'); // contributory twice
    assert.equal(withCode.get('IDT_VECTORING_INFO') >> 31n, 0n);
  });
  it('injection.fault: a second exception exits as itself before it makes a double or triple fault of both', () => {
    for (const [first, code] of [[Vector.SS, 0x55], [Vector.PF, 2], [Vector.DF, 0]] as const) {
      const info = (0x8000_0b00 | first) >>> 0;
      const rig = injecting(info, { GUEST_IDTR_LIMIT: 0x2f, EXCEPTION_BITMAP: (1 << Vector.GP) | (1 << Vector.DF), VM_ENTRY_EXCEPTION_ERROR_CODE: code });
      assert.equal(rig.launch().details.exception, '#GP');
      assert.equal(rig.get('VM_EXIT_INTERRUPTION_ERROR_CODE'), BigInt(first * 8 + 3)); // the gate in the IDT, external
      assert.deepEqual([rig.get('IDT_VECTORING_INFO'), rig.get('IDT_VECTORING_ERROR_CODE')], [BigInt(info), BigInt(code)]);
    }
  });
  it('injection.triple-fault: a double fault that cannot be delivered exits', () => {
    const rig = injecting(0x8000_0b08, { GUEST_IDTR_LIMIT: 0x2f });
    assert.equal(rig.launch().name, 'TRIPLE_FAULT');
    assert.equal(rig.get('IDT_VECTORING_INFO') >> 31n, 0n);
  });
  it('injection.nmi: it blocks NMIs until IRET', () => {
    for (const pin of [0, Pin.NMI_EXITING | Pin.VIRTUAL_NMIS]) {
      const rig = injecting(0x8000_0202);
      rig.control('pin', pin);
      rig.launch();
      assert.equal(rig.get('GUEST_INTERRUPTIBILITY_STATE'), 8n);
    }
  });
  it('injection.nmi.exit: it blocks them too when its delivery exits, so that it cannot be injected again as it is', () => {
    const rig = injecting(0x8000_0202, { GUEST_IDTR_BASE: 0x10_0000, GUEST_IDTR_LIMIT: 0xfff });
    rig.control('pin', Pin.NMI_EXITING | Pin.VIRTUAL_NMIS);
    rig.write64(rig.eptEntry(0x10_0000), 0n);
    assert.equal(rig.launch().name, 'EPT_VIOLATION');
    assert.equal(rig.get('IDT_VECTORING_INFO'), 0x8000_0202n);
    assert.equal(rig.get('GUEST_INTERRUPTIBILITY_STATE'), 8n);
    rig.set({ VM_ENTRY_INTERRUPTION_INFO: 0x8000_0202 });
    assert.equal(rig.resume().name, 'ENTRY_FAILURE_GUEST_STATE');
    rig.set({ GUEST_INTERRUPTIBILITY_STATE: 0 });
    assert.equal(rig.resume().name, 'EPT_VIOLATION');
  });
  it('injection.software.dpl: a software interrupt needs the gate\'s DPL, a privileged one does not', () => {
    const user = { GUEST_CS_ACCESS_RIGHTS: 0xa0fb, GUEST_SS_ACCESS_RIGHTS: 0xc0f3, GUEST_CS_SELECTOR: 0x1b, GUEST_SS_SELECTOR: 0x23, GUEST_TR_BASE: 0xc000, EXCEPTION_BITMAP: 1 << Vector.GP };
    const run = (info: number, length: number): string => {
      const rig = injecting(info, { ...user, VM_ENTRY_INSTRUCTION_LENGTH: length });
      rig.guest64(0xc004, 0x6000n);
      return String(rig.launch().details.exception ?? rig.exits.at(-1)!.name);
    };
    assert.equal(run(0x8000_0441, 2), '#GP');
    assert.equal(run(0x8000_0603, 1), '#GP');
    assert.equal(run(0x8000_0501, 1), 'HLT');
    assert.equal(run(0x8000_0306, 0), 'HLT');
  });
  it('injection.pending-debug: pending debug exceptions are lost, but for software events behind MOV SS', () => {
    const pending = { GUEST_PENDING_DEBUG_EXCEPTIONS: 0x4000, GUEST_RFLAGS: 0x102, EXCEPTION_BITMAP: 1 << Vector.DB, VM_ENTRY_INSTRUCTION_LENGTH: 2 };
    const lost = injecting(0x8000_0306, pending);
    assert.equal(lost.launch().name, 'HLT');
    const software = injecting(0x8000_0441, pending);
    assert.equal(software.launch().name, 'HLT');
    const behind = injecting(0x8000_0441, { ...pending, GUEST_INTERRUPTIBILITY_STATE: 2 });
    assert.equal(behind.launch().details.exception, '#DB');
    assert.equal(vectorAt(behind), 0x41);
    const hardware = injecting(0x8000_0306, { ...pending, GUEST_INTERRUPTIBILITY_STATE: 2 });
    assert.equal(hardware.launch().name, 'HLT');
  });
  it('injection.blocking: a delivered event ends blocking by STI and MOV SS', () => {
    const rig = injecting(0x8000_0306, { GUEST_INTERRUPTIBILITY_STATE: 2 });
    rig.launch();
    assert.equal(rig.get('GUEST_INTERRUPTIBILITY_STATE'), 0n);
  });
});

describe('VMX: PAE guests', () => {
  /** A PAE guest: four PDPTEs, of which the first has 2-MiB pages one to one; `directory` in guest-physical memory. */
  function pae(code: string, ept: boolean): VmxRig {
    const rig = new VmxRig().longModeGuest(code);
    const offset = ept ? 0 : At.GUEST;
    for (let i = 0; i < 512; i++) rig.guest64(0x3000 + i * 8, BigInt(i * 0x20_0000 + (i === 0 ? offset : 0)) | 0x83n);
    rig.guest64(0x2000, BigInt(0x3000 + offset) | 1n);
    rig.control('entry', 0);
    rig.set({ GUEST_CS_ACCESS_RIGHTS: 0xc09b, GUEST_CR3: 0x2000 + offset, GUEST_CR4: 0x2020 });
    if (!ept) rig.control('secondary', 0);
    return rig;
  }
  it('pae.entry.ept: VM entry takes the PDPTEs from the VMCS, the exit saves them', () => {
    const rig = pae('b8 20 50 00 00 8b 18 f4 ; mov eax, 0x5020; mov ebx, [eax]; hlt', true);
    rig.guest64(0x5020, 0x77n);
    rig.guest64(0x2000, 0n); // memory does not count
    rig.set({ GUEST_PDPTE0: 0x3001 });
    assert.equal(rig.launch().name, 'HLT');
    assert.equal(rig.cpu.state.reg(Gpr.RBX), 0x77n);
    assert.equal(rig.get('GUEST_PDPTE0'), 0x3001n);
  });
  it('pae.mov-cr3: MOV to CR3 loads them from guest-physical memory, and the exit saves those', () => {
    const rig = pae('b8 00 60 00 00 0f 22 d8 f4 ; mov eax, 0x6000; mov cr3, eax; hlt', true);
    rig.set({ GUEST_PDPTE0: 0x3001 });
    rig.guest64(0x6000, 0x3001n);
    rig.guest64(0x6008, 0x3001n);
    assert.equal(rig.launch().name, 'HLT');
    assert.deepEqual([rig.get('GUEST_PDPTE1'), rig.get('GUEST_CR3')], [0x3001n, 0x6000n]);
  });
  it('pae.mov-cr3.violation: EPT may forbid that, with no linear address', () => {
    const rig = pae('b8 00 60 00 00 0f 22 d8 f4 ; mov eax, 0x6000; mov cr3, eax; hlt', true);
    rig.set({ GUEST_PDPTE0: 0x3001 });
    rig.write64(rig.eptEntry(0x6000), 0n);
    const exit = rig.launch();
    assert.deepEqual([exit.name, exit.qualification & 0x1ffn, exit.gpa, exit.guestRip], ['EPT_VIOLATION', 1n, 0x6000, BigInt(GUEST_CODE + 5)]);
  });
  it('pae.mov-cr3.reserved: a reserved bit raises #GP', () => {
    const rig = pae('b8 00 60 00 00 0f 22 d8 f4 ; mov eax, 0x6000; mov cr3, eax; hlt', true);
    rig.set({ GUEST_PDPTE0: 0x3001, EXCEPTION_BITMAP: 1 << Vector.GP });
    rig.guest64(0x6000, 0x3003n);
    assert.equal(rig.launch().details.exception, '#GP');
  });
  it('pae.entry.memory: without EPT VM entry reads them from memory', () => {
    const rig = pae('b8 20 50 00 00 8b 18 f4 ; mov eax, 0x5020; mov ebx, [eax]; hlt', false);
    rig.guest64(0x5020, 0x78n);
    // Host-physical addresses are the guest's: the page of 2 MiB at 4 MiB is mapped at 0.
    assert.equal(rig.launch().name, 'HLT');
    assert.equal(rig.cpu.state.reg(Gpr.RBX), 0x78n);
    assert.equal(Secondary.EPT & Number(rig.get('SECONDARY_PROCESSOR_BASED_CONTROLS')), 0);
  });
});
