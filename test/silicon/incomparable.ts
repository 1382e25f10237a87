/** The reviewed table of forms that are not compared with silicon, with the reason. */
export const INCOMPARABLE: readonly { forms: RegExp; reason: string }[] = [
  { forms: /^(sgdt|sidt|sldt|str|smsw)( |$)/, reason: "Linux forbids them to user mode (UMIP) and answers in the processor's place: test/unit/system.test.ts and test/bochs judge them" },
  { forms: /^vmcall( |$)/, reason: 'in a virtual machine it would call the hypervisor of the host: test/bochs judges it' },
  { forms: /^sysenter( |$)/, reason: "it enters Linux at the system calls of 32-bit programs, which end elsewhere: test/unit/system.test.ts judges it" },
];
