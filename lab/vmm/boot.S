/*
 * The VMM's boot sector. The BIOS loads it to 0x7c00 in real mode. It opens the A20 gate, asks the BIOS for the memory
 * map, enters protected mode, reads the kernel from the disk it came from (IDE drive 0, by programmed I/O, from sector 1
 * on), and jumps to it with EBX = physical address of the multiboot information.
 *
 * The kernel on the disk is an ELF file whose segments begin on sector boundaries: lab/tools/disk.mjs writes it so.
 */
#include "memory.h"
#include "multiboot.h"

#define KEYBOARD_STATUS     0x64        /* bit 1: the controller has not yet taken what was written */
#define KEYBOARD_DATA       0x60
#define WRITE_OUTPUT_PORT   0xd1
#define OUTPUT_A20          0xdf        /* A20 open; bit 0 is the reset line, never write it 0 */

#define SMAP                0x534d4150  /* 'SMAP', the signature of INT 15h E820 */
#define MAP                 (BOOT_INFO + 52)
#define MB_LENGTH           44          /* offsets in struct multiboot_info */
#define MB_ADDR             48

#define IDE_COUNT           0x1f2
#define IDE_STATUS          0x1f7       /* reads */
#define IDE_COMMAND         0x1f7       /* writes */
#define IDE_READ            0x20

.section .boot, "ax"
.code16
.globl _start
_start:
    cli
    cld
    xorw %ax, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movw $0x7c00, %sp

    /* Without A20 address line 20 is stuck at 0 and every odd MiB shows the one below. */
    call keyboard_ready
    movb $WRITE_OUTPUT_PORT, %al
    outb %al, $KEYBOARD_STATUS
    call keyboard_ready
    movb $OUTPUT_A20, %al
    outb %al, $KEYBOARD_DATA
    call keyboard_ready

    /* The multiboot information: all zero but the memory map. */
    movw $BOOT_INFO, %di
    movw $52, %cx
    xorb %al, %al
    rep stosb
    movb $MB_FLAG_MMAP, BOOT_INFO
    movw $MAP, BOOT_INFO + MB_ADDR
    xorl %ebx, %ebx                     /* DI is at MAP now; EBX is the BIOS's place in its map */
1:  movl $20, (%di)                     /* size of the entry, not counting itself */
    addw $4, %di
    movl $0xe820, %eax
    movl $20, %ecx
    movl $SMAP, %edx
    int $0x15
    jc 2f
    cmpl $SMAP, %eax
    jne 2f
    addw $20, %di
    testl %ebx, %ebx
    jnz 1b
    jmp 3f
2:  subw $4, %di                        /* no entry came: take the size back */
3:  subw $MAP, %di
    movw %di, BOOT_INFO + MB_LENGTH

    lgdt gdt_pointer
    movl %cr0, %eax
    orb $1, %al
    movl %eax, %cr0
    ljmp $0x08, $protected

keyboard_ready:
    inb $KEYBOARD_STATUS, %al
    testb $2, %al
    jnz keyboard_ready
    ret

.code32
protected:
    movw $0x10, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss

    movl $1, %ebx
    movl $BOOT_SCRATCH, %edi
    call read_sector
    cmpl $0x464c457f, BOOT_SCRATCH      /* 0x7f 'ELF' */
    jne fail
    movl $BOOT_SCRATCH + 64, %ebp       /* program headers follow the ELF header */
    movzwl BOOT_SCRATCH + 56, %esi      /* e_phnum */
1:  movl 8(%ebp), %ebx                  /* p_offset */
    shrl $9, %ebx
    incl %ebx
    movl 24(%ebp), %edi                 /* p_paddr */
    movl 32(%ebp), %eax                 /* p_filesz */
    addl %edi, %eax
    pushl %eax                          /* the end of what the file holds */
2:  cmpl (%esp), %edi
    jae 3f
    call read_sector
    jmp 2b
3:  popl %edi
    movl 40(%ebp), %ecx                 /* p_memsz: the rest is zero */
    subl 32(%ebp), %ecx
    xorl %eax, %eax
    rep stosb
    addl $56, %ebp
    decl %esi
    jnz 1b

    movl $BOOT_INFO, %ebx
    jmp *(BOOT_SCRATCH + 24)            /* e_entry */

/* Reads sector EBX to EDI and advances both. */
read_sector:
    movw $IDE_STATUS, %dx
1:  inb %dx, %al
    andb $0xc0, %al                     /* busy, ready */
    cmpb $0x40, %al
    jne 1b
    movw $IDE_COUNT, %dx
    movb $1, %al
    outb %al, %dx
    incw %dx                            /* 0x1f3 to 0x1f6: the sector number, lowest byte first */
    movl %ebx, %eax
    movb $3, %cl
2:  outb %al, %dx
    shrl $8, %eax
    incw %dx
    decb %cl
    jnz 2b
    orb $0xe0, %al                      /* master, LBA */
    outb %al, %dx
    incw %dx
    movb $IDE_READ, %al
    outb %al, %dx
3:  inb %dx, %al
    testb $0x21, %al                    /* error, device fault */
    jnz fail
    andb $0x88, %al                     /* busy, data request */
    cmpb $0x08, %al
    jne 3b
    movw $0x1f0, %dx
    movl $128, %ecx
    rep insl
    incl %ebx
    ret

fail:
    movl $message, %esi
    movw $0x3f8, %dx
1:  lodsb
    outb %al, %dx
    testb %al, %al
    jnz 1b
2:  cli
    hlt
    jmp 2b

message:
    .asciz "No kernel on drive 0.\r\n"

.balign 4
gdt:
    .quad 0
    .quad 0x00cf9b000000ffff            /* 0x08: flat 32-bit code */
    .quad 0x00cf93000000ffff            /* 0x10: flat data */
gdt_pointer:
    .word gdt_pointer - gdt - 1
    .long gdt

.section .note.GNU-stack, "", @progbits
