/*
 * The guest's first instruction in protected mode, paging off. A kernel on a bare machine would have asked its BIOS for
 * the memory map; here there is none, so it asks the VMM, and gets the answer in EBX.
 */
#include "hypercall.h"

.section .boot.first, "ax"
.code32
.globl _start
_start:
    xorl %ebx, %ebx                     /* stays 0 when nobody answers: main.c then asks the CMOS */
    movl $VMCALL_MBMAP, %eax
    vmcall
    jmp enter_long_mode

.section .note.GNU-stack, "", @progbits
