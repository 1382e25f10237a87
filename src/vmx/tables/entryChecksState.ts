/** Intel SDM volume 3, "Checks on Guest RIP, RFLAGS, and SSP", "Checks on Guest Non-Register State", "Checks on Guest Page-Directory-Pointer-Table Entries". */
import { Entry, Pin, Secondary } from './controls';
import { checksOf, type EntryCheck, type EntryContext } from './entryCheck';
import { entry, Event, eventType, eventVector, ia32e, IF, injects, injectsType, PAE, page, pdpteValid, PE, PG, pin, secondary, TF, upperBitsAlike, vm86 } from './entryCheckTerms';
import { Slot } from './fields';
import { VMCS_REVISION } from './capabilities';

const rip = checksOf('guest', 'Checks on Guest RIP, RFLAGS, and SSP');
const state = checksOf('guest', 'Checks on Guest Non-Register State');
const pdpte = checksOf('guest', 'Checks on Guest Page-Directory-Pointer-Table Entries');

const { GUEST_ACTIVITY_STATE, GUEST_CR0, GUEST_CR3, GUEST_CR4, GUEST_CS_ACCESS_RIGHTS, GUEST_IA32_DEBUGCTL, GUEST_INTERRUPTIBILITY_STATE, GUEST_PENDING_DEBUG_EXCEPTIONS, GUEST_RFLAGS, GUEST_RIP, GUEST_SS_ACCESS_RIGHTS, GUEST_SSP, VMCS_LINK_POINTER } = Slot;

/** Exit qualifications of reason 33. */
const Qualification = { PDPTE: 2, NMI: 3, LINK_POINTER: 4 } as const;

const LONG_CODE = 0x2000;
const mode64 = (c: EntryContext): boolean => ia32e(c) && (c.low(GUEST_CS_ACCESS_RIGHTS) & LONG_CODE) !== 0;

const Activity = { ACTIVE: 0, HLT: 1, SHUTDOWN: 2, WAIT_FOR_SIPI: 3 } as const;
const activity = (c: EntryContext): number => c.low(GUEST_ACTIVITY_STATE);
/** IA32_VMX_MISC bits 6, 7 and 8 tell which inactive states there are. */
const activitySupported = (c: EntryContext): boolean => activity(c) === Activity.ACTIVE || (activity(c) <= Activity.WAIT_FOR_SIPI && ((c.misc >>> (5 + activity(c))) & 1) === 1);

const Blocking = { STI: 1, MOV_SS: 2, SMI: 4, NMI: 8, ENCLAVE: 16 } as const;
const STI_OR_MOV_SS = Blocking.STI | Blocking.MOV_SS;
const blocked = (c: EntryContext, mask: number): boolean => (c.low(GUEST_INTERRUPTIBILITY_STATE) & mask) !== 0;

const DEBUG = 1;
const MACHINE_CHECK = 18;
/** Events that may be injected in an inactive state. */
function injectable(c: EntryContext): boolean {
  if (!injects(c)) return true;
  const type = eventType(c);
  const exceptionOf = (vector: number): boolean => type === Event.HARDWARE_EXCEPTION && eventVector(c) === vector;
  switch (activity(c)) {
    case Activity.HLT:
      return type === Event.INTERRUPT || type === Event.NMI || type === Event.OTHER || exceptionOf(DEBUG) || exceptionOf(MACHINE_CHECK);
    case Activity.SHUTDOWN:
      return type === Event.NMI || exceptionOf(MACHINE_CHECK);
    case Activity.WAIT_FOR_SIPI:
      return false;
    default:
      return true;
  }
}

const RFLAGS_RESERVED = 0xffc0_802a;
const RFLAGS_ALWAYS_1 = 2;
/** B0 to B3, enabled breakpoint, BS. RTM and bus-lock detection are not there. */
const PENDING_DEBUG_BITS = 0x500f;
const BS = 1 << 14;
const BTF = 2;
function singleStepAgrees(c: EntryContext): boolean {
  if (!blocked(c, STI_OR_MOV_SS) && activity(c) !== Activity.HLT) return true;
  const single = (c.low(GUEST_RFLAGS) & TF) !== 0 && (c.low(GUEST_IA32_DEBUGCTL) & BTF) === 0;
  return ((c.low(GUEST_PENDING_DEBUG_EXCEPTIONS) & BS) !== 0) === single;
}

const linkUsed = (c: EntryContext): boolean => c.low(VMCS_LINK_POINTER) !== 0xffff_ffff || c.high(VMCS_LINK_POINTER) !== 0xffff_ffff;
const linkAddress = (c: EntryContext): number => c.high(VMCS_LINK_POINTER) * 2 ** 32 + c.low(VMCS_LINK_POINTER);
/** The first four bytes of the VMCS linked to; a wrong address has rules of its own. */
const linkedWord = (c: EntryContext): number | undefined => c.physical32(linkAddress(c));
const SHADOW_INDICATOR = 0x8000_0000;
const NO_MEMORY = 0xffff_ffff;

const usesPdptes = (c: EntryContext): boolean => (c.low(GUEST_CR0) & PG) !== 0 && (c.low(GUEST_CR4) & PAE) !== 0 && !ia32e(c);
function pdptesInMemory(c: EntryContext): boolean {
  const table = (c.low(GUEST_CR3) & 0xffff_ffe0) >>> 0;
  return [0, 8, 16, 24].every((offset) => pdpteValid(c.physicalAddressBits, c.physical32(table + offset) ?? NO_MEMORY, c.physical32(table + offset + 4) ?? NO_MEMORY));
}
const PDPTE_CONDITION = 'must have bits 2:1 and 8:5, and those beyond the physical-address width, 0.';

export const STATE_CHECKS: readonly EntryCheck[] = [
  rip('rip.width', ['GUEST_RIP', 'GUEST_CS_ACCESS_RIGHTS', 'VM_ENTRY_CONTROLS'], 'Bits 63:32 of guest RIP must be 0 outside 64-bit mode.', (c) => mode64(c) || c.high(GUEST_RIP) === 0),
  rip('rip.upper-bits', ['GUEST_RIP'], 'Bits 63:48 of guest RIP must be alike in 64-bit mode.', (c) => !mode64(c) || upperBitsAlike(c, GUEST_RIP)),
  rip('rflags.reserved', ['GUEST_RFLAGS'], 'Bit 1 of guest RFLAGS must be 1; bits 3, 5, 15 and 63:22 must be 0.', (c) => c.high(GUEST_RFLAGS) === 0 && (c.low(GUEST_RFLAGS) & RFLAGS_RESERVED) === RFLAGS_ALWAYS_1),
  rip('rflags.vm.long-mode', ['GUEST_RFLAGS', 'VM_ENTRY_CONTROLS'], 'Guest RFLAGS.VM must be 0 in IA-32e mode.', (c) => !vm86(c) || !ia32e(c)),
  rip('rflags.vm.real-mode', ['GUEST_RFLAGS', 'GUEST_CR0'], 'Guest RFLAGS.VM must be 0 while CR0.PE is 0.', (c) => !vm86(c) || (c.low(GUEST_CR0) & PE) !== 0),
  rip('rflags.if', ['GUEST_RFLAGS', 'VM_ENTRY_INTERRUPTION_INFO'], 'Guest RFLAGS.IF must be 1 where an external interrupt is injected.', (c) => !injectsType(c, Event.INTERRUPT) || (c.low(GUEST_RFLAGS) & IF) !== 0),
  rip('ssp', ['GUEST_SSP'], 'Guest SSP must have bits 1:0 0, and bits 63:48 alike.', (c) => !entry(c, Entry.LOAD_CET) || ((c.low(GUEST_SSP) & 3) === 0 && upperBitsAlike(c, GUEST_SSP)), { feature: 'cet' }),

  state('activity.supported', ['GUEST_ACTIVITY_STATE'], 'The activity state must be one that IA32_VMX_MISC allows: 0 (active), 1 (HLT), 2 (shutdown) or 3 (wait-for-SIPI).', activitySupported),
  state('activity.hlt-dpl', ['GUEST_ACTIVITY_STATE', 'GUEST_SS_ACCESS_RIGHTS'], 'The HLT state needs DPL 0 in guest SS.', (c) => activity(c) !== Activity.HLT || ((c.low(GUEST_SS_ACCESS_RIGHTS) >>> 5) & 3) === 0),
  state('activity.blocking', ['GUEST_ACTIVITY_STATE', 'GUEST_INTERRUPTIBILITY_STATE'], 'The activity state must be active while STI or MOV SS blocks.', (c) => activity(c) === Activity.ACTIVE || !blocked(c, STI_OR_MOV_SS)),
  state('activity.event', ['VM_ENTRY_INTERRUPTION_INFO', 'GUEST_ACTIVITY_STATE'], 'The injected event must be possible in the activity state: in HLT an external interrupt, an NMI, #DB, #MC or a pending monitor-trap-flag exit, in shutdown an NMI or #MC, in wait-for-SIPI none.', injectable),
  state('activity.smm', ['GUEST_ACTIVITY_STATE', 'VM_ENTRY_CONTROLS'], 'Entry to SMM must not be to the wait-for-SIPI state.', (c) => !entry(c, Entry.ENTRY_TO_SMM) || activity(c) !== Activity.WAIT_FOR_SIPI, { feature: 'dual-monitor' }),
  state('interruptibility.reserved', ['GUEST_INTERRUPTIBILITY_STATE'], 'Bits 31:5 of the interruptibility state must be 0.', (c) => c.low(GUEST_INTERRUPTIBILITY_STATE) >>> 5 === 0),
  state('interruptibility.both', ['GUEST_INTERRUPTIBILITY_STATE'], 'STI and MOV SS must not both block.', (c) => (c.low(GUEST_INTERRUPTIBILITY_STATE) & STI_OR_MOV_SS) !== STI_OR_MOV_SS),
  state('interruptibility.sti', ['GUEST_INTERRUPTIBILITY_STATE', 'GUEST_RFLAGS'], 'Blocking by STI needs guest RFLAGS.IF.', (c) => !blocked(c, Blocking.STI) || (c.low(GUEST_RFLAGS) & IF) !== 0),
  state('interruptibility.interrupt', ['GUEST_INTERRUPTIBILITY_STATE', 'VM_ENTRY_INTERRUPTION_INFO'], 'Neither STI nor MOV SS may block where an external interrupt is injected.', (c) => !injectsType(c, Event.INTERRUPT) || !blocked(c, STI_OR_MOV_SS)),
  state('interruptibility.nmi', ['GUEST_INTERRUPTIBILITY_STATE', 'VM_ENTRY_INTERRUPTION_INFO'], 'MOV SS must not block where an NMI is injected.', (c) => !injectsType(c, Event.NMI) || !blocked(c, Blocking.MOV_SS)),
  state('interruptibility.smi', ['GUEST_INTERRUPTIBILITY_STATE'], 'Blocking by SMI must be 0 outside system-management mode.', (c) => entry(c, Entry.ENTRY_TO_SMM) || !blocked(c, Blocking.SMI)),
  state('interruptibility.smm', ['GUEST_INTERRUPTIBILITY_STATE', 'VM_ENTRY_CONTROLS'], 'Blocking by SMI must be 1 on entry to SMM.', (c) => !entry(c, Entry.ENTRY_TO_SMM) || blocked(c, Blocking.SMI), { feature: 'dual-monitor' }),
  // The SDM lets a processor require this or not; this one does, so that a VMM that relies on the other kind is found.
  state('interruptibility.nmi-sti', ['GUEST_INTERRUPTIBILITY_STATE', 'VM_ENTRY_INTERRUPTION_INFO'], 'STI must not block where an NMI is injected (some processors allow it).', (c) => !injectsType(c, Event.NMI) || !blocked(c, Blocking.STI), { qualification: Qualification.NMI }),
  state('interruptibility.virtual-nmi', ['GUEST_INTERRUPTIBILITY_STATE', 'VM_ENTRY_INTERRUPTION_INFO', 'PIN_BASED_CONTROLS'], 'NMIs must not be blocked where a virtual NMI is injected.', (c) => !injectsType(c, Event.NMI) || !pin(c, Pin.VIRTUAL_NMIS) || !blocked(c, Blocking.NMI), { feature: 'virtual-nmis' }),
  state('interruptibility.enclave', ['GUEST_INTERRUPTIBILITY_STATE'], 'Enclave interruption (bit 4) must be 0 on a processor without SGX.', (c) => !blocked(c, Blocking.ENCLAVE)),
  state('pending-debug.reserved', ['GUEST_PENDING_DEBUG_EXCEPTIONS'], 'Bits 11:4, 13 and 63:15 of the pending debug exceptions must be 0.', (c) => c.high(GUEST_PENDING_DEBUG_EXCEPTIONS) === 0 && (c.low(GUEST_PENDING_DEBUG_EXCEPTIONS) & ~PENDING_DEBUG_BITS) === 0),
  state('pending-debug.bs', ['GUEST_PENDING_DEBUG_EXCEPTIONS', 'GUEST_RFLAGS', 'GUEST_IA32_DEBUGCTL', 'GUEST_INTERRUPTIBILITY_STATE', 'GUEST_ACTIVITY_STATE'], 'While STI or MOV SS blocks, or in the HLT state, BS (bit 14) must be 1 exactly when RFLAGS.TF is 1 and IA32_DEBUGCTL.BTF is 0.', singleStepAgrees),
  state('link-pointer.address', ['VMCS_LINK_POINTER'], 'The VMCS link pointer must be all ones (no VMCS) or 4-KiB aligned and inside the physical-address width.', (c) => !linkUsed(c) || page(c, VMCS_LINK_POINTER), { qualification: Qualification.LINK_POINTER }),
  state('link-pointer.revision', ['VMCS_LINK_POINTER'], 'The VMCS that the link pointer names must begin with the VMCS revision identifier.', (c) => !linkUsed(c) || !page(c, VMCS_LINK_POINTER) || ((linkedWord(c) ?? NO_MEMORY) & ~SHADOW_INDICATOR) === VMCS_REVISION, { qualification: Qualification.LINK_POINTER }),
  state('link-pointer.shadow', ['VMCS_LINK_POINTER', 'SECONDARY_PROCESSOR_BASED_CONTROLS'], 'The VMCS that the link pointer names must be a shadow VMCS (bit 31 of its first four bytes) exactly when VMCS shadowing is 1.', (c) => !linkUsed(c) || !page(c, VMCS_LINK_POINTER) || (linkedWord(c) ?? NO_MEMORY) >>> 31 === Number(secondary(c, Secondary.VMCS_SHADOWING)), { qualification: Qualification.LINK_POINTER }),
  state('link-pointer.current', ['VMCS_LINK_POINTER'], 'The VMCS link pointer must not name the current VMCS.', (c) => !linkUsed(c) || linkAddress(c) !== c.currentVmcs, { qualification: Qualification.LINK_POINTER }),

  ...([0, 1, 2, 3] as const).map((n) => {
    const slot = Slot[`GUEST_PDPTE${n}`];
    return pdpte(`pdpte${n}`, [`GUEST_PDPTE${n}`], `Where EPT and PAE paging are used, a present PDPTE ${PDPTE_CONDITION}`, (c) => !usesPdptes(c) || !secondary(c, Secondary.EPT) || pdpteValid(c.physicalAddressBits, c.low(slot), c.high(slot)), { qualification: Qualification.PDPTE, feature: 'ept' });
  }),
  pdpte('pdptes.memory', ['GUEST_CR3'], `Where PAE paging is used without EPT, each present PDPTE in memory at guest CR3 ${PDPTE_CONDITION}`, (c) => !usesPdptes(c) || secondary(c, Secondary.EPT) || pdptesInMemory(c), { qualification: Qualification.PDPTE }),
];
