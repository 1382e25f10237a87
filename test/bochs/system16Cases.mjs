// Cases of the system differential for systemHarness16.S; see system32Cases.mjs. ES is 0x2000, all of it RAM.

export const PRELUDE = `
.macro done
  int 0x7f
.endm
.macro show
  int 0x7e
.endm
.macro resume label
  mov word ptr cs:[resume_at - start], offset \\label - start
.endm
`;

/** Accesses at the end of a segment. */
const edges = ['mov al, es:[0xffff]', 'mov ax, es:[0xffff]', 'mov es:[0xffff], ax', 'mov eax, es:[0xfffd]', 'mov es:[0xfffe], eax', 'add es:[0xffff], ax', 'les ax, es:[0xfffd]', 'lgdt es:[0xfffc]', 'bt es:[0xffff], ax', 'xchg es:[0xffff], ax', 'fld dword ptr es:[0xfffe]', 'movzx eax, byte ptr es:[0x10000]', 'mov al, es:[ebx]', 'mov al, es:[esi + 0x60000000]', 'cmpxchg8b es:[0xfffc]', 'jmp word ptr es:[0xffff]', 'push word ptr es:[0xffff]', 'bound ax, es:[0xfffe]'].map((p) => [`${p}`, `resume 1f; ${p}; 1: done`]);

const stacks = ['push ax', 'pop ax', 'pusha', 'popa', 'pushad', 'pushf', 'popf', 'call 1f', 'enter 4, 0', 'leave', 'int 0x7e', 'pop dword ptr es:[0]'].flatMap((p) =>
  [0, 2, 6, 0xfffd, 0xffff].map((sp) => [`${p} with SP ${sp.toString(16)}`, `resume 1f; mov ax, 0x2000; mov ss, ax; mov sp, ${sp}; mov bp, ${sp}; ${p}; 1: mov dx, sp; mov ax, 0x1000; mov ss, ax; mov sp, 0xdf00; done`]),
);

const strings = [
  ['movsb wraps SI and DI', 'mov si, 0xffff; mov di, 0xfffe; mov cx, 3; rep movsb; done'],
  ['movsw at the end of a segment', 'resume 1f; mov si, 0xffff; mov di, 0x8000; movsw; 1: done'],
  ['rep stosw to beyond the end', 'resume 1f; mov di, 0xfffb; mov cx, 5; rep stosw; 1: done'],
  ['stosd with 32-bit addresses beyond 64 KiB', 'resume 1f; mov edi, 0x10000; addr32 stosd; 1: done'],
  ['std movsw', 'mov si, 2; mov di, 0; mov cx, 3; std; resume 1f; rep movsw; 1: cld; done'],
  ['lodsb with 32-bit addresses', 'mov esi, 0x1234; addr32 lodsb; done'],
];

const system = [
  ['int 0x7e', 'int 0x7e; done'],
  ['a vector beyond the IDT limit', 'mov word ptr es:[0x8000], 0x7f; mov word ptr es:[0x8002], 0; mov word ptr es:[0x8004], 0; lidt es:[0x8000]; resume 1f; int 0x40; 1: lidt [idtr - start]; done'],
  ['IDT elsewhere', 'mov word ptr es:[0x8000], 0x3ff; mov word ptr es:[0x8002], 0xa000; mov word ptr es:[0x8004], 2; mov word ptr es:[0xa100], offset 1f - start; mov word ptr es:[0xa102], 0x1000; lidt es:[0x8000]; int 0x40; 2: lidt [idtr - start]; done; 1: pop ax; pop bx; pop cx; jmp 2b'],
  ['flags that int clears and iret takes', 'push 0x7fd7; popf; pushf; pop bx; int 0x7e; pushf; pop cx; push 2; popf; done'],
  ['popfd takes', 'push 0x7fd7; pop ax; pushd 0x247cd7; popfd; pushfd; pop ebx; push 2; popf; done'],
  ['iretd takes', 'pushd 0x247cd7; pushd 0x1000; pushd offset 1f - start; iretd; 1: pushfd; pop ebx; push 2; popf; done'],
  ['iretd beyond the limit', 'resume 1f; pushd 2; pushd 0x1000; pushd 0x12345; iretd; 1: mov sp, 0xdf00; done'],
  ['retf to beyond the limit', 'resume 1f; pushd 0x1000; pushd 0x12345; .byte 0x66, 0xcb; 1: mov sp, 0xdf00; done'],
  ['jmp beyond the limit', 'resume 1f; mov ebx, 0x12345; jmp ebx; 1: done'],
  ['call beyond the limit', 'resume 1f; mov ebx, 0x12345; call ebx; 1: mov dx, sp; mov sp, 0xdf00; done'],
  ['far call and return', 'call 0x1000, offset 1f - start; show; done; 1: retf'.replace('call 0x1000, offset 1f - start', '.byte 0x9a; .word 1f - start, 0x1000')],
  ['division', 'resume 1f; xor cx, cx; div cx; 1: resume 2f; mov ax, 0x8000; mov cl, 0xff; idiv cl; 2: resume 3f; aam 0; 3: done'],
  ['into', 'mov al, 0x7f; add al, 1; into; done'],
  ['bound', 'mov word ptr es:[0x8000], 2; mov word ptr es:[0x8002], 4; resume 1f; mov ax, 5; bound ax, es:[0x8000]; 1: mov ax, 2; bound ax, es:[0x8000]; done'],
  ['lock', 'resume 1f; .byte 0xf0, 0x90; 1: lock inc word ptr es:[0x8000]; done'],
  ['what real mode does not have', 'resume 1f; sldt ax; 1: resume 2f; str ax; 2: resume 3f; lldt ax; 3: resume 4f; ltr ax; 4: resume 5f; lar ax, bx; 5: resume 6f; lsl ax, bx; 6: resume 7f; verr ax; 7: resume 8f; arpl ax, bx; 8: done'],
  ['vmxon, sysenter, syscall, sysexit', 'resume 2f; sysenter; 2: resume 3f; .byte 0x0f, 0x05; 3: resume 4f; sysexit; 4: done'],
  ['control registers', 'mov eax, cr0; and eax, 0xffff; smsw bx; mov ecx, cr4; sgdt es:[0x8000]; sidt es:[0x8008]; mov edx, es:[0x8008]; xor esi, esi; done'],
  ['mov to CS, an instruction of 16 bytes', 'resume 1f; .byte 0x8e, 0xc8; 1: resume 2f; .byte 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x90; 2: done'],
  ['single step', 'push 0x102; popf; nop; mov ax, ss; mov ss, ax; nop; push 2; popf; nop; done'],
  ['single step of rep stosb', 'mov di, 0x8000; mov cx, 2; push 0x102; popf; rep stosb; push 2; popf; done'],
  ['ICEBP and int3', '.byte 0xf1; int3; done'],
  ['instruction breakpoint', 'mov eax, 0x10000; add eax, offset 1f - start; mov dr0, eax; mov eax, 0x402; mov dr7, eax; 1: xor eax, eax; mov dr7, eax; done'],
  ['data breakpoint', 'mov eax, 0x28000; mov dr0, eax; mov eax, 0x50402; mov dr7, eax; mov es:[0x8001], al; mov es:[0x8002], al; xor eax, eax; mov dr7, eax; done'],
  ['unreal mode keeps limits', 'lgdt [3f - start]; mov eax, cr0; or al, 1; mov cr0, eax; mov bx, 8; mov fs, bx; and al, 0xfe; mov cr0, eax; mov ebx, 0x28000; mov dword ptr fs:[ebx], 0x12345678; mov eax, es:[0x8000]; xor bx, bx; mov fs, bx; mov ecx, fs:[0x28000]; lgdt [4f - start]; mov eax, cr0; or al, 1; mov cr0, eax; mov bx, 8; mov fs, bx; and al, 0xfe; mov cr0, eax; mov eax, 0; mov ebx, 0; done; .balign 8; 2: .quad 0, 0x00cf93000000ffff; 3: .word 15; .long 2b; 4: .word 15; .long 5f; .balign 8; 5: .quad 0, 0x000093000000ffff'],
];

export const CASES = [...edges, ...stacks, ...strings, ...system];
