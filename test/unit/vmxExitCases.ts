/**
 * A tiny guest for each rule of src/vmx/tables/exitConditions.ts: what arms the exit, what disarms it, and everything
 * that the exit must report. The same guests run on Bochs (test/bochs/vmxExits.mjs).
 */
import { Entry, Exit, EXIT_CONDITIONS, type ExitReasonName, Pin, Primary, Secondary } from '../../src/vmx';
import { type GuestMode, type Writes } from './vmxEntryCases';
import { At, type VmxRig } from './vmxRig';

/** Exit information; what is absent must be 0 where the SDM defines it for every exit, and is not looked at otherwise. */
export interface Reported {
  reason: ExitReasonName;
  qualification?: bigint;
  /** From the guest's first instruction to the saved RIP. */
  at?: number;
  length?: number;
  /** Instruction information. */
  info?: number;
  interruption?: number;
  errorCode?: number;
  vectoring?: number;
  vectoringError?: number;
  linear?: bigint;
  gpa?: number;
  /** Other fields as the exit leaves them. */
  fields?: Writes;
}

export interface ExitCase {
  rule: string;
  /** Tells apart the cases of a rule. */
  what?: string;
  guest: GuestMode;
  code: string;
  /** Written for both outcomes, before. */
  base?: Writes;
  memory?: (rig: VmxRig, outcome: 'exits' | 'stays') => void;
  /** What makes the guest exit, and what does not. */
  arm?: Writes;
  disarm?: Writes;
  exit: Reported;
  /** The exit that ends the guest otherwise: HLT when absent. */
  otherwise?: ExitReasonName | 'the guest waits';
  /** What waits at the processor when the guest is entered; a start-up IPI comes when it has been. */
  waits?: 'nmi' | 'interrupt' | 'init' | 'start-up';
}

const on =
  (bits: number) =>
  (value: bigint): bigint =>
    value | BigInt(bits >>> 0);
const primary = (bits: number): Writes => ({ PRIMARY_PROCESSOR_BASED_CONTROLS: on(bits) });
const secondary = (bits: number): Writes => ({ SECONDARY_PROCESSOR_BASED_CONTROLS: on(bits) });
const pin = (bits: number): Writes => ({ PIN_BASED_CONTROLS: on(bits) });
const bitmap = (...vectors: number[]): Writes => ({ EXCEPTION_BITMAP: vectors.reduce((all, n) => all | (1 << n), 0) >>> 0 });

/** Pages of the host for what a case needs. */
const PAGE = 0x1_8000;
const OTHER_PAGE = 0x1_9000;
const IA32_SYSENTER_CS = 0x174;
const SHADOW = 0x8000_0000;

/** Instruction information: memory operands. */
const DS = 3 << 15;
const NO_INDEX = 1 << 22;
const NO_BASE = 1 << 27;
const IS_REGISTER = 1 << 10;
const ADDRESS_64 = 2 << 7;
const OPERAND_32 = 1 << 11;
const base = (n: number): number => n << 23;
const index = (n: number, scale: number): number => (n << 18) | scale;
const reg1 = (n: number): number => n << 3;
const reg2 = (n: number): number => n << 28;

/** Interruption information. */
const VALID = 0x8000_0000;
const WITH_CODE = 0x800;
const UNBLOCKED = 0x1000;
const NMI = 0x202;
const hardware = (vector: number): number => VALID + 0x300 + vector;

/** An instruction that exits whatever the controls are. */
const always = (rule: string, reason: ExitReasonName, guest: GuestMode, code: string, exit: Omit<Reported, 'reason'>, more: Partial<ExitCase> = {}): ExitCase => ({ rule, guest, code, exit: { reason, ...exit }, ...more });
/** An instruction with a control bit. */
const byControl = (rule: string, reason: ExitReasonName, arm: Writes, guest: GuestMode, code: string, exit: Omit<Reported, 'reason'>, more: Partial<ExitCase> = {}): ExitCase => ({ rule, guest, code: `${code}\nf4`, arm, exit: { reason, ...exit }, ...more });

const CR3_LOAD = '66 b9 00 50 00 00 0f 22 d9 ; mov ecx, 0x5000; mov cr3, ecx';
const READ_5000 = 'a1 00 50 ; mov ax, [0x5000]';
const WRITE_5000 = 'a3 00 50 ; mov [0x5000], ax';

/** A leaf of EPT for a page of the guest, in place of the one there. */
const leaf =
  (page: number, bits: number) =>
  (rig: VmxRig, outcome: 'exits' | 'stays'): void => {
    if (outcome === 'exits') rig.write64(rig.eptEntry(page), bits === 0 ? 0n : BigInt(At.GUEST + page + bits));
  };
/** A bit of a bitmap page of the VMM. */
const setBit =
  (page: number, n: number) =>
  (rig: VmxRig, outcome: 'exits' | 'stays'): void => {
    if (outcome === 'exits') rig.writeBytes(page + (n >>> 3), [1 << (n & 7)]);
  };
const unmapped =
  (linear: number) =>
  (rig: VmxRig): void =>
    rig.guest64(0x4000 + (linear >>> 12) * 8, 0n);

/** A GDT at 0x9000 with code (8), data (0x10), an available TSS (0x40) and a task gate to it (0x48); the TSS at 0xa000. */
const GDT = 0x9000;
function tasks(rig: VmxRig): void {
  rig.guest64(GDT + 0x08, 0x00cf_9b00_0000_ffffn);
  rig.guest64(GDT + 0x10, 0x00cf_9300_0000_ffffn);
  rig.guest64(GDT + 0x40, 0x0000_8900_a000_0067n);
  rig.guest64(GDT + 0x48, 0x0000_8500_0040_0000n);
  // The IDT is at 0: vector 6 is the task gate.
  rig.guest64(6 * 8, 0x0000_8500_0040_0000n);
  // The task that runs is nested in that of 0x50, which is busy.
  rig.guest64(GDT + 0x50, 0x0000_8b00_a100_0067n);
  rig.guest64(0xb000, 0x50n);
}
/** A TSS at 0xa000 that leaves all software interrupts to the program, whose handlers are an IRET at 0x8000. */
function virtual8086(rig: VmxRig): void {
  rig.guest(0xa066, '88 00');
  rig.guest(0x21 * 4, '00 80 00 00');
  rig.guest(0x8000, 'cf');
}
const TASKS: Partial<ExitCase> = { base: { GUEST_GDTR_BASE: GDT, GUEST_TR_SELECTOR: 0x60, GUEST_TR_BASE: 0xb000, GUEST_TR_LIMIT: 0x67 }, memory: tasks };

const EVENTS: ExitCase[] = [
  { rule: 'exit.exception', guest: 'real', code: '0f 0b ; ud2', arm: bitmap(6), exit: { reason: 'EXCEPTION_OR_NMI', interruption: hardware(6) } },
  { rule: 'exit.exception', what: 'with an error code', guest: 'long', code: 'b8 f8 ff 00 00 8e d8 ; mov eax, 0xfff8; mov ds, eax', arm: bitmap(13), exit: { reason: 'EXCEPTION_OR_NMI', at: 5, interruption: hardware(13) + WITH_CODE, errorCode: 0xfff8 }, otherwise: 'TRIPLE_FAULT' },
  { rule: 'exit.exception', what: 'in real mode without its error code', guest: 'real', code: '66 b8 00 00 00 00 0f 22 e0 ; mov eax, 0; mov cr4, eax', arm: bitmap(13), exit: { reason: 'EXCEPTION_OR_NMI', at: 6, interruption: hardware(13) } },
  { rule: 'exit.exception', what: 'a division', guest: 'long', code: '31 c9 f7 f1 ; xor ecx, ecx; div ecx', arm: bitmap(0), exit: { reason: 'EXCEPTION_OR_NMI', at: 2, interruption: hardware(0) }, otherwise: 'TRIPLE_FAULT' },
  { rule: 'exit.exception', what: 'a double fault, which ends the delivery that led to it', guest: 'long', code: '0f 0b ; ud2', arm: bitmap(8), exit: { reason: 'EXCEPTION_OR_NMI', interruption: hardware(8) + WITH_CODE, errorCode: 0 }, otherwise: 'TRIPLE_FAULT' },
  { rule: 'exit.exception', what: 'while another is delivered', guest: 'long', code: '0f 0b ; ud2', arm: bitmap(13), exit: { reason: 'EXCEPTION_OR_NMI', interruption: hardware(13) + WITH_CODE, errorCode: 6 * 8 + 2 + 1, vectoring: hardware(6) }, otherwise: 'TRIPLE_FAULT' },
  { rule: 'exit.exception', what: 'while INT n is delivered, with its length', guest: 'long', code: 'cd 20 ; int 0x20', arm: bitmap(13), exit: { reason: 'EXCEPTION_OR_NMI', length: 2, interruption: hardware(13) + WITH_CODE, errorCode: 0x20 * 8 + 2, vectoring: VALID + 0x420 }, otherwise: 'TRIPLE_FAULT' },
  { rule: 'exit.exception', what: 'a single step', guest: 'real', code: '90 f4 ; nop; hlt', base: { GUEST_RFLAGS: 0x102 }, arm: bitmap(1), exit: { reason: 'EXCEPTION_OR_NMI', at: 1, qualification: 0x4000n, interruption: hardware(1) } },
  { rule: 'exit.exception', what: 'a debug register that is detected', guest: 'real', code: '0f 21 c0 ; mov eax, dr0', base: { GUEST_DR7: 0x2400, VM_ENTRY_CONTROLS: on(Entry.LOAD_DEBUG_CONTROLS) }, arm: bitmap(1), exit: { reason: 'EXCEPTION_OR_NMI', qualification: 0x2000n, interruption: hardware(1) } },
  { rule: 'exit.exception', what: 'of an IRET that has ended blocking by NMI', guest: 'long', code: '48 cf ; iretq to CS 0', base: { ...pin(Pin.NMI_EXITING | Pin.VIRTUAL_NMIS), GUEST_INTERRUPTIBILITY_STATE: 8 }, arm: bitmap(13), exit: { reason: 'EXCEPTION_OR_NMI', interruption: hardware(13) + WITH_CODE + UNBLOCKED, errorCode: 0, fields: { GUEST_INTERRUPTIBILITY_STATE: 0 } }, otherwise: 'TRIPLE_FAULT' },
  { rule: 'exit.exception.page-fault', guest: 'long', code: '48 89 04 25 10 00 05 00 ; mov [0x50010], rax', memory: unmapped(0x5_0000), arm: bitmap(14), exit: { reason: 'EXCEPTION_OR_NMI', qualification: 0x5_0010n, interruption: hardware(14) + WITH_CODE, errorCode: 2 }, otherwise: 'TRIPLE_FAULT' },
  { rule: 'exit.exception.page-fault', what: 'that matches under the mask', guest: 'long', code: '48 8b 04 25 10 00 05 00 ; mov rax, [0x50010]', memory: unmapped(0x5_0000), base: { ...bitmap(14), PAGE_FAULT_ERROR_CODE_MASK: 2 }, arm: { PAGE_FAULT_ERROR_CODE_MATCH: 0 }, disarm: { PAGE_FAULT_ERROR_CODE_MATCH: 2 }, exit: { reason: 'EXCEPTION_OR_NMI', qualification: 0x5_0010n, interruption: hardware(14) + WITH_CODE, errorCode: 0 }, otherwise: 'TRIPLE_FAULT' },
  { rule: 'exit.exception.page-fault', what: 'that does not match, with the bit 0', guest: 'long', code: '48 8b 04 25 10 00 05 00 ; mov rax, [0x50010]', memory: unmapped(0x5_0000), base: { PAGE_FAULT_ERROR_CODE_MASK: 2 }, arm: { PAGE_FAULT_ERROR_CODE_MATCH: 2 }, disarm: { PAGE_FAULT_ERROR_CODE_MATCH: 0 }, exit: { reason: 'EXCEPTION_OR_NMI', qualification: 0x5_0010n, interruption: hardware(14) + WITH_CODE, errorCode: 0 }, otherwise: 'TRIPLE_FAULT' },
  { rule: 'exit.exception.int3', guest: 'real', code: '90 cc ; nop; int3', arm: bitmap(3), exit: { reason: 'EXCEPTION_OR_NMI', at: 1, length: 1, interruption: VALID + 0x603 } },
  { rule: 'exit.exception.into', guest: 'real', code: 'b0 7f 04 01 ce ; mov al, 0x7f; add al, 1; into', arm: bitmap(4), exit: { reason: 'EXCEPTION_OR_NMI', at: 4, length: 1, interruption: VALID + 0x604 } },
  { rule: 'exit.exception.int1', guest: 'real', code: '90 f1 ; nop; int1', arm: bitmap(1), exit: { reason: 'EXCEPTION_OR_NMI', at: 1, length: 1, interruption: VALID + 0x501 } },
  { rule: 'exit.nmi', guest: 'real', code: 'eb fe ; jmp $', waits: 'nmi', arm: pin(Pin.NMI_EXITING), exit: { reason: 'EXCEPTION_OR_NMI', interruption: VALID + NMI, fields: { GUEST_INTERRUPTIBILITY_STATE: 0 } } },
  { rule: 'exit.nmi', what: 'out of HLT', guest: 'real', code: '90', waits: 'nmi', base: { GUEST_ACTIVITY_STATE: 1 }, arm: pin(Pin.NMI_EXITING), exit: { reason: 'EXCEPTION_OR_NMI', interruption: VALID + NMI, fields: { GUEST_ACTIVITY_STATE: 1 } } },
  { rule: 'exit.external-interrupt', guest: 'real', code: 'eb fe ; jmp $', waits: 'interrupt', base: { GUEST_RFLAGS: 0x202 }, arm: pin(Pin.EXTERNAL_INTERRUPT_EXITING), exit: { reason: 'EXTERNAL_INTERRUPT' } },
  { rule: 'exit.external-interrupt', what: 'acknowledged, although IF is 0', guest: 'real', code: '90 f4', waits: 'interrupt', base: { VM_EXIT_CONTROLS: on(Exit.ACKNOWLEDGE_INTERRUPT) }, arm: pin(Pin.EXTERNAL_INTERRUPT_EXITING), exit: { reason: 'EXTERNAL_INTERRUPT', interruption: VALID + 0x31 } },
  { rule: 'exit.init', guest: 'real', code: '90 f4', waits: 'init', disarm: { GUEST_ACTIVITY_STATE: 3 }, exit: { reason: 'INIT_SIGNAL' }, otherwise: 'the guest waits' },
  { rule: 'exit.sipi', guest: 'real', code: '90 f4', waits: 'start-up', arm: { GUEST_ACTIVITY_STATE: 3 }, exit: { reason: 'SIPI', qualification: 0x9an, fields: { GUEST_ACTIVITY_STATE: 3 } } },
  { rule: 'exit.triple-fault', guest: 'long', code: '0f 0b ; ud2', base: { GUEST_IDTR_LIMIT: 0 }, exit: { reason: 'TRIPLE_FAULT' } },
  byControl('exit.interrupt-window', 'INTERRUPT_WINDOW', primary(Primary.INTERRUPT_WINDOW_EXITING), 'real', 'fb 90 ; sti; nop', { at: 2 }),
  byControl('exit.interrupt-window', 'INTERRUPT_WINDOW', primary(Primary.INTERRUPT_WINDOW_EXITING), 'real', '90 ; nop', { fields: { GUEST_ACTIVITY_STATE: 1 } }, { what: 'out of HLT', base: { GUEST_RFLAGS: 0x202, ...pin(Pin.PREEMPTION_TIMER), PREEMPTION_TIMER_VALUE: 1000, GUEST_ACTIVITY_STATE: 1 }, otherwise: 'PREEMPTION_TIMER' }),
  byControl('exit.nmi-window', 'NMI_WINDOW', primary(Primary.NMI_WINDOW_EXITING), 'real', '90', {}, { base: pin(Pin.NMI_EXITING | Pin.VIRTUAL_NMIS) }),
  byControl('exit.nmi-window', 'NMI_WINDOW', primary(Primary.NMI_WINDOW_EXITING), 'real', '9c 0e 68 09 70 cf 90 90 90 90 ; pushf; push cs; push 0x7009; iret; at 0x7009: nop', { at: 9, fields: { GUEST_INTERRUPTIBILITY_STATE: 0 } }, { what: 'after the IRET that ends blocking', base: { ...pin(Pin.NMI_EXITING | Pin.VIRTUAL_NMIS), GUEST_INTERRUPTIBILITY_STATE: 8 } }),
  byControl('exit.monitor', 'MONITOR', primary(Primary.MONITOR_EXITING), 'real', '0f 01 c8 ; monitor', { length: 3 }),
  byControl('exit.mwait', 'MWAIT', primary(Primary.MWAIT_EXITING), 'real', '0f 01 c9 ; mwait', { length: 3, qualification: 0n }),
  byControl('exit.mwait', 'MWAIT', primary(Primary.MWAIT_EXITING), 'real', 'b8 00 50 0f 01 c8 0f 01 c9 ; mov ax, 0x5000; monitor; mwait', { at: 6, length: 3, qualification: 1n }, { what: 'with a line armed', base: { ...pin(Pin.PREEMPTION_TIMER), PREEMPTION_TIMER_VALUE: 1000 }, otherwise: 'PREEMPTION_TIMER' }),
  { rule: 'exit.monitor-trap-flag', guest: 'real', code: '90 f4 ; nop; hlt', arm: primary(Primary.MONITOR_TRAP_FLAG), exit: { reason: 'MONITOR_TRAP_FLAG', at: 1 } },
  { rule: 'exit.monitor-trap-flag', what: 'after the delivery of an injected event', guest: 'real', code: '90', base: { VM_ENTRY_INTERRUPTION_INFO: VALID + 0x20, GUEST_RFLAGS: 0x202 }, arm: primary(Primary.MONITOR_TRAP_FLAG), exit: { reason: 'MONITOR_TRAP_FLAG', at: 0x1000 } },
  { rule: 'exit.monitor-trap-flag.injected', guest: 'real', code: 'f4', arm: { VM_ENTRY_INTERRUPTION_INFO: VALID + 0x700 }, exit: { reason: 'MONITOR_TRAP_FLAG' } },
  { rule: 'exit.preemption-timer', guest: 'real', code: '90 f4', base: { PREEMPTION_TIMER_VALUE: 0 }, arm: pin(Pin.PREEMPTION_TIMER), exit: { reason: 'PREEMPTION_TIMER' } },
  { rule: 'exit.task-switch', what: 'JMP to a TSS', guest: 'protected', code: 'ea 00 00 00 00 40 00 ; jmp 0x40:0', ...TASKS, exit: { reason: 'TASK_SWITCH', qualification: 0x8000_0040n, length: 7 } },
  { rule: 'exit.task-switch', what: 'CALL of a task gate', guest: 'protected', code: '9a 00 00 00 00 48 00 ; call 0x48:0', ...TASKS, exit: { reason: 'TASK_SWITCH', qualification: 0x40n, length: 7 } },
  { rule: 'exit.task-switch', what: 'IRET of a nested task', guest: 'protected', code: 'cf ; iret', ...TASKS, base: { ...TASKS.base, GUEST_RFLAGS: 0x4002 }, exit: { reason: 'TASK_SWITCH', qualification: 0x4000_0050n, length: 1 } },
  { rule: 'exit.task-switch', guest: 'protected', code: '0f 0b ; ud2', ...TASKS, exit: { reason: 'TASK_SWITCH', qualification: 0xc000_0040n, vectoring: hardware(6) } },
];

const SIMPLE: ExitCase[] = [
  always('exit.cpuid', 'CPUID', 'real', '0f a2 ; cpuid', { length: 2 }),
  always('exit.cpuid', 'CPUID', 'long', '66 0f a2 ; data16 cpuid', { length: 3 }, { what: 'with a prefix' }),
  always('exit.cpuid', 'CPUID', 'vm86', 'fb cd 21 9c 9d 0f a2 ; sti; int 0x21; pushf; popf; cpuid', { at: 5 - 0x7000, length: 2, fields: { GUEST_RFLAGS: 0xa_0002 } }, {
    what: 'in virtual-8086 mode with VIF, behind INT n and IRET in that mode',
    base: { GUEST_CR4: 0x2011, GUEST_TR_BASE: 0xa000, GUEST_TR_LIMIT: 0x88 },
    memory: virtual8086,
  }),
  always('exit.cpuid', 'CPUID', 'vm86', '90 cd 21 ; nop; int 0x21', { at: 0x1000, length: 2, fields: { GUEST_RFLAGS: 0x2_3002 } }, {
    what: 'in the handler of an INT n of virtual-8086 mode at IOPL 3',
    base: { GUEST_CR4: 0x2011, GUEST_TR_BASE: 0xa000, GUEST_TR_LIMIT: 0x88, GUEST_RFLAGS: 0x2_3202 },
    memory: (rig) => {
      virtual8086(rig);
      rig.guest(0x8000, '0f a2');
    },
  }),
  always('exit.invd', 'INVD', 'real', '0f 08 ; invd', { length: 2 }),
  always('exit.vmcall', 'VMCALL', 'long', '0f 01 c1 ; vmcall', { length: 3 }, { base: { GUEST_CS_ACCESS_RIGHTS: 0xa0fb, GUEST_SS_ACCESS_RIGHTS: 0xc0f3, GUEST_CS_SELECTOR: 0x1b, GUEST_SS_SELECTOR: 0x23 } }),
  always('exit.xsetbv', 'XSETBV', 'long', '0f 01 d1 ; xsetbv', { length: 3 }, { base: { GUEST_CR4: 0x4_2020 } }),
  byControl('exit.hlt', 'HLT', {}, 'real', 'f4 ; hlt', { length: 1 }, { base: { ...pin(Pin.PREEMPTION_TIMER), PREEMPTION_TIMER_VALUE: 1000 }, disarm: { PRIMARY_PROCESSOR_BASED_CONTROLS: (v) => v & ~BigInt(Primary.HLT_EXITING) }, otherwise: 'PREEMPTION_TIMER' }),
  byControl('exit.invlpg', 'INVLPG', primary(Primary.INVLPG_EXITING), 'real', '0f 01 3e 34 12 ; invlpg [0x1234]', { qualification: 0x1234n, length: 5 }),
  byControl('exit.invlpg', 'INVLPG', primary(Primary.INVLPG_EXITING), 'long', 'b8 00 20 00 00 64 0f 01 78 f0 ; mov eax, 0x2000; invlpg fs:[rax - 16]', { at: 5, qualification: 0x3ff0n, length: 5 }, { what: 'with the base of its segment', base: { GUEST_FS_BASE: 0x2000 } }),
  byControl('exit.rdpmc', 'RDPMC', primary(Primary.RDPMC_EXITING), 'real', '0f 33 ; rdpmc', { length: 2 }),
  byControl('exit.rdtsc', 'RDTSC', primary(Primary.RDTSC_EXITING), 'real', '0f 31 ; rdtsc', { length: 2 }),
  byControl('exit.rdtscp', 'RDTSCP', primary(Primary.RDTSC_EXITING), 'real', '0f 01 f9 ; rdtscp', { length: 3 }, { base: secondary(Secondary.RDTSCP) }),
  byControl('exit.pause', 'PAUSE', primary(Primary.PAUSE_EXITING), 'real', 'f3 90 ; pause', { length: 2 }),
  byControl('exit.pause-loop', 'PAUSE', secondary(Secondary.PAUSE_LOOP_EXITING), 'long', 'b9 00 02 00 00 f3 90 ff c9 75 fa ; mov ecx, 512; 1: pause; dec ecx; jnz 1b', { at: 5, length: 2 }, { base: { PLE_GAP: 128, PLE_WINDOW: 256 } }),
  byControl('exit.wbinvd', 'WBINVD', secondary(Secondary.WBINVD_EXITING), 'real', '0f 09 ; wbinvd', { length: 2 }),
  byControl('exit.rdrand', 'RDRAND', secondary(Secondary.RDRAND_EXITING), 'long', '48 0f c7 f3 ; rdrand rbx', { length: 4, info: reg1(3) | (2 << 11) }),
  byControl('exit.rdrand', 'RDRAND', secondary(Secondary.RDRAND_EXITING), 'real', '0f c7 f1 ; rdrand cx', { length: 3, info: reg1(1) }, { what: 'of 16 bits' }),
  byControl('exit.rdseed', 'RDSEED', secondary(Secondary.RDSEED_EXITING), 'long', '41 0f c7 f9 ; rdseed r9d', { length: 4, info: reg1(9) | (1 << 11) }),
];

const VMX: ExitCase[] = [
  always('exit.vmclear', 'VMCLEAR', 'long', '66 0f c7 70 08 ; vmclear [rax + 8]', { qualification: 8n, length: 5, info: ADDRESS_64 | DS | NO_INDEX | base(0) }),
  always('exit.vmlaunch', 'VMLAUNCH', 'long', '0f 01 c2 ; vmlaunch', { length: 3 }),
  always('exit.vmresume', 'VMRESUME', 'long', '0f 01 c3 ; vmresume', { length: 3 }),
  always('exit.vmxoff', 'VMXOFF', 'long', '0f 01 c4 ; vmxoff', { length: 3 }),
  always('exit.vmptrld', 'VMPTRLD', 'long', '0f c7 34 24 ; vmptrld [rsp]', { length: 4, info: ADDRESS_64 | (2 << 15) | NO_INDEX | base(4) }),
  always('exit.vmptrst', 'VMPTRST', 'long', '0f c7 3c 88 ; vmptrst [rax + rcx * 4]', { length: 4, info: ADDRESS_64 | DS | index(1, 2) | base(0) }),
  always('exit.vmxon', 'VMXON', 'long', 'f3 0f c7 70 80 ; vmxon [rax - 128]', { qualification: 0xffff_ffff_ffff_ff80n, length: 5, info: ADDRESS_64 | DS | NO_INDEX | base(0) }),
  always('exit.vmxon', 'VMXON', 'long', 'f3 0f c7 35 00 01 00 00 ; vmxon [rip + 0x100]', { qualification: 0x7108n, length: 8, info: ADDRESS_64 | DS | NO_INDEX | NO_BASE }, { what: 'relative to RIP' }),
  always('exit.invept', 'INVEPT', 'long', '66 0f 38 80 08 ; invept rcx, [rax]', { length: 5, info: ADDRESS_64 | DS | NO_INDEX | base(0) | reg2(1) }),
  always('exit.invvpid', 'INVVPID', 'long', '66 44 0f 38 81 48 10 ; invvpid r9, [rax + 16]', { qualification: 16n, length: 7, info: ADDRESS_64 | DS | NO_INDEX | base(0) | reg2(9) }),
  byControl('exit.vmread', 'VMREAD', {}, 'long', 'b8 00 68 00 00 0f 78 c3 ; mov eax, GUEST_CR0; vmread rbx, rax', { at: 5, length: 3, info: IS_REGISTER | reg1(3) | reg2(0) }, {
    disarm: { ...secondary(Secondary.VMCS_SHADOWING), VMREAD_BITMAP: PAGE, VMWRITE_BITMAP: OTHER_PAGE, VMCS_LINK_POINTER: At.OTHER_VMCS },
    memory: (rig) => rig.write32(At.OTHER_VMCS, Number(rig.read64(At.VMCS) & 0x7fff_ffffn) + SHADOW),
  }),
  byControl('exit.vmread', 'VMREAD', {}, 'long', 'b8 00 68 00 00 0f 78 44 93 10 ; mov eax, GUEST_CR0; vmread [rbx + rdx * 4 + 16], rax', { at: 5, qualification: 16n, length: 5, info: ADDRESS_64 | DS | index(2, 2) | base(3) | reg2(0) }, {
    what: 'where the bitmap has its bit',
    code: 'b8 00 68 00 00 31 d2 bb 00 90 00 00 0f 78 44 93 10 f4',
    exit: { reason: 'VMREAD', at: 12, qualification: 16n, length: 5, info: ADDRESS_64 | DS | index(2, 2) | base(3) | reg2(0) },
    base: { ...secondary(Secondary.VMCS_SHADOWING), VMREAD_BITMAP: PAGE, VMWRITE_BITMAP: OTHER_PAGE, VMCS_LINK_POINTER: At.OTHER_VMCS },
    memory: (rig, outcome) => {
      rig.write32(At.OTHER_VMCS, Number(rig.read64(At.VMCS) & 0x7fff_ffffn) + SHADOW);
      if (outcome === 'exits') rig.writeBytes(PAGE + (0x6800 >>> 3), [1]);
    },
  }),
  byControl('exit.vmwrite', 'VMWRITE', {}, 'long', 'b8 00 68 00 00 bb 00 90 00 00 0f 79 03 ; mov eax, GUEST_CR0; mov ebx, 0x9000; vmwrite rax, [rbx]', { at: 10, length: 3, info: ADDRESS_64 | DS | NO_INDEX | base(3) | reg2(0) }, {
    disarm: { ...secondary(Secondary.VMCS_SHADOWING), VMREAD_BITMAP: PAGE, VMWRITE_BITMAP: OTHER_PAGE, VMCS_LINK_POINTER: At.OTHER_VMCS },
    memory: (rig) => rig.write32(At.OTHER_VMCS, Number(rig.read64(At.VMCS) & 0x7fff_ffffn) + SHADOW),
  }),
  byControl('exit.vmfunc', 'VMFUNC', { VM_FUNCTION_CONTROLS: 0 }, 'long', '31 c0 31 c9 0f 01 d4 ; xor eax, eax; xor ecx, ecx; vmfunc', { at: 4, length: 3 }, {
    base: { ...secondary(Secondary.VM_FUNCTIONS), EPTP_LIST_ADDRESS: PAGE },
    disarm: { VM_FUNCTION_CONTROLS: 1 },
    memory: (rig) => rig.write64(PAGE, rig.get('EPT_POINTER')),
  }),
];

const REGISTERS: ExitCase[] = [
  byControl('exit.cr0', 'CR_ACCESS', { CR0_GUEST_HOST_MASK: 1 }, 'real', '66 bb 31 00 00 00 0f 22 c3 ; mov ebx, PE | ET | NE; mov cr0, ebx', { at: 6, qualification: 0x300n, length: 3 }),
  byControl('exit.cr4', 'CR_ACCESS', { CR4_GUEST_HOST_MASK: 0x10 }, 'real', '66 b9 10 20 00 00 0f 22 e1 ; mov ecx, PSE | VMXE; mov cr4, ecx', { at: 6, qualification: 0x104n, length: 3 }),
  byControl('exit.clts', 'CR_ACCESS', { CR0_GUEST_HOST_MASK: 8, CR0_READ_SHADOW: 8 }, 'real', '0f 06 ; clts', { qualification: 0x20n, length: 2 }, { disarm: { CR0_GUEST_HOST_MASK: 8, CR0_READ_SHADOW: 0 } }),
  byControl('exit.lmsw', 'CR_ACCESS', { CR0_GUEST_HOST_MASK: 1 }, 'real', 'b8 09 00 0f 01 f0 ; mov ax, 9; lmsw ax', { at: 3, qualification: 0x9_0030n, length: 3 }),
  byControl('exit.lmsw', 'CR_ACCESS', { CR0_GUEST_HOST_MASK: 2 }, 'real', 'c7 06 00 90 02 00 0f 01 36 00 90 ; mov word [0x9000], 2; lmsw [0x9000]', { at: 6, qualification: 0x2_0070n, length: 5, linear: 0x9000n }, { what: 'from memory' }),
  byControl('exit.cr3-load', 'CR_ACCESS', primary(Primary.CR3_LOAD_EXITING), 'real', CR3_LOAD, { at: 6, qualification: 0x103n, length: 3 }),
  byControl('exit.cr3-target', 'CR_ACCESS', { CR3_TARGET_VALUE_2: 0x5000 }, 'real', CR3_LOAD, { at: 6, qualification: 0x103n, length: 3 }, { base: { ...primary(Primary.CR3_LOAD_EXITING), CR3_TARGET_COUNT: 2 }, disarm: { CR3_TARGET_VALUE_1: 0x5000 } }),
  byControl('exit.cr3-store', 'CR_ACCESS', primary(Primary.CR3_STORE_EXITING), 'real', '0f 20 db ; mov ebx, cr3', { qualification: 0x313n, length: 3 }),
  byControl('exit.cr8-load', 'CR_ACCESS', primary(Primary.CR8_LOAD_EXITING), 'long', '45 31 d2 45 0f 22 c2 ; xor r10d, r10d; mov cr8, r10', { at: 3, qualification: 0xa08n, length: 4 }),
  byControl('exit.cr8-store', 'CR_ACCESS', primary(Primary.CR8_STORE_EXITING), 'long', '44 0f 20 c0 ; mov rax, cr8', { qualification: 0x18n, length: 4 }),
  byControl('exit.mov-dr', 'DR_ACCESS', primary(Primary.MOV_DR_EXITING), 'real', '0f 23 d9 ; mov dr3, ecx', { qualification: 0x103n, length: 3 }),
  byControl('exit.mov-dr', 'DR_ACCESS', primary(Primary.MOV_DR_EXITING), 'long', '41 0f 21 f1 ; mov r9, dr6', { qualification: 0x916n, length: 4 }, { what: 'that reads' }),
  byControl('exit.gdtr-idtr', 'GDTR_IDTR_ACCESS', secondary(Secondary.DESCRIPTOR_TABLE_EXITING), 'real', '0f 01 06 00 10 ; sgdt [0x1000]', { qualification: 0x1000n, length: 5, info: DS | NO_INDEX | NO_BASE }),
  byControl('exit.gdtr-idtr', 'GDTR_IDTR_ACCESS', secondary(Secondary.DESCRIPTOR_TABLE_EXITING), 'real', '66 0f 01 16 00 90 ; lgdtd [0x9000]', { qualification: 0x9000n, length: 6, info: DS | NO_INDEX | NO_BASE | OPERAND_32 | (2 << 28) }, { what: 'LGDT of 32 bits' }),
  byControl('exit.gdtr-idtr', 'GDTR_IDTR_ACCESS', secondary(Secondary.DESCRIPTOR_TABLE_EXITING), 'long', 'bb 00 90 00 00 31 c9 0f 01 4c 8b 10 ; mov ebx, 0x9000; xor ecx, ecx; sidt [rbx + rcx * 4 + 16]', { at: 7, qualification: 16n, length: 5, info: ADDRESS_64 | DS | index(1, 2) | base(3) | (1 << 28) }, { what: 'SIDT' }),
  byControl('exit.ldtr-tr', 'LDTR_TR_ACCESS', secondary(Secondary.DESCRIPTOR_TABLE_EXITING), 'long', '0f 00 c3 ; sldt ebx', { length: 3, info: IS_REGISTER | reg1(3) }),
  byControl('exit.ldtr-tr', 'LDTR_TR_ACCESS', secondary(Secondary.DESCRIPTOR_TABLE_EXITING), 'long', '0f 00 0d 00 20 00 00 ; str [rip + 0x2000]', { qualification: 0x9007n, length: 7, info: ADDRESS_64 | DS | NO_INDEX | NO_BASE | (1 << 28) }, { what: 'STR to memory' }),
  byControl('exit.invpcid', 'INVPCID', primary(Primary.INVLPG_EXITING), 'long', 'b9 02 00 00 00 b8 00 90 00 00 66 0f 38 82 08 ; mov ecx, 2; mov eax, 0x9000; invpcid rcx, [rax]', { at: 10, length: 5, info: ADDRESS_64 | DS | NO_INDEX | base(0) | reg2(1) }, { base: secondary(Secondary.INVPCID) }),
];

const IO = primary(Primary.IO_BITMAPS);
const PORTS_AND_MSRS: ExitCase[] = [
  byControl('exit.io', 'IO_INSTRUCTION', primary(Primary.UNCONDITIONAL_IO_EXITING), 'real', 'e4 70 ; in al, 0x70', { qualification: 0x70_0048n, length: 2 }),
  byControl('exit.io', 'IO_INSTRUCTION', primary(Primary.UNCONDITIONAL_IO_EXITING), 'real', 'ba 84 03 ef ; mov dx, 0x384; out dx, ax', { at: 3, qualification: 0x384_0001n, length: 1 }, { what: 'OUT' }),
  byControl('exit.io', 'IO_INSTRUCTION', primary(Primary.UNCONDITIONAL_IO_EXITING), 'real', 'be 00 90 ba 84 03 b9 02 00 f3 26 66 6f ; mov si, 0x9000; mov dx, 0x384; mov cx, 2; rep outsd es:', { at: 9, qualification: 0x384_0033n, length: 4, linear: 0x9000n, info: 0 }, { what: 'REP OUTS with a segment' }),
  byControl('exit.io', 'IO_INSTRUCTION', primary(Primary.UNCONDITIONAL_IO_EXITING), 'long', 'bf 00 90 00 00 ba 84 03 00 00 6c ; mov edi, 0x9000; mov edx, 0x384; insb', { at: 10, qualification: 0x384_0018n, length: 1, linear: 0x9000n, info: ADDRESS_64 }, { what: 'INS' }),
  byControl('exit.io.bitmap', 'IO_INSTRUCTION', {}, 'real', 'ba 84 03 ec ; mov dx, 0x384; in al, dx', { at: 3, qualification: 0x384_0008n, length: 1 }, { base: IO, memory: setBit(At.IO_BITMAPS, 0x384) }),
  byControl('exit.io.bitmap', 'IO_INSTRUCTION', {}, 'real', 'ba fe 84 66 ef ; mov dx, 0x84fe; out dx, eax', { at: 3, qualification: 0x84fe_0003n, length: 2 }, { what: 'the last byte of a wide access, bitmap B', base: IO, memory: setBit(At.IO_BITMAPS + 0x1000, 0x501) }),
  byControl('exit.io.wrap', 'IO_INSTRUCTION', IO, 'real', 'ba ff ff ed ; mov dx, 0xffff; in ax, dx', { at: 3, qualification: 0xffff_0009n, length: 1 }),
  ...(['rdmsr', 'wrmsr'] as const).flatMap((name): ExitCase[] => {
    const reason = name === 'rdmsr' ? 'RDMSR' : 'WRMSR';
    const opcode = name === 'rdmsr' ? '0f 32' : '0f 30';
    const offset = name === 'rdmsr' ? 0 : 0x800;
    return [
      byControl(`exit.${name}`, reason, {}, 'long', `b9 74 01 00 00 31 c0 31 d2 ${opcode} ; IA32_SYSENTER_CS`, { at: 9, length: 2 }, { memory: setBit(At.MSR_BITMAP + offset, IA32_SYSENTER_CS) }),
      byControl(`exit.${name}`, reason, {}, 'long', `b9 82 00 00 c0 31 c0 31 d2 ${opcode} ; IA32_LSTAR`, { at: 9, length: 2 }, { what: 'of a high MSR', memory: setBit(At.MSR_BITMAP + offset + 0x400, 0x82) }),
      byControl(`exit.${name}`, reason, { PRIMARY_PROCESSOR_BASED_CONTROLS: (v) => v & ~BigInt(Primary.MSR_BITMAPS) }, 'long', `b9 74 01 00 00 31 c0 31 d2 ${opcode} ; IA32_SYSENTER_CS`, { at: 9, length: 2 }, { what: 'without bitmaps' }),
      { ...always(`exit.${name}`, reason, 'long', `b9 00 20 00 00 31 c0 31 d2 ${opcode} ; MSR 0x2000`, { at: 9, length: 2 }), what: 'outside the bitmaps' },
    ];
  }),
];

/** At CPL 3 with everything that can exit, what faults first and what exits first (SDM volume 3, "Relative Priority of Faults and VM Exits"). */
const USER: Writes = { GUEST_TR_LIMIT: 0x60, GUEST_CS_ACCESS_RIGHTS: 0xa0fb, GUEST_SS_ACCESS_RIGHTS: 0xc0f3, GUEST_CS_SELECTOR: 0x1b, GUEST_SS_SELECTOR: 0x23 };
const ALL_EXITS: Writes = {
  ...primary(Primary.HLT_EXITING | Primary.INVLPG_EXITING | Primary.RDPMC_EXITING | Primary.RDTSC_EXITING | Primary.CR3_LOAD_EXITING | Primary.CR3_STORE_EXITING | Primary.CR8_LOAD_EXITING | Primary.MOV_DR_EXITING | Primary.UNCONDITIONAL_IO_EXITING | Primary.PAUSE_EXITING),
  ...secondary(Secondary.DESCRIPTOR_TABLE_EXITING | Secondary.WBINVD_EXITING | Secondary.RDRAND_EXITING),
};
const GENERAL_PROTECTION: Reported = { reason: 'EXCEPTION_OR_NMI', interruption: hardware(13) + WITH_CODE, errorCode: 0 };
const PRIORITY: ExitCase[] = [
  ...[
    ['HLT', 'f4'], ['INVD', '0f 08'], ['WBINVD', '0f 09'], ['MOV to CR3', '0f 22 d8'], ['MOV from CR3', '0f 20 d8'], ['MOV to CR8', '44 0f 22 c0'], ['CLTS', '0f 06'], ['LMSW', '0f 01 f0'],
    ['LGDT', '0f 01 10'], ['LLDT', '0f 00 d0'], ['INVLPG', '0f 01 38'], ['RDMSR', '0f 32'], ['WRMSR', '0f 30'], ['IN', 'e4 70'], ['RDPMC', '0f 33'],
  ].map(([name, code]): ExitCase => ({ rule: 'exit.exception', what: `#GP of ${name} at CPL 3 comes before the exit`, guest: 'long', code: code!, base: { ...USER, ...ALL_EXITS }, arm: bitmap(13), exit: GENERAL_PROTECTION, otherwise: 'TRIPLE_FAULT' })),
  { rule: 'exit.exception', what: '#GP of RDTSC at CPL 3 with CR4.TSD comes before the exit', guest: 'long', code: '0f 31', base: { ...USER, ...ALL_EXITS, GUEST_CR4: 0x2024 }, arm: bitmap(13), exit: GENERAL_PROTECTION, otherwise: 'TRIPLE_FAULT' },
  { rule: 'exit.exception', what: '#UD of MOV to CR1 comes before anything', guest: 'long', code: '0f 22 c8', base: ALL_EXITS, arm: bitmap(6), exit: { reason: 'EXCEPTION_OR_NMI', interruption: hardware(6) }, otherwise: 'TRIPLE_FAULT' },
  ...[
    ['RDTSCP', '0f 01 f9'], ['INVPCID', '66 0f 38 82 08'],
  ].map(([name, code]): ExitCase => ({ rule: 'exit.exception', what: `#UD of ${name} that is not enabled comes before the #GP of CPL 3`, guest: 'long', code: code!, base: { ...USER, GUEST_CR4: 0x2024, SECONDARY_PROCESSOR_BASED_CONTROLS: (v) => v & ~BigInt(Secondary.RDTSCP | Secondary.INVPCID) }, arm: bitmap(6), exit: { reason: 'EXCEPTION_OR_NMI', interruption: hardware(6) }, otherwise: 'TRIPLE_FAULT' })),
  byControl('exit.gdtr-idtr', 'GDTR_IDTR_ACCESS', secondary(Secondary.DESCRIPTOR_TABLE_EXITING), 'long', '48 b8 00 00 00 00 00 00 00 80 0f 01 10 ; mov rax, 1 << 63; lgdt [rax]', { at: 10, length: 3, info: ADDRESS_64 | DS | NO_INDEX | base(0) | (2 << 28) }, { what: 'before the #GP of an address that is not canonical', base: bitmap(13), otherwise: 'EXCEPTION_OR_NMI' }),
  byControl('exit.io', 'IO_INSTRUCTION', primary(Primary.UNCONDITIONAL_IO_EXITING), 'long', '48 be 00 00 00 00 00 00 00 80 ba 84 03 00 00 6e ; mov rsi, 1 << 63; mov edx, 0x384; outsb', { at: 15, qualification: 0x384_0010n, length: 1, linear: 1n << 63n, info: ADDRESS_64 | DS }, { what: 'before the #GP of an address that is not canonical', base: bitmap(13), otherwise: 'EXCEPTION_OR_NMI' }),
  // MOV of debug registers is the exception to the rule.
  byControl('exit.mov-dr', 'DR_ACCESS', primary(Primary.MOV_DR_EXITING), 'long', '0f 21 e0 ; mov rax, dr4', { qualification: 0x14n, length: 3 }, { what: 'before the #UD of DR4 with CR4.DE', base: { ...bitmap(6), GUEST_CR4: 0x2028 }, otherwise: 'EXCEPTION_OR_NMI' }),
  byControl('exit.mov-dr', 'DR_ACCESS', primary(Primary.MOV_DR_EXITING), 'long', '0f 23 f8 ; mov dr7, rax', { qualification: 7n, length: 3 }, { what: 'before the #GP of CPL 3', base: { ...USER, ...bitmap(13) }, otherwise: 'EXCEPTION_OR_NMI' }),
  byControl('exit.mov-dr', 'DR_ACCESS', primary(Primary.MOV_DR_EXITING), 'long', '0f 21 c0 ; mov rax, dr0', { qualification: 0x10n, length: 3 }, { what: 'before the #DB of DR7.GD', base: { ...bitmap(1), GUEST_DR7: 0x2400, VM_ENTRY_CONTROLS: on(Entry.LOAD_DEBUG_CONTROLS) }, otherwise: 'EXCEPTION_OR_NMI' }),
  ...(
    [
      ['exit.cpuid', 'CPUID', '0f a2', 2], ['exit.vmlaunch', 'VMLAUNCH', '0f 01 c2', 3], ['exit.vmresume', 'VMRESUME', '0f 01 c3', 3], ['exit.vmxoff', 'VMXOFF', '0f 01 c4', 3],
    ] as const
  ).map(([rule, reason, code, length]) => always(rule, reason, 'long', code, { length }, { what: 'at CPL 3', base: { ...USER, ...ALL_EXITS } })),
  byControl('exit.rdtsc', 'RDTSC', primary(Primary.RDTSC_EXITING), 'long', '0f 31', { length: 2 }, { what: 'at CPL 3', base: { ...USER, ...bitmap(13) }, otherwise: 'EXCEPTION_OR_NMI' }),
  byControl('exit.pause', 'PAUSE', primary(Primary.PAUSE_EXITING), 'long', 'f3 90', { length: 2 }, { what: 'at CPL 3', base: { ...USER, ...bitmap(13) }, otherwise: 'EXCEPTION_OR_NMI' }),
  byControl('exit.rdrand', 'RDRAND', secondary(Secondary.RDRAND_EXITING), 'long', '0f c7 f0', { length: 3, info: reg1(0) | (1 << 11) }, { what: 'at CPL 3', base: { ...USER, ...bitmap(13) }, otherwise: 'EXCEPTION_OR_NMI' }),
];

const AD = (v: bigint): bigint => v | 0x40n;
const MEMORY: ExitCase[] = [
  { rule: 'exit.ept-violation', guest: 'real', code: `${READ_5000}\nf4`, memory: leaf(0x5000, 0), exit: { reason: 'EPT_VIOLATION', qualification: 0x181n, linear: 0x5000n, gpa: 0x5000 } },
  { rule: 'exit.ept-violation', what: 'a write that is not permitted', guest: 'real', code: `${WRITE_5000}\nf4`, memory: leaf(0x5000, 0x35), exit: { reason: 'EPT_VIOLATION', qualification: 0x1aan, linear: 0x5000n, gpa: 0x5000 } },
  { rule: 'exit.ept-violation', what: 'a fetch that is not permitted', guest: 'real', code: '90 ea 10 90 00 00 ; nop; jmp 0:0x9010', memory: (rig, outcome) => { rig.guest(0x9010, 'f4'); leaf(0x9000, 0x33)(rig, outcome); }, exit: { reason: 'EPT_VIOLATION', at: 0x2010, qualification: 0x19cn, linear: 0x9010n, gpa: 0x9010 } },
  { rule: 'exit.ept-violation', what: 'of an IRET that has ended blocking by NMI', guest: 'real', code: 'cf ; iret', base: { ...pin(Pin.NMI_EXITING | Pin.VIRTUAL_NMIS), GUEST_INTERRUPTIBILITY_STATE: 8, GUEST_RSP: 0x5000 }, memory: (rig, outcome) => { rig.guest(0x5000, '00 80 00 00 02 00'); leaf(0x5000, 0)(rig, outcome); }, exit: { reason: 'EPT_VIOLATION', qualification: 0x1181n, linear: 0x5000n, gpa: 0x5000, fields: { GUEST_INTERRUPTIBILITY_STATE: 0 } } },
  { rule: 'exit.ept-violation', what: 'on the second page of an access', guest: 'real', code: 'a1 ff 4f f4 ; mov ax, [0x4fff]', memory: leaf(0x5000, 0), exit: { reason: 'EPT_VIOLATION', qualification: 0x181n, linear: 0x5000n, gpa: 0x5000 } },
  { rule: 'exit.ept-violation', what: 'of a paging structure', guest: 'long', code: '48 a1 00 00 20 00 00 00 00 00 f4 ; mov rax, [0x200000]', memory: (rig, outcome) => { rig.guest64(0x3008, 0x9007n); rig.guest64(0x9000, 0x7n); leaf(0x9000, 0)(rig, outcome); }, exit: { reason: 'EPT_VIOLATION', qualification: 0x81n, linear: 0x20_0000n, gpa: 0x9000 } },
  { rule: 'exit.ept-violation', what: 'of a paging structure, with accessed and dirty flags', guest: 'long', code: '48 a1 00 00 20 00 00 00 00 00 f4 ; mov rax, [0x200000]', base: { EPT_POINTER: AD }, memory: (rig, outcome) => { rig.guest64(0x3008, 0x9007n); rig.guest64(0x9000, 0x7n); leaf(0x9000, 0x35)(rig, outcome); }, exit: { reason: 'EPT_VIOLATION', qualification: 0xabn, linear: 0x20_0000n, gpa: 0x9000 } },
  { rule: 'exit.ept-violation', what: 'while an event is delivered', guest: 'real', code: '90', base: { VM_ENTRY_INTERRUPTION_INFO: VALID + 0x21, GUEST_RFLAGS: 0x202 }, memory: leaf(0x5000, 0), exit: { reason: 'EPT_VIOLATION', qualification: 0x182n, linear: 0x5ffen, gpa: 0x5ffe, vectoring: VALID + 0x21 } },
  { rule: 'exit.ept-violation', what: 'while an injected NMI is delivered, which blocks others already', guest: 'real', code: '90', base: { ...pin(Pin.NMI_EXITING | Pin.VIRTUAL_NMIS), VM_ENTRY_INTERRUPTION_INFO: VALID + NMI }, memory: leaf(0x5000, 0), exit: { reason: 'EPT_VIOLATION', qualification: 0x182n, linear: 0x5ffen, gpa: 0x5ffe, vectoring: VALID + NMI, fields: { GUEST_INTERRUPTIBILITY_STATE: 8 } } },
  { rule: 'exit.ept-violation', what: 'while INT n is delivered, with its length', guest: 'real', code: 'cd 21 ; int 0x21', memory: leaf(0x5000, 0), exit: { reason: 'EPT_VIOLATION', length: 2, qualification: 0x182n, linear: 0x5ffen, gpa: 0x5ffe, vectoring: VALID + 0x421 } },
  { rule: 'exit.ept-misconfiguration', guest: 'real', code: `${READ_5000}\nf4`, memory: leaf(0x5000, 0x32), exit: { reason: 'EPT_MISCONFIGURATION', gpa: 0x5000 } },
  { rule: 'exit.ept-misconfiguration', what: 'a memory type that does not exist', guest: 'real', code: `${READ_5000}\nf4`, memory: leaf(0x5000, 0x17), exit: { reason: 'EPT_MISCONFIGURATION', gpa: 0x5000 } },
  { rule: 'exit.pml-full', guest: 'real', code: `${WRITE_5000}\nf4`, base: { ...secondary(Secondary.PML), EPT_POINTER: AD, PML_ADDRESS: PAGE }, arm: { PML_INDEX: 0xffff }, disarm: { PML_INDEX: 511 }, exit: { reason: 'PAGE_MODIFICATION_LOG_FULL' } },
];

/** The virtual-APIC page is PAGE, the guest's page 0x5000 its APIC. */
const TPR: Writes = { ...primary(Primary.TPR_SHADOW), VIRTUAL_APIC_ADDRESS: PAGE };
const APIC_PAGE: Writes = { ...secondary(Secondary.VIRTUALIZE_APIC_ACCESSES), APIC_ACCESS_ADDRESS: At.GUEST + 0x5000 };
const VTPR = 0x80;
const VISR = 0x100;
const APIC: ExitCase[] = [
  byControl('exit.tpr-threshold', 'TPR_BELOW_THRESHOLD', { TPR_THRESHOLD: 3 }, 'long', '41 ba 02 00 00 00 45 0f 22 c2 ; mov r10d, 2; mov cr8, r10', { at: 10 }, { base: TPR, memory: (rig) => rig.write32(PAGE + VTPR, 0x50), disarm: { TPR_THRESHOLD: 2 } }),
  byControl('exit.apic-access', 'APIC_ACCESS', secondary(Secondary.VIRTUALIZE_APIC_ACCESSES), 'real', '66 a1 f0 50 ; mov eax, [0x50f0]', { qualification: 0xf0n, length: 4 }, { base: { APIC_ACCESS_ADDRESS: At.GUEST + 0x5000 } }),
  byControl('exit.apic-access', 'APIC_ACCESS', secondary(Secondary.VIRTUALIZE_APIC_ACCESSES), 'real', '66 a3 00 53 ; mov [0x5300], eax', { qualification: 0x1300n, length: 4 }, { what: 'a write', base: { APIC_ACCESS_ADDRESS: At.GUEST + 0x5000 } }),
  byControl('exit.virtualized-eoi', 'VIRTUALIZED_EOI', { EOI_EXIT_BITMAP_1: 1 << 0x11 }, 'long', 'b9 0b 08 00 00 31 c0 31 d2 0f 30 ; mov ecx, EOI; xor eax, eax; xor edx, edx; wrmsr', { at: 11, qualification: 0x51n }, {
    base: { ...TPR, ...secondary(Secondary.VIRTUAL_INTERRUPT_DELIVERY | Secondary.VIRTUALIZE_X2APIC), ...pin(Pin.EXTERNAL_INTERRUPT_EXITING), GUEST_INTERRUPT_STATUS: 0x5100 },
    memory: (rig) => rig.write32(PAGE + VISR + 0x20, 1 << 0x11),
  }),
  byControl('exit.apic-write', 'APIC_WRITE', secondary(Secondary.APIC_REGISTER_VIRTUALIZATION), 'real', '66 a3 20 53 ; mov [0x5320], eax', { at: 4, qualification: 0x320n }, { base: { PRIMARY_PROCESSOR_BASED_CONTROLS: on(Primary.TPR_SHADOW), VIRTUAL_APIC_ADDRESS: PAGE, ...APIC_PAGE }, otherwise: 'APIC_ACCESS' }),
];

export const EXIT_CASES: readonly ExitCase[] = [...EVENTS, ...SIMPLE, ...VMX, ...REGISTERS, ...PORTS_AND_MSRS, ...PRIORITY, ...MEMORY, ...APIC];

/** What test titles call a case. */
export const exitTitle = (c: ExitCase, outcome: 'exits' | 'stays'): string => `${c.rule} ${outcome}${c.what === undefined ? '' : `: ${c.what}`}`;
/** Whether nothing can prevent the exit of a case. */
export const neverStays = (c: ExitCase): boolean => EXIT_CONDITIONS.find((rule) => rule.id === c.rule)!.cause === 'always' || (c.arm === undefined && c.disarm === undefined && c.memory === undefined);
