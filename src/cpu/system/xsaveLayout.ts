/**
 * The state components that the XSAVE instructions manage and where they lie in an XSAVE area: a row each, from which
 * CPUID leaf 0xD, XSETBV's checks and the instructions themselves follow (SDM volume 1, "Managing State Using the XSAVE
 * Feature Set").
 */
import type { Features } from '../processor';

export interface StateComponent {
  /** Its bit in XCR0. */
  bit: number;
  /** Bytes beyond the legacy region, and their offset in the standard format; 0 for the two of the legacy region. */
  size: number;
  offset: number;
  /** Feature without which it does not exist. */
  feature: string;
}

/** Bits of state-component bitmaps. */
export const Component = { X87: 1, SSE: 2, AVX: 4, PKRU: 1 << 9 } as const;

/** PKRU keeps the offset that it has on processors with AVX-512, as on Intel's processors without. */
export const COMPONENTS: readonly StateComponent[] = [
  { bit: 0, size: 0, offset: 0, feature: 'fpu' },
  { bit: 1, size: 0, offset: 0, feature: 'sse' },
  { bit: 2, size: 256, offset: 576, feature: 'avx' },
  { bit: 9, size: 8, offset: 2688, feature: 'pku' },
];

/** The legacy region is FXSAVE's; the header lies behind it, and the extended region behind that. */
export const LEGACY_SIZE = 512;
export const HEADER_SIZE = 64;
export const EXTENDED_AT = LEGACY_SIZE + HEADER_SIZE;

/** The components that XCR0 may enable; all have numbers below 32. */
export const supportedComponents = (features: Features): number =>
  COMPONENTS.reduce((mask, { bit, feature }) => (features.has(feature) ? mask | (1 << bit) : mask), 0);

/** The supervisor components that IA32_XSS may enable: none exist yet. */
export const SUPPORTED_SUPERVISOR = 0n;

/** Whether XSETBV may write a value: x87 always, AVX not without SSE, nothing that does not exist. */
export function xcr0Allowed(features: Features, value: bigint): boolean {
  if (value & ~BigInt(supportedComponents(features))) return false;
  const bits = Number(value);
  return (bits & Component.X87) !== 0 && !(bits & Component.AVX && !(bits & Component.SSE));
}

/** Bytes of an area in the standard format with room for these components. */
export function standardSize(mask: number): number {
  let size = EXTENDED_AT;
  for (const { bit, offset, size: own } of COMPONENTS) if (mask & (1 << bit)) size = Math.max(size, offset + own);
  return size;
}

/** Where a component lies in the compacted format with these components: one behind the other, none of them aligned. */
export function compactedOffset(mask: number, bit: number): number {
  let at = EXTENDED_AT;
  for (const component of COMPONENTS) if (component.bit < bit && mask & (1 << component.bit)) at += component.size;
  return at;
}

/** Bytes of an area in the compacted format. */
export const compactedSize = (mask: number): number => compactedOffset(mask, 63);
