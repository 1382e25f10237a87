/**
 * `idt()`, `gdt()` and `tss()`: the tables that decide where exceptions, interrupts and loads of segments lead. SDM volume 3,
 * "Interrupt Descriptor Table (IDT)", "IDT Descriptors", "Segment Descriptor Tables", "Task-State Segment (TSS)".
 */
import { hex } from '../../base/bits';
import { accessRightsWords, vectorName } from '../../vmx/tables';
import { readNamed } from '../registers/registerFile';
import { addressName } from '../stack/callStack';
import type { Target } from '../target';
import { WORLD_NAME, type World } from '../world';
import { decodeDescriptor } from './descriptor';
import type { InspectionNode } from './node';
import { textTable } from './table';
import { STOP_MARK } from './translation';

const LMA = 0x400n;
const PE = 1n;
const VECTORS = 256;
const SYSTEM = 0x10;
const PRESENT = 0x80;
/** Descriptors that take 16 bytes in IA-32e mode: LDT, the TSSs, call gates. */
const WIDE = new Set([0x2, 0x9, 0xb, 0xc]);
const GATES: Readonly<Record<number, string>> = { 0x5: 'task gate', 0x6: '16-bit interrupt gate', 0x7: '16-bit trap gate', 0xe: 'interrupt gate', 0xf: 'trap gate' };
/** The limit of GDTR and IDTR after a reset and after every VM exit, whatever the tables' own was (SDM volume 3, "Loading Host Segment and Descriptor-Table Registers"). */
const NO_OWN_LIMIT = 0xffffn;

type Mode = 'real' | 'protected' | 'long';

/** A world's tables as its registers point to them. */
export class DescriptorTables {
  readonly mode: Mode;
  constructor(
    private readonly target: Target,
    readonly world: World,
  ) {
    this.mode = (this.register('efer') ?? 0n) & LMA ? 'long' : (this.register('cr0') ?? PE) & PE ? 'protected' : 'real';
  }
  /** Bytes of an entry of the IDT. */
  get gateSize(): number {
    return this.mode === 'long' ? 16 : this.mode === 'protected' ? 8 : 4;
  }
  register(name: string): bigint | undefined {
    return readNamed(this.target.registers(this.world), name);
  }
  /** `size` bytes, little-endian; undefined where nothing is mapped. */
  integer(address: bigint, size: number): bigint | undefined {
    return this.target.readInteger(this.world, address, size);
  }
  name(address: bigint): string {
    const name = addressName(this.target, this.world, address);
    return name === hex(address) ? name : `${hex(address)} ${name}`;
  }
  isMapped(address: bigint): boolean {
    return this.target.read(this.world, address, 1).length === 1;
  }
}

interface Row {
  cells: string[];
  address: bigint;
}

function node(name: string, heading: string, rows: readonly Row[], world: World): InspectionNode {
  return {
    name,
    value: heading,
    children: () => rows.map(({ cells, address }) => ({ name: cells[0]!, value: cells.slice(1).join('  '), memoryReference: `${world}:${hex(address)}` })),
    table: () => [heading, textTable([], rows.map((r) => r.cells), ['right'])].join('\n').trimEnd(),
  };
}

/** An entry of the IDT of protected and IA-32e mode. */
export interface Gate {
  /** The raw low half. */
  low: bigint;
  selector: bigint;
  handler: bigint;
  /** P, DPL and type. */
  access: number;
  /** What its type is called; undefined for a type that is no gate. */
  kind: string | undefined;
  /** The entry of the interrupt stack table, 0 for none. */
  stack: number;
}

export const isPresent = (access: number): boolean => (access & PRESENT) !== 0;

/** Undefined where nothing is mapped. */
export function readGate(t: DescriptorTables, entry: bigint): Gate | undefined {
  const low = t.integer(entry, 8);
  const high = t.mode === 'long' ? t.integer(entry + 8n, 4) : 0n;
  if (low === undefined || high === undefined) return undefined;
  const access = Number((low >> 40n) & 0xffn);
  return { low, selector: (low >> 16n) & 0xffffn, handler: (low & 0xffffn) | ((low >> 48n) << 16n) | (high << 32n), access, kind: GATES[access & 0x1f], stack: t.mode === 'long' ? Number((low >> 32n) & 7n) : 0 };
}

/** What an entry of the IDT says; undefined for one that is not present. */
function gate(t: DescriptorTables, entry: bigint): string[] | undefined {
  const unmapped = [`${STOP_MARK}nothing is mapped at ${t.world}:${hex(entry)}`];
  if (t.mode === 'real') {
    const word = t.integer(entry, 4);
    return word === undefined ? unmapped : [`${hex(word >> 16n, 4)}:${hex(word & 0xffffn, 4)}`, t.name((word >> 16n) * 16n + (word & 0xffffn))];
  }
  const read = readGate(t, entry);
  if (!read) return unmapped;
  const { low, access, kind, stack, selector, handler } = read;
  if (!isPresent(access)) return low === 0n ? undefined : [`${STOP_MARK}not present, although not 0: ${hex(low, 16)}`];
  const words = [kind ?? `${STOP_MARK}type ${hex(access & 0x1f)} is no gate`, `DPL ${(access >> 5) & 3}`, ...(stack !== 0 ? [`IST${stack}`] : [])].join(', ');
  const reached = kind === 'task gate' || t.isMapped(handler) ? [] : [`${STOP_MARK}nothing is mapped there`];
  return [`${hex(selector, 4)}:${t.name(handler)}`, words, ...reached];
}

/** The interrupt vectors of a world, those that lead nowhere left out. */
export function idtNode(target: Target, world: World): InspectionNode {
  const t = new DescriptorTables(target, world);
  const base = t.register('idtr_base');
  if (base === undefined) return { name: 'idt()', value: `The IDT of the ${WORLD_NAME[world]} is not known now.` };
  // The host-state area has no limit: a VM exit sets it to 0xffff.
  const limit = t.register('idtr_limit') ?? NO_OWN_LIMIT;
  const size = t.gateSize;
  const count = Math.min(VECTORS, Math.floor((Number(limit) + 1) / size));
  const rows: Row[] = [];
  for (let vector = 0; vector < count; vector++) {
    const address = base + BigInt(vector * size);
    const words = gate(t, address);
    // Behind a table whose own limit is not known comes something else.
    if (limit === NO_OWN_LIMIT && t.mode !== 'real' && words?.some((word) => word.startsWith(STOP_MARK))) break;
    if (words) rows.push({ address, cells: [String(vector), t.mode === 'real' ? hex(vector) : vectorName(vector), ...words] });
  }
  const what = t.mode === 'real' ? 'Interrupt vectors of real mode' : 'IDT';
  const none = rows.length === 0 ? `${STOP_MARK}no gate is present: every exception and interrupt ends in a triple fault` : `${rows.length} of ${count} vectors lead to a handler`;
  return node('idt()', `${what} of the ${WORLD_NAME[world]} at ${world}:${hex(base)}, limit ${hex(limit)}: ${none}`, rows, world);
}

/** The segment descriptors of a world. */
export function gdtNode(target: Target, world: World): InspectionNode {
  const t = new DescriptorTables(target, world);
  const base = t.register('gdtr_base');
  if (base === undefined) return { name: 'gdt()', value: `The GDT of the ${WORLD_NAME[world]} is not known now.` };
  const limit = t.register('gdtr_limit');
  if (t.mode === 'real' && base === 0n) return { name: 'gdt()', value: 'No GDT has been loaded: GDTR is as after a reset.' };
  const size = Number(limit ?? NO_OWN_LIMIT) + 1;
  const endsItself = (limit ?? NO_OWN_LIMIT) !== NO_OWN_LIMIT;
  const rows: Row[] = [];
  for (let offset = 8; offset + 8 <= size; offset += 8) {
    const address = base + BigInt(offset);
    const raw = t.integer(address, 8);
    if (raw === undefined) {
      rows.push({ address, cells: [hex(offset, 4), `${STOP_MARK}nothing is mapped at ${world}:${hex(address)}`] });
      break;
    }
    if (raw === 0n) continue;
    const access = Number((raw >> 40n) & 0xf0ffn);
    if (!endsItself && !(access & SYSTEM) && (access & 0xf) === 0) break;
    const wide = t.mode === 'long' && !(access & SYSTEM) && WIDE.has(access & 0xf);
    const d = decodeDescriptor(raw, wide ? (t.integer(address + 8n, 4) ?? 0n) : 0n);
    rows.push({ address, cells: [hex(offset, 4), accessRightsWords(d.access).text, `base ${hex(d.base)}`, `limit ${hex(d.limit)}`] });
    if (wide) offset += 8;
  }
  return node('gdt()', `GDT of the ${WORLD_NAME[world]} at ${world}:${hex(base)}${limit === undefined ? '' : `, limit ${hex(limit)}`}: ${rows.length} descriptor${rows.length === 1 ? '' : 's'}`, rows, world);
}

/** The stacks that the task-state segment names. */
export function tssNode(target: Target, world: World): InspectionNode {
  const t = new DescriptorTables(target, world);
  const base = t.register('tr_base');
  const selector = t.register('tr');
  if (base === undefined || selector === undefined) return { name: 'tss()', value: `TR of the ${WORLD_NAME[world]} is not known now.` };
  const long = t.mode === 'long';
  const fields: [string, number, number][] = long
    ? [...[0, 1, 2].map((n): [string, number, number] => [`RSP${n}`, 4 + n * 8, 8]), ...[1, 2, 3, 4, 5, 6, 7].map((n): [string, number, number] => [`IST${n}`, 36 + (n - 1) * 8, 8]), ['I/O map', 102, 2]]
    : [...[0, 1, 2].flatMap((n): [string, number, number][] => [[`ESP${n}`, 4 + n * 8, 4], [`SS${n}`, 8 + n * 8, 2]]), ['CR3', 28, 4], ['EIP', 32, 4], ['I/O map', 102, 2]];
  const rows = fields.map(([name, offset, size]): Row => {
    const address = base + BigInt(offset);
    const value = t.integer(address, size);
    return { address, cells: [name, value === undefined ? `${STOP_MARK}nothing is mapped at ${world}:${hex(address)}` : hex(value)] };
  });
  const limit = t.register('tr_limit');
  return node('tss()', `${long ? '64-bit' : '32-bit'} TSS of the ${WORLD_NAME[world]} at ${world}:${hex(base)}, selector ${hex(selector, 4)}${limit === undefined ? '' : `, limit ${hex(limit)}`}`, rows, world);
}
