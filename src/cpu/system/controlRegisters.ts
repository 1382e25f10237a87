/** Writing CR0, CR3, CR4, CR8 and EFER with every rule of the architecture (SDM volume 3, "Control Registers", "Initializing IA-32e Mode"). */
import { Cr0, Cr4, Efer, PHYSICAL_ADDRESS_BITS, RESERVED_ADDRESS_HIGH } from '../controlBits';
import { Vector } from '../fault';
import { ACCESS_READ } from '../intercepts';
import type { Features, Processor } from '../processor';
import { Offset, Seg } from '../state';
import { high32, low32 } from '../../base/bits';
import { Access } from './mode';
import { typeOf } from './descriptors';

const CR0_DEFINED = Cr0.PE | Cr0.MP | Cr0.EM | Cr0.TS | Cr0.ET | Cr0.NE | Cr0.WP | Cr0.AM | Cr0.NW | Cr0.CD | Cr0.PG;
/** Changes of these drop cached translations; of CR0's where paging is or was on: without it there are no rights to check. */
const CR0_PAGING = Cr0.PE | Cr0.WP | Cr0.PG;
const CR4_PAGING = Cr4.PSE | Cr4.PAE | Cr4.PGE | Cr4.PCIDE | Cr4.SMEP | Cr4.SMAP | Cr4.PKE;

/** CR4's bits and the feature that each needs; a bit without its feature is reserved. */
const CR4_FEATURES: readonly (readonly [number, string | undefined])[] = [
  [Cr4.TSD, 'tsc'],
  [Cr4.DE, 'de'],
  [Cr4.VME | Cr4.PVI, 'vme'],
  [Cr4.PSE, 'pse'],
  [Cr4.PAE, 'pae'],
  [Cr4.MCE, 'mce'],
  [Cr4.PGE, 'pge'],
  [Cr4.PCE, undefined],
  [Cr4.OSFXSR, 'fxsr'],
  [Cr4.OSXMMEXCPT, 'sse'],
  [Cr4.UMIP, 'umip'],
  [Cr4.VMXE, 'vmx'],
  [Cr4.FSGSBASE, 'fsgsbase'],
  [Cr4.PCIDE, 'pcid'],
  [Cr4.OSXSAVE, 'xsave'],
  [Cr4.SMEP, 'smep'],
  [Cr4.SMAP, 'smap'],
  [Cr4.PKE, 'pku'],
];

/** The bits of CR4 that may be 1 with these features: what IA32_VMX_CR4_FIXED1 reports too. */
export function cr4Allowed(features: Features): number {
  let allowed = 0;
  for (const [bits, feature] of CR4_FEATURES) if (feature === undefined || features.has(feature)) allowed |= bits;
  return allowed;
}

/** The bits of EFER that may be 1 with these features; LMA is set by the processor alone. */
export const eferAllowed = (features: Features): number =>
  (features.has('syscall') ? Efer.SCE : 0) | (features.has('lm') ? Efer.LME | Efer.LMA : 0) | (features.has('nx') ? Efer.NXE : 0);

/** Whether a value is valid for CR3 in IA-32e mode: no bit beyond the physical-address width. */
export const cr3Allowed = (value: bigint): boolean => value >> BigInt(PHYSICAL_ADDRESS_BITS) === 0n;

const PDPTE_RESERVED_LOW = 0x1e6; // bits 2:1 and 8:5
/** The four PDPTE registers from memory at CR3's address, or undefined where a present one has a reserved bit set. */
function readPdptes(cpu: Processor, cr3: number): bigint[] | undefined {
  const entries: bigint[] = [];
  let address = cr3 & ~0x1f & 0xffff_ffff;
  address >>>= 0;
  if (cpu.secondLevel.active) {
    const page = cpu.secondLevel.translate(Math.floor(address / 0x1000), ACCESS_READ, address % 0x1000, false, true, cpu.fault);
    if (page < 0) throw cpu.fault;
    address = page * 0x1000 + (address & 0xfff);
  }
  for (let i = 0; i < 4; i++) {
    const entry = cpu.readPhysical(address + i * 8, 8);
    if (entry & 1n && (low32(entry) & PDPTE_RESERVED_LOW || high32(entry) & (RESERVED_ADDRESS_HIGH | 0xfff0_0000))) return undefined;
    entries.push(entry);
  }
  return entries;
}

/** Loads the PDPTE registers as MOV to CR does when PAE paging is or becomes active. Throws #GP(0). */
function loadPdptes(cpu: Processor, cr3: number): void {
  const entries = readPdptes(cpu, cr3);
  if (!entries) throw cpu.fault.exception(Vector.GP, 0);
  entries.forEach((entry, i) => cpu.state.set64(Offset.PDPTE + i * 8, entry));
}

const gp = (cpu: Processor): never => {
  throw cpu.fault.exception(Vector.GP, 0);
};

/** MOV to CR0 and LMSW: `value` after VMX's masks. */
export function setCr0(cpu: Processor, value: bigint): void {
  const s = cpu.state;
  const old = s.cr0;
  if (high32(value) !== 0) gp(cpu);
  const next = ((low32(value) & CR0_DEFINED) | Cr0.ET) >>> 0;
  if ((next & Cr0.PG) !== 0 && !(next & Cr0.PE)) gp(cpu);
  if (next & Cr0.NW && !(next & Cr0.CD)) gp(cpu);
  if (!cpu.intercepts.controlRegisterAllowed(0, BigInt(next))) gp(cpu);
  const paging = (next & Cr0.PG) !== 0;
  const wasPaging = (old & Cr0.PG) !== 0;
  let efer = s.efer;
  if (paging && !wasPaging) {
    if (efer & Efer.LME) {
      const tss16 = typeOf(s.access(Seg.TR)) === 3 || typeOf(s.access(Seg.TR)) === 1;
      if (!(s.cr4 & Cr4.PAE) || s.access(Seg.CS) & Access.L || tss16) gp(cpu);
      efer |= Efer.LMA;
    } else if (s.cr4 & Cr4.PAE) loadPdptes(cpu, low32(s.cr3));
  } else if (!paging && wasPaging) {
    if (efer & Efer.LMA && s.access(Seg.CS) & Access.L) gp(cpu);
    if (s.cr4 & Cr4.PCIDE) gp(cpu);
    efer &= ~Efer.LMA;
  } else if (paging && s.cr4 & Cr4.PAE && !(efer & Efer.LMA) && (old ^ next) & (Cr0.CD | Cr0.NW)) loadPdptes(cpu, low32(s.cr3));
  s.set64(Offset.CR0, BigInt(next));
  s.set32(Offset.EFER, efer);
  if ((paging || wasPaging) && (old ^ next) & CR0_PAGING) cpu.flushTlb();
  cpu.stateChanged();
}

/** Bit 63 of what is moved to CR3: translations of the new process-context identifier stay valid. It is not stored. */
const CR3_NO_FLUSH = 1n << 63n;
/** Process-context identifier in CR3 with CR4.PCIDE. */
export const PCID_MASK = 0xfff;

/** MOV to CR3. */
export function setCr3(cpu: Processor, value: bigint): void {
  const s = cpu.state;
  const identifiers = (s.cr4 & Cr4.PCIDE) !== 0;
  const keep = identifiers && (value & CR3_NO_FLUSH) !== 0n;
  if (keep) value &= ~CR3_NO_FLUSH;
  const from = identifiers ? low32(s.cr3) & PCID_MASK : 0;
  if (s.efer & Efer.LMA) {
    if (!cr3Allowed(value)) gp(cpu);
  } else if (s.cr0 & Cr0.PG && s.cr4 & Cr4.PAE) loadPdptes(cpu, low32(value));
  s.set64(Offset.CR3, value);
  cpu.switchContext(from, identifiers ? low32(value) & PCID_MASK : 0, keep);
}

/** MOV to CR4. */
export function setCr4(cpu: Processor, value: bigint): void {
  const s = cpu.state;
  const old = s.cr4;
  if (high32(value) !== 0) gp(cpu);
  const next = low32(value);
  if (next & ~cr4Allowed(cpu.features)) gp(cpu);
  if (s.efer & Efer.LMA && !(next & Cr4.PAE)) gp(cpu);
  if (next & ~old & Cr4.PCIDE && (!(s.efer & Efer.LMA) || (low32(s.cr3) & PCID_MASK) !== 0)) gp(cpu);
  if (!cpu.intercepts.controlRegisterAllowed(4, BigInt(next))) gp(cpu);
  const changed = old ^ next;
  const reload = changed & (Cr4.PAE | Cr4.PSE | Cr4.PGE | Cr4.SMEP);
  if ((s.cr0 & Cr0.PG) !== 0 && next & Cr4.PAE && !(s.efer & Efer.LMA) && reload) loadPdptes(cpu, low32(s.cr3));
  s.set64(Offset.CR4, BigInt(next));
  if (changed & CR4_PAGING) cpu.flushTlb();
  cpu.stateChanged();
}

/** MOV to CR8. */
export function setCr8(cpu: Processor, value: bigint): void {
  if (value >> 4n) gp(cpu);
  cpu.interrupts.setTaskPriority(Number(value));
  cpu.requestAttention();
}

/** WRMSR to IA32_EFER; false where it raises #GP(0): reserved bits, or LME changed while paging is on. */
export function setEfer(cpu: Processor, value: bigint): boolean {
  const s = cpu.state;
  const old = s.efer;
  if (high32(value) !== 0 || low32(value) & ~eferAllowed(cpu.features)) return false;
  const next = (low32(value) & ~Efer.LMA) | (old & Efer.LMA);
  if ((s.cr0 & Cr0.PG) !== 0 && (old ^ next) & Efer.LME) return false;
  s.set32(Offset.EFER, next);
  if ((old ^ next) & Efer.NXE) cpu.flushTlb();
  cpu.stateChanged();
  return true;
}
