/**
 * The records of instructions that were decoded before, by their shape: all of an instruction's bytes but displacement,
 * immediate and the numbers of registers, and the size of the code. Of the next instruction of the shape only these and the
 * place are its own. Nearly all instructions of a program have a shape that others had. The templates are in the WebAssembly
 * memory; generated code finds and copies them (templateCode.ts), and learns here.
 */
import { type Instruction, Kind, OTHER_SIZE, RIP_REGISTER } from '../decode/instruction';
import type { MemoryViews } from '../state';
import { TEMPLATES_BASE, TEMPLATES_SIZE } from './layout';
import { RECORD_SIZE } from './record';
import { RUN_LENGTH } from './recordArena';
import { leads } from './shapes';

/** Templates, as a power of two. */
export const TEMPLATES_LOG2 = 14;
/** Records that an instruction with a template has at most: a third one loads for SIMD, which keeps its Instruction. */
const MOST_RECORDS = 2;

/** Byte offsets in a template. */
export const Template = {
  /** u64: the shape, as Scratch.SHAPE has it; 0 in an entry without a template. */
  SHAPE: 0,
  /** u8: bits of Has. */
  HAS: 8,
  /** u8 each: bytes of displacement and immediate. */
  DISPLACEMENT_SIZE: 9,
  IMMEDIATE_SIZE: 10,
  RECORDS: 16,
  SIZE: 16 + MOST_RECORDS * RECORD_SIZE,
} as const;

/** What a template says besides its records. */
export const Has = {
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
  /** The immediate is sign-extended. */
  SIGNED: 128,
} as const;

/** Bits of Lead: a u16 for each byte, and each behind 0F. */
export const LEADS = TEMPLATES_BASE;
const LEADS_SIZE = 0x400;

/** Addresses of what generated code tells TypeScript: u32s but for the shape. */
const told = LEADS + LEADS_SIZE;
export const Scratch = {
  /** u64: the shape of the instruction that was looked for last. */
  SHAPE: told,
  /** Bytes of it, 0 when it has none that is told. */
  SHAPE_LENGTH: told + 8,
  /** Where its template is, or would be. */
  TEMPLATE: told + 12,
  /** Of the instruction whose template was found. */
  LENGTH: told + 16,
  DISPLACEMENT: told + 20,
  IMMEDIATE: told + 24,
  /** Registers of its own, 0 for none: of ModRM.reg or the opcode; of ModRM.rm or the base; the index. Field in bits 15:0, state offset above. */
  REGISTER: told + 28,
  BASE: told + 32,
  INDEX: told + 36,
  /** Where a line goes on: offset in the page, address of the next record, instructions that it may still get. */
  OFFSET: told + 40,
  AT: told + 44,
  LEFT: told + 48,
  /** How many instructions were entered into the slot table. */
  ENTERED: told + 52,
  /** How many branches wait for their target, and for each the address of its link field and the target's offset. */
  WAITING_COUNT: told + 56,
  WAITING: told + 64,
  /** How many offsets were entered for which branches wait, and these offsets. */
  AWAITED_COUNT: told + 60,
  AWAITED: told + 64 + RUN_LENGTH * 8,
} as const;

export const TEMPLATES = told + 64 + RUN_LENGTH * 12;

if (TEMPLATES + (Template.SIZE << TEMPLATES_LOG2) > TEMPLATES_BASE + TEMPLATES_SIZE) throw new Error('The templates need more room than the layout gives them.');

/** The template for a shape is the one with the number `(shape * MIX) >>> (64 - TEMPLATES_LOG2)`, with 64 bits. */
export const MIX = 0x9e37_79b9_7f4a_7c15n;

export class RecordTemplates {
  constructor(private readonly views: MemoryViews) {
    views.u16.set(leads(), LEADS >>> 1);
  }

  /** Keeps the records that were just written of the instruction for which no template was found, as far as they can serve others. `ends`: falling through is over. */
  learn(insn: Instruction, from: number, records: number, ends: boolean): void {
    const { u8, u32 } = this.views;
    const { dispSize, immSize } = insn;
    const immBytes = Math.abs(immSize);
    const length = u32[Scratch.SHAPE_LENGTH >>> 2]!;
    if (length === 0 || records > MOST_RECORDS || dispSize === OTHER_SIZE || immSize === OTHER_SIZE) return;
    if (length + dispSize + immBytes !== insn.length) return;
    const relative = insn.operandCount > 0 && insn.operands[0].kind === Kind.REL;
    if (relative && insn.operandSize * 8 !== insn.codeSize) return;
    const fromRip = insn.base === RIP_REGISTER;
    const computed = records === 2;
    if (fromRip && computed) return;
    let memory = false;
    for (let i = 0; i < insn.operandCount; i++) memory ||= insn.operands[i]!.kind === Kind.MEM;
    const template = u32[Scratch.TEMPLATE >>> 2]!;
    u32[(template + Template.SHAPE) >>> 2] = u32[Scratch.SHAPE >>> 2]!;
    u32[(template + Template.SHAPE + 4) >>> 2] = u32[(Scratch.SHAPE + 4) >>> 2]!;
    u8[template + Template.HAS] =
      records | (ends ? Has.ENDS : 0) | (relative ? Has.RELATIVE : 0) | (fromRip ? Has.FROM_RIP : 0) | (memory ? Has.MEMORY : 0) | (computed ? Has.COMPUTED : 0) | (immSize < 0 ? Has.SIGNED : 0);
    u8[template + Template.DISPLACEMENT_SIZE] = dispSize;
    u8[template + Template.IMMEDIATE_SIZE] = immBytes;
    u32.copyWithin((template + Template.RECORDS) >>> 2, from >>> 2, (from + records * RECORD_SIZE) >>> 2);
  }
}
