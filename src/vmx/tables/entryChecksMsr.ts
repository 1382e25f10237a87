/**
 * What may be in the VM-entry MSR-load area: Intel SDM volume 3, "Loading MSRs". A violation is a VM exit with reason 34
 * whose qualification is the number of the entry, from 1.
 */
import { MSR_LIST_LIMIT } from './capabilities';

export interface MsrEntry {
  /** From 1. */
  readonly n: number;
  /** Bits 31:0. */
  readonly index: number;
  /** Bits 63:32. */
  readonly reserved: number;
}

export interface MsrLoadCheck {
  readonly id: string;
  readonly section: string;
  readonly condition: string;
  readonly holds: (e: MsrEntry) => boolean;
}

const FS_BASE = 0xc000_0100;
const GS_BASE = 0xc000_0101;
/** MSRs 0x800 to 0x8ff. */
const X2APIC_PAGE = 8;
const SMM_MONITOR_CTL = 0x9b;
const BIOS_UPDT_TRIG = 0x79;
const BIOS_SIGN_ID = 0x8b;

const check = (id: string, condition: string, holds: MsrLoadCheck['holds']): MsrLoadCheck => ({ id: `msr-load.${id}`, section: 'Loading MSRs', condition, holds });

export const MSR_LOAD_CHECKS: readonly MsrLoadCheck[] = [
  // The SDM leaves longer lists undefined ("Miscellaneous Data"); the entry beyond the limit is refused.
  check('count', `The list must not have more than ${MSR_LIST_LIMIT} entries, the limit that IA32_VMX_MISC recommends.`, (e) => e.n <= MSR_LIST_LIMIT),
  check('fs-base', 'IA32_FS_BASE cannot be loaded: it belongs to GUEST_FS_BASE.', (e) => e.index !== FS_BASE),
  check('gs-base', 'IA32_GS_BASE cannot be loaded: it belongs to GUEST_GS_BASE.', (e) => e.index !== GS_BASE),
  check('x2apic', 'An x2APIC register (0x800 to 0x8ff) cannot be loaded.', (e) => e.index >>> 8 !== X2APIC_PAGE),
  check('smm', 'IA32_SMM_MONITOR_CTL cannot be loaded outside system-management mode.', (e) => e.index !== SMM_MONITOR_CTL),
  check('model-specific', 'IA32_BIOS_UPDT_TRIG and IA32_BIOS_SIGN_ID cannot be loaded: a microcode update is not for VM entries.', (e) => e.index !== BIOS_UPDT_TRIG && e.index !== BIOS_SIGN_ID),
  check('reserved', 'Bits 63:32 of an entry must be 0.', (e) => e.reserved === 0),
];

/** The last rule: it is not a predicate, WRMSR itself decides. */
export const MSR_VALUE_CHECK: Omit<MsrLoadCheck, 'holds'> = { id: 'msr-load.value', section: 'Loading MSRs', condition: 'The value must be one that WRMSR at CPL 0 accepts for this MSR, with the guest\'s control registers in place.' };
