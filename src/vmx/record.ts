/**
 * The record of a VM exit in words. It is built from what the exit left in the processor's state, so that the last exit
 * can still be told after a snapshot was restored, and an exit that nobody watches costs nothing here.
 */
import { Gpr } from '../cpu/state';
import type { ExitRecord } from './observe';
import { Private } from './privateState';
import { exitReason, exitReasonName, Reason } from './tables/exitReasons';
import { decodeQualification } from './tables/qualification';
import { EVENT_TYPES, REGISTER_NAMES, vectorName } from './tables/words';
import type { Vmx } from './vmx';

type Details = ExitRecord['details'];

/** A number where it is exact, else hexadecimal. */
const exact = (value: bigint): number | string => (value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : '0x' + value.toString(16));
const hex = (value: bigint): string => '0x' + value.toString(16);

/** A general-purpose register of the guest at the last exit. */
const gpr = (vmx: Vmx, n: number): bigint => vmx.state.get64(Private.EXIT_GPR + n * 8);
const gpr32 = (vmx: Vmx, n: number): number => vmx.state.get32(Private.EXIT_GPR + n * 8);
const edxEax = (vmx: Vmx): bigint => (BigInt(gpr32(vmx, Gpr.RDX)) << 32n) | BigInt(gpr32(vmx, Gpr.RAX));

function event(vmx: Vmx): Details {
  const info = vmx.state.get32(Private.EXIT_INTERRUPTION);
  if (info >>> 31 === 0) return {};
  const vector = info & 0xff;
  const type = (info >>> 8) & 7;
  if (type === 0) return { vector };
  const details: Details = { vector, exception: vectorName(vector), type: EVENT_TYPES[type]! };
  if (info & 0x800) details.errorCode = vmx.state.get32(Private.EXIT_ERROR_CODE);
  if (vector === 14 && type === 3) details.address = hex(vmx.state.get64(Private.EXIT_QUALIFICATION));
  return details;
}

/** What the guest put into its registers for the instruction that exits. */
const OPERANDS: Readonly<Record<number, (vmx: Vmx, decoded: Details) => Details>> = {
  [Reason.EXCEPTION_OR_NMI]: event,
  [Reason.EXTERNAL_INTERRUPT]: event,
  [Reason.CPUID]: (vmx) => ({ leaf: gpr32(vmx, Gpr.RAX), subleaf: gpr32(vmx, Gpr.RCX) }),
  [Reason.VMCALL]: (vmx) => ({ number: exact(gpr(vmx, Gpr.RAX)) }),
  [Reason.RDMSR]: (vmx) => ({ msr: gpr32(vmx, Gpr.RCX) }),
  [Reason.WRMSR]: (vmx) => ({ msr: gpr32(vmx, Gpr.RCX), value: hex(edxEax(vmx)) }),
  [Reason.RDPMC]: (vmx) => ({ counter: gpr32(vmx, Gpr.RCX) }),
  [Reason.XSETBV]: (vmx) => ({ register: gpr32(vmx, Gpr.RCX), value: hex(edxEax(vmx)) }),
  [Reason.CR_ACCESS]: (vmx, decoded): Details => (decoded.access === 'mov to' ? { value: hex(gpr(vmx, REGISTER_NAMES.indexOf(decoded.register as string))) } : {}),
  [Reason.DR_ACCESS]: (vmx, decoded): Details => (decoded.access === 'mov to' ? { value: hex(gpr(vmx, REGISTER_NAMES.indexOf(decoded.register as string))) } : {}),
  [Reason.IO_INSTRUCTION]: (vmx, decoded): Details => {
    if (decoded.direction !== 'out' || decoded.string) return {};
    return { value: decoded.size === 4 ? gpr32(vmx, Gpr.RAX) : gpr32(vmx, Gpr.RAX) & (decoded.size === 2 ? 0xffff : 0xff) };
  },
};

/** The last exit. `n` is its number on this processor. */
export function exitRecord(vmx: Vmx): ExitRecord {
  const s = vmx.state;
  const reason = s.get32(Private.EXIT_REASON) & 0xffff;
  const facts = exitReason(reason);
  const qualification = s.get64(Private.EXIT_QUALIFICATION);
  const decoded = decodeQualification(reason, qualification).details;
  const details: Details = { ...decoded, ...OPERANDS[reason]?.(vmx, decoded) };
  const vectoring = s.get32(Private.EXIT_VECTORING);
  if (vectoring >>> 31) details.during = `delivery of ${EVENT_TYPES[(vectoring >>> 8) & 7]} ${vectorName(vectoring & 0xff)}`;
  const linearValid = facts?.hasLinear === true && (reason !== Reason.EPT_VIOLATION || (qualification & 0x80n) !== 0n) && (reason !== Reason.IO_INSTRUCTION || decoded.string === true);
  return {
    n: vmx.f64(Private.EXITS),
    cpu: vmx.cpu.index,
    icount: vmx.f64(Private.EXIT_CLOCK),
    reason,
    name: exitReasonName(reason),
    qualification,
    guestRip: s.get64(Private.EXIT_RIP),
    instructionLength: s.get32(Private.EXIT_LENGTH),
    linear: linearValid ? s.get64(Private.EXIT_LINEAR) : reason === Reason.INVLPG ? qualification : undefined,
    gpa: facts?.hasGpa === true ? Number(s.get64(Private.EXIT_GPA)) : undefined,
    details,
  };
}
