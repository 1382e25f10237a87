/*
 * The guest's boot sector, at 0x7000. The VMM has already put the guest's kernel where it belongs, so there is nothing
 * to load: only the way from real mode to protected mode remains.
 *
 * The processor arrives as the VMCS says: real mode, every selector and base 0, interrupts off.
 */
#include "memory.h"

.section .boot, "ax"
.code16
.globl _start
_start:
    cli
    cld
    lgdt gdt_pointer
    movl %cr0, %eax
    orb $1, %al
    movl %eax, %cr0
    ljmp $0x08, $protected

.code32
protected:
    movw $0x10, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movl $KERNEL_LOAD, %eax
    jmp *%eax

.balign 4
gdt:
    .quad 0
    .quad 0x00cf9b000000ffff            /* 0x08: flat 32-bit code */
    .quad 0x00cf93000000ffff            /* 0x10: flat data */
gdt_pointer:
    .word gdt_pointer - gdt - 1
    .long gdt

.section .note.GNU-stack, "", @progbits
