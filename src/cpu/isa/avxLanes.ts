/** What AVX and AVX2 do on a lane that no SSE instruction does: permutations by a vector, shifts by element, broadcasts. See lanes.ts. */
import { operation } from '../../wasm/operation';
import { Value } from '../../wasm/value';
import { Offset } from '../state';
import type { Emitter, Semantics } from './emitter';

const lane = (mnemonic: string, form: string, emit: (e: Emitter) => void): Semantics => ({ mnemonic, sizes: [16], sizeFrom: -3, forms: [form], emit });

/** Elements of the first source chosen by bits of the second's, from bit `shift` on. */
const permute = (mnemonic: string, size: 4 | 8, shift: number): Semantics =>
  lane(mnemonic, 'xx', (e) => {
    const [to, from] = [e.registerHost(0), e.registerHost(1)];
    for (let at = 0; at < 16; at += size) {
      const index = from.load('i32', 4, at).shrU(shift).and(16 / size - 1).mul(size);
      e.stateHost().store(e.f, to.add(index).load(size === 8 ? 'i64' : 'i32', size), size, Offset.SIMD_SCRATCH + at);
    }
    e.setVector(0, e.stateHost().load('v128', 16, Offset.SIMD_SCRATCH));
  });

/** Two elements of the source chosen by the immediate. */
const permuteDoubles: Semantics = lane('permilpd', 'xxi', (e) => {
  const imm = e.read(2, 1);
  const from = e.registerHost(1);
  const low = e.let(from.add(imm.and(1).mul(8)).load('i64', 8));
  const high = e.let(from.add(imm.shrU(1).and(1).mul(8)).load('i64', 8));
  const to = e.registerHost(0);
  to.store(e.f, low, 8);
  to.store(e.f, high, 8, 8);
});

/** Each element shifted by the other source's: too far yields zero, or the sign. */
const shiftEach = (mnemonic: string, size: 4 | 8, name: 'shl' | 'shrU' | 'shrS'): Semantics =>
  lane(mnemonic, 'xx', (e) => {
    const [to, from] = [e.registerHost(0), e.registerHost(1)];
    const type = size === 8 ? 'i64' : 'i32';
    const constant = (n: number): Value => (size === 8 ? Value.i64(n) : Value.i32(n));
    for (let at = 0; at < 16; at += size) {
      const count = e.let(from.load(type, size, at));
      const value = to.load(type, size, at);
      const inside = count.ltU(constant(size * 8));
      const shifted = name === 'shrS' ? value.shrS(Value.select(inside, count, constant(size * 8 - 1))) : Value.select(inside, value[name](count), constant(0));
      to.store(e.f, e.let(shifted), size, at);
    }
  });

/** The source's first element everywhere. */
const broadcast = (mnemonic: string, shape: 'i8x16' | 'i16x8' | 'i32x4' | 'i64x2', size: number): Semantics =>
  lane(mnemonic, 'xx', (e) => e.setVector(0, operation(`${shape}.splat`, e.registerHost(1).load(size === 8 ? 'i64' : 'i32', size))));

/** The second source's elements where those of a register have their top bit set; the immediate is the register's number. */
const blendByRegister = (mnemonic: string, shape: string, bits: number): Semantics =>
  lane(mnemonic, 'xxi', (e) => {
    // The result's place tells which lane this is: the mask's lane lies as far into its register.
    const mask = e.registerHost(0).add(e.read(2, 1).shl(5)).sub(Offset.SIMD_RESULT - Offset.YMM).load('v128', 16);
    e.setVector(0, operation('v128.bitselect', e.vector(1), e.vector(0), operation(`${shape}.shr_s`, mask, Value.i32(bits - 1))));
  });

export const avxLanes: readonly Semantics[] = [
  permute('permilps', 4, 0),
  permute('permilpd', 8, 1),
  permuteDoubles,
  shiftEach('psllvd', 4, 'shl'),
  shiftEach('psllvq', 8, 'shl'),
  shiftEach('psrlvd', 4, 'shrU'),
  shiftEach('psrlvq', 8, 'shrU'),
  shiftEach('psravd', 4, 'shrS'),
  broadcast('pbroadcastb', 'i8x16', 1),
  broadcast('pbroadcastw', 'i16x8', 2),
  broadcast('pbroadcastd', 'i32x4', 4),
  broadcast('pbroadcastq', 'i64x2', 8),
  blendByRegister('blendRegisterB', 'i8x16', 8),
  blendByRegister('blendRegisterPs', 'i32x4', 32),
  blendByRegister('blendRegisterPd', 'i64x2', 64),
  lane('copy', 'xx', (e) => e.setVector(0, e.vector(1))),
];
