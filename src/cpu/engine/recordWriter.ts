/** Writes the records of one instruction. */
import { AccessFlag } from '../accessFlags';
import { type Instruction, Kind, NO_REGISTER, type Operand, RIP_REGISTER } from '../decode/instruction';
import { type MemoryViews, Offset, Seg, Segment, SEGMENT_STRIDE } from '../state';
import type { SharedForm } from '../isa/avx';
import { flagged } from './handlers';
import { ADDRESS_SIZE_SHIFT, Field, RECORD_SIZE, Special } from './record';

/** Instructions whose first operand is only read. */
const READS_FIRST = flagged(['cmp', 'test', 'bt', 'push', 'call_near', 'jmp_near', 'mul', 'imul1', 'div', 'idiv']);

const YMM_STRIDE = 32;
/** State offset of a register operand; AH, CH, DH and BH are byte 1 of theirs, segment registers stand for their selectors. */
function registerOffset(operand: Operand): number {
  if (operand.kind === Kind.SREG) return Offset.SEGMENTS + operand.number * SEGMENT_STRIDE + Segment.SELECTOR;
  return operand.kind === Kind.XMM || operand.kind === Kind.YMM ? Offset.YMM + operand.number * YMM_STRIDE : Offset.GPR + operand.number * 8 + (operand.high ? 1 : 0);
}

/** The record that loads a SIMD instruction's memory operand, by the operand's size. */
const LOADS: Record<number, number> = { 1: Special.LOAD_1, 2: Special.LOAD_2, 4: Special.LOAD_4, 8: Special.LOAD_8, 16: Special.LOAD_16 };

/** Beyond it an instruction at the end of its page reaches further than 32 bits say, counted from the page's first byte. */
export const LARGEST_FROM_RIP = 0x7fff_e000;

/** Instructions whose memory operand is not accessed, so that no segment is asked. */
const UNTOUCHED = flagged(['lea', 'nop']);

export class RecordWriter {
  constructor(private readonly views: MemoryViews) {}

  private clear(at: number): void {
    const { u32 } = this.views;
    for (let i = at >>> 2, end = i + (RECORD_SIZE >>> 2); i < end; i++) u32[i] = 0; // faster than `fill` for so few
  }

  /** A record that is no instruction. */
  special(at: number, handler: number, offset: number, link = 0): void {
    this.clear(at);
    const { u16, u32 } = this.views;
    u16[(at + Field.HANDLER) >>> 1] = handler;
    u16[(at + Field.OFFSET) >>> 1] = offset;
    u32[(at + Field.LINK) >>> 2] = link;
  }

  /** An instruction that TypeScript performs. */
  slow(at: number, offset: number, length: number, instruction: number): void {
    this.special(at, Special.SLOW, offset);
    this.views.u8[at + Field.LENGTH] = length;
    this.views.u32[(at + Field.INSTRUCTION) >>> 2] = instruction;
  }

  /** How many records `instruction` would write. */
  count(insn: Instruction, staged: boolean): number {
    const computed = this.memoryOperand(insn) >= 0 && this.isComputed(insn);
    return 1 + (computed ? 1 : 0) + (staged ? 1 : 0);
  }

  /**
   * An instruction of the hot set, with an address record before it where its address is not simply base + index +
   * displacement, and then one that loads its memory operand when `staged` (the levels of simd/levels.ts that it needs)
   * is not 0. `shared` is given where the case is one of isa/avx.ts's. Returns the number of records written, 1 to 3.
   */
  instruction(at: number, insn: Instruction, handler: number, offset: number, staged = 0, shared?: SharedForm): number {
    const { u8, u16, u32 } = this.views;
    const memory = this.memoryOperand(insn);
    const computed = memory >= 0 && this.isComputed(insn);
    let record = at;
    if (computed) {
      this.special(record, insn.codeSize === 64 ? Special.ADDRESS_LONG : Special.ADDRESS_LEGACY, offset);
      this.computeAddress(record, insn, offset);
      // In 64-bit code only FS and GS have a base; the ZERO slot stands for the others' and is read as their BASE.
      u16[(record + Field.SEGMENT) >>> 1] = this.segmentOffset(insn);
      const writes = memory === 0 && READS_FIRST[insn.op] === 0;
      u16[(record + Field.ACCESS) >>> 1] = insn.operands[memory]!.size | (writes ? AccessFlag.WRITE : 0);
      record += RECORD_SIZE;
    }
    if (staged !== 0) {
      this.special(record, LOADS[insn.operands[memory]!.size]!, offset);
      u8[record + Field.LENGTH] = insn.length;
      u16[(record + Field.SIMD) >>> 1] = staged;
      if (computed) this.computedAddress(record);
      else this.address(record, insn, offset);
      record += RECORD_SIZE;
    }
    this.clear(record);
    u16[(record + Field.HANDLER) >>> 1] = handler;
    u16[(record + Field.OFFSET) >>> 1] = offset;
    u8[record + Field.LENGTH] = insn.length;
    for (let i = 0; i < Math.min(insn.operandCount, 3); i++) {
      const operand = insn.operands[i]!;
      if (operand.kind === Kind.REG || operand.kind === Kind.XMM || operand.kind === Kind.YMM || operand.kind === Kind.SREG) u16[(record + Field.REGISTER + i * 2) >>> 1] = registerOffset(operand);
    }
    if (staged !== 0) u16[(record + Field.REGISTER + memory * 2) >>> 1] = Offset.SIMD_OPERAND;
    else if (computed) this.computedAddress(record);
    else if (memory >= 0) {
      this.address(record, insn, offset);
    }
    let low = insn.immLow;
    let high = insn.immHigh;
    if (shared) {
      const source = (n: number): number => (insn.operands[n]!.kind === Kind.MEM ? Offset.SIMD_OPERAND : registerOffset(insn.operands[n]!));
      u16[(record + Field.REGISTER + 2) >>> 1] = source(shared.first);
      u16[(record + Field.REGISTER + 4) >>> 1] = source(shared.second);
      low = shared.information;
      high = 0;
    }
    if (insn.operandCount > 0 && insn.operands[0].kind === Kind.REL) {
      low += offset + insn.length; // displacements have 32 bits and offsets 12: the sum is exact as a number
      high = low < 0 ? -1 : 0;
    }
    u32[(record + Field.IMMEDIATE) >>> 2] = low;
    if (memory < 0) u32[(record + Field.IMMEDIATE + 4) >>> 2] = high;
    return (record - at) / RECORD_SIZE + 1;
  }

  /** The address is the one that the address record before has computed. */
  private computedAddress(record: number): void {
    const { u8, u16 } = this.views;
    u16[(record + Field.BASE) >>> 1] = Offset.EFFECTIVE_ADDRESS;
    u16[(record + Field.INDEX) >>> 1] = Offset.ZERO;
    u8[record + Field.SCALE] = 0;
  }

  private memoryOperand(insn: Instruction): number {
    for (let i = 0; i < insn.operandCount; i++) if (insn.operands[i]!.kind === Kind.MEM) return i;
    return -1;
  }

  /** Whether the address needs a record of its own: all but 64-bit addresses without FS or GS, as far as their displacement is one of 32 bits. */
  private isComputed(insn: Instruction): boolean {
    const { dispLow, dispHigh, base } = insn;
    // An RIP-relative one grows by the instruction's place in its page.
    if (base === RIP_REGISTER ? (dispLow | 0) > LARGEST_FROM_RIP : (dispHigh | 0) !== dispLow >> 31) return true;
    return UNTOUCHED[insn.op] === 0 && (insn.codeSize !== 64 || insn.addressSize !== 8 || insn.segment === Seg.FS || insn.segment === Seg.GS);
  }

  private segmentOffset(insn: Instruction): number {
    if (UNTOUCHED[insn.op] === 1 || (insn.codeSize === 64 && insn.segment !== Seg.FS && insn.segment !== Seg.GS)) return Offset.NO_SEGMENT;
    return Offset.SEGMENTS + insn.segment * SEGMENT_STRIDE;
  }

  /** Base, index and scale. Returns the displacement: with RIP, from byte 0 of the page. */
  private registers(record: number, insn: Instruction, offset: number): number {
    const { u8, u16 } = this.views;
    const stateOffset = (register: number): number =>
      register === NO_REGISTER ? Offset.ZERO : register === RIP_REGISTER ? Offset.RIP_BASE : Offset.GPR + register * 8;
    u16[(record + Field.BASE) >>> 1] = stateOffset(insn.base);
    u16[(record + Field.INDEX) >>> 1] = stateOffset(insn.index);
    u8[record + Field.SCALE] = insn.scale;
    return insn.base === RIP_REGISTER ? (insn.dispLow | 0) + offset + insn.length : insn.dispLow;
  }

  private address(record: number, insn: Instruction, offset: number): void {
    this.views.u32[(record + Field.DISPLACEMENT) >>> 2] = this.registers(record, insn, offset);
  }

  /** What an address record computes. */
  private computeAddress(record: number, insn: Instruction, offset: number): void {
    const { u8, u32 } = this.views;
    const low = this.registers(record, insn, offset);
    u8[record + Field.SCALE] = insn.scale | ((30 - Math.clz32(insn.addressSize)) << ADDRESS_SIZE_SHIFT);
    u32[(record + Field.LONG_DISPLACEMENT) >>> 2] = low;
    u32[(record + Field.LONG_DISPLACEMENT + 4) >>> 2] = insn.base === RIP_REGISTER ? (low < 0 ? -1 : 0) : insn.dispHigh;
  }
}
