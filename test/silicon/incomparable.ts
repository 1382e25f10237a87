/** The reviewed table of forms that are not compared with silicon, with the reason. */
export const INCOMPARABLE: readonly { forms: RegExp; reason: string }[] = [
  {
    forms: /^(hlt|in|out|ins|outs|cli|sti|clts|invd|wbinvd|wbnoinvd|invlpg|invpcid|lgdt|lidt|lldt|ltr|lmsw|mov_(from|to)_[cd]r|rdmsr|wrmsr|sysexit|sysret|swapgs|clac|stac|xsetbv|xsaves|xrstors|monitor|mwait|rsm|getsec|rdpmc)( |$)/,
    reason: 'they are privileged: test/unit/system*.test.ts and test/bochs judge them',
  },
  { forms: /^(vm(call|clear|func|launch|ptrld|ptrst|read|resume|write|xoff|xon)|invept|invvpid)( |$)/, reason: 'they are VMX instructions: test/bochs judges them' },
  { forms: /^(int|int1|int3|iret|syscall|sysenter|call_far|jmp_far|ret_far|lss|lfs|lgs)( |$)/, reason: 'they enter the host\'s kernel or load its segments' },
  { forms: /^(sgdt|sidt|sldt|str|smsw|lar|lsl|verr|verw|mov_(from|to)_sreg|push_sreg|pop_sreg|(rd|wr)[fg]sbase|rdpid|rdpkru|wrpkru|xgetbv)( |$)/, reason: 'what they show or set is the host system\'s' },
  { forms: /^(cpuid|rdtsc|rdtscp|rdrand|rdseed)( |$)/, reason: 'their results are another processor\'s by design' },
  { forms: /^(xsaveopt|xsavec)( |$)/, reason: 'silicon may leave out what it takes for unmodified or initial: test/unit/xsave.test.ts judges them' },
  { forms: /^bswap r16$/, reason: 'the SDM leaves the result undefined' },
];
