/**
 * What moves between the VMCS and the processor's state at every VM entry and VM exit, as generated code: guestCode.ts and
 * hostCode.ts. A comparison of the VMCS with what it held before stands here too.
 */
import { prebuilt } from '../cpu/prebuilt';
import { Offset } from '../cpu/state';
import { BASE } from '../cpu/stateCode';
import { FunctionBuilder } from '../wasm/function';
import { memoryFunctions } from '../wasm/memoryFunctions';
import { operation } from '../wasm/operation';
import { Value } from '../wasm/value';
import { beginExit, finishEntry, loadGuest, noteExit } from './guestCode';
import { Held, PAIR, PAIRS } from './held';
import { hostKept, loadHost } from './hostCode';

/** By the base of the processor's block in the memory that the functions were made for. They yield bits of `Rest`, and of `Kept` where an operation is entered. */
export interface Transfer {
  loadGuest(base: number): number;
  finishEntry(base: number): number;
  noteExit(base: number): void;
  beginExit(base: number, reason: number, length: number, instructionInfo: number, interruption: number, errorCode: number, flags: number): number;
  loadHost(base: number, nmi: number): number;
  hostKept(base: number): number;
  /**
   * Compares the VMCS with its copy at Held.FIELDS. Returns how many pairs of slots differ; their numbers (slot / 2) are at
   * Held.CHANGED, one byte each.
   */
  compare(base: number): number;
}

/** Pairs that are looked at together first: mostly none of them differs. */
const GROUP = 4;

function compare(): FunctionBuilder {
  const f = new FunctionBuilder(['i32'], ['i32']);
  const count = f.local('i32');
  for (let first = 0; first < PAIRS; first += GROUP) {
    const numbers = Array.from({ length: Math.min(GROUP, PAIRS - first) }, (_, i) => first + i);
    f.releaseTemporaries();
    const differences = numbers.map((n) => {
      const local = f.temporary('v128');
      operation('v128.xor', BASE.load('v128', 16, Offset.VMCS + n * PAIR), BASE.load('v128', 16, Held.FIELDS + n * PAIR)).emit(f);
      f.set(local);
      return Value.local(local, 'v128');
    });
    operation('v128.any_true', differences.reduce((a, b) => operation('v128.or', a, b))).emit(f);
    f.if();
    numbers.forEach((n, i) => {
      BASE.add(Value.local(count, 'i32')).store(f, Value.i32(n), 1, Held.CHANGED);
      Value.local(count, 'i32').add(operation('v128.any_true', differences[i]!)).emit(f);
      f.set(count);
    });
    f.end();
  }
  f.get(count);
  return f;
}

/** The functions for a memory. */
export const transferFor = memoryFunctions<Transfer>({ loadGuest, finishEntry, noteExit, beginExit, loadHost, hostKept, compare }, prebuilt?.transfer);
