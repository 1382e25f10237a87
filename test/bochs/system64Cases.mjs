// Cases of the system differential for systemHarness64.S; see system32Cases.mjs.

export const PRELUDE = `
.macro done
  int 0x7f
.endm
.macro show
  int 0x7e
.endm
.macro resume label
  mov qword ptr [RESUME], offset \\label
.endm
.macro to_user target, flags=2, cs=0x2b
  push 0x23
  push USER_STACK
  push \\flags
  push \\cs
  push offset \\target
  iretq
.endm
.macro page index, entry
  mov qword ptr [PAGES + \\index * 8], \\entry
  invlpg [PAGED + \\index * 0x1000]
.endm
.macro far kind, selector, target
  mov dword ptr [DATA + 0x40], offset \\target
  mov dword ptr [DATA + 0x44], \\selector
  \\kind fword ptr [DATA + 0x40]
.endm
.macro flags_on bits
  pushfq
  or dword ptr [rsp], \\bits
  popfq
.endm
.macro flags_off bits
  pushfq
  and dword ptr [rsp], ~(\\bits)
  popfq
.endm
`;

const SELECTORS = [0x00, 0x03, 0x08, 0x10, 0x13, 0x18, 0x1b, 0x20, 0x23, 0x28, 0x2b, 0x30, 0x38, 0x48, 0x68, 0x6b, 0x70, 0x78, 0x80, 0x88, 0xf0, 0x100];
const loads = ['ds', 'fs', 'ss'].flatMap((register) => SELECTORS.map((s) => [`mov ${register}, ${s.toString(16)}`, `resume 1f; mov eax, ${s}; mov ${register}, eax; mov ebx, ${register}; mov edx, 0x10; mov ${register}, edx; 1: done`]));
const userLoads = ['ds', 'ss'].flatMap((register) => SELECTORS.map((s) => [`mov ${register}, ${s.toString(16)} at CPL 3`, `to_user 2f; 2: resume 1f; mov eax, ${s}; mov ${register}, eax; 1: done`]));
const queries = Array.from({ length: 31 }, (_, i) => i * 8).map((s) => [`lar lsl verr verw ${s.toString(16)}`, `mov edi, ${s}; mov eax, -1; mov ebx, -1; mov ecx, 0; mov edx, 0; lar eax, edi; setz cl; lsl ebx, edi; setz ch; verr di; setz dl; verw di; setz dh; done`]);

const TARGETS = [0, 0x08, 0x0b, 0x10, 0x28, 0x30, 0x38, 0x48, 0x58, 0x68, 0x70, 0x80, 0x88, 0x90, 0xa0, 0xb0, 0xc0, 0xe0, 0x100];
const transfers = TARGETS.flatMap((s) => [
  [`jmp far ${s.toString(16)}`, `resume 1f; far jmp, ${s}, 1f; 1: done`],
  [`call far ${s.toString(16)}`, `resume 1f; far call, ${s}, 1f; 1: done`],
  [`call far ${s.toString(16)} at CPL 3`, `to_user 2f; 2: resume 1f; far call, (${s}|3), 1f; 1: done`],
  [`retfq to ${s.toString(16)}`, `resume 1f; push 0x23; push USER_STACK; push ${s}; push offset 1f; .byte 0x48, 0xcb; 1: done`],
  [`iretq to ${s.toString(16)}`, `resume 1f; push 0x10; push KERNEL_STACK - 0x80; push 2; push ${s}; push offset 1f; iretq; 1: done`],
]);
const returns = [
  ...[0x00, 0x03, 0x10, 0x13, 0x20, 0x23, 0x78, 0xf0, 0x100].map((s) => [`iretq with SS ${s.toString(16)}`, `resume 1f; push ${s}; push KERNEL_STACK - 0x81; push 2; push 8; push offset 1f; iretq; 1: done`]),
  ...[0x00, 0x03, 0x10, 0x20, 0x23].map((s) => [`iretq to CPL 3 with SS ${s.toString(16)}`, `resume 1f; push ${s}; push USER_STACK; push 0x202; push 0x2b; push offset 1f; iretq; 1: done`]),
  ['iretq to compatibility mode', 'to_user 1f, 2, 0x1b; .code32; 1: mov eax, 0x12345678; int 0x7f; .code64'],
  ['iretq with NT', 'resume 1f; flags_on 0x4000; push 0x10; push KERNEL_STACK - 0x80; push 2; push 8; push offset 1f; iretq; 1: flags_off 0x4000; done'],
  ['iretq to a non-canonical address', 'resume 1f; push 0x10; push KERNEL_STACK - 0x80; push 2; push 8; mov rax, 0x800000000000; push rax; iretq; 1: mov eax, 0; done'],
  ['iretq with a non-canonical RSP', 'resume 1f; push 0x10; mov rax, 0x800000000000; push rax; push 2; push 8; push offset 2f; iretq; 2: mov rbx, rsp; mov esp, KERNEL_STACK - 0x80; 1: mov eax, 0; done'],
  ['iretq with all flags', 'resume 1f; push 0x10; push KERNEL_STACK - 0x80; push 0x243cd7; push 8; push offset 1f; iretq; 1: done'],
  ['iretd and iretw in 64-bit mode', 'push 0; push 0; mov dword ptr [rsp + 4], 2; mov dword ptr [rsp], 8; sub rsp, 4; mov dword ptr [rsp], offset 1f; mov dword ptr [rsp + 12], KERNEL_STACK - 0x80; mov dword ptr [rsp + 16], 0x10; mov dword ptr [rsp + 8], 2; mov dword ptr [rsp + 4], 8; .byte 0xcf; 1: done'],
  ['retfq drops a 64-bit TSS or data segment of CPL 0', 'mov eax, 0x10; mov ds, eax; mov es, eax; to_user 1f; 1: done'],
];

/** Canonical addresses: data, stack, code, and their exceptions. */
const canonical = [
  ...['mov al, [rax]', 'mov [rax], al', 'push [rax]', 'mov al, [rax + rbp]', 'movups xmm0, [rax]', 'inc qword ptr [rax]', 'cmpxchg16b [rax]', 'jmp rax', 'call rax', 'push rax; ret', 'lgdt [rax]', 'invlpg [rax]', 'fxsave [rax]', 'clflush [rax]', 'xlatb', 'bt [rax], ecx', 'mov rsi, rax; lodsb', 'mov rdi, rax; stosb', 'mov rsi, rax; mov ecx, 2; rep movsb', 'jmp fword ptr [rax]', 'fld qword ptr [rax]'].map((p) => [`${p} at a non-canonical address`, `resume 1f; mov rcx, cr4; or ecx, 0x200; mov cr4, rcx; xor ecx, ecx; xor ebp, ebp; mov rax, 0x800000000000; mov rbx, rax; ${p}; 1: done`]),
  ...['mov al, [rbp]', 'push rax', 'pop rax', 'mov al, [rsp]', 'call 1f', 'leave', 'enter 8, 0', 'pushfq', 'mov [rbp + rax], al', 'push [rbp]'].map((p) => [`${p} with a non-canonical stack`, `to_user 2f; 2: resume 1f; mov rsp, 0x800000000000; mov rbp, rsp; xor eax, eax; ${p}; 1: mov rdx, rsp; mov esp, USER_STACK; done`]),
  ['an access that ends beyond the canonical range', 'resume 1f; mov rax, 0x7fffffffffff; mov bx, [rax]; 1: done'],
  ['execution runs out of the canonical range', 'mov rax, [PDPT]; mov rbx, cr3; mov dword ptr [PML4 + 255 * 8], PDPT + 7; mov dword ptr [PDPT + 511 * 8], DIRECTORY + 7; mov dword ptr [DIRECTORY + 511 * 8], PAGES + 7; mov dword ptr [PAGES + 511 * 8], 0x201007; mov dword ptr [0x201ffc], 0x90909090; resume 1f; mov rax, 0x7ffffffffffc; jmp rax; 1: mov dword ptr [PML4 + 255 * 8], 0; mov dword ptr [PDPT + 511 * 8], 0; mov dword ptr [DIRECTORY + 511 * 8], 0; done'],
  ...[0xc0000100, 0xc0000101, 0xc0000102, 0xc0000082, 0x175, 0x176].map((m) => [`wrmsr ${m.toString(16)} with a non-canonical value`, `resume 1f; mov ecx, ${m}; mov edx, 0x8000; xor eax, eax; wrmsr; 1: mov edx, 0; done`]),
];

const paging = [1, 3, 5, 7].flatMap((bits) =>
  [0, 1].flatMap((nx) =>
    ['mov al, [PAGED + 0x1010]', 'mov [PAGED + 0x1010], al', 'call PAGED + 0x1010'].flatMap((what) => [
      [`${what} page ${bits}${nx ? ' nx' : ''}`, `mov byte ptr [PAGED + 0x1010], 0xc3; mov rax, ${nx ? '0x8000000000000000' : '0'} + 0x201000 + ${bits}; mov [PAGES + 8], rax; invlpg [PAGED + 0x1000]; resume 1f; ${what}; 1: mov rcx, [PAGES + 8]; done`],
      [`${what} page ${bits}${nx ? ' nx' : ''} at CPL 3`, `mov byte ptr [PAGED + 0x1010], 0xc3; mov rax, ${nx ? '0x8000000000000000' : '0'} + 0x201000 + ${bits}; mov [PAGES + 8], rax; invlpg [PAGED + 0x1000]; to_user 2f; 2: resume 1f; ${what}; 1: mov rcx, [PAGES + 8]; done`],
      [`${what} page ${bits}${nx ? ' nx' : ''} with SMEP and SMAP`, `mov byte ptr [PAGED + 0x1010], 0xc3; mov rax, ${nx ? '0x8000000000000000' : '0'} + 0x201000 + ${bits}; mov [PAGES + 8], rax; and byte ptr [TABLE + 0x1f * 8], 0xfb; mov rcx, [PAGES]; and byte ptr [PML4], 0xff; mov rax, cr4; resume 1f; ${what}; 1: mov rcx, [PAGES + 8]; done`],
    ]),
  ),
);
const pagingMore = [
  ['a reserved bit', 'mov rax, 0x0008000000201007; mov [PAGES + 8], rax; resume 1f; mov al, [PAGED + 0x1000]; 1: done'],
  ['a reserved bit in a directory entry', 'mov dword ptr [DIRECTORY + 16], 0x2000 + 0x87; resume 1f; mov al, [0x400000]; 1: mov dword ptr [DIRECTORY + 16], 0; done'],
  ['PS in the PML4', 'mov dword ptr [PML4 + 8], PDPT + 0x87; mov rax, 0x8000000000; resume 1f; mov al, [rax]; 1: mov dword ptr [PML4 + 8], 0; done'],
  ['a page of 1 GiB', 'mov dword ptr [PDPT + 8], 0x87; resume 1f; mov al, [0x40070000]; 1: mov rbx, [PDPT + 8]; mov dword ptr [PDPT + 8], 0; done'],
  ['NX without NXE is reserved', 'mov ecx, 0xc0000080; mov eax, 0x101; xor edx, edx; wrmsr; mov rax, 0x8000000000201007; mov [PAGES + 8], rax; invlpg [PAGED + 0x1000]; resume 1f; mov al, [PAGED + 0x1000]; 1: done'],
  ['an access across two pages of which the second is not there', 'page 1, 0x201006; resume 1f; mov rax, [PAGED + 0xffc]; 1: resume 2f; mov [PAGED + 0xffc], rax; 2: done'],
];

const system = [
  ['syscall and sysretq', 'to_user 1f, 0x202; 1: mov edi, 0; syscall; mov rbx, rcx; done'],
  ['syscall and sysretl', 'to_user 1f; 1: mov edi, 0x77; lea rcx, [rip + 2f]; syscall; .code32; 2: int 0x7f; .code64'],
  ['syscall without SCE', 'mov ecx, 0xc0000080; mov eax, 0x900; xor edx, edx; wrmsr; to_user 1f; 1: resume 2f; syscall; 2: done'],
  ['sysretq to a non-canonical address', 'resume 1f; mov rcx, 0x800000000000; mov r11d, 2; sysretq; 1: done'],
  ['sysret at CPL 3', 'to_user 2f; 2: resume 1f; sysretq; 1: done'],
  ['sysretq with all flags', 'mov r11, 0x3c7ed7; mov ecx, offset 1f; sysretq; 1: done'],
  ['sysretq under TF', 'mov r11d, 0x102; mov ecx, offset 1f; sysretq; 1: nop; done'],
  ['syscall under TF', 'to_user 1f, 0x102; 1: mov edi, 0; syscall; nop; done'],
  ['sysenter and sysexit', 'mov ecx, 0x174; xor edx, edx; mov eax, 8; wrmsr; mov ecx, 0x175; mov eax, KERNEL_STACK; wrmsr; mov ecx, 0x176; mov eax, offset 2f; wrmsr; to_user 1f, 0x3202; 1: sysenter; 2: show; mov ecx, USER_STACK; mov edx, offset 3f; rex.w sysexit; 3: show; mov ebx, 0x1234; done'],
  ['sysexit to a non-canonical address', 'mov ecx, 0x174; xor edx, edx; mov eax, 8; wrmsr; resume 1f; mov rdx, 0x800000000000; mov ecx, 0; rex.w sysexit; 1: done'],
  ['swapgs', 'mov ecx, 0xc0000102; mov eax, 0x1000; xor edx, edx; wrmsr; swapgs; mov ecx, 0xc0000101; rdmsr; mov ebx, eax; mov ecx, 0xc0000102; rdmsr; done'],
  ['swapgs at CPL 3', 'to_user 2f; 2: resume 1f; swapgs; 1: done'],
  ['mov gs, fs keep what wrmsr has set until a load', 'mov ecx, 0xc0000100; mov eax, DATA; xor edx, edx; wrmsr; mov dword ptr [DATA + 8], 0x55; mov ebx, fs:[8]; xor eax, eax; mov fs, eax; mov ecx, 0xc0000100; rdmsr; done'],
  ['rdfsbase without CR4.FSGSBASE', 'resume 1f; rdfsbase rax; 1: mov rcx, cr4; or ecx, 0x10000; mov cr4, rcx; mov rax, 0x1234567890; wrgsbase rax; rdgsbase rbx; resume 2f; mov rax, 0x800000000000; wrfsbase rax; 2: wrgsbase rax; done'],
  ['a stack of the IST and its alignment', 'mov rsp, KERNEL_STACK - 0x83; int 0x7d; show; done'],
  ['a stack that is not aligned at CPL 0', 'mov rsp, KERNEL_STACK - 0x8d; show; done'],
  ['RSP0 that is not canonical', 'mov rax, 0x800000000000; mov [TSS + 4], rax; to_user 2f; 2: show; done'],
  ['RSP0 on a page that is not there', 'page 1, 0x201006; mov qword ptr [TSS + 4], PAGED + 0x2000; to_user 2f; 2: hlt; done'],
  ['a gate that is not present', 'resume 1f; int 0x7a; 1: done'],
  ['a gate to 32-bit code', 'mov word ptr [IDT + 0x50 * 16 + 2], 0x30; resume 1f; int 0x50; 1: done'],
  ['a gate to data', 'mov word ptr [IDT + 0x50 * 16 + 2], 0x10; resume 1f; int 0x50; 1: done'],
  ['a gate to null', 'mov word ptr [IDT + 0x50 * 16 + 2], 0; resume 1f; int 0x50; 1: done'],
  ['a gate to code with L and D', 'mov word ptr [IDT + 0x50 * 16 + 2], 0x70; resume 1f; int 0x50; 1: done'],
  ['a gate to a non-canonical address', 'mov dword ptr [IDT + 0x50 * 16 + 8], 0x8000; resume 1f; int 0x50; 1: done'],
  ['a task gate', 'mov byte ptr [IDT + 0x50 * 16 + 5], 0x85; resume 1f; int 0x50; 1: done'],
  ['a 16-bit gate', 'mov byte ptr [IDT + 0x50 * 16 + 5], 0x86; resume 1f; int 0x50; 1: done'],
  ['a gate of DPL 0 at CPL 3', 'to_user 2f; 2: resume 1f; int 0x50; 1: done'],
  ['a gate to conforming code at CPL 3', 'mov word ptr [IDT + 0x79 * 16 + 2], 0x68; to_user 2f; 2: resume 1f; int 0x79; 1: done'],
  ['a vector beyond the IDT', 'mov word ptr [DATA + 16], 0x7ff; mov qword ptr [DATA + 18], IDT; lidt [DATA + 16]; resume 1f; int 0x80; 1: lidt [idtr]; done'],
  ['#UD while a page fault is delivered', 'mov word ptr [IDT + 14 * 16 + 2], 0x10; mov al, [0x900000]; done'],
  ['lidt of a non-canonical base', 'mov word ptr [DATA + 16], 0x7ff; mov rax, 0x800000000000; mov [DATA + 18], rax; resume 1f; lidt [DATA + 16]; 1: done'],
  ['sgdt, sidt, sldt, str', 'mov eax, 0x48; lldt ax; sgdt [DATA + 16]; sidt [DATA + 32]; mov rax, [DATA + 16]; mov rbx, [DATA + 32]; sldt ecx; str edx; sldt rsi; smsw rdi; done'],
  ['lldt and ltr of what they are not', 'resume 1f; mov eax, 0x10; lldt ax; 1: resume 2f; mov eax, 0x10; ltr ax; 2: resume 3f; mov eax, 0xd0; ltr ax; 3: resume 4f; mov eax, 0xe0; ltr ax; 4: resume 5f; mov eax, 0x38; ltr ax; 5: resume 6f; xor eax, eax; ltr ax; 6: done'],
  ...['push cs', '.byte 0x06', '.byte 0x60', '.byte 0x61', '.byte 0x27', '.byte 0x37', '.byte 0x62, 0, 0, 0, 0, 0', '.byte 0x9a, 0, 0, 0, 0, 0, 0', '.byte 0xea, 0, 0, 0, 0, 0, 0', '.byte 0xd4, 10', '.byte 0xce', '.byte 0xc4, 0', '.byte 0xc5, 0', '.byte 0xd6', '.byte 0x82, 0xc0, 0', '.byte 0x0f, 0xb9, 0', 'ud2', '.byte 0x0f, 0xff, 0', '.byte 0xf0, 0x90', '.byte 0x0f, 0x05, 0', '.byte 0x8e, 0xc8', '.byte 0x0f, 0x20, 0xc8', '.byte 0x0f, 0x21, 0xe0', '.byte 0x44, 0x0f, 0x20, 0xc8', '.byte 0x44, 0x0f, 0x21, 0xc0'].filter((p) => !['push cs', '.byte 0x0f, 0x05, 0', '.byte 0xc4, 0', '.byte 0xc5, 0', '.byte 0x62, 0, 0, 0, 0, 0'].includes(p)).map((p) => [`${p} in 64-bit mode`, `resume 1f; ${p}; .byte 0x90, 0x90; 1: mov eax, 0; done`]),
  ...['cr8', 'cr4', 'cr3', 'cr0'].map((r) => [`${r} beyond its bits`, `resume 1f; mov rax, 0x4000000000000000; mov ${r}, rax; 1: mov eax, 0; done`]),
  ['PAE cannot be cleared', 'resume 1f; mov rax, cr4; and eax, ~0x20; mov cr4, rax; 1: done'],
  ['paging cannot be ended in 64-bit mode', 'resume 1f; mov rax, cr0; btr rax, 31; mov cr0, rax; 1: mov rax, cr0; done'],
  ['LME cannot change with paging', 'resume 1f; mov ecx, 0xc0000080; xor edx, edx; mov eax, 0x801; wrmsr; 1: done'],
  ['compatibility mode: far transfers and back', 'far jmp, 0x30, 1f; .code32; 1: mov eax, 0x12345678; push eax; pop ecx; mov edx, esp; .byte 0xea; .long 2f; .word 8; .code64; 2: done'],
  ['a syscall in compatibility mode', 'to_user 1f, 2, 0x1b; .code32; 1: mov dword ptr [RESUME], offset 2f; .byte 0x0f, 0x05; 2: int 0x7f; .code64'],
  ['compatibility mode: an interrupt pushes SS:RSP', 'far jmp, 0x30, 1f; .code32; 1: int 0x7e; .byte 0xea; .long 2f; .word 8; .code64; 2: done'],
  ['CPL 3 in 32-bit code: limits do not apply to what it never had', 'to_user 1f, 2, 0x1b; .code32; 1: mov eax, 0x23; mov ds, ax; mov eax, [DATA + 0x20]; int 0x7f; .code64'],
  ['data breakpoint above 4 GiB addresses', 'mov eax, DATA + 0x20; mov dr0, rax; mov eax, 0x90402; mov dr7, rax; mov [DATA + 0x27], al; mov [DATA + 0x20], rax; done'],
  ['instruction breakpoint with REX', 'mov eax, offset 1f; mov dr0, rax; mov eax, 0x402; mov dr7, rax; 1: mov r8, rax; done'],
  ['DR7 upper half', 'resume 1f; mov rax, 0x100000400; mov dr7, rax; 1: resume 2f; mov dr6, rax; 2: mov eax, 0; done'],
  ['push and pop widths', 'push 0x12345678; push -1; pushw 0x55; popw ax; pop rbx; pop rcx; push fs; pop rdx; mov rsi, rsp; done'],
  ['a 15-byte instruction and one of 16', 'resume 1f; .byte 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x90; 1: done'],
  ['popfq takes', 'push 0x247fd7; popfq; pushfq; pop rax; flags_off 0x4100; mov rbx, rax; mov eax, 0; done'],
  ['popfq at CPL 3 takes', 'to_user 1f; 1: push 0x247ed7; popfq; pushfq; pop rbx; flags_off 0x4000; mov eax, 0; done'],
  ['alignment at CPL 3', 'mov rax, cr0; or eax, 0x40000; mov cr0, rax; to_user 2f, 0x40002; 2: resume 1f; mov rax, [DATA + 0x14]; 1: resume 3f; mov rax, [DATA + 0x12]; 3: mov al, [DATA + 0x11]; resume 4f; sub rsp, 4; push rax; 4: done'],
];

export const CASES = [...loads, ...userLoads, ...queries, ...transfers, ...returns, ...canonical, ...paging.filter(([name]) => !name.includes('SMEP')), ...pagingMore, ...system];
