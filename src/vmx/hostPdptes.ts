/** The PDPTE registers of a VMM with PAE paging after a VM exit (SDM volume 3, "Checking and Loading Host Page-Directory-Pointer-Table Entries"). */
import { Offset } from '../cpu/state';
import { pdpteValid } from './tables/entryCheckTerms';
import type { Vmx } from './vmx';

/** Loads them from memory at CR3. False, with the registers as they were, when a present one has a reserved bit set: a VMX abort. */
export function loadHostPdptes(vmx: Vmx): boolean {
  const { state: s, cpu } = vmx;
  const table = (s.get32(Offset.CR3) & 0xffff_ffe0) >>> 0;
  const entries = [0, 1, 2, 3].map((i) => cpu.readPhysical(table + i * 8, 8));
  if (!entries.every((entry) => pdpteValid(vmx.physicalAddressBits, Number(entry & 0xffff_ffffn), Number(entry >> 32n)))) return false;
  entries.forEach((entry, i) => s.set64(Offset.PDPTE + i * 8, entry));
  return true;
}
