/**
 * Why an exception cannot be delivered: the first thing that is wrong on the way from IDTR to the handler's first
 * instruction and its stack. SDM volume 3, "Exception- and Interrupt-Handler Procedures".
 */
import { hex } from '../../base/bits';
import { vectorName } from '../../vmx/tables';
import type { Target } from '../target';
import type { World } from '../world';
import { DescriptorTables, isPresent, readGate } from './descriptorTables';

/** Bits 4:0 of a descriptor's access rights: S is set, and bit 3 for code. */
const CODE = 0x18;

/** A sentence about the gate of a vector, as the registers are now; undefined when nothing is found to be wrong. */
export function undeliverable(target: Target, world: World, vector: number): string | undefined {
  const t = new DescriptorTables(target, world);
  const base = t.register('idtr_base');
  const limit = t.register('idtr_limit');
  if (base === undefined || t.mode === 'real') return undefined;
  const gate = `The gate of ${vectorName(vector)}`;
  const entry = base + BigInt(vector * t.gateSize);
  if (limit !== undefined && BigInt(vector * t.gateSize + t.gateSize - 1) > limit) return `${gate} lies beyond the IDT's limit ${hex(limit)}: idt() shows the table, LIDT loads it.`;
  const read = readGate(t, entry);
  if (read === undefined) return `${gate} is at ${world}:${hex(entry)}, where nothing is mapped.`;
  if (!isPresent(read.access)) return `${gate} at ${world}:${hex(entry)} is not present: no handler was set.`;
  if (read.kind === undefined) return `${gate} at ${world}:${hex(entry)} has type ${hex(read.access & 0x1f)}, which is no gate.`;
  if (read.kind === 'task gate') return undefined;
  if ((read.selector & ~7n) === 0n) return `${gate} names the null selector as its code segment.`;
  const table = t.register('gdtr_base');
  const end = t.register('gdtr_limit');
  if (table !== undefined && !(read.selector & 4n)) {
    const offset = read.selector & ~7n;
    const descriptor = end !== undefined && offset + 7n > end ? undefined : t.integer(table + offset, 8);
    if (descriptor === undefined) return `${gate} names code segment ${hex(read.selector, 4)}, which is beyond the GDT or not mapped: gdt() shows the table.`;
    const access = Number((descriptor >> 40n) & 0xffn);
    if ((access & CODE) !== CODE) return `${gate} names segment ${hex(read.selector, 4)}, which is no code segment: gdt() shows the table.`;
    if (!isPresent(access)) return `${gate} names code segment ${hex(read.selector, 4)}, which is not present.`;
  }
  if (!t.isMapped(read.handler)) return `${gate} leads to ${world}:${hex(read.handler)}, where nothing is mapped: walk(${hex(read.handler)}) shows where the translation ends.`;
  const stack = read.stack === 0 ? t.register('rsp') : t.integer((t.register('tr_base') ?? 0n) + BigInt(36 + (read.stack - 1) * 8), 8);
  if (stack !== undefined && !t.isMapped(stack - 8n)) return `The handler of ${vectorName(vector)} would use ${read.stack === 0 ? 'the stack at RSP' : `IST${read.stack}`} = ${hex(stack)}, below which nothing is mapped.`;
  return undefined;
}
