/** The model-specific registers (SDM volume 4): one row each, with what reading yields and what may be written. */
import { isCanonical, low32 } from '../../base/bits';
import { DEBUGCTL, PHYSICAL_ADDRESS_BITS } from '../controlBits';
import { Vector } from '../fault';
import type { Processor } from '../processor';
import { Offset, Seg } from '../state';
import { eferAllowed, setEfer } from './controlRegisters';
import { MACHINE_CHECK_MSRS } from './machineCheck';
import { xssAllowed } from './xsave';

export interface MsrRow {
  index: number;
  /** The SDM's name. */
  name: string;
  /** Feature without which the MSR does not exist. */
  feature?: string;
  read(cpu: Processor): bigint;
  /** Returns false when the value must raise #GP(0). */
  write(cpu: Processor, value: bigint): boolean;
}

type Rule = (value: bigint, cpu: Processor) => boolean;
const anything: Rule = () => true;
const canonical: Rule = (value) => isCanonical(value);
const only =
  (mask: bigint) =>
  (value: bigint): boolean =>
    (value & ~mask) === 0n;

/** An MSR kept in the state as it is written. */
const stored = (index: number, name: string, offset: number, rule: Rule = anything, feature?: string): MsrRow => ({
  index,
  name,
  ...(feature ? { feature } : {}),
  read: (cpu) => cpu.state.get64(offset),
  write: (cpu, value) => {
    if (!rule(value, cpu)) return false;
    cpu.state.set64(offset, value);
    return true;
  },
});

/** An MSR that always reads the same. `writable`: writes are ignored instead of raising #GP. */
const constant = (index: number, name: string, value: bigint, writable = false, feature?: string): MsrRow => ({
  index,
  name,
  ...(feature ? { feature } : {}),
  read: () => value,
  write: () => writable,
});

/** FS.base and GS.base. */
const segmentBase = (index: number, name: string, seg: number): MsrRow => ({
  index,
  name,
  feature: 'lm',
  read: (cpu) => cpu.state.segBase(seg),
  write: (cpu, value) => {
    if (!isCanonical(value)) return false;
    cpu.state.setSegBase(seg, value);
    cpu.stateChanged();
    return true;
  },
});

const physicalMask = (1n << BigInt(PHYSICAL_ADDRESS_BITS)) - 1n;

/** Memory types: 0 UC, 1 WC, 4 WT, 5 WP, 6 WB; PAT has 7 UC- too. */
const isMemoryType = (type: number, pat: boolean): boolean => type === 0 || type === 1 || (type >= 4 && type <= 6) || (pat && type === 7);
const eightTypes =
  (pat: boolean): Rule =>
  (value) => {
    for (let i = 0n; i < 64n; i += 8n) if (!isMemoryType(Number((value >> i) & 0xffn), pat)) return false;
    return true;
  };

/** The TSC as RDTSC outside VMX non-root operation sees it: the machine's clock plus IA32_TSC_ADJUST. */
export const readTsc = (cpu: Processor): bigint => BigInt.asUintN(64, BigInt(Math.floor(cpu.state.icount)) + cpu.state.get64(Offset.TSC_ADJUST));

const APIC_BASE_BSP = 1n << 8n;
const APIC_BASE_ENABLE = 1n << 11n;
const APIC_BASE_X2APIC = 1n << 10n;

/** The local APIC's mode changes that are allowed (SDM volume 3, "x2APIC State Transitions"): x2APIC mode is entered from xAPIC mode alone, and left by disabling the APIC. */
function apicModeFollows(before: bigint, after: bigint): boolean {
  const mode = (value: bigint): 'disabled' | 'xAPIC' | 'x2APIC' | 'invalid' => (value & APIC_BASE_ENABLE ? (value & APIC_BASE_X2APIC ? 'x2APIC' : 'xAPIC') : value & APIC_BASE_X2APIC ? 'invalid' : 'disabled');
  const [from, to] = [mode(before), mode(after)];
  return to !== 'invalid' && !(from === 'disabled' && to === 'x2APIC') && !(from === 'x2APIC' && to === 'xAPIC');
}
/** Revision of the microcode, in the upper half of its MSR. Kernels distrust the TSC deadline of this model before revision 0x22. */
const MICROCODE = 0x28n;
/** 1 GHz in units of 100 MHz, as CPUID leaf 16H has them. */
const CLOCK_RATIO = 10n;
const FEATURE_CONTROL_LOCK = 1n;
/** Lock, VMX inside and outside SMX. */
const FEATURE_CONTROL_BITS = 7n;
const VARIABLE_MTRRS = 8;
/** VCNT, fixed ranges, write combining. */
const MTRR_CAPABILITY = BigInt(VARIABLE_MTRRS | (1 << 8) | (1 << 10));
const FIXED_MTRRS = [0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f];
/** Branch trace storage and PEBS are not there. */
const MISC_ENABLE_FIXED = (1n << 11n) | (1n << 12n);

const ROWS: MsrRow[] = [
  // The first processors with machine checks had these alone. Nothing is reported by them.
  constant(0x00, 'IA32_P5_MC_ADDR', 0n, true, 'mce'),
  constant(0x01, 'IA32_P5_MC_TYPE', 0n, true, 'mce'),
  {
    index: 0x10,
    name: 'IA32_TIME_STAMP_COUNTER',
    feature: 'tsc',
    read: (cpu) => cpu.intercepts.timestamp(readTsc(cpu)),
    write: (cpu, value) => {
      cpu.state.set64(Offset.TSC_ADJUST, value - BigInt(Math.floor(cpu.state.icount)));
      return true;
    },
  },
  constant(0x17, 'IA32_PLATFORM_ID', 0n),
  {
    index: 0x1b,
    name: 'IA32_APIC_BASE',
    feature: 'apic',
    read: (cpu) => cpu.state.get64(Offset.APIC_BASE),
    write: (cpu, value) => {
      const x2apic = cpu.features.has('x2apic') ? APIC_BASE_X2APIC : 0n;
      const reserved = ~((physicalMask & ~0xfffn) | APIC_BASE_BSP | APIC_BASE_ENABLE | x2apic);
      if (value & reserved || !apicModeFollows(cpu.state.get64(Offset.APIC_BASE), value)) return false;
      cpu.state.set64(Offset.APIC_BASE, value);
      cpu.interrupts.setBase(value);
      cpu.flushTlb();
      return true;
    },
  },
  {
    index: 0x3a,
    name: 'IA32_FEATURE_CONTROL',
    feature: 'vmx',
    read: (cpu) => cpu.state.get64(Offset.FEATURE_CONTROL),
    write: (cpu, value) => {
      if (cpu.state.get64(Offset.FEATURE_CONTROL) & FEATURE_CONTROL_LOCK || value & ~FEATURE_CONTROL_BITS) return false;
      cpu.state.set64(Offset.FEATURE_CONTROL, value);
      return true;
    },
  },
  // What software that knows the model by its signature reads unasked: ratios to the reference clock of 100 MHz, no SMIs.
  constant(0x34, 'MSR_SMI_COUNT', 0n),
  constant(0xce, 'MSR_PLATFORM_INFO', (CLOCK_RATIO << 40n) | (CLOCK_RATIO << 8n)),
  constant(0x198, 'IA32_PERF_STATUS', CLOCK_RATIO << 8n),
  stored(0x3b, 'IA32_TSC_ADJUST', Offset.TSC_ADJUST, anything, 'tsc-adjust'),
  constant(0x8b, 'IA32_BIOS_SIGN_ID', MICROCODE << 32n, true),
  ...MACHINE_CHECK_MSRS,
  // No promotion to deeper states: there are none. Kernels that idle by MWAIT read it on every processor of this model.
  constant(0x1fc, 'MSR_POWER_CTL', 0n, true, 'monitor'),
  constant(0xfe, 'IA32_MTRRCAP', MTRR_CAPABILITY, false, 'mtrr'),
  stored(0x174, 'IA32_SYSENTER_CS', Offset.SYSENTER_CS, anything, 'sep'),
  stored(0x175, 'IA32_SYSENTER_ESP', Offset.SYSENTER_ESP, canonical, 'sep'),
  stored(0x176, 'IA32_SYSENTER_EIP', Offset.SYSENTER_EIP, canonical, 'sep'),
  {
    index: 0x1a0,
    name: 'IA32_MISC_ENABLE',
    read: (cpu) => cpu.state.get64(Offset.MISC_ENABLE) | MISC_ENABLE_FIXED,
    write: (cpu, value) => {
      cpu.state.set64(Offset.MISC_ENABLE, value);
      return true;
    },
  },
  stored(0x1d9, 'IA32_DEBUGCTL', Offset.DEBUGCTL, only(BigInt(DEBUGCTL))),
  ...Array.from({ length: VARIABLE_MTRRS }, (_, n) => [
    stored(0x200 + n * 2, `IA32_MTRR_PHYSBASE${n}`, Offset.MTRR_VARIABLE + n * 16, (v) => only((physicalMask & ~0xfffn) | 0xffn)(v) && isMemoryType(low32(v) & 0xff, false), 'mtrr'),
    stored(0x201 + n * 2, `IA32_MTRR_PHYSMASK${n}`, Offset.MTRR_VARIABLE + n * 16 + 8, only((physicalMask & ~0xfffn) | 0x800n), 'mtrr'),
  ]).flat(),
  ...FIXED_MTRRS.map((index, n) => stored(index, `IA32_MTRR_FIX_${index.toString(16)}`, Offset.MTRR_FIXED + n * 8, eightTypes(false), 'mtrr')),
  stored(0x277, 'IA32_PAT', Offset.PAT, eightTypes(true), 'pat'),
  stored(0x2ff, 'IA32_MTRR_DEF_TYPE', Offset.MTRR_DEF_TYPE, (v) => only(0xcffn)(v) && isMemoryType(low32(v) & 0xff, false), 'mtrr'),
  stored(0xda0, 'IA32_XSS', Offset.XSS, xssAllowed, 'xsaves'),
  {
    index: 0xc000_0080,
    name: 'IA32_EFER',
    read: (cpu) => cpu.state.get64(Offset.EFER),
    write: setEfer,
  },
  stored(0xc000_0081, 'IA32_STAR', Offset.STAR, anything, 'syscall'),
  stored(0xc000_0082, 'IA32_LSTAR', Offset.LSTAR, canonical, 'syscall'),
  stored(0xc000_0083, 'IA32_CSTAR', Offset.CSTAR, canonical, 'syscall'),
  stored(0xc000_0084, 'IA32_FMASK', Offset.FMASK, only(0xffff_ffffn), 'syscall'),
  segmentBase(0xc000_0100, 'IA32_FS_BASE', Seg.FS),
  segmentBase(0xc000_0101, 'IA32_GS_BASE', Seg.GS),
  stored(0xc000_0102, 'IA32_KERNEL_GS_BASE', Offset.KERNEL_GS_BASE, canonical, 'lm'),
  stored(0xc000_0103, 'IA32_TSC_AUX', Offset.TSC_AUX, only(0xffff_ffffn), 'rdtscp'),
];

export const MSRS: ReadonlyMap<number, MsrRow> = new Map(ROWS.map((row) => [row.index, row]));

/** Whether the MSR exists with these features. */
function find(cpu: Processor, index: number): MsrRow | undefined {
  const row = MSRS.get(index);
  if (!row) return undefined;
  // EFER exists when one of its bits does.
  if (index === 0xc000_0080 && eferAllowed(cpu.features) === 0) return undefined;
  return row.feature === undefined || cpu.features.has(row.feature) ? row : undefined;
}

/** Reads an MSR as RDMSR (after its privilege and VMX checks) and the VM-exit MSR lists do; undefined when it does not exist. */
export function readMsr(cpu: Processor, index: number): bigint | undefined {
  const row = find(cpu, index);
  if (row) return row.read(cpu);
  return cpu.intercepts.readMsr(index) ?? cpu.deviceMsrs.read(index);
}

/** Writes an MSR; false when it does not exist, is read-only or the value is reserved. */
export function writeMsr(cpu: Processor, index: number, value: bigint): boolean {
  const row = find(cpu, index);
  if (row) return row.write(cpu, BigInt.asUintN(64, value));
  if (cpu.intercepts.readMsr(index) !== undefined) return false;
  return cpu.deviceMsrs.write(index, value);
}

/** RDMSR's #GP(0) for what does not exist. */
export function readMsrOrFault(cpu: Processor, index: number): bigint {
  const value = readMsr(cpu, index);
  if (value === undefined) throw cpu.fault.exception(Vector.GP, 0);
  return value;
}
