/** Plays a case of vmxExitCases.ts in a rig, and reads what its exit reports. */
import { signalInit, signalStartUp } from '../../src/cpu/engine/signals';
import { Gpr, Offset } from '../../src/cpu/state';
import { EXIT_CONDITIONS, exitReason, type FieldName } from '../../src/vmx';
import type { ExitCase } from './vmxExitCases';
import { prepare, rigFor, write } from './vmxEntryVmm';
import { bytes } from './machineCode';
import { At, GUEST_CODE, type VmxRig } from './vmxRig';

const BLOCKING_NMI = 8;
const VECTOR_THAT_WAITS = 0x31;
const START_UP_VECTOR = 0x9a;

/** Whether the processor announces what the rule of a case is about. */
export function isAnnounced(c: ExitCase): boolean {
  const { feature } = EXIT_CONDITIONS.find((rule) => rule.id === c.rule)!;
  const { unit, cpu } = rigFor([], []);
  return feature === '' || unit.capabilities.has(feature) || cpu.features.has(feature);
}

/** A rig ready to launch the guest of a case. */
export function prepareExit(c: ExitCase, outcome: 'exits' | 'stays'): VmxRig {
  const rig = rigFor([], []);
  prepare(rig, c.guest);
  rig.guest(GUEST_CODE, c.code);
  write(rig, c.base ?? {});
  c.memory?.(rig, outcome);
  write(rig, (outcome === 'exits' ? c.arm : c.disarm) ?? {});
  if (c.waits === 'interrupt') rig.interrupts = [VECTOR_THAT_WAITS];
  if (c.waits === 'init') signalInit(rig.cpu.state);
  if (c.waits === 'nmi') {
    // Blocked until the guest runs.
    rig.cpu.state.set32(Offset.INTERRUPTIBILITY, BLOCKING_NMI);
    rig.cpu.state.set32(Offset.NMI_PENDING, 1);
  }
  return rig;
}

/** Ticks after which a preemption timer of a case has run down. */
const TIMER_IS_OVER = 1 << 17;

/** Launches the guest, and lets one that waits do so until its timer has run down. Returns the name of the exit, or what VMLAUNCH had to say. */
export function enterExit(rig: VmxRig, waits?: ExitCase['waits']): string {
  const s = rig.cpu.state;
  rig.writeBytes(At.HOST_CODE, bytes('0f 01 c2 f4 ; vmlaunch; hlt'));
  s.rip = BigInt(At.HOST_CODE);
  s.setReg(Gpr.RSP, BigInt(At.HOST_STACK));
  s.set32(Offset.ACTIVITY, 0);
  const BUDGET = 10_000;
  rig.cpu.run(BUDGET);
  if (rig.exits.length === 0 && rig.unit.nonRoot) {
    if (waits === 'start-up') signalStartUp(s, START_UP_VECTOR);
    s.icount += TIMER_IS_OVER;
    rig.cpu.run(BUDGET);
  }
  return rig.exits.at(-1)?.name ?? rig.failures.at(-1)?.message ?? 'the guest waits';
}

const MEMORY_BITS = { INDEX_INVALID: 1 << 22, BASE_INVALID: 1 << 27, IS_REGISTER: 1 << 10 } as const;
const SCALE_AND_INDEX = (15 << 18) | 3;
const BASE = 15 << 23;
const ADDRESS_PARTS = SCALE_AND_INDEX | BASE | MEMORY_BITS.INDEX_INVALID | MEMORY_BITS.BASE_INVALID | (7 << 15) | (7 << 7);
const REGISTER_1 = 15 << 3;
const OPERAND_SIZE = 1 << 11;
/** Exit qualification of I/O: INS always writes to ES, and its segment is not defined. */
const INPUT = 8n;

/** Instruction information without the bits that the SDM leaves undefined (volume 3, "Information for VM Exits Due to Instruction Execution"). */
export function definedInfo(reason: string, info: number, mode64: boolean, qualification: bigint): number {
  if (/^(RDRAND|RDSEED)$/.test(reason)) return info & (REGISTER_1 | (3 << 11));
  if (reason === 'IO_INSTRUCTION') return info & ((7 << 7) | (qualification & INPUT ? 0 : 7 << 15));
  let defined = info;
  if (info & MEMORY_BITS.INDEX_INVALID) defined &= ~SCALE_AND_INDEX;
  if (info & MEMORY_BITS.BASE_INVALID) defined &= ~BASE;
  if (/^(VMREAD|VMWRITE|LDTR_TR_ACCESS)$/.test(reason)) defined &= info & MEMORY_BITS.IS_REGISTER ? ~ADDRESS_PARTS : ~REGISTER_1;
  if (reason !== 'GDTR_IDTR_ACCESS' || mode64) defined &= ~OPERAND_SIZE;
  return defined >>> 0;
}

/** What an exit reports, by name: the fields that the SDM defines for the exit, and what a case asks for besides. */
export type Report = Record<string, string>;

const VALID = 0x8000_0000n;
const ERROR_CODE_VALID = 0x800n;
const isSoftware = (info: bigint): boolean => (info & VALID) !== 0n && [4n, 5n, 6n].includes((info >> 8n) & 7n);

/** The report made from fields as `read` gives them: Hyperstep's VMCS, or what another machine printed. */
export function reportOf(read: (name: FieldName) => bigint, c: ExitCase, reason: string): Report {
  const { exit } = c;
  const hex = (v: bigint): string => `0x${v.toString(16)}`;
  const interruption = read('VM_EXIT_INTERRUPTION_INFO');
  const vectoring = read('IDT_VECTORING_INFO');
  // Not every processor has bits 11:9 of an EPT violation; they have a test of their own.
  const qualification = read('EXIT_QUALIFICATION') & (reason === 'EPT_VIOLATION' ? ~0xe00n : -1n);
  const facts = exitReason(Number(read('VM_EXIT_REASON') & 0xffffn))!;
  const report: Report = { reason, at: hex(read('GUEST_RIP') - BigInt(GUEST_CODE)) };
  // Of a misconfiguration the SDM says nothing.
  if (reason !== 'EPT_MISCONFIGURATION') report.qualification = hex(qualification);
  report.interruption = interruption & VALID ? hex(interruption) : 'none';
  report.vectoring = vectoring & VALID ? hex(vectoring) : 'none';
  if ((interruption & VALID) !== 0n && (interruption & ERROR_CODE_VALID) !== 0n) report.errorCode = hex(read('VM_EXIT_INTERRUPTION_ERROR_CODE'));
  if ((vectoring & VALID) !== 0n && (vectoring & ERROR_CODE_VALID) !== 0n) report.vectoringError = hex(read('IDT_VECTORING_ERROR_CODE'));
  const byInstruction = facts.hasInstructionLength && (reason !== 'TASK_SWITCH' || qualification >> 30n !== 3n);
  if (byInstruction || isSoftware(interruption) || isSoftware(vectoring)) report.length = hex(read('VM_EXIT_INSTRUCTION_LENGTH'));
  const expected = reason === exit.reason;
  if (facts.hasInstructionInfo && expected && exit.info !== undefined) report.info = hex(BigInt(definedInfo(reason, Number(read('VM_EXIT_INSTRUCTION_INFO')), c.guest === 'long', qualification)));
  if (expected && exit.linear !== undefined) report.linear = hex(read('GUEST_LINEAR_ADDRESS'));
  if (facts.hasGpa) report.gpa = hex(read('GUEST_PHYSICAL_ADDRESS'));
  if (expected) for (const name of Object.keys(exit.fields ?? {})) report[name] = hex(read(name as FieldName));
  return report;
}

/** What a case says that its exit must report. */
export function expectedReport(c: ExitCase): Report {
  const { reason, at = 0, qualification = 0n, length, info, interruption, errorCode, vectoring, vectoringError, linear, gpa, fields } = c.exit;
  const hex = (v: bigint | number): string => `0x${v.toString(16)}`;
  const report: Report = { reason, at: hex(at) };
  if (reason !== 'EPT_MISCONFIGURATION') report.qualification = hex(qualification);
  report.interruption = interruption === undefined ? 'none' : hex(interruption);
  report.vectoring = vectoring === undefined ? 'none' : hex(vectoring);
  if (errorCode !== undefined) report.errorCode = hex(errorCode);
  if (vectoringError !== undefined) report.vectoringError = hex(vectoringError);
  if (length !== undefined) report.length = hex(length);
  if (info !== undefined) report.info = hex(definedInfo(reason, info, c.guest === 'long', qualification));
  if (linear !== undefined) report.linear = hex(linear);
  if (gpa !== undefined) report.gpa = hex(gpa);
  for (const [name, value] of Object.entries(fields ?? {})) report[name] = hex(value as number);
  return report;
}
