/**
 * Rows for the disassembly view: exactly as many as asked for, around an address. Going backwards there is no telling
 * where instructions begin, so decoding starts at a function's first byte, or at the nearest place from which it arrives
 * at the address.
 */
import type { LineEntry } from '../../symbols/image';
import { addressName } from '../stack/callStack';
import type { Target } from '../target';
import type { World } from '../world';
import type { Disassembler } from './disassembler';

export interface Row {
  address: bigint;
  bytes: Uint8Array;
  text: string;
  valid: boolean;
  /** `function+0x12`. */
  symbol: string | undefined;
  /** The line that begins here, when it is not that of the row before. */
  line: LineEntry | undefined;
}

const LONGEST = 15;

/** `count` rows, of which the one at index `-offset` is the instruction at `address`. */
export function disassemble(target: Target, disassembler: Disassembler, world: World, bits: 16 | 32 | 64, address: bigint, offset: number, count: number): Row[] {
  const before = offset < 0 ? backwards(target, disassembler, world, bits, address, -offset) : [];
  const missing = Math.max(0, -offset - before.length);
  const wantedAfter = Math.max(0, count + offset);
  let after = forwards(target, disassembler, world, bits, address, wantedAfter + Math.max(0, offset));
  if (offset > 0) after = after.slice(offset);
  const first = before[0]?.address ?? address;
  const rows = [...unknown(target, world, first, missing), ...before, ...after].slice(0, count);
  for (let next = (rows.at(-1)?.address ?? address) + BigInt(rows.at(-1)?.bytes.length || 1); rows.length < count; next++) rows.push(invalid(next));
  return withLines(target, world, rows);
}

/** Bytes in front of the first instruction that is known, one a row: where instructions begin among them nobody can tell. */
function unknown(target: Target, world: World, end: bigint, count: number): Row[] {
  return Array.from({ length: count }, (_, i) => {
    const row = invalid(end - BigInt(count - i));
    const bytes = target.read(world, row.address, 1);
    return bytes.length === 0 ? row : { ...row, bytes, text: '(no instruction is known to begin here)' };
  });
}

const invalid = (address: bigint): Row => ({ address: BigInt.asUintN(64, address), bytes: new Uint8Array(), text: '(not mapped)', valid: false, symbol: undefined, line: undefined });

function forwards(target: Target, disassembler: Disassembler, world: World, bits: 16 | 32 | 64, address: bigint, count: number): Row[] {
  if (count <= 0) return [];
  const bytes = target.read(world, address, count * LONGEST);
  return rowsOf(disassembler, bytes, address, bits, count);
}

function rowsOf(disassembler: Disassembler, bytes: Uint8Array, address: bigint, bits: 16 | 32 | 64, count: number): Row[] {
  let at = 0;
  return disassembler.decode(bytes, address, bits, count).map(({ length, text, valid }) => {
    const row: Row = { address: address + BigInt(at), bytes: bytes.slice(at, at + length), text, valid, symbol: undefined, line: undefined };
    at += length;
    return row;
  });
}

/** Up to `count` rows in front of `address`. */
function backwards(target: Target, disassembler: Disassembler, world: World, bits: 16 | 32 | 64, address: bigint, count: number): Row[] {
  const image = target.images.at(world, address)?.image;
  let rows: Row[] = [];
  let end = address;
  // Function by function as far as symbols reach.
  while (image && rows.length < count) {
    const inside = end === address ? end : end - 1n;
    const start = image.functionAt(inside)?.low ?? image.symbolAt(inside)?.symbol.address;
    if (start === undefined || start > inside || end - start > 0x10000n) break;
    if (start < end) rows = [...arriving(target, disassembler, world, bits, start, end), ...rows];
    const previous = start - 1n;
    if (image.functionAt(previous) === undefined && image.symbolAt(previous) === undefined) break;
    end = start;
    if (end === address && start === address && rows.length === 0) {
      // The address is a function's first byte: go on with the function before.
      const lower = image.functionAt(previous)?.low ?? image.symbolAt(previous)?.symbol.address;
      if (lower === undefined || lower >= address || address - lower > 0x10000n) break;
      rows = arriving(target, disassembler, world, bits, lower, address);
      end = lower;
    }
  }
  if (rows.length === 0) rows = guessed(target, disassembler, world, bits, address, count);
  return rows.slice(-count);
}

/** The rows from `start` that end exactly at `end`. */
function arriving(target: Target, disassembler: Disassembler, world: World, bits: 16 | 32 | 64, start: bigint, end: bigint): Row[] {
  const bytes = target.read(world, start, Number(end - start));
  if (bytes.length < Number(end - start)) return [];
  return rowsOf(disassembler, bytes, start, bits, bytes.length);
}

/** Without symbols: the farthest start from which decoding arrives at the address. */
function guessed(target: Target, disassembler: Disassembler, world: World, bits: 16 | 32 | 64, address: bigint, count: number): Row[] {
  for (let back = BigInt(count * LONGEST); back > 0n; back--) {
    const start = address - back;
    if (start < 0n) continue;
    const rows = arriving(target, disassembler, world, bits, start, address);
    const last = rows.at(-1);
    if (last && rows.every((r) => r.valid) && last.address + BigInt(last.bytes.length) === address) return rows;
  }
  return [];
}

function withLines(target: Target, world: World, rows: Row[]): Row[] {
  let previous: string | undefined;
  for (const row of rows) {
    if (!row.valid) continue;
    const name = addressName(target, world, row.address);
    row.symbol = name.startsWith('0x') ? undefined : name;
    const entry = target.code.lineAt(world, row.address)?.entry;
    const key = entry && `${entry.file.path}:${entry.line}`;
    if (key !== previous) row.line = entry;
    previous = key;
  }
  return rows;
}
