/** The MSR areas of VM entry and VM exit (SDM volume 3, "Loading MSRs", "Saving MSRs"): entries of 16 bytes, index at 0, value at 8. */
import { readMsr, writeMsr } from '../cpu/system/msr';
import type { Vmx } from './vmx';

const ENTRY_SIZE = 16;
const FS_BASE = 0xc000_0100;
const GS_BASE = 0xc000_0101;
const SMM_MONITOR_CTL = 0x9b;

/** MSRs that no list may load: the bases belong to the segment fields, x2APIC registers and the SMM monitor have their own ways. */
const neverLoaded = (index: number): boolean => index === FS_BASE || index === GS_BASE || index >>> 8 === 8 || index === SMM_MONITOR_CTL;

/** Loads the list at an address. Returns 0, or the number (from 1) of the entry that cannot be loaded. */
export function loadMsrs(vmx: Vmx, address: number, count: number): number {
  const { cpu } = vmx;
  for (let i = 0; i < count; i++) {
    const at = address + i * ENTRY_SIZE;
    const index = Number(cpu.readPhysical(at, 4));
    const reserved = cpu.readPhysical(at + 4, 4);
    if (reserved !== 0n || neverLoaded(index)) return i + 1;
    try {
      if (!writeMsr(cpu, index, cpu.readPhysical(at + 8, 8))) return i + 1;
    } catch (thrown) {
      if (thrown !== cpu.fault) throw thrown;
      return i + 1;
    }
  }
  return 0;
}

/** Stores MSRs into the list at an address. Returns false when one cannot be read: a VMX abort. */
export function storeMsrs(vmx: Vmx, address: number, count: number): boolean {
  const { cpu } = vmx;
  for (let i = 0; i < count; i++) {
    const at = address + i * ENTRY_SIZE;
    const index = Number(cpu.readPhysical(at, 4));
    if (cpu.readPhysical(at + 4, 4) !== 0n || index >>> 8 === 8) return false;
    const value = readMsr(cpu, index);
    if (value === undefined) return false;
    cpu.writePhysical(at + 8, 8, value);
  }
  return true;
}
