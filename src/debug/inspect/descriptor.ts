/** The descriptor in memory that a segment register's selector names, beside what the processor holds of it. SDM volume 3, "Segment Descriptors". */
import { hex } from '../../base/bits';
import { accessRightsWords } from '../../vmx/tables';
import { readNamed, type RegisterFile } from '../registers/registerFile';
import type { InspectionNode } from './node';
import type { ReadWorldMemory } from './registers';

interface Descriptor {
  base: bigint;
  limit: number;
  access: number;
}

/** Takes the 8 bytes of a descriptor apart; system descriptors have 8 more for the base's upper half in long mode. */
export function decodeDescriptor(raw: bigint, upper: bigint): Descriptor {
  const access = Number((raw >> 40n) & 0xf0ffn);
  const base = (((raw >> 16n) & 0xff_ffffn) | (((raw >> 56n) & 0xffn) << 24n)) | (upper << 32n);
  const pages = (access & 0x8000) !== 0;
  const limit = Number((raw & 0xffffn) | (((raw >> 48n) & 0xfn) << 16n));
  return { base, limit: pages ? limit * 0x1000 + 0xfff : limit, access };
}

const LMA = 0x400n;
/** The accessed bit is set by the load itself. */
const ACCESSED = 1;
const SYSTEM = 0x10;

/** The line of the descriptor; undefined where there is none. */
export function descriptorNode(file: RegisterFile, segment: string, read: ReadWorldMemory): InspectionNode | undefined {
  const named = (name: string): bigint | undefined => readNamed(file, name);
  const selector = named(segment);
  if (selector === undefined || (selector & ~7n) === 0n) return undefined;
  const table = selector & 4n ? named('ldtr_base') : named('gdtr_base');
  const limit = selector & 4n ? named('ldtr_limit') : named('gdtr_limit');
  if (table === undefined) return undefined;
  const where = selector & 4n ? 'LDT' : 'GDT';
  const offset = selector & ~7n;
  const address = table + offset;
  const reference = `${file.world}:${hex(address)}`;
  if (limit !== undefined && offset + 7n > limit) return { name: `in the ${where}`, value: `beyond the table's limit ${hex(limit)}` };
  const raw = read(address, 8);
  if (raw === undefined) return { name: `in the ${where}`, value: `nothing is mapped at ${reference}` };
  const long = ((named('efer') ?? 0n) & LMA) !== 0n;
  const system = ((raw >> 40n) & BigInt(SYSTEM)) === 0n;
  const descriptor = decodeDescriptor(raw, system && long ? (read(address + 8n, 4) ?? 0n) : 0n);
  const differs = difference(descriptor, named(`${segment}_base`), named(`${segment}_limit`), named(`${segment}_access`), long);
  return {
    name: `in the ${where}`,
    value: `${hex(raw, 16)} at ${reference}${differs ? `: ${differs}` : ', as loaded'}`,
    memoryReference: reference,
    children: () => [
      { name: 'base', value: hex(descriptor.base, 16) },
      { name: 'limit', value: hex(descriptor.limit, 8) },
      { name: 'access', value: accessRightsWords(descriptor.access).text },
    ],
  };
}

/** In what the processor's copy is another: the table has changed since, or the VMM has set it so. */
function difference(d: Descriptor, base: bigint | undefined, limit: bigint | undefined, access: bigint | undefined, long: boolean): string | undefined {
  // In 64-bit mode the bases and limits of code and data segments mean nothing, and FS and GS have theirs from MSRs.
  const ignored = long && (d.access & SYSTEM) !== 0;
  const parts = [
    base !== undefined && base !== d.base && !ignored ? 'base' : '',
    limit !== undefined && Number(limit) !== d.limit && !ignored ? 'limit' : '',
    access !== undefined && ((Number(access) ^ d.access) & ~(ACCESSED | (d.access & SYSTEM ? 0 : 2)) & 0xf0ff) !== 0 ? 'access rights' : '',
  ].filter((p) => p !== '');
  return parts.length ? `the processor holds another ${parts.join(' and another ')}` : undefined;
}
