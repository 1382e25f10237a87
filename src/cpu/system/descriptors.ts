/** Descriptor tables: reading segment, system and gate descriptors (SDM volume 3, "Segment Descriptors", "System Descriptor Types"). */
import { join64, low32, high32 } from '../../base/bits';
import { Vector } from '../fault';
import { readLinear, writeLinear } from '../mmu/linear';
import type { Processor } from '../processor';
import { ACCESS_UNUSABLE, Offset, Seg } from '../state';
import { Access } from './mode';

/** Types of system descriptors and gates (type field with S clear). */
export const SystemType = { TSS16: 1, LDT: 2, TSS16_BUSY: 3, CALL_GATE16: 4, TASK_GATE: 5, INTERRUPT_GATE16: 6, TRAP_GATE16: 7, TSS: 9, TSS_BUSY: 11, CALL_GATE: 12, INTERRUPT_GATE: 14, TRAP_GATE: 15 } as const;

export interface Descriptor {
  selector: number;
  /** Linear address of the descriptor. */
  address: bigint;
  low: number;
  high: number;
  /** In the VMCS's format. */
  access: number;
  /** In bytes. */
  limit: number;
  base: bigint;
}

/** Index and table bit of a selector, as error codes carry it. */
export const selectorCode = (selector: number): number => selector & 0xfffc;
export const isNull = (selector: number): boolean => (selector & 0xfffc) === 0;

/** Type field, 0 to 15. */
export const typeOf = (access: number): number => access & 15;
export const isSystem = (access: number): boolean => (access & Access.S) === 0;
export const isCode = (access: number): boolean => (access & (Access.S | Access.CODE)) === (Access.S | Access.CODE);
export const isConforming = (access: number): boolean => (access & Access.CONFORMING) !== 0;
export const isPresent = (access: number): boolean => (access & Access.P) !== 0;
/** Writable data. */
export const isWritableData = (access: number): boolean => (access & (Access.S | Access.CODE | Access.WRITABLE)) === (Access.S | Access.WRITABLE);
/** Data or readable code: what DS, ES, FS and GS may hold. */
export const isReadable = (access: number): boolean => !isSystem(access) && ((access & Access.CODE) === 0 || (access & Access.READABLE) !== 0);

/** Takes the fields of a segment descriptor apart. */
export function parseDescriptor(selector: number, address: bigint, low: number, high: number): Descriptor {
  const rawLimit = (low & 0xffff) | (high & 0xf_0000);
  const access = (high >>> 8) & 0xf0ff;
  const limit = access & Access.G ? ((rawLimit << 12) | 0xfff) >>> 0 : rawLimit;
  const base = BigInt(((low >>> 16) | ((high & 0xff) << 16) | (high & 0xff00_0000)) >>> 0);
  return { selector, address, low, high, access, limit, base };
}

/**
 * Reads the descriptor of a non-null selector from the GDT or LDT. Beyond the table's limit (or without an LDT) it
 * throws `vector` with the selector as error code; `ext` is the error code's EXT bit.
 */
export function readDescriptor(cpu: Processor, selector: number, vector: number = Vector.GP, ext = 0): Descriptor {
  const s = cpu.state;
  let base: bigint;
  let limit: number;
  if (selector & 4) {
    base = s.segBase(Seg.LDTR);
    limit = s.access(Seg.LDTR) & ACCESS_UNUSABLE ? -1 : s.limit(Seg.LDTR);
  } else {
    base = s.get64(Offset.GDTR_BASE);
    limit = s.get32(Offset.GDTR_LIMIT);
  }
  const offset = selector & 0xfff8;
  if (offset + 7 > limit) throw cpu.fault.exception(vector, selectorCode(selector) | ext);
  const address = base + BigInt(offset);
  const value = readLinear(cpu, address, 8, true);
  return parseDescriptor(selector, address, low32(value), high32(value));
}

/**
 * The upper half of a 16-byte system descriptor of IA-32e mode: makes the base whole. Throws `vector` where the table
 * ends, or where the upper half's type bits are not 0.
 */
export function readUpperHalf(cpu: Processor, descriptor: Descriptor, vector: number = Vector.GP): { low: number; high: number } {
  const { selector } = descriptor;
  const limit = selector & 4 ? cpu.state.limit(Seg.LDTR) : cpu.state.get32(Offset.GDTR_LIMIT);
  if ((selector & 0xfff8) + 15 > limit) throw cpu.fault.exception(vector, selectorCode(selector));
  const value = readLinear(cpu, descriptor.address + 8n, 8, true);
  const upper = { low: low32(value), high: high32(value) };
  if (upper.high & 0x1f00) throw cpu.fault.exception(vector, selectorCode(selector));
  descriptor.base = join64(Number(descriptor.base), upper.low);
  return upper;
}

/** Sets bits of the type field in memory and in the descriptor: accessed, or a TSS's busy bit. */
export function setTypeBits(cpu: Processor, descriptor: Descriptor, bits: number): void {
  if ((descriptor.access & bits) === bits) return;
  descriptor.access |= bits;
  writeLinear(cpu, descriptor.address + 5n, 1, BigInt(descriptor.access & 0xff), true);
}
