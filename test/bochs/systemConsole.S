/* COM1, written by all three harnesses. MODE tells the width of registers; in 16-bit mode they are the 32-bit ones, too. */
#if MODE == 64
#define WIDE(name) r##name
#define HEX_DIGITS 16
#else
#define WIDE(name) e##name
#define HEX_DIGITS 8
#endif

/* al */
put:
    push WIDE(dx)
    push WIDE(ax)
    mov edx, 0x3fd
1:  in al, dx
    test al, 0x20
    jz 1b
    pop WIDE(ax)
    mov edx, 0x3f8
    out dx, al
    pop WIDE(dx)
    ret
/* the text at (e/r)si */
text:
    lodsb
    test al, al
    jz 1f
    call put
    jmp text
1:  ret
line:
    mov al, 13
    call put
    mov al, 10
    jmp put
/* a blank and (e/r)ax without leading zeros */
hex:
    push WIDE(cx)
    push WIDE(bx)
    push WIDE(dx)
    mov WIDE(bx), WIDE(ax)
    xor edx, edx
    mov al, ' '
    call put
    mov ecx, HEX_DIGITS
1:  rol WIDE(bx), 4
    mov eax, ebx
    and al, 15
    or dl, al
    jnz 2f
    cmp ecx, 1
    jne 4f
2:  add al, '0'
    cmp al, '9'
    jbe 3f
    add al, 39
3:  call put
4:  dec ecx
    jnz 1b
    pop WIDE(dx)
    pop WIDE(bx)
    pop WIDE(cx)
    ret
