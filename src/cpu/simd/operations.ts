/**
 * SIMD instructions in TypeScript: those too rare to be generated code, and the cases that generated code leaves: what
 * raises #UD, #NM or #GP, and floating-point operands that need more than the host's arithmetic.
 */
import { type Instruction, Kind } from '../decode/instruction';
import { vexVectorMnemonics } from '../decode/mnemonics';
import { instructionSet } from '../isa/index';
import type { SlowOperation } from '../processor';
import { undefinedOpcode } from '../system/privilege';
import { aesOperations } from './aes';
import { avxOperations } from './avxOperations';
import { requireAlignment, requireAvx, requireSimd, requireVexAlignment } from './check';
import { floatOperations } from './floatOperations';
import { SIMD_LEVEL, type SimdFeature } from './levels';
import { mixedOperations } from './mmxOperations';
import { rareOperations } from './rareOperations';
import { shaOperations } from './sha';
import type { SimdOperation } from './simdOperation';
import { stringCompareOperations } from './stringCompare';

const FEATURE_OF_LEVEL = new Map(Object.entries(SIMD_LEVEL).map(([name, bit]) => [bit as number, name as SimdFeature]));

/** What TypeScript performs, by mnemonic. */
const performed: Record<string, SimdOperation> = { ...floatOperations, ...rareOperations, ...stringCompareOperations, ...aesOperations, ...shaOperations };

/** Generated code leaves an integer SIMD instruction only where it faults. */
const nothingLeft =
  (mnemonic: string): SlowOperation =>
  () => {
    throw new Error(`Generated code left ${mnemonic} to TypeScript, which has no reason to perform it.`);
  };

const operations = new Map<string, SlowOperation>();
const enter = (mnemonic: string, feature: SimdFeature, perform: SlowOperation): void => {
  operations.set(mnemonic, (cpu, insn) => {
    requireSimd(cpu, feature);
    requireAlignment(cpu, insn, mnemonic);
    perform(cpu, insn);
  });
};
for (const { mnemonic, simd } of instructionSet) if (simd && simd < SIMD_LEVEL.avx) enter(mnemonic, FEATURE_OF_LEVEL.get(simd)!, nothingLeft(mnemonic));
for (const [mnemonic, { feature, perform }] of Object.entries(performed)) enter(mnemonic, feature, perform);
for (const [mnemonic, { feature, perform }] of Object.entries(mixedOperations)) enter(mnemonic, feature, perform);

/** Under VEX: AVX's own, or what SSE does by the same name, on more operands. */
for (const mnemonic of vexVectorMnemonics) {
  const perform = avxOperations[mnemonic] ?? performed[mnemonic.slice(1)]?.perform ?? nothingLeft(mnemonic);
  operations.set(mnemonic, (cpu, insn) => {
    requireAvx(cpu);
    requireVexAlignment(cpu, insn, mnemonic);
    perform(cpu, insn);
  });
}

const usesMmx = (insn: Instruction): boolean => {
  for (let i = 0; i < insn.operandCount; i++) if (insn.operands[i]!.kind === Kind.MM) return true;
  return false;
};

/** The operation of a mnemonic: `other` is what else has it, which MMX shares with SSE. */
export function withSimd(mnemonic: string, other: SlowOperation | undefined): SlowOperation | undefined {
  const simd = operations.get(mnemonic);
  if (!simd) return other;
  if (mixedOperations[mnemonic]) return simd;
  return (cpu, insn) => {
    if (!usesMmx(insn)) return simd(cpu, insn);
    if (!other) undefinedOpcode(cpu);
    other(cpu, insn);
  };
}
