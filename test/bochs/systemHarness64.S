/*
 * Plays the cases of the system differential in 64-bit mode, as systemHarness32.S does in 32-bit protected mode: the boot
 * sector leaves the processor in 32-bit protected mode, and this goes on from there.
 */
    .intel_syntax noprefix
    .set GDT, 0x60000
    .set IDT, 0x61000
    .set TSS, 0x63000
    .set LDT, 0x64000
    .set KERNEL_STACK, 0x68000
    .set RSP0, 0x6a000
    .set USER_STACK, 0x6c000
    .set IST1, 0x6e000
    .set DATA, 0x70000
    .set RESUME, 0x6f000
    .set EVENTS, 0x6f008
    .set CURRENT, 0x6f010
    .set PML4, 0x100000
    .set PDPT, 0x101000
    .set DIRECTORY, 0x102000
    .set TABLE, 0x103000
    /* The second table maps 2 to 4 MiB; cases change its entries. */
    .set PAGES, 0x104000
    .set PAGED, 0x200000

    .section .text
    .globl start
    .code32
start:
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
    mov edi, PML4
    mov ecx, 0x5000 / 4
    xor eax, eax
    rep stosd
    mov dword ptr [PML4], PDPT + 7
    mov dword ptr [PDPT], DIRECTORY + 7
    mov dword ptr [DIRECTORY], TABLE + 7
    mov dword ptr [DIRECTORY + 8], PAGES + 7
    mov edi, TABLE
    mov eax, 7
    mov ecx, 1024
1:  mov [edi], eax
    add edi, 8
    add eax, 0x1000
    loop 1b
    mov eax, 0x20
    mov cr4, eax
    mov eax, PML4
    mov cr3, eax
    mov ecx, 0xc0000080
    mov eax, 0x901
    xor edx, edx
    wrmsr
    lgdt [boot_descriptors]
    mov eax, 0x80010031
    mov cr0, eax
    .byte 0xea
    .long in_long_mode
    .word 8
    .balign 8
boot_descriptors:
    .word gdt_end - gdt_template - 1
    .long gdt_template
    .code64
in_long_mode:
    mov qword ptr [CURRENT], offset case_table
next_case:
    cli
    cld
    mov eax, 0x10
    mov ss, eax
    mov ds, eax
    mov es, eax
    mov esp, KERNEL_STACK
    push 2
    popfq
    mov eax, 0x400
    mov dr7, rax
    xor eax, eax
    mov dr6, rax
    mov esi, offset gdt_template
    mov edi, GDT
    mov ecx, (gdt_end - gdt_template) / 4
    rep movsd
    mov edi, IDT
    xor ecx, ecx
1:  lea eax, [rcx + rcx * 8]
    add eax, offset stubs
    mov edx, eax
    and eax, 0xffff
    or eax, 0x00080000
    mov [rdi], eax
    and edx, 0xffff0000
    or edx, 0x8e00
    mov [rdi + 4], edx
    mov qword ptr [rdi + 8], 0
    add edi, 16
    inc ecx
    cmp ecx, 256
    jne 1b
    mov byte ptr [IDT + 3 * 16 + 5], 0xee
    mov byte ptr [IDT + 4 * 16 + 5], 0xee
    mov byte ptr [IDT + 0x7f * 16 + 5], 0xee
    mov byte ptr [IDT + 0x7e * 16 + 5], 0xee
    mov byte ptr [IDT + 8 * 16 + 4], 1           # double faults have a stack of their own
    mov byte ptr [IDT + 0x7d * 16 + 4], 1
    mov byte ptr [IDT + 0x7d * 16 + 5], 0xee
    mov byte ptr [IDT + 0x7a * 16 + 5], 0x6e     # not present
    mov byte ptr [IDT + 0x79 * 16 + 5], 0xef     # trap gate
    mov edi, TSS
    mov ecx, 0x100 / 4
    xor eax, eax
    rep stosd
    mov dword ptr [TSS + 4], RSP0
    mov dword ptr [TSS + 0x24], IST1
    mov dword ptr [TSS + 0x64], 0x00680000
    mov byte ptr [TSS + 0x68 + 0xf4 / 8], 0x10   # port 0xf4 is closed
    mov byte ptr [TSS + 0x88], 0xff
    mov edi, DATA
    mov ecx, 0x2000 / 4
    rep stosd
    mov edi, USER_STACK - 0x1000
    mov ecx, 0x3000 / 4
    rep stosd
    mov edi, PAGES
    mov eax, PAGED + 7
    mov ecx, 512
2:  mov [rdi], rax
    add edi, 8
    add eax, 0x1000
    loop 2b
    mov edi, PAGED
    mov ecx, 0x8000 / 4
    xor eax, eax
    rep stosd
    mov qword ptr [RESUME], 0
    mov qword ptr [EVENTS], 0
    mov dword ptr [DIRECTORY], TABLE + 7
    mov dword ptr [DIRECTORY + 8], PAGES + 7
    lgdt [gdtr]
    lidt [idtr]
    mov eax, PML4
    mov cr3, rax
    mov eax, 0x20
    mov cr4, rax
    mov eax, 0x80010031
    mov cr0, rax
    xor edx, edx
    xor eax, eax
    mov ecx, 0xc0000100
    wrmsr
    inc ecx
    wrmsr
    inc ecx
    wrmsr
    mov ecx, 0xc0000080
    mov eax, 0x901
    wrmsr
    mov ecx, 0xc0000081
    xor eax, eax
    mov edx, 0x001b0008         # SYSRET to 0x23, 0x2b; SYSCALL to 8, 0x10
    wrmsr
    inc ecx
    mov eax, offset system_call
    xor edx, edx
    wrmsr
    mov ecx, 0xc0000084
    mov eax, 0x300
    wrmsr
    mov eax, 0x38
    ltr ax
    xor eax, eax
    lldt ax
    mov eax, 0x10
    mov fs, eax
    mov gs, eax
    mov esi, [CURRENT]
    cmp qword ptr [rsi], 0
    je finished
    add qword ptr [CURRENT], 16
    mov rdx, [rsi + 8]
    mov rsi, [rsi]
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
    mov r8d, 0xa0000008
    jmp rdx
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
    push rax
    push rbx
    push rcx
    push rdx
    push rsi
    push rdi
    push rbp
    push r8
    mov rbp, rsp
    cld
    mov rsi, dr7
    mov rdi, dr6
    mov eax, 0x400
    mov dr7, rax
    mov al, 'E'
    call put
    .irp offset, 64, 72, 80, 88, 96, 104, 112
    mov rax, [rbp + \offset]
    call hex
    .endr
    lea rax, [rbp + 64]
    call hex
    mov al, '|'
    call put
    .irp offset, 56, 48, 40, 32, 24, 16, 8, 0
    mov rax, [rbp + \offset]
    call hex
    .endr
    mov rax, r11
    call hex
    mov al, '|'
    call put
    .irp segment, ds, es, fs, gs, ss
    mov eax, \segment
    call hex
    .endr
    mov rax, cr0
    and eax, 0x4002f
    call hex
    mov rax, rdi
    xor eax, 0xffff0ff0
    call hex
    mov rax, rsi
    call hex
    cmp qword ptr [rbp + 64], 14
    jne 4f
    mov rax, cr2
    call hex
4:  call line
    mov rax, [DATA]
    test rax, rax
    jz 5f
    mov al, 'D'
    call put
    mov rax, [DATA]
    call hex
    call line
    mov qword ptr [DATA], 0
5:  xor eax, eax
    mov dr6, rax
    inc qword ptr [EVENTS]
    cmp qword ptr [EVENTS], 24
    ja next_case
    mov rax, [rbp + 64]
    cmp eax, 0x7f
    je next_case
    cmp eax, 1
    jne 6f
    or dword ptr [rbp + 96], 0x10000
    jmp go_on
6:  cmp eax, 3
    je go_on
    cmp eax, 4
    je go_on
    cmp eax, 0x20
    jae go_on
    mov rax, [RESUME]
    test rax, rax
    jz next_case
    mov [rbp + 80], rax
    mov qword ptr [RESUME], 0
go_on:
    mov dr7, rsi
    pop r8
    pop rbp
    pop rdi
    pop rsi
    pop rdx
    pop rcx
    pop rbx
    pop rax
    add rsp, 16
    iretq

system_call:
    mov r8, rsp
    mov esp, KERNEL_STACK
    int 0x7e
    cmp edi, 0x77
    je 1f
    mov rsp, r8
    sysretq
1:  mov rsp, r8
    .byte 0x0f, 0x07            # sysretl

    .balign 8
gdtr:
    .word gdt_end - gdt_template - 1
    .quad GDT
idtr:
    .word 0xfff
    .quad IDT
end_text:
    .asciz "END"
    .balign 8
gdt_template:
    .quad 0
    .quad 0x00af9b000000ffff    # 08 code
    .quad 0x00cf93000000ffff    # 10 data
    .quad 0x00cffb000000ffff    # 18 32-bit user code
    .quad 0x00cff3000000ffff    # 20 user data
    .quad 0x00affb000000ffff    # 28 user code
    .quad 0x00cf9b000000ffff    # 30 32-bit code
    .quad 0x0000890630000088    # 38 TSS
    .quad 0
    .quad 0x000082064000002f    # 48 LDT
    .quad 0
    .word gate_target - start, 8, 0xec00, 1        # 58 call gate, DPL 3
    .quad 0
    .quad 0x00af9f000000ffff    # 68 conforming code
    .quad 0x00ef9b000000ffff    # 70 code with L and D
    .quad 0x00cf13000000ffff    # 78 data, not present
    .quad 0x00af1b000000ffff    # 80 code, not present
    .quad 0x0000e50000300000    # 88 task gate
    .word gate_target - start, 0x30, 0xec00, 1     # 90 call gate to 32-bit code
    .quad 0
    .word gate_target - start, 8, 0xe400, 1        # a0 16-bit call gate
    .quad 0
    .word gate_target - start, 8, 0xec00, 1        # b0 call gate with a bad upper half
    .quad 0x0000110000000000
    .word gate_target - start, 8, 0xec00, 1        # c0 call gate to a non-canonical address
    .quad 0x0000000080000000
    .quad 0x0000890630000088    # d0 TSS at a non-canonical address
    .quad 0x0000000080000000
    .quad 0x0000810630000088    # e0 16-bit TSS
    .quad 0
    .quad 0x00cf91000000ffff    # f0 read-only data
gdt_end:

gate_target:
    int 0x7e
    retfq

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
    and qword ptr [rsp], 0xff
    jmp common
