/*
 * The boot sector of the system differential: reads the rest of the disk to 0x10000 by INT 13h and goes there, in real
 * mode (MODE 16), 32-bit protected mode without paging (MODE 32) or 64-bit mode (MODE 64).
 */
    .intel_syntax noprefix
    .code16
    .section .boot, "ax"
    .globl boot
boot:
    cli
    xor ax, ax
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov sp, 0x7c00
    mov si, offset packet
again:
    mov ah, 0x42
    int 0x13
    jc failed
    add word ptr [packet + 6], 0x0800      # 64 sectors further, as a segment
    add word ptr [packet + 8], 64
    dec byte ptr [rounds]
    jnz again
    cli
    in al, 0x92
    or al, 2
    out 0x92, al
#if MODE == 16
    .byte 0xea
    .word 0, 0x1000
#else
    lgdt [boot_gdtr]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    .byte 0xea
    .word to_flat, 8
    .code32
to_flat:
    mov ax, 0x10
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov fs, ax
    mov gs, ax
    mov esp, 0x9000
    mov eax, 0x10000
    jmp eax
#endif
    .code16
failed:
    hlt
    jmp failed
    .balign 8
boot_gdt:
    .quad 0, 0x00cf9a000000ffff, 0x00cf92000000ffff
boot_gdtr:
    .word 23
    .long boot_gdt
rounds:
    .byte 3
packet:
    .byte 16, 0
    .word 64, 0, 0x1000
    .quad 1
    .org 510
    .word 0xaa55
