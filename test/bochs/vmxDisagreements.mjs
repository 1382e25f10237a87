// Where Debian's Bochs 2.7 and Hyperstep differ in vmx.mjs, each reviewed against the SDM: `section` is a title of volume 3.
// `bochs` is its outcome in the words of vmx.S.
const GUEST_REGISTERS = 'Checks on Guest Control Registers, Debug Registers, and MSRs';
const RIP_RFLAGS = 'Checks on Guest RIP, RFLAGS, and SSP';
const NON_REGISTER = 'Checks on Guest Non-Register State';
const ENTERS = 'X a 0';

export const DISAGREEMENTS = {
  'control.tsc-multiplier holds': { bochs: 'U 2032 0', section: 'VM-Execution Control Fields', why: 'The processor that Bochs is set to has no TSC scaling.' },
  'control.exit.msr-store-count fails': { bochs: ENTERS, section: 'Miscellaneous Data', why: 'What happens beyond the recommended number of entries is undefined; Hyperstep refuses the entry.' },
  'control.exit.msr-load-count fails': { bochs: ENTERS, section: 'Miscellaneous Data', why: 'What happens beyond the recommended number of entries is undefined; Hyperstep refuses the entry.' },
  'control.entry.smm fails': { bochs: 'X 80000021 0', section: 'VM-Entry Control Fields', why: 'Outside SMM the control must be 0, so the entry fails at the controls; Bochs allows the control and finds the guest state wrong for it.' },
  'guest.debugctl.reserved fails': { bochs: ENTERS, section: GUEST_REGISTERS, why: 'Bochs does not check IA32_DEBUGCTL.' },
  'guest.long-mode.paging fails': { bochs: ENTERS, section: GUEST_REGISTERS, why: 'CR0.PG must be 1 for an IA-32e-mode guest, an unrestricted one too; Bochs lets it be 0.' },
  'guest.rip.upper-bits fails': { bochs: 'X 0 0', section: RIP_RFLAGS, why: 'Bochs does not check bits 63:48 of RIP: its guest meets #GP at its first instruction.' },
  'guest.rflags.vm.real-mode fails': { bochs: ENTERS, section: RIP_RFLAGS, why: 'RFLAGS.VM must be 0 while CR0.PE is 0; Bochs checks only that the guest is not in IA-32e mode.' },
  'guest.interruptibility.nmi-sti fails': { bochs: 'X 80000021 0', section: 'VM-Entry Failures During or After Loading Guest State', why: 'Both refuse the NMI; the qualification for blocking by STI is 3.' },
  'guest.interruptibility.virtual-nmi fails': { bochs: 'X c 0', section: NON_REGISTER, why: 'Bochs does not check blocking by NMI where a virtual NMI is injected.' },
  'guest.pending-debug.bs fails': { bochs: ENTERS, section: NON_REGISTER, why: 'Bochs does not compare BS with RFLAGS.TF.' },
  'guest.pdptes.memory fails': { bochs: 'X 0 7000', section: 'Checks on Guest Page-Directory-Pointer-Table Entries', why: 'Without EPT the PDPTEs in memory are checked; Bochs enters, and the guest meets #PF.' },
  'msr-load.count fails': { bochs: ENTERS, section: 'Miscellaneous Data', why: 'What happens beyond the recommended number of entries is undefined; Hyperstep fails at the first one beyond.' },
  'msr-load.smm fails': { bochs: ENTERS, section: 'Loading MSRs', why: 'Bochs ignores writes to MSRs that it does not know, IA32_SMM_MONITOR_CTL among them.' },
  'msr-load.model-specific fails': { bochs: ENTERS, section: 'Loading MSRs', why: 'Which MSRs cannot be loaded for model-specific reasons is up to the processor; Bochs ignores writes to this one.' },
};

// What ends Bochs itself.
export const UNPLAYABLE = {
  'control.entry.event-type holds': 'Bochs panics at a pending monitor-trap-flag exit ("VM-Entry Control Fields": type 7 is allowed where the monitor trap flag is).',
};
