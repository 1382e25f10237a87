/**
 * What CPUID says of the processors: one package, a core each, no hyper-threading, and no cache that two of them share
 * (SDM volume 2, "CPUID—CPU Identification", leaves 1, 4 and 0BH; volume 3, "Hierarchical Mapping of Shared Resources").
 */
import type { Processor } from '../processor';

/** Level types of leaf 0BH. */
const Level = { NONE: 0, THREAD: 1, CORE: 2 } as const;

const processors = (cpu: Processor): number => cpu.processors ?? 1;
/** Bits of the APIC identifier that tell the cores of the package apart. */
const coreBits = (cpu: Processor): number => Math.ceil(Math.log2(processors(cpu)));

/** Leaf 1 EBX: initial APIC identifier, and how many are reserved for the package. */
export const packageBits = (cpu: Processor): number => (cpu.index << 24) | ((1 << coreBits(cpu)) << 16);

/** Leaf 1 EDX: the package has several logical processors. */
export const multiThreading = (cpu: Processor): number => (processors(cpu) > 1 ? 1 << 28 : 0);

/** Leaf 4 EAX: the highest core number of the package; the number of processors that share a cache is 1. */
export const coresOfPackage = (cpu: Processor): number => ((1 << coreBits(cpu)) - 1) << 26;

/** Leaf 0BH: threads of a core, then cores of the package. */
export function topologyLeaf(cpu: Processor, subleaf: number): { eax: number; ebx: number; ecx: number; edx: number } {
  const of = (shift: number, count: number, level: number) => ({ eax: shift, ebx: count, ecx: (subleaf & 0xff) | (level << 8), edx: cpu.index });
  if (subleaf === 0) return of(0, 1, Level.THREAD);
  if (subleaf === 1) return of(coreBits(cpu), processors(cpu), Level.CORE);
  return of(0, 0, Level.NONE);
}
