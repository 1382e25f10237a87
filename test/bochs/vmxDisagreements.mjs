// Where Debian's Bochs 2.7 and Hyperstep differ in vmx.mjs, each reviewed against the SDM: `section` is a title of volume 3.
// `sometimes`: it depends on what ran before. `bochs` is its outcome: in the words of vmx.S where the entry failed, else as vmx.mjs tells a VM exit.
const GUEST_REGISTERS = 'Checks on Guest Control Registers, Debug Registers, and MSRs';
const RIP_RFLAGS = 'Checks on Guest RIP, RFLAGS, and SSP';
const NON_REGISTER = 'Checks on Guest Non-Register State';
const ENTERS = 'X a 0';

export const DISAGREEMENTS = {
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
  'msr-load.count fails': { bochs: ENTERS, section: 'Miscellaneous Data', why: 'What happens beyond the recommended number of entries is undefined; Hyperstep fails at the first one beyond.' },
  'msr-load.smm fails': { bochs: ENTERS, section: 'Loading MSRs', why: 'Bochs ignores writes to MSRs that it does not know, IA32_SMM_MONITOR_CTL among them.' },
  'msr-load.model-specific fails': { bochs: ENTERS, section: 'Loading MSRs', why: 'Which MSRs cannot be loaded for model-specific reasons is up to the processor; Bochs ignores writes to this one.' },

  'exit.exception exits: in real mode without its error code': { bochs: 'EXCEPTION_OR_NMI, at 0x6, qualification 0x0, interruption 0x80000b0d, errorCode 0x0', section: 'Information for VM Exits Due to Vectored Events', why: 'Bit 11 is always 0 for an exit from real-address mode; Bochs sets it.' },
  'exit.interrupt-window exits: out of HLT': { bochs: 'PREEMPTION_TIMER, at 0x0, qualification 0x0', section: 'Interrupt-Window Exiting and Virtual-Interrupt Delivery', why: 'The exit wakes the processor from HLT right after the VM entry; in Bochs the guest sleeps until its timer.' },
  'exit.nmi-window exits': { sometimes: true, bochs: 'HLT, at 0x1, qualification 0x0, length 0x1', section: 'NMI-Window Exiting', why: 'The exit occurs before the first instruction of the guest when virtual NMIs are not blocked; Bochs looks only when something else makes it look for events, as an IRET does.' },
  'exit.monitor-trap-flag exits': { bochs: 'V 7 0', section: 'Monitor Trap Flag', why: 'Bochs does not have the monitor trap flag.' },
  'exit.monitor-trap-flag exits: after the delivery of an injected event': { bochs: 'V 7 0', section: 'Monitor Trap Flag', why: 'Bochs does not have the monitor trap flag.' },
  'exit.gdtr-idtr exits: LGDT of 32 bits': { bochs: 'GDTR_IDTR_ACCESS, at 0x0, qualification 0x9000, length 0x6, info 0x28418000', section: 'Information for VM Exits Due to Instruction Execution', why: 'Bit 11 is 1 for an operand size of 32 bits; Bochs does not set it.' },
  'exit.ept-violation exits: of a paging structure, with accessed and dirty flags': { bochs: 'EPT_VIOLATION, at 0x0, qualification 0xaa, linear 0x200000, gpa 0x9000', section: 'Basic VM-Exit Information', why: 'With accessed and dirty flags for EPT an access of a paging structure that is not permitted sets bit 0 besides bit 1; Bochs sets bit 1 alone.' },
};

// What ends Bochs itself.
export const UNPLAYABLE = {
  'exit.monitor-trap-flag.injected exits': 'Bochs panics at a pending monitor-trap-flag exit.',
  'control.entry.event-type holds': 'Bochs panics at a pending monitor-trap-flag exit ("VM-Entry Control Fields": type 7 is allowed where the monitor trap flag is).',
};
