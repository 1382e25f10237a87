/**
 * The records of instructions that were decoded before, by their shape: of the next instruction of the shape only the
 * displacement, the immediate and the place are its own. Most instructions of a program have a shape that others had.
 */
import { type CodeSize, type Instruction, Kind, OTHER_SIZE, RIP_REGISTER } from '../decode/instruction';
import { Shape } from '../decode/shape';
import type { MemoryViews } from '../state';
import { Field, RECORD_SIZE } from './record';
import { LARGEST_FROM_RIP } from './recordWriter';

/** As a power of two. */
const ENTRIES_LOG2 = 14;
const ENTRIES = 1 << ENTRIES_LOG2;
/** Records that an instruction with a template has at most, and their words: a third one loads for SIMD, which keeps its Instruction. */
const MOST_RECORDS = 2;
const WORDS = (MOST_RECORDS * RECORD_SIZE) >>> 2;
/** Bytes from which a shape can be read without asking whether they are there. */
const LONGEST_SHAPE = 8;

/** What an entry says besides the words of its records. */
const Has = {
  /** Bits 1:0: how many records. */
  RECORDS: 3,
  /** Falling through is over. */
  ENDS: 4,
  /** The immediate is a branch displacement of the code's own size. */
  RELATIVE: 8,
  /** The displacement counts from the next instruction. */
  FROM_RIP: 16,
  /** There is an address. */
  MEMORY: 32,
  /** The first record computes it. */
  COMPUTED: 64,
} as const;

export class RecordTemplates {
  private readonly shape = new Shape();
  private readonly low = new Uint32Array(ENTRIES);
  private readonly high = new Uint32Array(ENTRIES);
  private readonly has = new Uint8Array(ENTRIES);
  /** Bytes of displacement and immediate, as in Instruction. */
  private readonly dispSizes = new Int8Array(ENTRIES);
  private readonly immSizes = new Int8Array(ENTRIES);
  private readonly words = new Uint32Array(ENTRIES * WORDS);

  /** Of the instruction that `find` has found: its length, and where the branch goes, relative to the page's first byte, once it is written. */
  length = 0;
  target = 0;
  private displacement = 0;
  private immediate = 0;

  constructor(private readonly views: MemoryViews) {}

  private static entry(low: number, high: number): number {
    return (Math.imul(low ^ (high << 7), 0x9e37_79b1) ^ high) >>> (32 - ENTRIES_LOG2);
  }

  /** The template for the instruction at an index of the memory, of which so many bytes may be read, or -1. */
  find(position: number, available: number, codeSize: CodeSize): number {
    const { shape } = this;
    const { u8 } = this.views;
    if (available < LONGEST_SHAPE || !shape.read(u8, position, codeSize)) {
      shape.length = 0;
      return -1;
    }
    const entry = RecordTemplates.entry(shape.low, shape.high);
    if (this.low[entry] !== shape.low || this.high[entry] !== shape.high) return -1;
    const dispSize = this.dispSizes[entry]!;
    const immSize = this.immSizes[entry]!;
    const length = shape.length + dispSize + (immSize < 0 ? -immSize : immSize);
    if (length > available) return -1;
    let at = position + shape.length;
    this.displacement = this.number(at, -dispSize);
    if ((this.has[entry]! & Has.FROM_RIP) !== 0 && this.displacement > LARGEST_FROM_RIP) return -1;
    at += dispSize;
    this.immediate = this.number(at, immSize);
    this.length = length;
    return entry;
  }

  /** Reads as many bytes as a size says, sign-extended where it is negative. */
  private number(at: number, size: number): number {
    const { u8 } = this.views;
    switch (size) {
      case 0:
        return 0;
      case 1:
        return u8[at]!;
      case -1:
        return (u8[at]! << 24) >> 24;
      case 2:
        return u8[at]! | (u8[at + 1]! << 8);
      case -2:
        return ((u8[at]! << 16) | (u8[at + 1]! << 24)) >> 16;
      default:
        return u8[at]! | (u8[at + 1]! << 8) | (u8[at + 2]! << 16) | (u8[at + 3]! << 24);
    }
  }

  records(template: number): number {
    return this.has[template]! & Has.RECORDS;
  }
  ends(template: number): boolean {
    return (this.has[template]! & Has.ENDS) !== 0;
  }
  isRelative(template: number): boolean {
    return (this.has[template]! & Has.RELATIVE) !== 0;
  }

  /** Writes the records of the instruction that `find` has found, at an offset in its page. */
  write(template: number, to: number, offset: number): void {
    const { u16, u32 } = this.views;
    const { words } = this;
    const has = this.has[template]!;
    const records = has & Has.RECORDS;
    const from = template * WORDS;
    const first = to >>> 2;
    for (let i = 0, count = (records * RECORD_SIZE) >>> 2; i < count; i++) u32[first + i] = words[from + i]!;
    u16[(to + Field.OFFSET) >>> 1] = offset;
    const last = to + (records - 1) * RECORD_SIZE;
    u16[(last + Field.OFFSET) >>> 1] = offset;
    if (this.dispSizes[template] !== 0) {
      const displacement = has & Has.FROM_RIP ? this.displacement + offset + this.length : this.displacement;
      if (has & Has.COMPUTED) {
        u32[(to + Field.LONG_DISPLACEMENT) >>> 2] = displacement;
        u32[(to + Field.LONG_DISPLACEMENT + 4) >>> 2] = displacement < 0 ? -1 : 0;
      } else u32[(last + Field.DISPLACEMENT) >>> 2] = displacement;
    }
    if (this.immSizes[template] === 0) return;
    const immediate = has & Has.RELATIVE ? this.immediate + offset + this.length : this.immediate;
    this.target = immediate;
    u32[(last + Field.IMMEDIATE) >>> 2] = immediate;
    if ((has & Has.MEMORY) === 0) u32[(last + Field.IMMEDIATE + 4) >>> 2] = immediate < 0 ? -1 : 0;
  }

  /** Keeps the records that were just written of the instruction at which `find` found none, as far as they can serve others. `ends`: falling through is over. */
  learn(insn: Instruction, from: number, records: number, ends: boolean): void {
    const { shape } = this;
    const { dispSize, immSize } = insn;
    if (shape.length === 0 || records > MOST_RECORDS || dispSize === OTHER_SIZE || immSize === OTHER_SIZE) return;
    if (shape.length + dispSize + Math.abs(immSize) !== insn.length) return;
    const relative = insn.operandCount > 0 && insn.operands[0].kind === Kind.REL;
    if (relative && insn.operandSize * 8 !== insn.codeSize) return;
    const fromRip = insn.base === RIP_REGISTER;
    const computed = records === 2;
    if (fromRip && computed) return;
    let memory = false;
    for (let i = 0; i < insn.operandCount; i++) memory ||= insn.operands[i]!.kind === Kind.MEM;
    const entry = RecordTemplates.entry(shape.low, shape.high);
    this.low[entry] = shape.low;
    this.high[entry] = shape.high;
    this.dispSizes[entry] = dispSize;
    this.immSizes[entry] = immSize;
    this.has[entry] = records | (ends ? Has.ENDS : 0) | (relative ? Has.RELATIVE : 0) | (fromRip ? Has.FROM_RIP : 0) | (memory ? Has.MEMORY : 0) | (computed ? Has.COMPUTED : 0);
    this.words.set(this.views.u32.subarray(from >>> 2, (from + records * RECORD_SIZE) >>> 2), entry * WORDS);
  }
}
