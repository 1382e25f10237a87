/**
 * The walk of EPT's structures by a given EPTP, told level by level and without any effect. SDM volume 3, "EPT Translation
 * Mechanism" and "EPT Misconfigurations".
 */
import { PHYSICAL_ADDRESS_BITS } from '../../cpu/controlBits';
import { MEMORY_TYPES, type BitRow } from '../../vmx/tables';
import { bytesAt, ENTRY_ADDRESS, firstWith, indexAt, type Permission, type ReadEntry, type Walk, type WalkStep } from './walk';

/** What the processor allows in EPT, as IA32_VMX_EPT_VPID_CAP tells it, and the control that gives bit 10 a meaning. */
export interface EptFeatures {
  executeOnly: boolean;
  pages2M: boolean;
  pages1G: boolean;
  modeBasedExecute: boolean;
}

const READ = 1n;
const WRITE = 2n;
const EXECUTE = 4n;
const LARGE = 0x80n;
const EXECUTE_USER = 0x400n;
const RESERVED_ADDRESS = ENTRY_ADDRESS & ~((1n << BigInt(PHYSICAL_ADDRESS_BITS)) - 1n);
const LEVELS = 4;
/** Types 2, 3 and 7 do not exist in EPT. */
const NO_MEMORY_TYPE: readonly number[] = [2, 3, 7];

const TABLE_ROWS: readonly BitRow[] = [[0, 'R'], [1, 'W'], [2, 'X'], [8, 'A']];
const PAGE_ROWS: readonly BitRow[] = [[0, 'R'], [1, 'W'], [2, 'X'], [3, 'memory type', 5], [6, 'ignore PAT'], [8, 'A'], [9, 'D']];
const LARGE_ROW: BitRow = [7, 'PS'];
const USER_ROW: BitRow = [10, 'XU'];
const SUPPRESS_ROW: BitRow = [63, 'suppress #VE'];

const NAMES = ['', 'EPT PTE', 'EPT PDE', 'EPT PDPTE', 'EPT PML4E'];

/** The memory type of a leaf. */
export const memoryType = (entry: bigint): string => MEMORY_TYPES[Number((entry >> 3n) & 7n)]!;

/** Where the tables of an EPTP begin. */
export const eptRoot = (eptp: bigint): number => Number(eptp & ENTRY_ADDRESS);

/** The whole walk of a guest-physical address. */
export function walkEpt(eptp: bigint, gpa: bigint, features: EptFeatures, read: ReadEntry): Walk {
  const steps: WalkStep[] = [];
  if (gpa >> 48n) return { steps, address: undefined, stop: 'The address has more than 48 bits: EPT of four levels cannot map it.', pageSize: undefined, permissions: () => [] };
  let table = eptRoot(eptp);
  for (let level = LEVELS; ; level--) {
    const index = indexAt(gpa, level);
    const address = table + index * 8;
    const value = read(address, 8);
    const page = value !== undefined && isEptPage(level, value, features);
    const rows = [...(page ? PAGE_ROWS : TABLE_ROWS), ...(page && level > 1 ? [LARGE_ROW] : []), ...(features.modeBasedExecute ? [USER_ROW] : []), ...(page ? [SUPPRESS_ROW] : [])];
    const step: WalkStep = { structure: NAMES[level]!, index, address, size: 8, value, rows, target: undefined, pageSize: undefined, stop: undefined };
    steps.push(step);
    step.stop = eptStop(level, value, page, features);
    if (step.stop !== undefined || value === undefined) {
      return { steps, address: undefined, stop: step.stop, pageSize: undefined, permissions: () => permissions(features, steps.slice(0, -1)) };
    }
    if (!page) {
      table = step.target = Number(value & ENTRY_ADDRESS);
      continue;
    }
    const offset = BigInt(bytesAt(level)) - 1n;
    step.pageSize = bytesAt(level);
    step.target = Number(value & ENTRY_ADDRESS & ~offset);
    return { steps, address: step.target + Number(gpa & offset), stop: undefined, pageSize: step.pageSize, permissions: () => permissions(features, steps) };
  }
}

/** Whether an entry maps a page rather than a table. */
export const isEptPage = (level: number, value: bigint, { pages2M, pages1G }: EptFeatures): boolean =>
  level === 1 || ((value & LARGE) !== 0n && ((level === 2 && pages2M) || (level === 3 && pages1G)));

/** The rule that ends the walk at an entry: not present (an EPT violation) or malformed (an EPT misconfiguration). */
export function eptStop(level: number, value: bigint | undefined, page: boolean, features: EptFeatures): string | undefined {
  if (value === undefined) return 'The entry cannot be read: there is no memory at its address.';
  const rights = value & (READ | WRITE | EXECUTE | (features.modeBasedExecute ? EXECUTE_USER : 0n));
  if (rights === 0n) return 'R, W and X (bits 2:0) are 0: nothing is mapped here, EPT violation.';
  const malformed = misconfiguration(level, value, rights, page, features);
  return malformed && `${malformed} EPT misconfiguration.`;
}

function misconfiguration(level: number, value: bigint, rights: bigint, page: boolean, { executeOnly, pages2M, pages1G }: EptFeatures): string | undefined {
  if (!(rights & READ) && rights & WRITE) return 'W (bit 1) is 1 and R (bit 0) is 0:';
  if (!(rights & READ) && !executeOnly) return 'X (bit 2) is 1 and R (bit 0) is 0, and this processor has no execute-only pages:';
  if (value & RESERVED_ADDRESS) return `Address bits 51:${PHYSICAL_ADDRESS_BITS} are reserved on this processor and not 0:`;
  if (!page) {
    const large = (level === 3 && pages1G) || (level === 2 && pages2M);
    return value & (large ? 0x78n : 0xf8n) ? `Bits ${large ? '6:3' : '7:3'} are reserved in an entry for a table and not 0:` : undefined;
  }
  const type = Number((value >> 3n) & 7n);
  if (NO_MEMORY_TYPE.includes(type)) return `The memory type (bits 5:3) is ${type}, which does not exist:`;
  if (level > 1 && value & (BigInt(bytesAt(level)) - 1n) & ~0xfffn) return `Address bits ${level === 3 ? '29:12' : '20:12'} are reserved in a large page and not 0:`;
  return undefined;
}

function permissions({ modeBasedExecute }: EptFeatures, steps: readonly WalkStep[]): Permission[] {
  const permission = (name: string, mask: bigint, bit: string): Permission => {
    const step = firstWith(steps, mask, false);
    return { name, allowed: step === undefined, reason: step && `${bit} is 0 in the ${step.structure}` };
  };
  return [
    permission('reads', READ, 'R'),
    permission('writes', WRITE, 'W'),
    permission(modeBasedExecute ? 'supervisor executes' : 'executes', EXECUTE, 'X'),
    ...(modeBasedExecute ? [permission('user executes', EXECUTE_USER, 'XU')] : []),
  ];
}
