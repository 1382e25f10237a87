/** AVX and AVX2 that move whole registers, parts and masks, or yield flags and integers: what is no operation on lanes. */
import { operation, replaceLane, vectorConstant } from '../../wasm/operation';
import { Value } from '../../wasm/value';
import { SIMD_LEVEL } from '../simd/levels';
import { Offset } from '../state';
import { clearUpper } from './avx';
import type { Emitter, Semantics, Width } from './emitter';
import { sseArithmetic } from './sseArithmetic';
import { exactInteger, sseConversions } from './sseConvert';
import { sseShuffles } from './sseShuffle';

const { avx } = SIMD_LEVEL;
const LANE = 16;
const zero = vectorConstant(new Uint8Array(LANE));

type Shape = Pick<Semantics, 'forms' | 'emit'> & Partial<Pick<Semantics, 'sizes' | 'sizeFrom' | 'aliases'>>;
/** By default of the first operand's width, 16 or 32 bytes. */
const of = (mnemonic: string, shape: Shape): Semantics => ({ mnemonic, sizes: [16, 32], sizeFrom: 0, simd: avx, ...shape });

const high = (e: Emitter, operand: number): Value => e.let(e.registerHost(operand).load('v128', LANE, LANE));
/** Writes a whole register: what lies above `low` becomes `upper`, or zero. */
function setWhole(e: Emitter, low: Value, upper: Value = zero): void {
  e.setVector(0, low);
  e.registerHost(0).store(e.f, upper, LANE, LANE);
}

/** In the page's last bytes a store of 32 bytes may fault half way: TypeScript looks first. */
const LAST_WHOLE = 0x1000 - 32;

/** Registers and memory, all bytes. */
const whole = (aligned: boolean): Shape => ({
  forms: ['xx', 'xm', 'mx'],
  emit(e) {
    const wide = e.size === 32;
    if (e.form === 'xx') return setWhole(e, e.vector(1), wide ? high(e, 1) : zero);
    const linear = e.let(e.address());
    if (aligned) e.leave(linear.wrap().and(e.size - 1));
    const next = (): Value => e.let(linear.add(LANE));
    if (e.form === 'xm') {
      const low = e.load(linear, LANE);
      return setWhole(e, low, wide ? e.load(next(), LANE) : zero);
    }
    if (wide && !aligned) e.leave(linear.wrap().and(0xfff).gtU(LAST_WHOLE));
    e.store(linear, e.vector(1), LANE);
    if (wide) e.store(next(), high(e, 1), LANE);
  },
});

/** The low `size` bytes and zeros above from memory or a general-purpose register; to them. */
const scalar = (size: 4 | 8, forms: readonly string[]): Shape => ({
  forms,
  sizes: [16],
  sizeFrom: -3,
  emit(e) {
    if (e.form[0] !== 'x') return e.write(0, e.let(e.registerHost(1).load(size === 8 ? 'i64' : 'i32', size)), size);
    const value = e.read(1, size);
    setWhole(e, size === 8 ? replaceLane('i64x2', zero, 0, value) : replaceLane('i32x4', zero, 0, value));
  },
});

const storeHalf = (at: number): Shape => ({
  forms: ['mx'],
  sizes: [16],
  sizeFrom: -3,
  emit: (e) => e.write(0, e.let(e.registerHost(1).load('i64', 8, at)), 8),
});

/** The sign bits of the elements of one or two lanes. */
const signMask = (shape: string, count: number): Shape => ({
  forms: ['rx'],
  sizeFrom: 1,
  emit(e) {
    const low = operation(`${shape}.bitmask`, e.vector(1));
    e.write(0, e.let(e.size === 32 ? low.or(operation(`${shape}.bitmask`, high(e, 1)).shl(count)) : low), 4);
  },
});

/** VPTEST: as PTEST, over one or two lanes. */
const test: Shape = {
  forms: ['xx'],
  emit(e) {
    const any = (name: string): Value => {
      const low = operation('v128.any_true', operation(name, e.vector(1), e.vector(0)));
      return e.let(e.size === 32 ? low.or(operation('v128.any_true', operation(name, high(e, 1), high(e, 0)))) : low);
    };
    const nonZero = any('v128.and');
    const noCarry = any('v128.andnot');
    // Bit 8 of aux makes the parity odd where the result is 0 (flags.ts).
    e.setAux(Value.select(noCarry, Value.i32(0), Value.i32(0xc000_0000 | 0)).or(nonZero.eqz().shl(8)));
    e.setRes(nonZero.extendU());
  },
};

/** All vector registers, or their upper halves, become zero. Outside 64-bit mode only eight of them. */
const zeroAll = (lower: boolean): Shape => ({
  forms: [''],
  sizes: [16],
  sizeFrom: -3,
  emit(e) {
    e.leave(e.stateWord(Offset.CODE_MODE).eq(64).eqz());
    for (let n = 0; n < 16; n++) {
      if (lower) e.stateHost().store(e.f, zero, LANE, Offset.YMM + n * 32);
      e.stateHost().store(e.f, zero, LANE, Offset.YMM + n * 32 + LANE);
    }
  },
});

/** One lane out of a YMM register, chosen by the immediate, to an XMM register or memory. */
const extractLane: Shape = {
  forms: ['xxi', 'mxi'],
  sizes: [16],
  sizeFrom: -3,
  emit(e) {
    const value = e.let(e.registerHost(1).add(e.read(2, 1).and(1).shl(4)).load('v128', LANE));
    if (e.form[0] === 'm') e.store(e.let(e.address()), value, LANE);
    else setWhole(e, value);
  },
};

/** One lane, chosen by the immediate, replaced. */
const insertLane: Shape = {
  forms: ['xxxi', 'xxmi'],
  sizes: [32],
  emit(e) {
    const value = e.form[2] === 'm' ? e.load(e.let(e.address()), LANE) : e.vector(2);
    const second = e.let(e.read(3, 1).and(1));
    const [low, upper] = [e.vector(1), high(e, 1)];
    setWhole(e, Value.select(second, low, value), Value.select(second, value, upper));
  },
};

/** Quadwords chosen by 2-bit fields of the immediate. */
const permuteQuadwords: Shape = {
  forms: ['xxi'],
  sizes: [32],
  emit(e) {
    const imm = e.read(2, 1);
    const [from, host] = [e.registerHost(1), e.stateHost()];
    for (let n = 0; n < 4; n++) host.store(e.f, from.add(imm.shrU(2 * n).and(3).shl(3)).load('i64', 8), 8, Offset.SIMD_RESULT + 8 * n);
    setWhole(e, host.load('v128', LANE, Offset.SIMD_RESULT), host.load('v128', LANE, Offset.SIMD_RESULT + LANE));
  },
};

/** Each lane one of the four of two registers, or zero, by four bits of the immediate. */
const permuteLanes: Shape = {
  forms: ['xxxi'],
  sizes: [32],
  emit(e) {
    const imm = e.read(3, 1);
    const chosen = (control: Value): Value => {
      const host = Value.select(control.and(2), e.registerHost(2), e.registerHost(1));
      return e.let(Value.select(control.and(8), zero, host.add(control.and(1).shl(4)).load('v128', LANE)));
    };
    const low = chosen(imm);
    setWhole(e, low, chosen(e.let(imm.shrU(4))));
  },
};

/** An element from a general-purpose register or memory to the place that the immediate names. */
const insertElement = (size: 1 | 2 | 4 | 8): Shape => ({
  forms: ['xxri', 'xxmi'],
  sizes: [16],
  sizeFrom: -3,
  emit(e) {
    const value = e.read(2, size);
    const host = e.stateHost();
    host.store(e.f, e.vector(1), LANE, Offset.SIMD_RESULT);
    host.add(e.read(3, 1).and(LANE / size - 1).mul(size)).store(e.f, value, size, Offset.SIMD_RESULT);
    setWhole(e, host.load('v128', LANE, Offset.SIMD_RESULT));
  },
});

/** Integers to the low element, the rest from the first source. */
const fromGeneral = (mnemonic: string, single: boolean): Semantics => ({
  mnemonic,
  sizes: [4, 8],
  sizeFrom: 2,
  simd: avx,
  forms: ['xxr', 'xxm'],
  emit(e) {
    const v = e.read(2);
    const host = e.stateHost();
    host.store(e.f, e.vector(1), LANE, Offset.SIMD_RESULT);
    if (!single && e.size === 4) host.store(e.f, operation('f64.convert_i32_s', v), 8, Offset.SIMD_RESULT); // always exact
    else e.leave(e.call(exactInteger(single, e.size as 4 | 8), host, host.add(Offset.SIMD_RESULT), v).eqz());
    e.setVector(0, host.load('v128', LANE, Offset.SIMD_RESULT));
    clearUpper(e);
  },
});

/** SSE's, where no XMM register is written: the same under VEX. */
const asSse = (list: readonly Semantics[], mnemonics: readonly string[]): Semantics[] =>
  list.filter(({ mnemonic }) => mnemonics.includes(mnemonic)).map((semantics) => ({ ...semantics, mnemonic: `v${semantics.mnemonic}`, simd: avx, sizes: semantics.sizes as Width[] }));

export const avxMoves: Semantics[] = [
  of('vmovups', { ...whole(false), aliases: ['vmovupd', 'vmovdqu', 'vlddqu'] }),
  of('vmovaps', { ...whole(true), aliases: ['vmovapd', 'vmovdqa', 'vmovntps', 'vmovntpd', 'vmovntdq', 'vmovntdqa'] }),
  of('vmovss', scalar(4, ['xm', 'mx'])),
  of('vmovsd', scalar(8, ['xm', 'mx'])),
  of('vmovd', scalar(4, ['xr', 'xm', 'rx', 'mx'])),
  of('vmovq', scalar(8, ['xr', 'rx', 'mx'])),
  of('vmovlps', { ...storeHalf(0), aliases: ['vmovlpd'] }),
  of('vmovhps', { ...storeHalf(8), aliases: ['vmovhpd'] }),
  of('vpmovmskb', signMask('i8x16', 16)),
  of('vmovmskps', signMask('i32x4', 4)),
  of('vmovmskpd', signMask('i64x2', 2)),
  of('vptest', test),
  of('vzeroupper', zeroAll(false)),
  of('vzeroall', zeroAll(true)),
  of('vextractf128', { ...extractLane, aliases: ['vextracti128'] }),
  of('vinsertf128', { ...insertLane, aliases: ['vinserti128'] }),
  of('vpermq', { ...permuteQuadwords, aliases: ['vpermpd'] }),
  of('vperm2f128', { ...permuteLanes, aliases: ['vperm2i128'] }),
  of('vpinsrb', insertElement(1)),
  of('vpinsrw', insertElement(2)),
  of('vpinsrd', insertElement(4)),
  of('vpinsrq', insertElement(8)),
  fromGeneral('vcvtsi2ss', true),
  fromGeneral('vcvtsi2sd', false),
  ...asSse(sseArithmetic, ['comiss', 'comisd', 'ucomiss', 'ucomisd']),
  ...asSse(sseShuffles, ['pextrb', 'pextrw', 'pextrd', 'pextrq', 'extractps']),
  ...asSse(sseConversions, ['cvtss2si', 'cvttss2si', 'cvtsd2si', 'cvttsd2si']),
];
