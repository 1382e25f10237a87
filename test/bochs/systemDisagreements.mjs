// Where Bochs 2.7 and Hyperstep differ on the cases of system.mjs, and why Hyperstep stays as it is. Each reason names the
// section of the SDM (by title) that decides, or says that it leaves the choice.

/** Mode (all when absent), names of the cases, and the reason. */
const REASONS = [
  { mode: '32', cases: /^TSS on a page that is not there$/, because: 'Bochs asks for the first byte of both pages, Hyperstep for the bytes that it needs: the address in CR2 differs. "Task Switching" asks only that the page fault comes before the switch.' },
  { mode: '32', cases: /^CS b in the new TSS$/, because: 'Bochs checks SS before the privilege level of CS. "Task Switching", exception conditions checked during a task switch: the condition on CS comes first.' },
  { mode: '32', cases: /^(single step of rep stosb|rep movsb over a write breakpoint)$/, because: '"Instruction-Breakpoint Exception Condition": RF is pushed as 1 for a trap after any iteration of a repeated string instruction but the last. Bochs pushes 0.' },
  { mode: '32', cases: /^general detect$/, because: '"Instruction-Breakpoint Exception Condition": every fault but that of an instruction breakpoint pushes RF as 1, and general detect is a fault. Bochs pushes 0.' },
  { mode: '32', cases: /^fixed bits$/, because: '"Debug Control Register (DR7)": bit 11 exists where RTM does. This Bochs has RTM, Hyperstep does not.' },
  { mode: '32', cases: /^far pointers$/, because: 'LDS of a page that is not there: silicon (tried with LGS, far JMP and CALL in user mode) reads the offset first, and so does Hyperstep. Bochs reads the selector first, which shows in CR2.' },
  { mode: '64', cases: /^iretq with SS 3$/, because: '"IRET/IRETD/IRETQ", 64-bit mode exceptions: a null SS whose RPL is not the CPL raises #GP(0) when the return is not to CPL 3. Bochs takes it.' },
  { mode: '64', cases: /^iretq with SS 78$/, because: '"IRET/IRETD/IRETQ", operation: a stack segment that is not present raises #SS with its selector. Bochs raises #NP where the privilege level stays the same.' },
  { mode: '64', cases: /^(sysretq|syscall) under TF$/, because: 'The SDM does not tell when TF traps around SYSCALL and SYSRET; processors look at the TF that the instruction leaves, on which the FMASK of systems relies. Bochs looks at the one before.' },
  { mode: '64', cases: /^iretd and iretw in 64-bit mode$/, because: '"IRET/IRETD/IRETQ", operation: in 64-bit mode SS:RSP is popped whatever the operand size. Bochs pops it for 64-bit operands alone, or where the privilege level changes.' },
  { cases: /^rdmsr of an MSR that does not exist$/, because: 'Bochs is configured to ignore unknown MSRs; "RDMSR" raises #GP(0).' },
];

/** Why a case may differ, or undefined. */
export function explanation(mode, name) {
  return REASONS.find((r) => (r.mode === undefined || r.mode === mode) && r.cases.test(name))?.because;
}
