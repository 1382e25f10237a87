/** The processor's state at power-on (SDM volume 3, "Processor Management and Initialization"). */
import { Cr0 } from '../controlBits';
import { writeFlags } from '../flags';
import { powerOn } from '../fpu/environment';
import { MXCSR_AT_RESET, writeMxcsr } from '../simd/mxcsr';
import { CPU_STATE_SIZE, Gpr, Offset, Seg } from '../state';
import { SIGNATURE } from '../system/cpuid';
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
const NONE = 0xffff_ffff_ffff_ffffn;

/** Puts the processor into its power-on state; the clock starts at 0. */
export function resetProcessor(cpu: Cpu): void {
  const s = cpu.state;
  const { views } = cpu;
  views.u8.fill(0, s.base, s.base + CPU_STATE_SIZE);
  writeFlags(s, 2);
  for (let seg: number = Seg.ES; seg <= Seg.GS; seg++) {
    s.setAccess(seg, ACCESS_DATA);
    s.setLimit(seg, 0xffff);
  }
  s.setSelector(Seg.CS, 0xf000);
  s.setSegBase(Seg.CS, RESET_VECTOR_BASE);
  s.setAccess(Seg.LDTR, ACCESS_LDTR);
  s.setLimit(Seg.LDTR, 0xffff);
  s.setAccess(Seg.TR, ACCESS_TSS);
  s.setLimit(Seg.TR, 0xffff);
  s.set32(Offset.GDTR_LIMIT, 0xffff);
  s.set32(Offset.IDTR_LIMIT, 0xffff);
  s.rip = RESET_IP;
  s.setReg(Gpr.RDX, BigInt(SIGNATURE));
  s.set64(Offset.CR0, BigInt((Cr0.CD | Cr0.NW | Cr0.ET) >>> 0));
  s.set64(Offset.DR6, 0xffff_0ff0n);
  s.set64(Offset.DR7, 0x400n);
  s.set64(Offset.XCR0, 1n);
  s.set64(Offset.PAT, PAT_AT_RESET);
  s.set64(Offset.APIC_BASE, APIC_BASE | APIC_ENABLED | (cpu.index === 0 ? APIC_BSP : 0n));
  s.set64(Offset.MISC_ENABLE, FAST_STRINGS);
  s.set64(Offset.VMXON_POINTER, NONE);
  s.set64(Offset.CURRENT_VMCS, NONE);
  writeMxcsr(s, MXCSR_AT_RESET);
  powerOn(s);
  cpu.restored();
}
