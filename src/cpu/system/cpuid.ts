/** CPUID (SDM volume 2, "CPUID—CPU Identification"): feature bits from features.ts, everything else from this table. */
import { Cr4, PHYSICAL_ADDRESS_BITS } from '../controlBits';
import type { Processor } from '../processor';
import { Offset } from '../state';
import { type CpuidRegister, FEATURES } from './features';
import { hasMonitor, MONITOR_LINE } from './monitorOperations';
import { coresOfPackage, multiThreading, packageBits, topologyLeaf } from './topology';
import { xsaveLeaf } from './xsave';

export interface CpuidResult {
  eax: number;
  ebx: number;
  ecx: number;
  edx: number;
}

/** Family 6, model 60, stepping 3; also EDX after reset. */
export const SIGNATURE = 0x0003_06c3;

/** One tick is one nanosecond, and the TSC counts ticks. */
export const TSC_FREQUENCY = 1_000_000_000;
const TSC_MHZ = 1000;
/** Ticks of the TSC for one of the core crystal clock, which the local APIC's timer counts. */
const CRYSTAL_RATIO = 1;
/** The reference clock that leaf 16H tells, in MHz. */
const BUS_MHZ = 100;

const LINEAR_ADDRESS_BITS = 48;
const HIGHEST_BASIC = 0x16;
const HIGHEST_EXTENDED = 0x8000_0008;
const BRAND = 'Hyperstep x86-64 virtual processor @ 1.00GHz';
const CLFLUSH_QUADWORDS = 8;
/** Leaf 7 EBX: the x87 updates FDP only when an exception is unmasked, and saves FCS and FDS as 0. */
const FDP_ON_EXCEPTION = 1 << 6;
const FCS_FDS_DEPRECATED = 1 << 13;
/** Leaf 7 ECX: the system enabled protection keys. */
const OSPKE = 1 << 4;
/** Leaves whose meaning depends on the subleaf in ECX. */
/** Leaf 5 ECX: it tells of MWAIT's extensions, and interrupts end a wait although RFLAGS.IF is 0. EDX: one sub-state of C1. */
const MWAIT_EXTENSIONS = 3;
const MWAIT_STATES = 0x10;
const WITH_SUBLEAVES = new Set([4, 7, 0xd]);

/** The 48 bytes of the brand string, 16 per leaf. */
const brandBytes = Uint8Array.from({ length: 48 }, (_, i) => (i < BRAND.length ? BRAND.charCodeAt(i) : 0));
function brandLeaf(part: number): Partial<CpuidResult> {
  const view = new DataView(brandBytes.buffer, part * 16, 16);
  return { eax: view.getUint32(0, true), ebx: view.getUint32(4, true), ecx: view.getUint32(8, true), edx: view.getUint32(12, true) };
}

/** A row of leaf 4: cache type 1 data, 2 instruction, 3 unified; 64-byte lines. */
const cache = (type: number, level: number, ways: number, sets: number): Partial<CpuidResult> => ({
  eax: type | (level << 5) | (1 << 8),
  ebx: ((ways - 1) << 22) | 63,
  ecx: sets - 1,
});
const CACHES: readonly Partial<CpuidResult>[] = [cache(1, 1, 8, 64), cache(2, 1, 8, 64), cache(3, 2, 4, 1024)];

/** What a leaf holds besides feature bits. Leaves that are not here read as zero, as those of absent features do. */
const LEAVES: Readonly<Record<number, (cpu: Processor, subleaf: number) => Partial<CpuidResult>>> = {
  0: () => ({ eax: HIGHEST_BASIC, ebx: 0x756e_6547, edx: 0x4965_6e69, ecx: 0x6c65_746e }), // "GenuineIntel"
  1: (cpu) => ({
    eax: SIGNATURE,
    ebx: (packageBits(cpu) | (CLFLUSH_QUADWORDS << 8)) >>> 0,
    edx: multiThreading(cpu),
    ecx: cpu.state.cr4 & Cr4.OSXSAVE ? 1 << 27 : 0,
  }),
  2: () => ({ eax: 0x00ff_ff01, ebx: 0, ecx: 0, edx: 0 }), // descriptor 0xff: see leaf 4
  4: (cpu, subleaf) => {
    const row = CACHES[subleaf];
    return row ? { ...row, eax: ((row.eax ?? 0) | coresOfPackage(cpu)) >>> 0 } : {};
  },
  5: (cpu) => (hasMonitor(cpu) ? { eax: MONITOR_LINE, ebx: MONITOR_LINE, ecx: MWAIT_EXTENSIONS, edx: MWAIT_STATES } : {}),
  7: (cpu, subleaf) =>
    subleaf === 0 ? { ebx: cpu.features.has('fpu') ? FDP_ON_EXCEPTION | FCS_FDS_DEPRECATED : 0, ecx: cpu.state.cr4 & Cr4.PKE ? OSPKE : 0 } : {},
  0xb: topologyLeaf,
  0xd: xsaveLeaf,
  0x15: () => ({ eax: 1, ebx: CRYSTAL_RATIO, ecx: TSC_FREQUENCY / CRYSTAL_RATIO }),
  0x16: () => ({ eax: TSC_MHZ, ebx: TSC_MHZ, ecx: BUS_MHZ }),
  0x8000_0000: () => ({ eax: HIGHEST_EXTENDED }),
  0x8000_0002: () => brandLeaf(0),
  0x8000_0003: () => brandLeaf(1),
  0x8000_0004: () => brandLeaf(2),
  0x8000_0006: () => ({ ecx: (256 << 16) | (4 << 12) | 64 }), // 256 KiB of level 2, 64-byte lines
  0x8000_0007: () => ({ edx: 1 << 8 }), // invariant TSC
  0x8000_0008: () => ({ eax: PHYSICAL_ADDRESS_BITS | (LINEAR_ADDRESS_BITS << 8) }),
};

/** The values for a leaf and subleaf, each unsigned. A leaf beyond the highest yields that of the highest basic one. */
export function cpuid(cpu: Processor, leaf: number, subleaf: number): CpuidResult {
  if ((leaf > HIGHEST_BASIC && leaf < 0x8000_0000) || leaf > HIGHEST_EXTENDED) leaf = HIGHEST_BASIC;
  const result: CpuidResult = { eax: 0, ebx: 0, ecx: 0, edx: 0, ...LEAVES[leaf]?.(cpu, subleaf) };
  const or = (register: CpuidRegister, bits: number): void => {
    result[register] = (result[register] | bits) >>> 0;
  };
  for (const { name, cpuid: place } of FEATURES) {
    if (!place || place[0] !== leaf || (WITH_SUBLEAVES.has(leaf) && place[1] !== subleaf)) continue;
    if (cpu.features.has(name) && visible(cpu, name)) or(place[2], (1 << place[3]) >>> 0);
  }
  return result;
}

/** APIC disappears from CPUID while IA32_APIC_BASE disables it, MONITOR while IA32_MISC_ENABLE does. */
function visible(cpu: Processor, name: string): boolean {
  if (name === 'monitor') return hasMonitor(cpu);
  return name !== 'apic' || (cpu.state.get32(Offset.APIC_BASE) & (1 << 11)) !== 0;
}
