/** Loading the host state at VM exit (SDM volume 3, "Loading Host State"). */
import { Cr4, Efer } from '../cpu/controlBits';
import { writeFlags } from '../cpu/flags';
import { ACCESS_UNUSABLE, Gpr, Offset, Seg, Segment, SEGMENT_STRIDE } from '../cpu/state';
import { CR0_KEPT } from './guestState';
import { Private } from './privateState';
import { Exit, Pin } from './tables/controls';
import { Slot } from './tables/fields';
import type { Vmx } from './vmx';

const { HOST_CR0, HOST_CR3, HOST_CR4, HOST_RIP, HOST_RSP, HOST_ES_SELECTOR, HOST_TR_SELECTOR, HOST_FS_BASE, HOST_GS_BASE, HOST_TR_BASE, HOST_GDTR_BASE, HOST_IDTR_BASE, HOST_IA32_SYSENTER_CS, HOST_IA32_SYSENTER_ESP, HOST_IA32_SYSENTER_EIP, HOST_IA32_PAT, HOST_IA32_EFER } = Slot;

/** Access rights that a VM exit gives: accessed readable code with L or D, accessed writable data, busy TSS. */
const CODE_64 = 0xa09b;
const CODE_32 = 0xc09b;
const DATA = 0xc093;
const BUSY_TSS = 0x8b;
const TSS_LIMIT = 0x67;
const FLAT_LIMIT = 0xffff_ffff;
const TABLE_LIMIT = 0xffff;
const RFLAGS_CLEAR = 2;
const DR7_CLEAR = 0x400;

const baseOf = (seg: number): number => Offset.SEGMENTS + seg * SEGMENT_STRIDE + Segment.BASE;

/** Loads everything but the MSR list. `nmi`: an NMI caused the exit, so that NMIs are blocked after it. */
export function loadHostState(vmx: Vmx, nmi: boolean): void {
  const { state: s, vmcs } = vmx;
  const long = vmx.exitControl(Exit.HOST_ADDRESS_SPACE_SIZE);
  s.set32(Offset.CR0, ((vmcs.low(HOST_CR0) & ~CR0_KEPT) | (s.cr0 & CR0_KEPT)) >>> 0);
  vmcs.copyOut(HOST_CR3, Offset.CR3);
  s.set32(Offset.CR4, long ? vmcs.low(HOST_CR4) | Cr4.PAE : vmcs.low(HOST_CR4) & ~Cr4.PCIDE);
  s.set32(Offset.DR7, DR7_CLEAR);
  s.clear64(Offset.DEBUGCTL);
  vmcs.copyOut(HOST_IA32_SYSENTER_CS, Offset.SYSENTER_CS);
  vmcs.copyOut(HOST_IA32_SYSENTER_ESP, Offset.SYSENTER_ESP);
  vmcs.copyOut(HOST_IA32_SYSENTER_EIP, Offset.SYSENTER_EIP);
  if (vmx.exitControl(Exit.LOAD_PAT)) vmcs.copyOut(HOST_IA32_PAT, Offset.PAT);
  const mode = Efer.LMA | Efer.LME;
  if (vmx.exitControl(Exit.LOAD_EFER)) s.set32(Offset.EFER, vmcs.low(HOST_IA32_EFER));
  else s.set32(Offset.EFER, long ? s.efer | mode : s.efer & ~mode);

  for (let seg: number = Seg.ES; seg <= Seg.GS; seg++) {
    const selector = vmcs.low(HOST_ES_SELECTOR + seg);
    s.setSelector(seg, selector);
    s.setLimit(seg, FLAT_LIMIT);
    s.clear64(baseOf(seg));
    if (seg === Seg.CS) s.setAccess(seg, long ? CODE_64 : CODE_32);
    else s.setAccess(seg, selector === 0 ? DATA | ACCESS_UNUSABLE : DATA);
  }
  vmcs.copyOut(HOST_FS_BASE, baseOf(Seg.FS));
  vmcs.copyOut(HOST_GS_BASE, baseOf(Seg.GS));
  s.setSelector(Seg.TR, vmcs.low(HOST_TR_SELECTOR));
  s.setLimit(Seg.TR, TSS_LIMIT);
  s.setAccess(Seg.TR, BUSY_TSS);
  vmcs.copyOut(HOST_TR_BASE, baseOf(Seg.TR));
  s.setSelector(Seg.LDTR, 0);
  s.setAccess(Seg.LDTR, ACCESS_UNUSABLE);
  s.set32(Offset.CPL, 0);
  vmcs.copyOut(HOST_GDTR_BASE, Offset.GDTR_BASE);
  s.set32(Offset.GDTR_LIMIT, TABLE_LIMIT);
  vmcs.copyOut(HOST_IDTR_BASE, Offset.IDTR_BASE);
  s.set32(Offset.IDTR_LIMIT, TABLE_LIMIT);

  vmcs.copyOut(HOST_RIP, Offset.RIP);
  vmcs.copyOut(HOST_RSP, Offset.GPR + Gpr.RSP * 8);
  writeFlags(s, RFLAGS_CLEAR);

  // Blocking by STI and MOV SS ends; blocking by NMI is about real NMIs again.
  const guestBlocked = vmx.pin(Pin.VIRTUAL_NMIS) ? s.get32(Private.PHYSICAL_NMI_BLOCKED) : s.get32(Offset.INTERRUPTIBILITY) & 8;
  s.set32(Offset.INTERRUPTIBILITY, nmi ? 8 : guestBlocked);
  s.set32(Offset.ACTIVITY, 0);
  s.clear64(Offset.PENDING_DEBUG);
}
