/** Which exit-information fields mean something after which VM exit: SDM volume 3, "VM-Exit Information Fields" and "Recording VM-Exit Information and Updating VM-Entry Control Fields". */
import { Encoding, exitReason, fieldOf, Reason } from '../../vmx/tables';

export type ReadField = (encoding: number) => bigint | undefined;

/** Interruption and IDT-vectoring information: valid. */
const VALID = 0x8000_0000n;
/** The same with an error code. */
const VALID_WITH_ERROR = 0x8000_0800n;
/** Exit reason: the VM entry failed, and only reason and qualification were written. */
const ENTRY_FAILURE = 0x8000_0000;
/** Exit qualifications: a string instruction (INS, OUTS), a linear address that is valid (EPT violation), LMSW with a memory operand. */
const STRING_IO = 0x10n;
const LINEAR_VALID = 0x80n;
const LMSW_OF_MEMORY = 0x70n;

const low = (read: ReadField, encoding: number): bigint => read(encoding) ?? 0n;

function definesLinear(reason: number, qualification: bigint): boolean {
  switch (reason) {
    case Reason.IO_INSTRUCTION:
      return (qualification & STRING_IO) !== 0n;
    case Reason.EPT_VIOLATION:
      return (qualification & LINEAR_VALID) !== 0n;
    case Reason.CR_ACCESS:
      return (qualification & LMSW_OF_MEMORY) === LMSW_OF_MEMORY;
    default:
      return exitReason(reason)?.hasLinear !== false;
  }
}

/** What an SMI right behind an I/O instruction tells of that instruction; nothing else fills these fields. */
const afterIo = (reason: number): boolean => reason === Reason.IO_SMI;

/** Encoding -> whether the field means something. Fields that are not here always do. */
const DEFINED: ReadonlyMap<number, (reason: number, qualification: bigint, read: ReadField) => boolean> = new Map([
  // Exceptions of INT n and INT3 have a length, and hardware gives EPT misconfigurations one although the SDM does not promise it; VMMs use it.
  [Encoding.VM_EXIT_INSTRUCTION_LENGTH, (reason: number, _: bigint, read: ReadField) => low(read, Encoding.VM_EXIT_INSTRUCTION_LENGTH) > 0n || exitReason(reason)?.hasInstructionLength !== false || reason === Reason.EPT_MISCONFIGURATION],
  [Encoding.VM_EXIT_INSTRUCTION_INFO, (reason: number, qualification: bigint) => exitReason(reason)?.hasInstructionInfo !== false && (reason !== Reason.IO_INSTRUCTION || (qualification & STRING_IO) !== 0n)],
  [Encoding.GUEST_LINEAR_ADDRESS, definesLinear],
  [Encoding.GUEST_PHYSICAL_ADDRESS, (reason: number) => exitReason(reason)?.hasGpa !== false],
  [Encoding.VM_EXIT_INTERRUPTION_ERROR_CODE, (_: number, __: bigint, read: ReadField) => (low(read, Encoding.VM_EXIT_INTERRUPTION_INFO) & VALID_WITH_ERROR) === VALID_WITH_ERROR],
  [Encoding.IDT_VECTORING_ERROR_CODE, (_: number, __: bigint, read: ReadField) => (low(read, Encoding.IDT_VECTORING_INFO) & VALID_WITH_ERROR) === VALID_WITH_ERROR],
  [Encoding.IO_RCX, afterIo],
  [Encoding.IO_RSI, afterIo],
  [Encoding.IO_RDI, afterIo],
  [Encoding.IO_RIP, afterIo],
]);

/** Whether the last VM exit of a VMCS defines a field of it; `encoding` of the full field. Fields that are no exit information are always defined. */
export function definedByExit(encoding: number, read: ReadField): boolean {
  const reason = Number(low(read, Encoding.VM_EXIT_REASON));
  if ((reason & ENTRY_FAILURE) !== 0 && leftByEntryFailure(encoding)) return false;
  return DEFINED.get(encoding)?.(reason & 0xffff, low(read, Encoding.EXIT_QUALIFICATION), read) !== false;
}

const ALWAYS: ReadonlySet<number> = new Set([Encoding.VM_EXIT_REASON, Encoding.EXIT_QUALIFICATION, Encoding.VM_INSTRUCTION_ERROR]);
const leftByEntryFailure = (encoding: number): boolean => fieldOf(encoding)?.group === 'exit-information' && !ALWAYS.has(encoding);

/** Reason 0 is an exception or NMI, and that has valid interruption information: without it no VM exit has filled the VMCS. */
const neverExited = (read: ReadField): boolean => low(read, Encoding.VM_EXIT_REASON) === 0n && (low(read, Encoding.VM_EXIT_INTERRUPTION_INFO) & VALID) === 0n;

/** What is to be said behind the value of a field that means nothing now; undefined for one that does. The words are the same wherever the field is shown. */
export function undefinedNote(encoding: number, read: ReadField): string | undefined {
  if (fieldOf(encoding)?.group !== 'exit-information' || encoding === Encoding.VM_INSTRUCTION_ERROR) return undefined;
  if (neverExited(read)) return 'not defined: no VM exit yet';
  return definedByExit(encoding, read) ? undefined : 'not defined by this exit';
}
