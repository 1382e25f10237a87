# A multiboot kernel that enters long mode with the first gigabyte mapped to itself, and calls `run`.
.set PRESENT_WRITABLE, 3
.set LARGE, 0x80
.set EFER, 0xc0000080

.section .multiboot, "a"
.align 4
.long 0x1badb002, 0, -0x1badb002

.bss
.align 4096
pml4: .skip 4096
pdpt: .skip 4096
directory: .skip 4096
.skip 16384
stack:

.data
gdt: .quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff
gdtr: .word 23
.long gdt

.text
.code32
.globl start
start:
    mov $stack, %esp
    movl $pdpt + PRESENT_WRITABLE, pml4
    movl $directory + PRESENT_WRITABLE, pdpt
    mov $directory, %edi
    mov $LARGE + PRESENT_WRITABLE, %eax
1:  mov %eax, (%edi)
    add $8, %edi
    add $0x200000, %eax
    cmp $0x40000000 + LARGE + PRESENT_WRITABLE, %eax
    jne 1b
    mov $pml4, %eax
    mov %eax, %cr3
    mov %cr4, %eax
    or $0x620, %eax             # PAE, and SSE for floating point
    mov %eax, %cr4
    mov $EFER, %ecx
    rdmsr
    or $0x100, %eax
    wrmsr
    mov %cr0, %eax
    and $~4, %eax
    or $0x80000002, %eax
    mov %eax, %cr0
    lgdt gdtr
    ljmp $8, $2f
.code64
2:  mov $16, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    call run
3:  hlt
    jmp 3b
.section .note.GNU-stack, "", @progbits
