/*
 * enum verdict asm_vmrun(struct guest *g)
 *
 * Runs the guest until vmexit() says that it shall not resume. VM entry and VM exit switch RIP, RSP, RFLAGS, control
 * registers and segments by the VMCS; the other registers are ours to switch, here.
 *
 * Our frame, which HOST_RSP points to at every exit:
 *     0(%rsp)     g
 *     8(%rsp)     R15 R14 R13 R12 RBX, the registers that our caller expects back
 *     48(%rsp)    RBP of our caller
 *     56(%rsp)    where our caller goes on
 */
#include "guestregs.h"
#include "vmcs.h"

#define FRAME_RBP 48

.macro load_guest_registers             /* from (%rdi), which goes last */
    movq GUEST_RAX(%rdi), %rax
    movq GUEST_RBX(%rdi), %rbx
    movq GUEST_RCX(%rdi), %rcx
    movq GUEST_RDX(%rdi), %rdx
    movq GUEST_RSI(%rdi), %rsi
    movq GUEST_RBP(%rdi), %rbp
    movq GUEST_R8(%rdi), %r8
    movq GUEST_R9(%rdi), %r9
    movq GUEST_R10(%rdi), %r10
    movq GUEST_R11(%rdi), %r11
    movq GUEST_R12(%rdi), %r12
    movq GUEST_R13(%rdi), %r13
    movq GUEST_R14(%rdi), %r14
    movq GUEST_R15(%rdi), %r15
    movq GUEST_RDI(%rdi), %rdi
.endm

.text
.globl asm_vmrun
.type asm_vmrun, @function
asm_vmrun:
    .cfi_startproc
    pushq %rbp
    .cfi_def_cfa_offset 16
    .cfi_offset %rbp, -16
    pushq %rbx
    .cfi_def_cfa_offset 24
    .cfi_offset %rbx, -24
    pushq %r12
    .cfi_def_cfa_offset 32
    .cfi_offset %r12, -32
    pushq %r13
    .cfi_def_cfa_offset 40
    .cfi_offset %r13, -40
    pushq %r14
    .cfi_def_cfa_offset 48
    .cfi_offset %r14, -48
    pushq %r15
    .cfi_def_cfa_offset 56
    .cfi_offset %r15, -56
    pushq %rdi
    .cfi_def_cfa_offset 64

    movl $VMCS_HOST_RSP, %eax
    vmwrite %rsp, %rax
    load_guest_registers
    vmlaunch                            /* goes on at asm_vmexit; comes here only when it fails */
    leaq launch_name, %rdi
    jmp entry_failed

/* HOST_RIP: every exit arrives here, with the guest's registers and the VMM's RSP. */
.globl asm_vmexit
asm_vmexit:
    xchgq %rdi, (%rsp)                  /* RDI = g, and the guest's RDI waits on the stack */
    movq %rax, GUEST_RAX(%rdi)
    movq %rbx, GUEST_RBX(%rdi)
    movq %rcx, GUEST_RCX(%rdi)
    movq %rdx, GUEST_RDX(%rdi)
    movq %rsi, GUEST_RSI(%rdi)
    movq %rbp, GUEST_RBP(%rdi)
    movq %r8, GUEST_R8(%rdi)
    movq %r9, GUEST_R9(%rdi)
    movq %r10, GUEST_R10(%rdi)
    movq %r11, GUEST_R11(%rdi)
    movq %r12, GUEST_R12(%rdi)
    movq %r13, GUEST_R13(%rdi)
    movq %r14, GUEST_R14(%rdi)
    movq %r15, GUEST_R15(%rdi)
    movq (%rsp), %rax
    movq %rax, GUEST_RDI(%rdi)
    movq %rdi, (%rsp)
    leaq FRAME_RBP(%rsp), %rbp          /* the chain of frame pointers is whole again */
    call vmexit

    cmpl $1, %eax                       /* GUEST_RESUMES */
    jne leave
    movq (%rsp), %rdi
    load_guest_registers
    vmresume                            /* as above */
    leaq resume_name, %rdi
entry_failed:
    leaq FRAME_RBP(%rsp), %rbp
    call vmx_entry_failed               /* does not return */

leave:
    popq %rdi
    .cfi_def_cfa_offset 56
    popq %r15
    .cfi_def_cfa_offset 48
    popq %r14
    .cfi_def_cfa_offset 40
    popq %r13
    .cfi_def_cfa_offset 32
    popq %r12
    .cfi_def_cfa_offset 24
    popq %rbx
    .cfi_def_cfa_offset 16
    popq %rbp
    .cfi_def_cfa_offset 8
    ret
    .cfi_endproc
.size asm_vmrun, . - asm_vmrun

.section .rodata
launch_name:    .asciz "VMLAUNCH"
resume_name:    .asciz "VMRESUME"

.section .note.GNU-stack, "", @progbits
