/**
 * Which general-purpose registers of the guest the handler of a VM exit has a right to change: those that the
 * instruction it stands in for would have changed. SDM volume 2, the instructions' operations.
 */
import { Gpr } from '../../cpu/state';
import type { ExitRecord } from '../../vmx/observe';
import { REGISTER_NAMES } from '../../vmx/tables';

const bit = (register: number): number => 1 << register;
const RAX = bit(Gpr.RAX);
const RBX = bit(Gpr.RBX);
const RCX = bit(Gpr.RCX);
const RDX = bit(Gpr.RDX);
/** A repeated string instruction that was carried out in part. */
export const STRING = RCX | bit(Gpr.RSI) | bit(Gpr.RDI);
export const ANY = 0xffff;

/** The register that MOV from a control or debug register writes. */
const movFrom = (record: ExitRecord): number => (record.details['access'] === 'mov from' ? bit(REGISTER_NAMES.indexOf(String(record.details['register']))) : 0);

/** By the name of the reason; a reason that is not here may change anything (a hypercall's registers are an agreement of VMM and guest). */
const RESULTS: Readonly<Record<string, number | ((record: ExitRecord) => number)>> = {
  CPUID: RAX | RBX | RCX | RDX,
  RDMSR: RAX | RDX,
  RDTSC: RAX | RDX,
  RDTSCP: RAX | RDX | RCX,
  RDPMC: RAX | RDX,
  IO_INSTRUCTION: ({ details }) => (details['string'] === true ? STRING : details['direction'] === 'in' ? RAX : 0),
  CR_ACCESS: movFrom,
  DR_ACCESS: movFrom,
  WRMSR: 0,
  HLT: 0,
  INVD: 0,
  WBINVD: 0,
  INVLPG: 0,
  INVPCID: 0,
  PAUSE: 0,
  MONITOR: 0,
  MWAIT: 0,
  XSETBV: 0,
};

/** Registers that an instruction's results go to, when the handler has carried it out. */
export function resultRegisters(record: ExitRecord): number {
  const results = RESULTS[record.name] ?? ANY;
  return typeof results === 'number' ? results : results(record);
}

/** Exits after which the guest may go on with anything although RIP is the same. */
const REPLACES_STATE = new Set(['VMCALL', 'TASK_SWITCH', 'TRIPLE_FAULT', 'INIT_SIGNAL', 'SIPI', 'ENTRY_FAILURE_GUEST_STATE', 'ENTRY_FAILURE_MSR_LOADING', 'ENTRY_FAILURE_MACHINE_CHECK']);
/** Exits whose instruction the handler may have carried out in part. */
const IN_PART = new Set(['EPT_VIOLATION', 'EPT_MISCONFIGURATION', 'APIC_ACCESS', 'IO_INSTRUCTION', 'EXCEPTION_OR_NMI']);

/** Registers that may have changed when the guest is to execute the same instruction again. */
export const registersOfRetry = (record: ExitRecord): number => (REPLACES_STATE.has(record.name) ? ANY : IN_PART.has(record.name) ? STRING : 0);

/** Names of the registers in a mask: `RAX, RDX and RSI`. */
export function registerNames(mask: number): string {
  const names = REGISTER_NAMES.filter((_, n) => mask & bit(n));
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}

/** A register in one of a round trip's copies. */
export const registerIn = (words: Uint32Array, n: number): bigint => (BigInt(words[n * 2 + 1]!) << 32n) | BigInt(words[n * 2]!);
