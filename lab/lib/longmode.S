/*
 * From 32-bit protected mode with paging off to 64-bit C. Both kernels come through here: the VMM on the bare machine,
 * the guest inside its virtual one.
 *
 * On entry EBX is the physical address of the multiboot information. The page tables map the first GiB of physical
 * memory twice with 2-MiB pages: at 0, so that the next instruction is still there when paging goes on, and at KERNBASE,
 * where the kernel is linked. The first of the two is taken away again as soon as it is no longer stood upon: a null
 * pointer should fault.
 */
#include "memory.h"
#include "x86.h"

#define LOW(symbol)         (symbol - KERNBASE)
#define PTE_TABLE           0x003       /* present, writable */
#define PTE_2MIB            0x083       /* present, writable, page size */

.section .boot, "ax"
.code32
.globl enter_long_mode
enter_long_mode:
    cld
    movl $(LOW(stack) + STACK_SIZE), %esp

    movl $(LOW(pdpt) + PTE_TABLE), LOW(pml4)                /* linear 0 */
    movl $(LOW(pdpt) + PTE_TABLE), LOW(pml4) + 511 * 8      /* the top 512 GiB, where KERNBASE is */
    movl $(LOW(pd) + PTE_TABLE), LOW(pdpt)
    movl $(LOW(pd) + PTE_TABLE), LOW(pdpt) + 510 * 8
    movl $LOW(pd), %edi
    movl $PTE_2MIB, %eax
1:  movl %eax, (%edi)
    addl $8, %edi
    addl $0x200000, %eax
    cmpl $(MAPPED_MEMORY + PTE_2MIB), %eax
    jb 1b

    movl $LOW(pml4), %eax
    movl %eax, %cr3
    movl %cr4, %eax
    orl $CR4_PAE, %eax
    movl %eax, %cr4
    movl $MSR_EFER, %ecx
    rdmsr
    orl $EFER_LME, %eax
    wrmsr
    movl %cr0, %eax
    orl $(CR0_PG + CR0_WP), %eax
    movl %eax, %cr0                     /* paging with LME set: this activates long mode */

    lgdt LOW(gdt_pointer_low)
    ljmp $SEL_CODE, $1f
.code64
1:  movl $SEL_DATA, %eax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    xorl %eax, %eax
    movw %ax, %fs
    movw %ax, %gs
    movq $high, %rax
    jmp *%rax

.text
.globl high
high:
    movq $KERNBASE, %rax
    addq %rax, %rsp
    lgdt gdt_pointer
    movq $0, pml4
    movq %cr3, %rcx
    movq %rcx, %cr3
    movl %ebx, %edi
    addq %rax, %rdi                     /* the argument: the information's linear address */
    xorl %ebp, %ebp                     /* the end of every chain of frame pointers */
    call kernel_main
1:  cli
    hlt
    jmp 1b

.data
.balign 16
.globl gdt
gdt:
    .quad 0
    .quad 0x00af9b000000ffff            /* SEL_CODE: 64-bit code, accessed already */
    .quad 0x00cf93000000ffff            /* SEL_DATA */
    .quad 0, 0                          /* SEL_TSS: filled in by vmm/segment.c */
gdt_end:
.globl gdt_pointer
gdt_pointer:
    .word gdt_end - gdt - 1
    .quad gdt
gdt_pointer_low:
    .word gdt_end - gdt - 1
    .long LOW(gdt)

.bss
.balign 4096
pml4:   .skip 4096
pdpt:   .skip 4096
pd:     .skip 4096
stack:  .skip STACK_SIZE

.section .note.GNU-stack, "", @progbits
