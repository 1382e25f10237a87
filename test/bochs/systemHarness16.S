/*
 * Plays the cases of the system differential in real-address mode: code, data and tables in the segment 0x1000, where the
 * boot sector has put them. Offsets of labels are written `label - start`.
 */
    .intel_syntax noprefix
    .code16
    .section .text
    .globl start
start:
    cli
    mov ax, cs
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov sp, 0xe000
    mov al, 0xff
    out 0x21, al
    out 0xa1, al
    mov dx, 0x3f9               # no interrupts; 115200 baud, 8 bits
    xor ax, ax
    out dx, al
    mov dx, 0x3fb
    mov al, 0x83
    out dx, al
    mov dx, 0x3f8
    mov al, 1
    out dx, al
    inc dx
    mov al, 0
    out dx, al
    mov dx, 0x3fb
    mov al, 3
    out dx, al
    mov word ptr [current - start], offset case_table - start
next_case:
    cli
    cld
    xor ax, ax
    mov fs, ax
    mov es, ax
    mov gs, ax
    mov ax, cs
    mov ds, ax
    mov ss, ax
    mov esp, 0xe000
    push 2
    popf
    lidt [idtr - start]
    /* the vectors */
    xor di, di
    xor cx, cx
    mov ax, offset stubs - start
1:  stosw
    mov word ptr es:[di], 0x1000
    add di, 2
    add ax, 6
    inc cx
    cmp cx, 128
    jne 1b
    mov ax, 0x2000
    mov es, ax
    mov di, 0x8000
    mov cx, 0x4000
    xor ax, ax
    rep stosw
    mov word ptr [resume_at - start], 0
    mov word ptr [events - start], 0
    mov si, [current - start]
    cmp word ptr [si], 0
    je finished
    add word ptr [current - start], 4
    mov bx, [si + 2]
    mov si, [si]
    mov al, '#'
    call put
    call text
    call line
    mov ax, 0x2000
    mov es, ax
    mov ax, bx
    mov ebx, 0xa0000003
    mov ecx, 0xa0000001
    mov edx, 0xa0000002
    mov esi, 0xa0000006
    mov edi, 0xa0000007
    mov ebp, 0xa0000005
    jmp ax
finished:
    mov si, offset end_text - start
    call text
    call line
4:  mov al, 0
    out 0xf4, al
    hlt
    jmp 4b

#include "systemConsole.S"

/* The frame: vector, ip, cs, flags. SS may be anything: the event is written from the stack it came on. */
common:
    pushad
    push ds
    push es
    mov bp, sp
    mov ax, cs
    mov ds, ax
    cld
    mov al, 'E'
    call put
    .irp offset, 36, 38, 40, 42
    movzx eax, word ptr [bp + \offset]
    call hex
    .endr
    movzx eax, bp
    call hex
    mov ax, ss
    movzx eax, ax
    call hex
    .irp offset, 32, 20, 28, 24, 8, 4, 12
    mov eax, [bp + \offset]
    call hex
    .endr
    movzx eax, word ptr [bp + 2]
    call hex
    movzx eax, word ptr [bp]
    call hex
    call line
    inc word ptr [events - start]
    cmp word ptr [events - start], 16
    ja next_case
    mov ax, [bp + 36]
    cmp ax, 0x7f
    je next_case
    cmp ax, 0x20
    jae go_on
    cmp ax, 1
    je go_on
    cmp ax, 3
    je go_on
    cmp ax, 4
    je go_on
    mov ax, [resume_at - start]
    test ax, ax
    jz next_case
    mov [bp + 38], ax
    mov word ptr [bp + 40], 0x1000
    mov word ptr [resume_at - start], 0
go_on:
    pop es
    pop ds
    popad
    add sp, 2
    iret

current:
    .word 0
events:
    .word 0
resume_at:
    .word 0
idtr:
    .word 0x3ff
    .long 0
end_text:
    .asciz "END"
    .balign 8
stubs:
    .set vector, 0
    .rept 128
    .byte 0x68
    .word vector
    .byte 0xe9
    .word common - (. + 2)
    .set vector, vector + 1
    .endr
