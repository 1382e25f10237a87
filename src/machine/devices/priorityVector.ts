/** The local APIC's 256-bit registers (IRR, ISR, TMR), as eight words; SDM volume 3, "Interrupt Acceptance for Fixed Interrupts". */

export type VectorSet = number[];

export const emptySet = (): VectorSet => [0, 0, 0, 0, 0, 0, 0, 0];

export const hasVector = (set: VectorSet, vector: number): boolean => ((set[vector >> 5]! >>> (vector & 31)) & 1) !== 0;

export function addVector(set: VectorSet, vector: number): void {
  set[vector >> 5] = (set[vector >> 5]! | (1 << (vector & 31))) >>> 0;
}

export function removeVector(set: VectorSet, vector: number): void {
  set[vector >> 5] = (set[vector >> 5]! & ~(1 << (vector & 31))) >>> 0;
}

/** The highest vector of a set, or -1. */
export function highestVector(set: VectorSet): number {
  for (let i = 7; i >= 0; i--) if (set[i] !== 0) return i * 32 + 31 - Math.clz32(set[i]!);
  return -1;
}
