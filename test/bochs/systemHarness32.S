/*
 * Plays the cases of the system differential in 32-bit protected mode with paging. Every exception and interrupt is an
 * event, written to COM1 as one line of numbers; then the case goes on (traps, software interrupts, or where RESUME
 * says) or the next one begins in a state made anew.
 */
    .intel_syntax noprefix
    .code32
    .set GDT, 0x60000
    .set IDT, 0x61000
    .set TSS, 0x62000
    .set TSS_B, 0x63000
    .set TSS_16, 0x63800
    .set LDT, 0x64000
    .set KERNEL_STACK, 0x68000
    .set RSP0, 0x6a000
    .set USER_STACK, 0x6c000
    .set STACK_B, 0x6e000
    .set DATA, 0x70000
    .set RESUME, 0x6f000
    .set EVENTS, 0x6f004
    .set CURRENT, 0x6f008
    .set DIRECTORY, 0x100000
    .set TABLES, 0x101000
    /* The second table maps 4 to 8 MiB; cases change its entries. */
    .set PAGES, 0x102000
    .set PAGED, 0x400000

    .section .text
    .globl start
start:
    mov esp, KERNEL_STACK
    mov al, 0xff
    out 0x21, al
    out 0xa1, al
    mov edx, 0x3f9              # no interrupts; 115200 baud, 8 bits
    xor eax, eax
    out dx, al
    mov edx, 0x3fb
    mov al, 0x83
    out dx, al
    mov edx, 0x3f8
    mov eax, 1
    out dx, al
    inc edx
    dec eax
    out dx, al
    mov edx, 0x3fb
    mov al, 3
    out dx, al
    mov dword ptr [CURRENT], offset case_table
next_case:
    cli
    cld
    mov ax, 0x10
    mov ss, ax
    mov ds, ax
    mov es, ax
    mov esp, KERNEL_STACK
    push 2
    popfd
    xor eax, eax
    mov edx, 0x400
    mov dr7, edx
    mov dr6, eax
    mov eax, 0x31               # paging is off while the tables are made
    mov cr0, eax
    mov esi, offset gdt_template
    mov edi, GDT
    mov ecx, (gdt_end - gdt_template) / 4
    rep movsd
    mov edi, IDT
    xor ecx, ecx
1:  lea eax, [ecx + ecx * 8]
    add eax, offset stubs
    mov edx, eax
    and eax, 0xffff
    or eax, 0x00080000
    mov [edi], eax
    and edx, 0xffff0000
    or edx, 0x8e00
    mov [edi + 4], edx
    add edi, 8
    inc ecx
    cmp ecx, 256
    jne 1b
    mov byte ptr [IDT + 3 * 8 + 5], 0xee
    mov byte ptr [IDT + 4 * 8 + 5], 0xee
    mov byte ptr [IDT + 0x7f * 8 + 5], 0xee
    mov byte ptr [IDT + 0x7e * 8 + 5], 0xee
    mov dword ptr [IDT + 0x7d * 8], 0x00300000   # task gate to TSS_B
    mov dword ptr [IDT + 0x7d * 8 + 4], 0x0000e500
    mov byte ptr [IDT + 0x7a * 8 + 5], 0x6e      # not present
    mov byte ptr [IDT + 0x79 * 8 + 5], 0xef      # trap gate
    mov edi, TSS
    mov ecx, 0x2000 / 4
    xor eax, eax
    rep stosd                                    # TSS, TSS_B, TSS_16
    mov dword ptr [TSS + 4], RSP0
    mov dword ptr [TSS + 8], 0x10
    mov dword ptr [TSS + 0x1c], DIRECTORY
    mov dword ptr [TSS + 0x64], 0x00680000
    mov byte ptr [TSS + 0x68 + 0xf4 / 8], 0x10   # port 0xf4 is closed
    mov byte ptr [TSS + 0x88], 0xff
    mov edi, TSS_B
    mov dword ptr [edi + 4], RSP0
    mov dword ptr [edi + 8], 0x10
    mov dword ptr [edi + 0x1c], DIRECTORY
    mov dword ptr [edi + 0x20], offset task_b
    mov dword ptr [edi + 0x24], 2
    mov dword ptr [edi + 0x28], 0xb0000000
    mov dword ptr [edi + 0x2c], 0xb0000001
    mov dword ptr [edi + 0x30], 0xb0000002
    mov dword ptr [edi + 0x34], 0xb0000003
    mov dword ptr [edi + 0x38], STACK_B
    mov dword ptr [edi + 0x3c], 0xb0000005
    mov dword ptr [edi + 0x40], 0xb0000006
    mov dword ptr [edi + 0x44], 0xb0000007
    mov dword ptr [edi + 0x48], 0x10
    mov dword ptr [edi + 0x4c], 0x08
    mov dword ptr [edi + 0x50], 0x10
    mov dword ptr [edi + 0x54], 0x10
    mov dword ptr [edi + 0x64], 0x00680000
    mov edi, TSS_16
    mov word ptr [edi + 2], 0xfff0
    mov word ptr [edi + 4], 0x10
    mov word ptr [edi + 0x0e], offset task_16 - start
    mov word ptr [edi + 0x10], 2
    mov word ptr [edi + 0x12], 0x1111
    mov word ptr [edi + 0x1a], 0x8000
    mov word ptr [edi + 0x22], 0x10
    mov word ptr [edi + 0x24], 0x68
    mov word ptr [edi + 0x26], 0xd0
    mov word ptr [edi + 0x28], 0x10
    mov esi, offset ldt_template
    mov edi, LDT
    mov ecx, (ldt_end - ldt_template) / 4
    rep movsd
    mov edi, DATA
    mov ecx, 0x2000 / 4
    xor eax, eax
    rep stosd
    mov edi, USER_STACK - 0x1000
    mov ecx, 0x3000 / 4
    rep stosd
    mov edi, DIRECTORY
    mov ecx, 0x3000 / 4
    rep stosd
    mov dword ptr [DIRECTORY], TABLES + 7
    mov dword ptr [DIRECTORY + 4], PAGES + 7
    mov eax, 7
    mov edi, TABLES
    mov ecx, 2048
2:  stosd
    add eax, 0x1000
    loop 2b
    mov edi, PAGED
    mov ecx, 0x8000 / 4
    xor eax, eax
    rep stosd
    mov dword ptr [RESUME], 0
    mov dword ptr [EVENTS], 0
    lgdt [gdtr]
    lidt [idtr]
    mov eax, DIRECTORY
    mov cr3, eax
    xor eax, eax
    mov cr4, eax
    mov eax, 0x80010031
    mov cr0, eax
    .byte 0xea
    .long 3f
    .word 8
3:  mov ax, 0x28
    ltr ax
    xor ax, ax
    lldt ax
    mov ax, 0x10
    mov fs, ax
    mov gs, ax
    mov esi, [CURRENT]
    cmp dword ptr [esi], 0
    je finished
    add dword ptr [CURRENT], 8
    mov edx, [esi + 4]
    mov esi, [esi]
    mov al, '#'
    call put
    call text
    call line
    mov eax, 0xa0000000
    mov ebx, 0xa0000003
    mov ecx, 0xa0000001
    mov esi, 0xa0000006
    mov edi, 0xa0000007
    mov ebp, 0xa0000005
    jmp edx
finished:
    mov esi, offset end_text
    call text
    call line
4:  mov al, 0
    out 0xf4, al
    hlt
    jmp 4b

#include "systemConsole.S"

common:
    pushad
    push ds
    push es
    push fs
    push gs
    mov ax, 0x10
    mov ds, ax
    mov es, ax
    cld
    mov ebp, esp
    mov esi, dr7
    mov edi, dr6
    mov eax, 0x400
    mov dr7, eax
    mov al, 'E'
    call put
    .irp offset, 48, 52, 56, 60, 64
    mov eax, [ebp + \offset]
    call hex
    .endr
    lea eax, [ebp + 48]
    call hex
    mov al, '|'
    call put
    test dword ptr [ebp + 64], 0x20000
    jnz 1f
    test dword ptr [ebp + 60], 3
    jz 2f
1:  mov eax, [ebp + 68]
    call hex
    movzx eax, word ptr [ebp + 72]
    call hex
2:  test dword ptr [ebp + 64], 0x20000
    jz 3f
    .irp offset, 76, 80, 84, 88
    movzx eax, word ptr [ebp + \offset]
    call hex
    .endr
3:  mov al, '|'
    call put
    .irp offset, 44, 32, 40, 36, 20, 16, 24
    mov eax, [ebp + \offset]
    call hex
    .endr
    mov al, '|'
    call put
    .irp offset, 12, 8, 4, 0
    movzx eax, word ptr [ebp + \offset]
    call hex
    .endr
    str ax
    movzx eax, ax
    call hex
    mov eax, cr0
    and eax, 0x4002f
    call hex
    mov eax, edi
    xor eax, 0xffff0ff0
    call hex
    mov eax, esi
    call hex
    cmp dword ptr [ebp + 48], 14
    jne 4f
    mov eax, cr2
    call hex
4:  call line
    mov eax, [DATA]
    or eax, [DATA + 4]
    jz 5f
    mov al, 'D'
    call put
    mov eax, [DATA]
    call hex
    mov eax, [DATA + 4]
    call hex
    call line
    mov dword ptr [DATA], 0
    mov dword ptr [DATA + 4], 0
5:  xor eax, eax
    mov dr6, eax
    inc dword ptr [EVENTS]
    cmp dword ptr [EVENTS], 24
    ja next_case
    mov eax, [ebp + 48]
    cmp eax, 0x7f
    je next_case
    cmp eax, 1
    jne 6f
    or dword ptr [ebp + 64], 0x10000
    jmp go_on
6:  cmp eax, 3
    je go_on
    cmp eax, 4
    je go_on
    cmp eax, 0x20
    jae go_on
    mov eax, [RESUME]
    test eax, eax
    jz next_case
    mov [ebp + 56], eax
    mov dword ptr [RESUME], 0
go_on:
    mov dr7, esi
    pop gs
    pop fs
    pop es
    pop ds
    popad
    add esp, 8
    iretd

task_b:
    int 0x7e
    iretd
    int 0x7e
    jmp task_b

    .balign 8
gdtr:
    .word gdt_end - gdt_template - 1
    .long GDT
idtr:
    .word 0x7ff
    .long IDT
end_text:
    .asciz "END"
    .balign 8
gdt_template:
    .quad 0
    .quad 0x00cf9b000000ffff    # 08 code
    .quad 0x00cf93000000ffff    # 10 data
    .quad 0x00cffb000000ffff    # 18 user code
    .quad 0x00cff3000000ffff    # 20 user data
    .quad 0x0000890620000088    # 28 TSS
    .quad 0x0000890630000067    # 30 TSS_B
    .quad 0x000081063800002b    # 38 TSS_16
    .quad 0x000082064000002f    # 40 LDT
    .word gate_target - start, 8, 0xec00, 1      # 48 call gate, DPL 3
    .word gate_target - start, 8, 0xec03, 1      # 50 call gate with 3 parameters
    .quad 0x0000e50000300000    # 58 task gate to TSS_B, DPL 3
    .quad 0x00cf9f000000ffff    # 60 conforming code
    .quad 0x00009b010000ffff    # 68 16-bit code at 0x10000
    .quad 0x00cf91000000ffff    # 70 read-only data
    .quad 0x0040970000000fff    # 78 expand-down data above 0xfff
    .quad 0x00cf13000000ffff    # 80 data, not present
    .quad 0x00cf99000000ffff    # 88 execute-only code
    .quad 0x0040f30700000fff    # 90 4 KiB of user data at 0x70000
    .quad 0x00cf1b000000ffff    # 98 code, not present
    .word gate_target - start, 8, 0x6c00, 1      # a0 call gate, not present
    .quad 0x0000ec0000000000    # a8 call gate to the null selector
    .word gate_16 - start, 0x68, 0xe401, 0       # b0 16-bit call gate with a parameter
    .quad 0x0000f3060000ffff    # b8 16-bit user stack at 0x60000
    .quad 0x00cfb3000000ffff    # c0 data of DPL 1
    .quad 0x00cfff000000ffff    # c8 conforming code of DPL 3
    .quad 0x00cf93070000ffff    # d0 stack at 0x70000: the 16-bit TSS loads ESP with ones above
    .quad 0x0000970700000fff    # d8 16-bit expand-down data above 0xfff
    .quad 0x0000e50000280000    # e0 task gate to the busy TSS
    .quad 0x0000890630000066    # e8 TSS that is too short
    .quad 0x0000090630000067    # f0 TSS, not present
    .quad 0x00cfbb000000ffff    # f8 code of DPL 1
gdt_end:
ldt_template:
    .quad 0
    .quad 0x00cf93000000ffff    # 0c data
    .quad 0x00cffb000000ffff    # 14 user code
    .quad 0x00cff3000000ffff    # 1c user data
    .quad 0x0000890630000067    # 24 a TSS
    .quad 0x00cf9b000000ffff    # 2c code
ldt_end:

gate_target:
    int 0x7e
    retf
    .code16
gate_16:
    int 0x7e
    retf 2
task_16:
    int 0x7e
    pushf
    pop bx
    test bh, 0x40               # nested?
    jz 1f
    iret
1:  int 0x7f
    .code32

    .balign 8
stubs:
    .set vector, 0
    .rept 256
    .if (vector == 8) || ((vector >= 10) && (vector <= 14)) || (vector == 17)
    .byte 0x90, 0x90
    .else
    .byte 0x6a, 0
    .endif
    .byte 0x6a, vector
    .byte 0xe9
    .long common_stub - (. + 4)
    .org stubs + (vector + 1) * 9
    .set vector, vector + 1
    .endr
common_stub:
    and dword ptr [esp], 0xff
    jmp common
