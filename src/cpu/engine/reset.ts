/** The processor's state at power-on (SDM volume 3, "Processor Management and Initialization"). */
import { Cr0 } from '../controlBits';
import { writeFlags } from '../flags';
import { powerOn } from '../fpu/environment';
import { MXCSR_AT_RESET, writeMxcsr } from '../simd/mxcsr';
import { CPU_STATE_SIZE, type CpuState, Gpr, Offset, Seg } from '../state';
import { SIGNATURE } from '../system/cpuid';
import { MONITOR_ENABLED } from '../system/monitorOperations';
import { Activity } from './activity';
import type { Cpu } from './cpu';

const ACCESS_DATA = 0x93;
const ACCESS_LDTR = 0x82;
const ACCESS_TSS = 0x8b;
const RESET_VECTOR_BASE = 0xffff_0000n;
const RESET_IP = 0xfff0n;
/** Write-back, write-through, UC-, UC, twice. */
const PAT_AT_RESET = 0x0007_0406_0007_0406n;
const APIC_BASE = 0xfee0_0000n;
const APIC_BSP = 1n << 8n;
const APIC_ENABLED = 1n << 11n;
const FAST_STRINGS = 1n;
/** IA32_FEATURE_CONTROL as a PC's firmware leaves it: locked, VMX permitted outside SMX. VMMs that never look at it can then execute VMXON. */
const VMX_PERMITTED = 0b101n;
const NONE = 0xffff_ffff_ffff_ffffn;

/** Registers that both power-on and INIT make zero. INIT is not said to touch EFER, but with paging off no processor is left in IA-32e mode. */
const CLEARED = [Offset.GDTR_BASE, Offset.IDTR_BASE, Offset.CR2, Offset.CR3, Offset.CR4, Offset.CR8, Offset.DR0, Offset.DR0 + 8, Offset.DR0 + 16, Offset.DR0 + 24, Offset.EFER, Offset.XSS, Offset.PENDING_DEBUG] as const;

/** What power-on and INIT have in common; `caches` are CR0's CD and NW. */
function start(s: CpuState, caches: number): void {
  writeFlags(s, 2);
  for (let seg: number = Seg.ES; seg <= Seg.TR; seg++) {
    s.setSelector(seg, 0);
    s.setSegBase(seg, 0n);
    s.setAccess(seg, ACCESS_DATA);
    s.setLimit(seg, 0xffff);
  }
  s.setSelector(Seg.CS, 0xf000);
  s.setSegBase(Seg.CS, RESET_VECTOR_BASE);
  s.setAccess(Seg.LDTR, ACCESS_LDTR);
  s.setAccess(Seg.TR, ACCESS_TSS);
  s.set32(Offset.GDTR_LIMIT, 0xffff);
  s.set32(Offset.IDTR_LIMIT, 0xffff);
  s.rip = RESET_IP;
  s.set32(Offset.CPL, 0);
  for (const at of CLEARED) s.clear64(at);
  for (let n = 0; n < 16; n++) s.clear64(Offset.GPR + n * 8);
  s.setReg(Gpr.RDX, BigInt(SIGNATURE));
  s.set64(Offset.CR0, BigInt((caches | Cr0.ET) >>> 0));
  s.set64(Offset.DR6, 0xffff_0ff0n);
  s.set64(Offset.DR7, 0x400n);
}

/** Puts the processor into its power-on state; the clock starts at 0. All but the first wait for a start-up IPI, as firmware leaves them. */
export function resetProcessor(cpu: Cpu): void {
  const s = cpu.state;
  const { views } = cpu;
  views.u8.fill(0, s.base, s.base + CPU_STATE_SIZE);
  // Firmware has switched the caches of those on that it left waiting.
  start(s, cpu.index === 0 ? Cr0.CD | Cr0.NW : 0);
  s.set64(Offset.XCR0, 1n);
  s.set64(Offset.RANDOM, BigInt(cpu.index)); // processors differ, runs do not
  s.set64(Offset.PAT, PAT_AT_RESET);
  s.set64(Offset.APIC_BASE, APIC_BASE | APIC_ENABLED | (cpu.index === 0 ? APIC_BSP : 0n));
  s.set64(Offset.MISC_ENABLE, FAST_STRINGS | (cpu.features.has('monitor') ? BigInt(MONITOR_ENABLED) : 0n));
  if (cpu.features.has('vmx')) s.set64(Offset.FEATURE_CONTROL, VMX_PERMITTED);
  s.set64(Offset.VMXON_POINTER, NONE);
  s.set64(Offset.CURRENT_VMCS, NONE);
  writeMxcsr(s, MXCSR_AT_RESET);
  powerOn(s);
  if (cpu.index !== 0) s.set32(Offset.ACTIVITY, Activity.WAIT_FOR_SIPI);
  cpu.restored();
}

/**
 * INIT: registers and modes as at power-on; the caches' bits, x87, SSE and AVX state, XCR0, the TSC and all MSRs but EFER stay
 * (SDM volume 3, "Processor State After Reset"). The first processor starts at the reset vector, the others wait for a
 * start-up IPI.
 */
export function initProcessor(cpu: Cpu): void {
  const s = cpu.state;
  start(s, s.cr0 & (Cr0.CD | Cr0.NW));
  s.set32(Offset.INTERRUPTIBILITY, 0);
  s.set32(Offset.NMI_PENDING, 0);
  cpu.endMonitoring();
  const first = (s.get64(Offset.APIC_BASE) & APIC_BSP) !== 0n;
  s.set32(Offset.ACTIVITY, first ? Activity.ACTIVE : Activity.WAIT_FOR_SIPI);
  cpu.flushTlb();
  cpu.stateChanged();
}

/** A start-up IPI: real mode at the start of page `vector`. */
export function startProcessor(cpu: Cpu, vector: number): void {
  const s = cpu.state;
  s.setSelector(Seg.CS, vector << 8);
  s.setSegBase(Seg.CS, BigInt(vector) << 12n);
  s.rip = 0n;
  s.set32(Offset.ACTIVITY, Activity.ACTIVE);
  cpu.stateChanged();
}
