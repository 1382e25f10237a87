/** Pi, logarithms of 2, 10 and e, far beyond the extended format's precision: computed once, when first asked for. */
import { arcTangent, logarithm } from './fixedPoint';

/** Bits after the binary point. */
export const CONSTANT_BITS = 320;
const GUARD = 32;
const BITS = CONSTANT_BITS + GUARD;

export interface FixedConstant {
  value: bigint;
  bits: number;
}
const fixed = (compute: () => bigint): FixedConstant => {
  let value: bigint | undefined;
  return {
    get value(): bigint {
      return (value ??= compute() >> BigInt(GUARD));
    },
    bits: CONSTANT_BITS,
  };
};
const quotient = (a: bigint, b: bigint): bigint => (a << BigInt(BITS)) / b;
const ln2 = (): bigint => logarithm(2n, 1n, BITS);
/** ln 10 = 3 ln 2 + ln (10 / 8). */
const ln10 = (): bigint => 3n * ln2() + logarithm(5n, 4n, BITS);
const unit = 1n << BigInt(BITS);

/** Machin: pi / 4 = 4 arctan(1/5) - arctan(1/239). */
export const PI = fixed(() => 4n * (4n * arcTangent(1n, 5n, BITS) - arcTangent(1n, 239n, BITS)));
export const LN_2 = fixed(ln2);
export const LOG2_E = fixed(() => quotient(unit, ln2()));
export const LOG2_10 = fixed(() => quotient(ln10(), ln2()));
export const LOG10_2 = fixed(() => quotient(ln2(), ln10()));
