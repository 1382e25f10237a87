/* The VMM's first instruction in protected mode. The boot sector has set EBX. */
.section .boot.first, "ax"
.code32
.globl _start
_start:
    jmp enter_long_mode

.section .note.GNU-stack, "", @progbits
