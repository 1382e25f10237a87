/** Bits of the control registers and EFER (SDM volume 3, "Control Registers" and "Extended Feature Enable Register"). All lie in the low 32 bits. */

export const Cr0 = { PE: 1 << 0, MP: 1 << 1, EM: 1 << 2, TS: 1 << 3, ET: 1 << 4, NE: 1 << 5, WP: 1 << 16, AM: 1 << 18, NW: 1 << 29, CD: 1 << 30, PG: (1 << 31) >>> 0 } as const;

export const Cr4 = {
  VME: 1 << 0,
  PVI: 1 << 1,
  TSD: 1 << 2,
  DE: 1 << 3,
  PSE: 1 << 4,
  PAE: 1 << 5,
  MCE: 1 << 6,
  PGE: 1 << 7,
  PCE: 1 << 8,
  OSFXSR: 1 << 9,
  OSXMMEXCPT: 1 << 10,
  UMIP: 1 << 11,
  LA57: 1 << 12,
  VMXE: 1 << 13,
  SMXE: 1 << 14,
  FSGSBASE: 1 << 16,
  PCIDE: 1 << 17,
  OSXSAVE: 1 << 18,
  SMEP: 1 << 20,
  SMAP: 1 << 21,
  PKE: 1 << 22,
} as const;

export const Efer = { SCE: 1 << 0, LME: 1 << 8, LMA: 1 << 10, NXE: 1 << 11 } as const;

/**
 * Bits of IA32_DEBUGCTL that this processor has: LBR, BTF, TR, BTS, BTINT, BTS_OFF_OS, BTS_OFF_USR. WRMSR and VM entry take
 * the same. Those that freeze counters belong to performance monitoring, which is not there.
 */
export const DEBUGCTL = 0x7c3;

/**
 * Width of a physical address (CPUID leaf 0x80000008). Bits above it are reserved in paging structures and CR3. A terabyte of
 * RAM with its hole fits; firmware that maps all of it by pages of 2 MiB (OVMF with a 32-bit PEI) takes a second for this and
 * would need more memory than there is for much more.
 */
export const PHYSICAL_ADDRESS_BITS = 41;
/** The reserved address bits, 51:41, as they lie in the high half of a 64-bit entry. */
export const RESERVED_ADDRESS_HIGH = 0x000f_ffff & ~((1 << (PHYSICAL_ADDRESS_BITS - 32)) - 1);
