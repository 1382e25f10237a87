/**
 * AVX and AVX2 as generated code, with few cases: those instructions that work lane by lane share one case per vector
 * length and width of the memory operand, which calls lanes.ts for each lane. Which operation that is stands in the
 * record, in the place of the immediate.
 */
import { type Instruction, Kind } from '../decode/instruction';
import { vectorConstant } from '../../wasm/operation';
import { Value } from '../../wasm/value';
import { SIMD_LEVEL } from '../simd/levels';
import { Offset } from '../state';
import type { Emitter, Semantics, Width } from './emitter';
import { laneNumber, laneRoutine } from './lanes';

const { avx } = SIMD_LEVEL;
const LANE = 16;
const zero = vectorConstant(new Uint8Array(16));

/** The upper half of an operand's YMM register becomes zero, as in every VEX-encoded instruction on XMM registers. */
export const clearUpper = (e: Emitter, operand = 0): void => e.registerHost(operand).store(e.f, zero, LANE, LANE);

/** Fields of a record's immediate: bits 7:0 the instruction's own; then what the second lane's differs by. */
const Information = { NUMBER: 8, NUMBER_MASK: 0x3ff, STEP: 18, STEP_MASK: 0x1f, SHIFT: 23, SHIFT_MASK: 7 } as const;
const field = (information: Value, at: number, mask: number): Value => information.shrU(at).and(mask);

/** Puts the memory operand where the processor's state has room for it; yields the host address of the bytes that operand 2 names. */
export function sourceHost(e: Emitter): Value {
  if (e.form[2] !== 'm') return e.registerHost(2);
  const size = e.variant;
  const linear = e.let(e.address());
  const host = e.stateHost();
  host.store(e.f, e.load(linear, Math.min(size, LANE)), Math.min(size, LANE), Offset.SIMD_OPERAND);
  if (size > LANE) host.store(e.f, e.load(e.let(linear.add(LANE)), LANE), LANE, Offset.SIMD_OPERAND + LANE);
  return e.let(host.add(Offset.SIMD_OPERAND));
}

function emitLanes(e: Emitter): void {
  const wide = e.size === 32;
  const from = sourceHost(e);
  const information = e.let(e.read(3, 4));
  const host = e.stateHost();
  const number = field(information, Information.NUMBER, Information.NUMBER_MASK);
  const immediate = information.and(0xff);
  for (let at = 0; at < (wide ? 2 * LANE : LANE); at += LANE) {
    host.store(e.f, at === 0 ? e.vector(1) : e.registerHost(1).load('v128', LANE, at), LANE, Offset.SIMD_RESULT + at);
    const source = at === 0 ? from : from.add(field(information, Information.STEP, Information.STEP_MASK));
    const own = at === 0 ? immediate : immediate.shrU(field(information, Information.SHIFT, Information.SHIFT_MASK));
    e.leave(e.call(laneRoutine, number, host, host.add(Offset.SIMD_RESULT + at), source, own).eqz());
  }
  e.setVector(0, host.load('v128', LANE, Offset.SIMD_RESULT));
  if (wide) e.registerHost(0).store(e.f, host.load('v128', LANE, Offset.SIMD_RESULT + LANE), LANE, LANE);
  else clearUpper(e);
}

const shared = (size: Width, variants: readonly number[]): Semantics => ({
  mnemonic: 'avx',
  sizes: [size],
  forms: ['xxxi', 'xxmi'],
  variants,
  simd: avx,
  emit: emitLanes,
});

/** The shared cases: `variants` are the widths of memory operands; a register form is made once. */
export const SHARED: readonly Semantics[] = [shared(16, [1, 2, 4, 8, 16]), shared(32, [1, 2, 4, 8, 16, 32])];

/** How far the second lane's source lies behind the first's, where that is not 16 bytes. */
const STEPS: Record<string, number> = {
  vpmovsxbw: 8, vpmovsxbd: 4, vpmovsxbq: 2, vpmovsxwd: 8, vpmovsxwq: 4, vpmovsxdq: 8, vpmovzxbw: 8, vpmovzxbd: 4, vpmovzxbq: 2, vpmovzxwd: 8, vpmovzxwq: 4,
  vpmovzxdq: 8, vcvtps2pd: 8, vcvtdq2pd: 8, vbroadcastss: 0, vbroadcastsd: 0, vbroadcastf128: 0, vbroadcasti128: 0, vpbroadcastb: 0, vpbroadcastw: 0,
  vpbroadcastd: 0, vpbroadcastq: 0,
}; // prettier-ignore
/** Shifts by a count: the same for both lanes. */
const COUNTED = new Set(['vpsllw', 'vpslld', 'vpsllq', 'vpsrlw', 'vpsrld', 'vpsrlq', 'vpsraw', 'vpsrad']);
/** How many of the immediate's bits the first lane uses, where the second has its own. */
const SHIFTS: Record<string, number> = { vblendps: 4, vblendpd: 2, vpblendd: 4, vshufpd: 2, vpermilpd: 2 };
/** The operation's name where it is not the mnemonic without its V. */
const NAMES: Record<string, string> = {
  vpblendd: 'blendps', vmovlps: 'movsd', vmovlpd: 'movsd', vmovhps: 'movlhps', vmovhpd: 'movlhps', vbroadcastss: 'pbroadcastd', vbroadcastsd: 'pbroadcastq',
  vbroadcastf128: 'copy', vbroadcasti128: 'copy', vpblendvb: 'blendRegisterB', vblendvps: 'blendRegisterPs', vblendvpd: 'blendRegisterPd',
}; // prettier-ignore

/** What a record needs so that a shared case performs the instruction. */
export interface SharedForm {
  /** Numbers of the first and the second source among the operands. */
  first: number;
  second: number;
  /** The record's immediate. */
  information: number;
}

const isVector = (insn: Instruction, i: number): boolean => insn.operands[i]!.kind === Kind.XMM || insn.operands[i]!.kind === Kind.YMM;

/** How a shared case performs a VEX-encoded instruction, or undefined when none does. */
export function sharedForm(insn: Instruction, mnemonic: string): SharedForm | undefined {
  const byRegister = insn.operandCount === 4 && isVector(insn, 3);
  const hasImmediate = byRegister || (insn.operandCount > 0 && insn.operands[insn.operandCount - 1]!.kind === Kind.IMM);
  const vectors = insn.operandCount - (hasImmediate ? 1 : 0);
  if (vectors < 2 || vectors > 3) return undefined;
  for (let i = 0; i < vectors - 1; i++) if (!isVector(insn, i)) return undefined;
  const second = vectors - 1;
  const source = insn.operands[second]!;
  const memory = source.kind === Kind.MEM;
  if (!memory && !isVector(insn, second)) return undefined;
  if (source.size === 32 && insn.operands[0].kind === Kind.XMM) return undefined; // narrowing conversions of whole YMM registers
  if (memory && mnemonic === 'vinsertps') return undefined; // memory has one element only
  if (vectors === 2 && (mnemonic === 'vmovss' || mnemonic === 'vmovsd')) return undefined; // loads, which clear the rest
  let name = NAMES[mnemonic] ?? mnemonic.slice(1);
  let form = hasImmediate ? 'xxi' : 'xx';
  // One vector and an immediate: shifts take it as destination, the others as source.
  if (mnemonic === 'vpermilps' && hasImmediate) name = 'pshufd';
  else if (hasImmediate && vectors === 2 && laneNumber(name, 'xi') !== undefined) form = 'xi';
  const number = laneNumber(name, form);
  if (number === undefined) return undefined;
  const step = COUNTED.has(mnemonic) ? 0 : (STEPS[mnemonic] ?? LANE);
  const immediate = byRegister ? insn.operands[3].number : hasImmediate ? insn.immLow & 0xff : 0;
  const information = immediate | (number << Information.NUMBER) | (step << Information.STEP) | ((SHIFTS[mnemonic] ?? 0) << Information.SHIFT);
  return { first: vectors === 3 || form === 'xi' ? 1 : second, second, information };
}
