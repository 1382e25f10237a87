/** Floating-point SSE instructions in TypeScript, for what generated code leaves: see float.ts. */
import { Cr4 } from '../controlBits';
import type { Instruction } from '../decode/instruction';
import { Vector } from '../fault';
import { CF, PF, readFlags, STATUS_FLAGS, writeFlags, ZF } from '../flags';
import type { Processor, SlowOperation } from '../processor';
import { readOperand, writeOperand } from '../system/operands';
import { DOUBLE, type FloatFormat, FloatUnit, Rounding, SINGLE } from './float';
import type { SimdFeature } from './levels';
import { MASK_SHIFT, MXCSR_FLAGS, readMxcsr, writeMxcsr } from './mxcsr';
import type { SimdOperation } from './simdOperation';
import { byLane, elements, first, isVex, join, readVector, readXmm, second, vectorBits, writeResult } from './vectorOperands';

/**
 * Computes with a FloatUnit and reports its exceptions in MXCSR before anything is written. An unmasked one raises #XM,
 * or #UD where the system does not ask for it (CR4.OSXMMEXCPT). `ignored`: bits of MXCSR that count as 0.
 */
export function withFloatUnit<T>(cpu: Processor, compute: (unit: FloatUnit) => T, ignored = 0): T {
  const s = cpu.state;
  const mxcsr = readMxcsr(s);
  const unit = new FloatUnit(mxcsr & ~ignored);
  const result = compute(unit);
  const unmasked = ~(mxcsr >> MASK_SHIFT) & MXCSR_FLAGS;
  // Exceptions of all elements are collected; unmasked ones found before computing leave no others behind.
  const stopsBefore = (unit.before & unmasked) !== 0;
  const found = stopsBefore ? unit.before : unit.before | unit.after;
  if ((found & ~mxcsr) !== 0) writeMxcsr(s, mxcsr | found);
  if (found & unmasked) throw cpu.fault.exception(s.cr4 & Cr4.OSXMMEXCPT ? Vector.XM : Vector.UD);
  return result;
}

type Element = (unit: FloatUnit, f: FloatFormat, a: bigint, b: bigint, insn: Instruction) => bigint;

/** Suffixes: format, and whether one element only is meant. */
const TYPES: Record<string, readonly [f: FloatFormat, scalar: boolean]> = { ps: [SINGLE, false], pd: [DOUBLE, false], ss: [SINGLE, true], sd: [DOUBLE, true] };
const countOf = (insn: Instruction, f: FloatFormat, scalar: boolean): number => (scalar ? 1 : vectorBits(insn) / f.bits);

/** A result of `bits` bits beside which the rest of the first source stays (scalars). */
const besides = (old: bigint, result: bigint, bits: number): bigint => ((BigInt.asUintN(128, old) >> BigInt(bits)) << BigInt(bits)) | result;
const featureOf = (suffix: string): SimdFeature => (suffix.endsWith('s') ? 'sse' : 'sse2');

/** Element by element; a scalar leaves the rest of the destination. */
const elementwise =
  (suffix: string, compute: Element): SlowOperation =>
  (cpu, insn) => {
    const [f, scalar] = TYPES[suffix]!;
    const count = countOf(insn, f, scalar);
    const b = elements(second(cpu, insn), f.bits, count);
    const old = first(cpu, insn);
    const a = elements(old, f.bits, count);
    const result = withFloatUnit(cpu, (unit) => join(a.map((x, i) => compute(unit, f, x, b[i]!, insn)), f.bits));
    writeResult(cpu, insn, scalar ? besides(old, result, f.bits) : result);
  };

const ones = (f: FloatFormat): bigint => (1n << BigInt(f.bits)) - 1n;

/** What a comparison finds, as bits. */
const Found = { LESS: 1, EQUAL: 2, GREATER: 4, UNORDERED: 8 } as const;
/** Which findings satisfy predicates 0 to 15; 16 to 31 differ in their attitude to quiet NaNs only. */
const PREDICATES = [0x2, 0x1, 0x3, 0x8, 0xd, 0xe, 0xc, 0x7, 0xa, 0x9, 0xb, 0x0, 0x5, 0x6, 0x4, 0xf];
/** Predicates 0 to 15 that find quiet NaNs invalid too. */
const SIGNALLING = 0b0110_0110_0110_0110;

/** CMPccPS: eight predicates, with VEX 32. */
const compareTo: Element = (unit, f, a, b, insn) => {
  const predicate = insn.immLow & (isVex(insn) ? 31 : 7);
  const signals = ((SIGNALLING >> (predicate & 15)) & 1) !== predicate >> 4;
  const order = unit.compare(f, a, b, signals);
  const found = order === undefined ? Found.UNORDERED : order < 0 ? Found.LESS : order > 0 ? Found.GREATER : Found.EQUAL;
  return PREDICATES[predicate & 15]! & found ? ones(f) : 0n;
};

const roundingOf = (unit: FloatUnit, imm: number): number => (imm & 4 ? unit.rounding : imm & 3);

const ELEMENTWISE: Record<string, Element> = {
  add: (unit, f, a, b) => unit.add(f, a, b),
  sub: (unit, f, a, b) => unit.add(f, a, b, true),
  mul: (unit, f, a, b) => unit.multiply(f, a, b),
  div: (unit, f, a, b) => unit.divide(f, a, b),
  min: (unit, f, a, b) => unit.minimum(f, a, b, false),
  max: (unit, f, a, b) => unit.minimum(f, a, b, true),
  sqrt: (unit, f, _a, b) => unit.squareRoot(f, b),
  cmp: compareTo,
  round: (unit, f, _a, b, insn) => unit.roundToIntegral(f, b, roundingOf(unit, insn.immLow), (insn.immLow & 8) === 0),
};

/** Neighbours of destination, then source, added or subtracted. */
const horizontal =
  (f: FloatFormat, subtract: boolean): SlowOperation =>
  (cpu, insn) => {
    const b = second(cpu, insn);
    const result = withFloatUnit(cpu, (unit) =>
      byLane(vectorBits(insn), first(cpu, insn), b, (x, y) => {
        const all = [...elements(x, f.bits), ...elements(y, f.bits)];
        const pairs = all.filter((_x, i) => i % 2 === 0).map((even, i) => [even, all[i * 2 + 1]!] as const);
        return join(pairs.map(([even, odd]) => unit.add(f, even, odd, subtract)), f.bits);
      }),
    );
    writeResult(cpu, insn, result);
  };

/** Even elements subtracted, odd ones added. */
const addSubtract =
  (f: FloatFormat): SlowOperation =>
  (cpu, insn) => {
    const count = countOf(insn, f, false);
    const b = elements(second(cpu, insn), f.bits, count);
    const a = elements(first(cpu, insn), f.bits, count);
    writeResult(cpu, insn, withFloatUnit(cpu, (unit) => join(a.map((x, i) => unit.add(f, x, b[i]!, i % 2 === 0)), f.bits)));
  };

/** COMISS and its kin: ZF, PF, CF. */
const compareFlags =
  (f: FloatFormat, quietToo: boolean): SlowOperation =>
  (cpu, insn) => {
    const b = BigInt.asUintN(f.bits, readVector(cpu, insn, 1));
    const a = BigInt.asUintN(f.bits, readXmm(cpu.state, insn.operands[0].number));
    const order = withFloatUnit(cpu, (unit) => unit.compare(f, a, b, quietToo));
    const flags = order === undefined ? ZF | PF | CF : order === 0 ? ZF : order < 0 ? CF : 0;
    writeFlags(cpu.state, (readFlags(cpu.state) & ~STATUS_FLAGS) | flags);
  };

/** To a general-purpose register of 4 or 8 bytes. */
const toGeneral =
  (f: FloatFormat, truncate: boolean): SlowOperation =>
  (cpu, insn) => {
    const value = BigInt.asUintN(f.bits, readVector(cpu, insn, 1));
    const bits = insn.operands[0].size * 8;
    writeOperand(cpu, insn, 0, withFloatUnit(cpu, (unit) => unit.toInteger(f, value, bits, truncate ? Rounding.ZERO : unit.rounding)));
  };

const fromGeneral =
  (f: FloatFormat): SlowOperation =>
  (cpu, insn) => {
    const source = insn.operandCount - 1;
    const value = BigInt.asIntN(insn.operands[source]!.size * 8, readOperand(cpu, insn, source));
    const result = withFloatUnit(cpu, (unit) => unit.fromInteger(f, value));
    writeResult(cpu, insn, besides(first(cpu, insn), result, f.bits));
  };

/** Bits of the widest vector operand. */
const widest = (insn: Instruction): number => (insn.operands[0].size === 32 || insn.operands[1].size === 32 ? 256 : 128);

/** Element conversions from one width to another; the rest of the destination becomes zero, or stays (scalars). */
const converting =
  (fromBits: number, toBits: number, scalar: boolean, convert: (unit: FloatUnit, x: bigint) => bigint): SlowOperation =>
  (cpu, insn) => {
    const count = scalar ? 1 : widest(insn) / Math.max(fromBits, toBits);
    const source = elements(second(cpu, insn), fromBits, count);
    const result = withFloatUnit(cpu, (unit) => join(source.map((x) => convert(unit, x)), toBits));
    writeResult(cpu, insn, scalar ? besides(first(cpu, insn), result, toBits) : result);
  };

const conversions: Record<string, SlowOperation> = {
  cvtss2sd: converting(32, 64, true, (unit, x) => unit.convert(SINGLE, DOUBLE, x)),
  cvtsd2ss: converting(64, 32, true, (unit, x) => unit.convert(DOUBLE, SINGLE, x)),
  cvtps2pd: converting(32, 64, false, (unit, x) => unit.convert(SINGLE, DOUBLE, x)),
  cvtpd2ps: converting(64, 32, false, (unit, x) => unit.convert(DOUBLE, SINGLE, x)),
  cvtdq2ps: converting(32, 32, false, (unit, x) => unit.fromInteger(SINGLE, BigInt.asIntN(32, x))),
  cvtdq2pd: converting(32, 64, false, (unit, x) => unit.fromInteger(DOUBLE, BigInt.asIntN(32, x))),
  cvtps2dq: converting(32, 32, false, (unit, x) => unit.toInteger(SINGLE, x, 32, unit.rounding)),
  cvttps2dq: converting(32, 32, false, (unit, x) => unit.toInteger(SINGLE, x, 32, Rounding.ZERO)),
  cvtpd2dq: converting(64, 32, false, (unit, x) => unit.toInteger(DOUBLE, x, 32, unit.rounding)),
  cvttpd2dq: converting(64, 32, false, (unit, x) => unit.toInteger(DOUBLE, x, 32, Rounding.ZERO)),
  cvtss2si: toGeneral(SINGLE, false),
  cvttss2si: toGeneral(SINGLE, true),
  cvtsd2si: toGeneral(DOUBLE, false),
  cvttsd2si: toGeneral(DOUBLE, true),
  cvtsi2ss: fromGeneral(SINGLE),
  cvtsi2sd: fromGeneral(DOUBLE),
};
const SSE_CONVERSIONS = new Set(['cvtss2si', 'cvttss2si', 'cvtsi2ss']);

/** DPPS, DPPD: products chosen by the immediate's high half, added in pairs, given to the elements of its low half. */
const dotProduct =
  (f: FloatFormat, count: number): SlowOperation =>
  (cpu, insn) => {
    const imm = insn.immLow;
    const total = vectorBits(insn) / f.bits;
    const b = elements(second(cpu, insn), f.bits, total);
    const a = elements(first(cpu, insn), f.bits, total);
    // The immediate's bits are the same for every lane.
    const chosen = (bits: number, i: number): boolean => ((bits >> (i % count)) & 1) !== 0;
    const products = withFloatUnit(cpu, (unit) => a.map((x, i) => (chosen(imm >> 4, i) ? unit.multiply(f, x, b[i]!) : 0n)));
    // Every element adds for itself; which of two NaNs it gets follows from the order.
    const swap = (list: readonly bigint[], distance: number, ownFirst: boolean): bigint[] =>
      withFloatUnit(cpu, (unit) => list.map((x, i) => (ownFirst ? unit.add(f, x, list[i ^ distance]!) : unit.add(f, list[i ^ distance]!, x))));
    const sums = count === 2 ? swap(products, 1, true) : swap(swap(products, 1, false), 2, true);
    writeResult(cpu, insn, join(sums.map((sum, i) => (chosen(imm, i) ? sum : 0n)), f.bits));
  };

/**
 * RCPPS, RSQRTPS and their scalars, to the bit as Intel's processors compute them: by a table whose index are the
 * fraction's upper bits, and whose entries are the result for the middle of the interval, rounded to 12 bits. No exception
 * is raised.
 */
const approximation =
  (suffix: string, indexBits: number, compute: (x: number) => number): SlowOperation =>
  (cpu, insn) => {
    const scalar = suffix === 'ss';
    const source = elements(second(cpu, insn), 32, countOf(insn, SINGLE, scalar));
    const result = join(source.map((x) => BigInt(approximate(Number(x), indexBits, compute))), 32);
    writeResult(cpu, insn, scalar ? besides(first(cpu, insn), result, 32) : result);
  };

const scratch = new DataView(new ArrayBuffer(8));
const EXPONENT = 0x7f80_0000;
const FRACTION_BITS = 23;
/** Bits of a double's upper half below the 12 of the fraction that are kept, and one half of the last of these. */
const DROPPED = 0xff;
const HALF_KEPT = 0x80;
function approximate(bits: number, indexBits: number, compute: (x: number) => number): number {
  const exponent = bits & EXPONENT;
  const fraction = bits & ~EXPONENT & 0x7fff_ffff;
  if (exponent === EXPONENT && fraction !== 0) return (bits | 0x40_0000) >>> 0;
  const interval = 1 << (FRACTION_BITS - indexBits);
  const special = exponent === 0 || exponent === EXPONENT; // denormals count as zeros
  scratch.setUint32(0, special ? bits & (0x8000_0000 | exponent) : (bits & -interval) | (interval >> 1));
  const result = compute(scratch.getFloat32(0));
  if (Number.isNaN(result)) return 0xffc0_0000;
  scratch.setFloat64(0, result);
  if (!special) {
    scratch.setUint32(0, (scratch.getUint32(0) + HALF_KEPT) & ~DROPPED);
    scratch.setUint32(4, 0);
  }
  scratch.setFloat32(0, scratch.getFloat64(0));
  const own = scratch.getUint32(0);
  return (own & EXPONENT) === 0 ? (own & 0x8000_0000) >>> 0 : own; // tiny results are zeros too
}

const performed: Record<string, SimdOperation> = {};
for (const [name, compute] of Object.entries(ELEMENTWISE)) {
  for (const suffix of Object.keys(TYPES)) performed[name + suffix] = { feature: name === 'round' ? 'sse4-1' : featureOf(suffix), perform: elementwise(suffix, compute) };
}
for (const [suffix, f] of [['ps', SINGLE], ['pd', DOUBLE]] as const) {
  performed[`hadd${suffix}`] = { feature: 'sse3', perform: horizontal(f, false) };
  performed[`hsub${suffix}`] = { feature: 'sse3', perform: horizontal(f, true) };
  performed[`addsub${suffix}`] = { feature: 'sse3', perform: addSubtract(f) };
  performed[`dp${suffix}`] = { feature: 'sse4-1', perform: dotProduct(f, 128 / f.bits) };
}
for (const [suffix, f] of [['ss', SINGLE], ['sd', DOUBLE]] as const) {
  performed[`comi${suffix}`] = { feature: featureOf(suffix), perform: compareFlags(f, true) };
  performed[`ucomi${suffix}`] = { feature: featureOf(suffix), perform: compareFlags(f, false) };
}
for (const [name, perform] of Object.entries(conversions)) performed[name] = { feature: SSE_CONVERSIONS.has(name) ? 'sse' : 'sse2', perform };
for (const suffix of ['ps', 'ss']) {
  performed[`rcp${suffix}`] = { feature: 'sse', perform: approximation(suffix, 11, (x) => 1 / x) };
  performed[`rsqrt${suffix}`] = { feature: 'sse', perform: approximation(suffix, 10, (x) => 1 / Math.sqrt(x)) };
}

export const floatOperations: Readonly<Record<string, SimdOperation>> = performed;
