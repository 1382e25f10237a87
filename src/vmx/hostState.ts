/** Loading the host state at VM exit (SDM volume 3, "Loading Host State"). */
import { Cr4, Efer } from '../cpu/controlBits';
import { writeFlags } from '../cpu/flags';
import { Offset } from '../cpu/state';
import { CR0_KEPT } from './guestState';
import { Private } from './privateState';
import { Exit, Pin } from './tables/controls';
import { Slot } from './tables/fields';
import type { Vmx } from './vmx';

const { HOST_CR0, HOST_CR4, HOST_IA32_PAT, HOST_IA32_EFER } = Slot;

const RFLAGS_CLEAR = 2;
const DR7_CLEAR = 0x400;

/** Loads everything but the MSR list. `nmi`: an NMI caused the exit, so that NMIs are blocked after it. */
export function loadHostState(vmx: Vmx, nmi: boolean): void {
  const { state: s, vmcs } = vmx;
  const long = vmx.exitControl(Exit.HOST_ADDRESS_SPACE_SIZE);
  vmx.transfer.loadHost(s.base, long ? 1 : 0);
  s.set32(Offset.CR0, ((vmcs.low(HOST_CR0) & ~CR0_KEPT) | (s.cr0 & CR0_KEPT)) >>> 0);
  s.set32(Offset.CR4, long ? vmcs.low(HOST_CR4) | Cr4.PAE : vmcs.low(HOST_CR4) & ~Cr4.PCIDE);
  s.set32(Offset.DR7, DR7_CLEAR);
  s.clear64(Offset.DEBUGCTL);
  if (vmx.exitControl(Exit.LOAD_PAT)) vmcs.copyOut(HOST_IA32_PAT, Offset.PAT);
  const mode = Efer.LMA | Efer.LME;
  if (vmx.exitControl(Exit.LOAD_EFER)) s.set32(Offset.EFER, vmcs.low(HOST_IA32_EFER));
  else s.set32(Offset.EFER, long ? s.efer | mode : s.efer & ~mode);
  writeFlags(s, RFLAGS_CLEAR);

  // Blocking by STI and MOV SS ends; blocking by NMI is about real NMIs again.
  const guestBlocked = vmx.pin(Pin.VIRTUAL_NMIS) ? s.get32(Private.PHYSICAL_NMI_BLOCKED) : s.get32(Offset.INTERRUPTIBILITY) & 8;
  s.set32(Offset.INTERRUPTIBILITY, nmi ? 8 : guestBlocked);
}
