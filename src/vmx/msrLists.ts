/** The MSR areas of VM entry and VM exit (SDM volume 3, "Loading MSRs", "Saving MSRs"): entries of 16 bytes, index at 0, value at 8. */
import { MSRS, readMsr, readTsc, writeMsr } from '../cpu/system/msr';
import type { FailedCheck } from './observe';
import { MSR_LOAD_CHECKS, MSR_VALUE_CHECK, type MsrLoadCheck } from './tables/entryChecks';
import { Encoding } from './tables/fields';
import type { Vmx } from './vmx';

const ENTRY_SIZE = 16;
const TSC = 0x10;

/** The rule that an entry breaks before its value is looked at. */
function brokenRule(n: number, index: number, reserved: number): MsrLoadCheck | undefined {
  const entry = { n, index, reserved };
  return MSR_LOAD_CHECKS.find((c) => !c.holds(entry));
}

/** Loads the list at an address. Returns 0, or the number (from 1) of the entry that cannot be loaded. */
export function loadMsrs(vmx: Vmx, address: number, count: number): number {
  const { cpu } = vmx;
  for (let i = 0; i < count; i++) {
    const at = address + i * ENTRY_SIZE;
    const index = Number(cpu.readPhysical(at, 4));
    const reserved = Number(cpu.readPhysical(at + 4, 4));
    if (brokenRule(i + 1, index, reserved)) return i + 1;
    try {
      if (!writeMsr(cpu, index, cpu.readPhysical(at + 8, 8))) return i + 1;
    } catch (thrown) {
      if (thrown !== cpu.fault) throw thrown;
      return i + 1;
    }
  }
  return 0;
}

/** Why entry `n` (from 1) of the VM-entry MSR-load area cannot be loaded. */
export function describeMsrFailure(vmx: Vmx, address: number, n: number): FailedCheck {
  const { cpu } = vmx;
  const at = address + (n - 1) * ENTRY_SIZE;
  const index = Number(cpu.readPhysical(at, 4));
  const reserved = Number(cpu.readPhysical(at + 4, 4));
  const rule = brokenRule(n, index, reserved) ?? MSR_VALUE_CHECK;
  const name = MSRS.get(index)?.name;
  const hex = (value: bigint | number): string => `0x${value.toString(16)}`;
  const values = `Entry ${n} at ${hex(at)} is MSR ${hex(index)}${name ? ` (${name})` : ''}${reserved === 0 ? '' : `, bits 63:32 ${hex(reserved)}`}, value ${hex(cpu.readPhysical(at + 8, 8))}.`;
  return { id: rule.id, section: rule.section, condition: rule.condition, message: `${values} ${rule.condition}`, fields: [Encoding.VM_ENTRY_MSR_LOAD_ADDRESS, Encoding.VM_ENTRY_MSR_LOAD_COUNT] };
}

/** Stores MSRs into the list at an address. Returns false when one cannot be read: a VMX abort. */
export function storeMsrs(vmx: Vmx, address: number, count: number): boolean {
  const { cpu } = vmx;
  for (let i = 0; i < count; i++) {
    const at = address + i * ENTRY_SIZE;
    const index = Number(cpu.readPhysical(at, 4));
    if (cpu.readPhysical(at + 4, 4) !== 0n || index >>> 8 === 8) return false;
    // The time-stamp counter is stored as it is: neither offset nor scaled as the guest reads it.
    const value = index === TSC ? readTsc(cpu) : readMsr(cpu, index);
    if (value === undefined) return false;
    cpu.writePhysical(at + 8, 8, value);
  }
  return true;
}
