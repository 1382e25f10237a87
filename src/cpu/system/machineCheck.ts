/**
 * The machine-check architecture (SDM volume 3, "Machine-Check MSRs"): banks that report errors. None ever happens here, so
 * they hold what software writes, as a processor's do that has found no error.
 */
import type { Processor } from '../processor';
import { Offset } from '../state';
import type { MsrRow } from './msr';

/** As many as usual processors have. */
const BANKS = 10;
const FIRST_BANK = 0x400;
/** MSRs of a bank. */
const BANK_REGISTERS = ['CTL', 'STATUS', 'ADDR', 'MISC'] as const;
const FEATURE = 'mca';
/** IA32_MCG_CAP: there is IA32_MCG_CTL. */
const CTL_PRESENT = 1n << 8n;
const ALL_ONES = 0xffff_ffff_ffff_ffffn;
/** RIP of the restart is valid, of the error is valid, a machine check is in progress. */
const GLOBAL_STATUS_BITS = 7n;

type Allowed = (value: bigint) => boolean;
const anything: Allowed = () => true;
/** All sources of errors on or off: single ones are not told apart. */
const allOrNone: Allowed = (value) => value === 0n || value === ALL_ONES;
/** Software clears a status and cannot make one up. */
const cleared: Allowed = (value) => value === 0n;
const ALLOWED: Record<(typeof BANK_REGISTERS)[number], Allowed> = { CTL: allOrNone, STATUS: cleared, ADDR: anything, MISC: anything };

const kept = (index: number, name: string, offset: number, allowed: Allowed): MsrRow => ({
  index,
  name,
  feature: FEATURE,
  read: (cpu) => cpu.state.get64(offset),
  write: (cpu, value) => {
    if (!allowed(value)) return false;
    cpu.state.set64(offset, value);
    return true;
  },
});

const capabilities = (cpu: Processor): bigint => (cpu.features.has(FEATURE) ? BigInt(BANKS) | CTL_PRESENT : 0n);

export const MACHINE_CHECK_MSRS: readonly MsrRow[] = [
  // Some systems read these two whatever CPUID says.
  { index: 0x179, name: 'IA32_MCG_CAP', read: capabilities, write: () => false },
  {
    index: 0x17a,
    name: 'IA32_MCG_STATUS',
    read: (cpu) => cpu.state.get64(Offset.MCG_STATUS),
    write: (cpu, value) => {
      if (value & ~GLOBAL_STATUS_BITS) return false;
      cpu.state.set64(Offset.MCG_STATUS, value);
      return true;
    },
  },
  kept(0x17b, 'IA32_MCG_CTL', Offset.MCG_CTL, allOrNone),
  ...Array.from({ length: BANKS }, (_, bank) => BANK_REGISTERS.map((register, n) => kept(FIRST_BANK + bank * 4 + n, `IA32_MC${bank}_${register}`, Offset.MACHINE_CHECK_BANKS + (bank * 4 + n) * 8, ALLOWED[register]))).flat(),
];
