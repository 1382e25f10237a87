/* Interrupts and exceptions. */
#ifndef LAB_TRAP_H
#define LAB_TRAP_H

#define IRQ_BASE    32              /* vector of IRQ 0: 0 to 31 are the processor's own */
#define VECTORS     48              /* 32 exceptions, 16 IRQs */

#ifndef __ASSEMBLER__
#include "types.h"

/* What lib/trapentry.S pushes, lowest address first. */
struct trapframe {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
    uint64_t rbp, rdi, rsi, rdx, rcx, rbx, rax;
    uint64_t vector;
    uint64_t error;                 /* 0 for vectors without an error code */
    uint64_t rip, cs, rflags, rsp, ss;
};

void trap_init(void);
void trap(struct trapframe *tf);
/* Called for every IRQ; each kernel brings its own. */
void irq(int number);
#endif

#endif
