import type { SlowOperation } from '../processor';
import type { SimdFeature } from './levels';

/** A SIMD instruction's work in TypeScript, once the checks of check.ts are made. */
export interface SimdOperation {
  feature: SimdFeature;
  perform: SlowOperation;
}
