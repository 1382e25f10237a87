# A multiboot kernel that says on COM1 what its boot loader told it, and ends the machine with 0.
        .code32
        .section .multiboot, "a"
        .align 4
        .long   0x1badb002              # magic
        .long   0x00000003              # modules on page boundaries, memory information
        .long   -(0x1badb002 + 0x00000003)

        .text
        .globl  _start
_start: movl    $stack, %esp
        movl    $failed, %esi
        cmpl    $0x2badb002, %eax
        jne     fail
        movl    $loader, %esi
        call    print
        movl    64(%ebx), %esi          # boot loader's name
        call    print
        movl    $arguments, %esi
        call    print
        movl    16(%ebx), %esi          # command line
        call    print
        testl   $0x40, (%ebx)           # memory map
        jz      fail
        movl    $module, %esi
        call    print
        movl    $failed, %esi
        cmpl    $1, 20(%ebx)            # one module
        jne     fail
        movl    24(%ebx), %eax
        movl    (%eax), %esi            # its first byte, a text
        call    print
        movl    $end, %esi
        call    print
        xorb    %al, %al
        outb    %al, $0xf4
fail:   call    print
        movb    $1, %al
        outb    %al, $0xf4
        hlt

# Prints the text at ESI.
print:  movw    $0x3f8, %dx
1:      lodsb
        testb   %al, %al
        jz      2f
        outb    %al, %dx
        jmp     1b
2:      ret

        .section .rodata
loader:    .asciz "loaded by "
arguments: .asciz "\narguments: "
module:    .asciz "\nmodule: "
end:       .asciz "\ndone\n"
failed:    .asciz "\nfailed\n"

        .bss
        .skip   4096
stack:
