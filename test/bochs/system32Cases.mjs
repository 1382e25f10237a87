// Cases of the system differential for systemHarness32.S: what happens is told by the events. A case ends with `done`, at
// any privilege level; an exception ends it too, unless `resume LABEL` has said where to go on.

export const PRELUDE = `
.macro done
  int 0x7f
.endm
.macro show
  int 0x7e
.endm
.macro resume label
  mov dword ptr [RESUME], offset \\label
.endm
.macro to_user target, flags=2
  push 0x23
  push USER_STACK
  push \\flags
  push 0x1b
  push offset \\target
  iretd
.endm
.macro to_v86 target, flags=0x20002
  push 0x7004
  push 0x7003
  push 0x7002
  push 0x7001
  push 0x6000
  push 0xfff0
  push \\flags
  push 0x1000
  push offset \\target - start
  iretd
.endm
.macro page index, entry
  mov dword ptr [PAGES + \\index * 4], \\entry
  invlpg [PAGED + \\index * 0x1000]
.endm
.macro gate vector, low, high
  mov dword ptr [IDT + \\vector * 8], \\low
  mov dword ptr [IDT + \\vector * 8 + 4], \\high
.endm
.macro flags_on bits
  pushfd
  or dword ptr [esp], \\bits
  popfd
.endm
.macro flags_off bits
  pushfd
  and dword ptr [esp], ~(\\bits)
  popfd
.endm
`;

/** Segment loads: MOV, with the fault and its error code. */
const LOADS = [0x00, 0x03, 0x08, 0x0b, 0x10, 0x13, 0x23, 0x28, 0x40, 0x48, 0x60, 0x63, 0x70, 0x73, 0x78, 0x80, 0x88, 0x90, 0x98, 0xb8, 0xc0, 0xc8, 0x100, 0x0c, 0xfff8];
const loads = (register) =>
  LOADS.map((s) => [`mov ${register}, ${s.toString(16)}`, `resume 1f; mov eax, ${s}; mov ${register}, ax; mov ebx, ${register}; mov edx, 0x10; mov ${register}, dx; 1: done`]);
const userLoads = LOADS.map((s) => [`mov ds, ${s.toString(16)} at CPL 3`, `to_user 2f; 2: resume 1f; mov eax, ${s}; mov ds, ax; 1: done`]);

/** LAR, LSL, VERR, VERW of every selector. */
const QUERIES = [0, ...Array.from({ length: 32 }, (_, i) => i * 8), 0x13, 0xc3, 0x100, 0x14, 0x24].flatMap((s) => [
  [`lar lsl verr verw ${s.toString(16)}`, `mov edi, ${s}; mov eax, -1; mov ebx, -1; mov ecx, 0; mov edx, 0; mov esi, 0; lar eax, edi; setz cl; lsl ebx, edi; setz ch; verr di; setz dl; verw di; setz dh; done`],
  [`lar lsl verr verw ${s.toString(16)} at CPL 3`, `to_user 1f; 1: mov edi, ${s}; mov eax, -1; mov ebx, -1; mov ecx, 0; mov edx, 0; mov esi, 0; lar eax, edi; setz cl; lsl ebx, edi; setz ch; verr di; setz dl; verw di; setz dh; done`],
]);

/** Far transfers to every selector, by JMP and CALL, and returns to them. */
const TARGETS = [0, 0x08, 0x0b, 0x10, 0x1b, 0x28, 0x38, 0x40, 0x48, 0x50, 0x58, 0x60, 0x88, 0x98, 0xa0, 0xa8, 0xb0, 0xc8, 0xe0, 0xe8, 0xf0, 0xf8, 0x100, 0x2c, 0x14];
const transfers = TARGETS.flatMap((s) => [
  [`jmp far ${s.toString(16)}`, `resume 1f; .byte 0xea; .long 1f; .word ${s}; 1: done`],
  [`call far ${s.toString(16)}`, `resume 1f; .byte 0x9a; .long 1f; .word ${s}; 1: done`],
  [`call far ${s.toString(16)} at CPL 3`, `to_user 2f; 2: push 3; push 2; push 1; resume 1f; .byte 0x9a; .long 1f; .word ${s | 3}; 1: done`],
  [`retf to ${s.toString(16)}`, `resume 1f; push 0x20; push 0x12345; push ${s}; push offset 1f; retf; 1: done`],
  [`iretd to ${s.toString(16)}`, `resume 1f; push 0x20; push 0x12345; push 2; push ${s}; push offset 1f; iretd; 1: done`],
]);

/** Accesses through segments of every kind, at their edges. */
const accesses = [
  [0x70, 'mov [ds:0x70000], al'], [0x70, 'mov al, [ds:0x70000]'], [0x88, 'mov al, [ds:0x70000]'],
  [0x78, 'mov al, [ds:0xfff]'], [0x78, 'mov al, [ds:0x1000]'], [0x78, 'mov eax, [ds:0xffd]'], [0x78, 'mov eax, [ds:0xfffffffd]'], [0x78, 'mov eax, [ds:0xfffffffc]'],
  [0x90, 'mov al, [ds:0xfff]'], [0x90, 'mov al, [ds:0x1000]'], [0x90, 'mov eax, [ds:0xffd]'], [0x90, 'mov eax, [ds:0xffc]'], [0x90, 'mov [ds:0xffe], eax'], [0x90, 'mov eax, [ds:0xffffffff]'],
  [0xd8, 'mov al, [ds:0x1000]'], [0xd8, 'mov al, [ds:0xffff]'], [0xd8, 'mov ax, [ds:0xffff]'], [0xd8, 'mov al, [ds:0x10000]'],
  [0x00, 'mov al, [ds:0x70000]'], [0x60, 'mov al, [ds:0x70000]'], [0x60, 'mov [ds:0x70000], al'], [0x10, 'mov eax, [ds:0xffffffff]'],
].flatMap(([s, what]) => [
  [`${what} through ${s.toString(16)}`, `mov dword ptr [RESUME], offset 1f; mov ebx, ${s}; mov ds, bx; ${what}; 1: mov bx, 0x10; mov ds, bx; done`],
]);

const stackEdges = ['push eax', 'pop eax', 'pushad', 'popad', 'enter 8, 0', 'enter 8, 2', 'leave', 'call 1f', 'pushfd', 'push word ptr [DATA]'].flatMap((what) => [
  [`${what} at the end of a 4 KiB stack`, `to_user 2f; 2: resume 1f; mov ebx, 0x93; mov ss, bx; mov esp, 2; mov ebp, 0x1002; ${what}; 1: mov edx, esp; mov bx, 0x23; mov ss, bx; mov esp, USER_STACK; done`],
  [`${what} above a 4 KiB stack`, `to_user 2f; 2: resume 1f; mov ebx, 0x93; mov ss, bx; mov esp, 0x1000; mov ebp, 0x2000; ${what}; 1: mov edx, esp; mov bx, 0x23; mov ss, bx; mov esp, USER_STACK; done`],
  [`${what} on a 16-bit stack`, `to_user 2f; 2: resume 1f; mov ebx, 0xbb; mov ss, bx; mov esp, 0xabcd0002; mov ebp, 0x1234fffe; ${what}; 1: mov edx, esp; mov bx, 0x23; mov ss, bx; mov esp, USER_STACK; done`],
]);

/** Paging: rights by U/S, R/W, present, at CPL 0 and 3, with and without CR0.WP. */
const paging = [0, 1, 2, 3, 4, 5, 6, 7].flatMap((bits) =>
  ['mov al, [PAGED + 0x1010]', 'mov [PAGED + 0x1010], al', 'inc byte ptr [PAGED + 0x1010]', 'call PAGED + 0x1010', 'mov eax, [PAGED + 0xffe]', 'mov [PAGED + 0xffe], eax'].flatMap((what) => [
    [`${what} page ${bits}`, `mov byte ptr [PAGED + 0x1010], 0xc3; page 1, 0x401000 + ${bits}; resume 1f; ${what}; 1: mov ecx, [PAGES + 4]; done`],
    [`${what} page ${bits} without WP`, `mov eax, cr0; and eax, ~0x10000; mov cr0, eax; mov byte ptr [PAGED + 0x1010], 0xc3; page 1, 0x401000 + ${bits}; resume 1f; ${what}; 1: mov ecx, [PAGES + 4]; done`],
    [`${what} page ${bits} at CPL 3`, `mov byte ptr [PAGED + 0x1010], 0xc3; page 1, 0x401000 + ${bits}; to_user 2f; 2: resume 1f; ${what}; 1: mov ecx, [PAGES + 4]; done`],
  ]),
);
const pagingMore = [
  ['reserved bit 21 of a 4 MiB page', 'mov eax, cr4; or eax, 0x10; mov cr4, eax; mov dword ptr [DIRECTORY + 8], 0x800000 + 0x200000 + 0x87; resume 1f; mov al, [0x800010]; 1: mov ecx, [DIRECTORY + 8]; done'],
  ['PSE-36 bits of a 4 MiB page', 'mov eax, cr4; or eax, 0x10; mov cr4, eax; mov dword ptr [DIRECTORY + 8], 0x400000 + 0x87; mov byte ptr [PAGED + 0x10], 0x55; resume 1f; mov al, [0x800010]; 1: mov ecx, [DIRECTORY + 8]; done'],
  ['PS without CR4.PSE is a table', 'mov dword ptr [DIRECTORY + 8], PAGES + 0x87; mov byte ptr [PAGED + 0x10], 0x55; resume 1f; mov al, [0x800010]; 1: mov ecx, [DIRECTORY + 8]; done'],
  ['a directory entry that is not present', 'resume 1f; mov al, [0x800010]; 1: done'],
  ['dirty is set by a write alone', 'page 1, 0x401007; mov al, [PAGED + 0x1000]; mov ebx, [PAGES + 4]; mov [PAGED + 0x1000], al; mov ecx, [PAGES + 4]; mov edx, [DIRECTORY + 4]; done'],
  ['a push to a page that is not there', 'page 1, 0x401006; to_user 2f; 2: mov esp, PAGED + 0x2000; resume 1f; push eax; 1: mov edx, esp; mov esp, USER_STACK; done'],
  ['rep movsb into a page that is not there', 'page 2, 0x402006; mov esi, PAGED; mov edi, PAGED + 0x1ff0; mov ecx, 0x40; resume 1f; rep movsb; 1: done'],
  ['cmpxchg to a read-only page that compares unequal', 'page 1, 0x401005; resume 1f; mov eax, 5; cmpxchg [PAGED + 0x1000], ebx; 1: done'],
  ['cmpxchg8b to a read-only page', 'page 1, 0x401005; resume 1f; mov eax, 5; cmpxchg8b [PAGED + 0x1000]; 1: done'],
  ['bts beyond a page', 'page 1, 0x401006; resume 1f; mov eax, 0x8000; bts [PAGED], eax; 1: done'],
  ['stale translation until invlpg', 'mov al, [PAGED + 0x1000]; mov byte ptr [PAGED + 0x2000], 9; mov dword ptr [PAGES + 4], 0x402007; invlpg [PAGED + 0x1000]; mov al, [PAGED + 0x1000]; done'],
];

/** Privileged instructions at CPL 3 and in virtual-8086 mode. */
const PRIVILEGED = ['cli', 'sti', 'hlt', 'mov eax, cr0', 'mov cr3, eax', 'mov eax, dr7', 'lgdt [DATA]', 'lidt [DATA]', 'lmsw ax', 'clts', 'invlpg [DATA]', 'rdmsr', 'wrmsr', 'lldt ax', 'ltr ax', 'in al, 0xf4', 'in al, 0xf8', 'out 0xf5, al', 'in eax, 0xf1', 'wbinvd', 'invd', 'sgdt [DATA + 16]', 'sldt eax', 'str eax', 'smsw eax', 'pushfd', 'popfd', 'int 3', 'into', 'int 0x7c', 'int 0x7a', 'int 0x79', 'arpl ax, bx', 'lar eax, ebx', 'rdtsc', 'rdpmc', 'ud2', '.byte 0x0f, 0xff, 0xc0', '.byte 0xf1', 'insb', 'outsb', 'iretd', 'sysexit', 'sysenter', 'rsm', '.byte 0x0f, 0x01, 0xd0', '.byte 0x0f, 0xc7, 0xc8'];
const privileged = PRIVILEGED.filter((p) => p !== 'iretd').map((p) => [`${p} at CPL 3`, `to_user 2f; 2: resume 1f; mov ebx, 0x13; mov ecx, 0x1b; mov edx, 0xf4; mov esi, DATA; mov edi, DATA; ${p}; 1: mov eax, 0; mov edx, 0; done`]);
const withIopl = ['cli', 'in al, 0xf4', 'pushfd; pop ecx', 'push 0x3202; popfd; pushfd; pop ecx', 'push 0x7002; popfd; pushfd; pop ecx'].map((p) => [`${p} at CPL 3 with IOPL 3`, `to_user 2f, 0x3002; 2: resume 1f; ${p}; 1: done`]);

/** In virtual-8086 mode DS is 0x7001, so offset 0xf is DATA + 0x1f. */
const V86 = ['cli', 'sti', 'pushf', 'popf', 'int 0x7f', 'int3', 'into', 'hlt', 'mov ax, ds', 'in al, 0xf4', 'in al, 0xf8', 'mov eax, cr0', 'smsw ax', 'sldt ax', 'lar ax, bx', 'arpl ax, bx', 'mov al, [0xffff]', 'mov ax, [0xffff]', 'mov eax, [0xfffd]', 'mov es:[0x10], al', '.byte 0xf0, 0x90', 'bound ax, [0]', 'int 0x7d', 'lds ax, [0]', 'pusha', 'pushw 0x77; pushw 0x1000; pushw offset 1f - start; iret', 'div cl', '.byte 0x0f, 0x0b', '.byte 0xf1', 'mov ax, 0x7000; mov fs, ax; mov gs, ax; mov al, fs:[0]'];
const v86 = [2, 0x3002].flatMap((iopl) =>
  V86.map((p) => [`${p} in virtual-8086 mode${iopl === 2 ? '' : ' with IOPL 3'}`, `resume 1f - start; to_v86 2f, 0x20000 + ${iopl}; .code16; 2: mov ecx, 0; ${p}; 1: mov ebx, 0x77; int 0x20; .byte 0x0f, 0xb9; .code32`.replace('resume 1f - start', 'mov dword ptr [RESUME], offset 1f - start')]),
);

/** Gates of the IDT. */
const gates = [
  ['a 16-bit interrupt gate', 'gate 0x50, 0x00680000 + gate_16 - start, 0x8600; int 0x50; done'],
  ['a gate to data', 'gate 0x50, 0x00100000, 0x8e00; resume 1f; int 0x50; 1: done'],
  ['a gate to null', 'gate 0x50, 0, 0x8e00; resume 1f; int 0x50; 1: done'],
  ['a gate to code that is not present', 'gate 0x50, 0x00980000, 0x8e00; resume 1f; int 0x50; 1: done'],
  ['a gate beyond the GDT', 'gate 0x50, 0x01080000, 0x8e00; resume 1f; int 0x50; 1: done'],
  ['a gate that is not present', 'resume 1f; int 0x7a; 1: done'],
  ['a call gate in the IDT', 'gate 0x50, 0x00080000, 0xec00; resume 1f; int 0x50; 1: done'],
  ['a vector beyond the IDT', 'mov word ptr [DATA + 16], 0x3ff; mov dword ptr [DATA + 18], IDT; lidt [DATA + 16]; resume 1f; int 0x80; 1: lidt [idtr]; done'],
  ['a task gate by INT n, back and again', 'int 0x7d; mov ebx, 1; int 0x7d; done'],
  ['a task gate for #GP pushes the error code', 'gate 13, 0x00300000, 0x8500; mov dword ptr [TSS_B + 0x20], offset 3f; resume 1f; mov eax, 0x104; mov ds, ax; 1: done; 3: pop ebx; done'],
  ['a task gate to a busy TSS', 'gate 0x50, 0x00280000, 0x8500; resume 1f; int 0x50; 1: done'],
  ['INT n through a gate of DPL 0 at CPL 3', 'to_user 2f; 2: resume 1f; int 0x50; 1: done'],
  ['a gate to conforming code at CPL 3', 'mov word ptr [IDT + 0x79 * 8 + 2], 0x60; to_user 2f; 2: resume 1f; int 0x79; 1: done'],
  ['a gate to code of DPL 1 at CPL 0', 'gate 0x50, 0x00f80000, 0x8e00; resume 1f; int 0x50; 1: done'],
  ['SS0 null at CPL 3', 'mov dword ptr [TSS + 8], 0; gate 10, 0x00300000, 0x8500; gate 8, 0x00300000, 0x8500; mov dword ptr [TSS_B + 0x20], offset 3f; to_user 2f; 2: int 0x7e; 3: pop ebx; done'],
  ['SS0 of DPL 3 at CPL 3', 'mov dword ptr [TSS + 8], 0x23; gate 10, 0x00300000, 0x8500; gate 8, 0x00300000, 0x8500; mov dword ptr [TSS_B + 0x20], offset 3f; to_user 2f; 2: int 0x7e; 3: pop ebx; done'],
  ['SS0 not present at CPL 3', 'mov dword ptr [TSS + 8], 0x80; gate 12, 0x00300000, 0x8500; gate 8, 0x00300000, 0x8500; mov dword ptr [TSS_B + 0x20], offset 3f; to_user 2f; 2: int 0x7e; 3: pop ebx; done'],
  ['#PF while #GP is delivered', 'page 1, 0x401006; mov dword ptr [TSS + 4], PAGED + 0x2000; gate 14, 0x00300000, 0x8500; gate 8, 0x00300000, 0x8500; mov dword ptr [TSS_B + 0x20], offset 3f; to_user 2f; 2: hlt; 3: pop ebx; mov ecx, cr2; done'],
  ['#NP while #NP is delivered is a double fault', 'gate 11, 0x00980000, 0x8e00; gate 8, 0x00300000, 0x8500; mov dword ptr [TSS_B + 0x20], offset 3f; mov eax, 0x80; mov ds, ax; 3: pop ebx; done'],
  ['#GP while #PF is delivered is a double fault', 'gate 14, 0x01080000, 0x8e00; gate 8, 0x00300000, 0x8500; mov dword ptr [TSS_B + 0x20], offset 3f; mov al, [0x900000]; 3: pop ebx; done'],
  ['#GP while #UD is delivered is a #GP', 'gate 6, 0x01080000, 0x8e00; resume 1f; ud2; 1: done'],
];

/** Task switches and what is wrong with them. */
const tasks = [
  ['call, iret, call again', 'call 0x30, 0; mov ebx, 5; .byte 0x9a; .long 0; .word 0x30; done'.replace('call 0x30, 0', '.byte 0x9a; .long 0; .word 0x30')],
  ['jmp to TSS_B', '.byte 0xea; .long 0; .word 0x30; done'],
  ['jmp to TSS_B and back by a far jmp', 'mov dword ptr [TSS_B + 0x20], offset 2f; .byte 0xea; .long 0; .word 0x30; show; movzx eax, byte ptr [GDT + 0x2d]; movzx ebx, byte ptr [GDT + 0x35]; done; 2: show; movzx eax, byte ptr [GDT + 0x2d]; movzx ebx, byte ptr [GDT + 0x35]; show; .byte 0xea; .long 0; .word 0x28'],
  ['call to the 16-bit TSS', '.byte 0x9a; .long 0; .word 0x38; mov eax, [TSS_16 + 0x0e]; mov ebx, [TSS_16 + 0x10]; done'],
  ['link and busy bits after a call', 'mov dword ptr [TSS_B + 0x20], offset 2f; .byte 0x9a; .long 0; .word 0x30; movzx eax, byte ptr [GDT + 0x2d]; movzx ebx, byte ptr [GDT + 0x35]; mov ecx, [TSS_B]; mov edx, [TSS_B + 0x24]; done; 2: movzx eax, byte ptr [GDT + 0x2d]; movzx ebx, byte ptr [GDT + 0x35]; mov ecx, [TSS_B]; pushfd; pop edx; show; iretd'],
  ['iret with NT and a bad link', 'mov dword ptr [TSS], 0x30; resume 1f; flags_on 0x4000; iretd; 1: flags_off 0x4000; done'],
  ['iret with NT and a null link', 'resume 1f; flags_on 0x4000; iretd; 1: flags_off 0x4000; done'],
  ['T bit of the new task', 'mov word ptr [TSS_B + 0x64], 1; .byte 0x9a; .long 0; .word 0x30; done'],
  ['task gate at CPL 3', 'to_user 2f; 2: resume 1f; .byte 0x9a; .long 0; .word 0x5b; 1: done'],
  ['TSS directly at CPL 3', 'to_user 2f; 2: resume 1f; .byte 0x9a; .long 0; .word 0x33; 1: done'],
  ['new task in virtual-8086 mode', 'mov dword ptr [TSS_B + 0x24], 0x20002; mov dword ptr [TSS_B + 0x20], offset 2f - start; mov dword ptr [TSS_B + 0x4c], 0x1000; mov dword ptr [TSS_B + 0x50], 0x6000; mov dword ptr [TSS_B + 0x38], 0xfff0; .byte 0xea; .long 0; .word 0x30; .code16; 2: hlt; .code32'],
  ['new task at CPL 3', 'mov dword ptr [TSS_B + 0x4c], 0x1b; mov dword ptr [TSS_B + 0x50], 0x23; mov dword ptr [TSS_B + 0x48], 0x23; mov dword ptr [TSS_B + 0x54], 0x23; mov dword ptr [TSS_B + 0x38], USER_STACK; .byte 0xea; .long 0; .word 0x30'],
  ['DR7 after a task switch', 'mov eax, 0x7ff; mov edx, 0x90000; mov dr0, edx; mov dr1, edx; mov dr2, edx; mov dr3, edx; mov dr7, eax; mov dword ptr [TSS_B + 0x20], offset 2f; .byte 0xea; .long 0; .word 0x30; 2: done'],
  ['TSS on a page that is not there', 'mov dword ptr [GDT + 0x30], 0x10000067; mov dword ptr [GDT + 0x34], 0x00008940; page 1, 0x401006; resume 1f; .byte 0xea; .long 0; .word 0x30; 1: movzx eax, byte ptr [GDT + 0x2d]; done'],
  ...[['LDT', 0x60, [0x10, 0x0c, 0x100, 0x40]], ['CS', 0x4c, [0, 0x0b, 0x10, 0x98, 0x100, 0x1b, 0x60]], ['SS', 0x50, [0, 0x13, 0x23, 0x70, 0x80, 0x100]], ['DS', 0x54, [0, 0x13, 0x23, 0x88, 0x80, 0x100, 0x28]]].flatMap(([name, at, selectors]) =>
    // The exception goes back to the first task, which is behind its jump then.
    selectors.map((s) => [`${name} ${s.toString(16)} in the new TSS`, `gate 10, 0x00280000, 0x8500; gate 11, 0x00280000, 0x8500; gate 12, 0x00280000, 0x8500; mov dword ptr [TSS_B + ${at}], ${s}; mov dword ptr [TSS_B + 0x20], offset 2f; .byte 0xea; .long 0; .word 0x30; pop ebx; mov ecx, [TSS_B + 0x20]; mov edx, [TSS_B + 0x50]; mov eax, [TSS]; mov esi, [TSS_B + 0x4c]; mov edi, [TSS_B + 0x60]; done; 2: show; done`]),
  ),
];

/** Debug registers, RF, TF. */
const debug = [
  ['instruction breakpoint', 'mov eax, offset 1f; mov dr0, eax; mov eax, 0x402; mov dr7, eax; 1: nop; nop; done'],
  ['write breakpoint', 'mov eax, DATA + 0x10; mov dr0, eax; mov eax, 0x000d0402; mov dr7, eax; mov ebx, [DATA + 0x10]; mov [DATA + 0x10], eax; inc byte ptr [DATA + 0x13]; mov [DATA + 0x14], eax; done'],
  ['read and write breakpoint of 2 bytes', 'mov eax, DATA + 0x11; mov dr1, eax; mov eax, 0x00700408; mov dr7, eax; mov al, [DATA + 0x11]; mov al, [DATA + 0x12]; mov eax, [DATA + 0xe]; push dword ptr [DATA + 0x10]; done'],
  ['a data breakpoint of MOV SS is held back', 'mov word ptr [DATA + 0x10], 0x10; mov eax, DATA + 0x10; mov dr0, eax; mov eax, 0x00070402; mov dr7, eax; mov ss, [DATA + 0x10]; nop; nop; done'],
  ['single step', 'flags_on 0x100; nop; sldt eax; cld; flags_off 0x100; nop; done'],
  ['single step over MOV SS', 'mov bx, ss; flags_on 0x100; mov ss, bx; nop; nop; flags_off 0x100; done'],
  ['single step of rep stosb', 'mov edi, DATA + 0x10; mov ecx, 3; flags_on 0x100; rep stosb; nop; flags_off 0x100; done'],
  ['single step of int n', 'flags_on 0x100; int 0x7e; nop; flags_off 0x100; done'],
  ['single step of a fault', 'resume 1f; flags_on 0x100; ud2; 1: nop; flags_off 0x100; done'],
  ['data breakpoint and single step together', 'mov eax, DATA + 0x10; mov dr0, eax; mov eax, 0x000d0402; mov dr7, eax; flags_on 0x100; mov [DATA + 0x10], eax; nop; flags_off 0x100; done'],
  ['rep movsb over a write breakpoint', 'mov eax, DATA + 0x22; mov dr0, eax; mov eax, 0x00010402; mov dr7, eax; mov esi, DATA + 0x10; mov edi, DATA + 0x20; mov ecx, 5; rep movsb; done'],
  ['general detect', 'mov eax, 0x2400; mov dr7, eax; mov ebx, dr0; done'],
  ['DR4 and DR5', 'mov eax, dr4; mov ebx, dr5; mov ecx, cr4; or ecx, 8; mov cr4, ecx; resume 1f; mov eax, dr4; 1: done'],
  ['I/O breakpoint', 'mov ecx, cr4; or ecx, 8; mov cr4, ecx; mov eax, 0xa8; mov dr0, eax; mov eax, 0x00020402; mov dr7, eax; out 0xa8, al; in al, 0xa9; in ax, 0xa7; done'],
  ['fixed bits', 'mov eax, -1; mov dr6, eax; mov ebx, dr6; mov eax, 0xffff0000; mov dr7, eax; mov ecx, dr7; mov eax, 0xd800; mov dr7, eax; mov edx, dr7; xor eax, eax; mov dr7, eax; mov dr6, eax; done'],
  ['ICEBP', '.byte 0xf1; done'],
  ['two breakpoints at one instruction', 'mov eax, offset 1f; mov dr0, eax; mov dr3, eax; mov eax, 0x4c2; mov dr7, eax; 1: nop; done'],
  ['a matching breakpoint that is not enabled', 'mov eax, offset 1f; mov dr0, eax; mov dr3, eax; mov eax, 0x402; mov dr7, eax; 1: nop; done'],
  ['RF in the frame of faults', 'resume 1f; ud2; 1: resume 2f; mov al, [0x900000]; 2: int 0x7e; done'],
  ['popf with TF and RF', 'push 0x10102; popfd; nop; push 2; popfd; done'],
];

/** Control registers. */
const control = [
  ...[0x80000000, 0x20000001, 0x80010030, 0xe0010031, 0x60010031].map((v) => [`cr0 = ${v.toString(16)}`, `resume 1f; mov eax, ${v}; mov cr0, eax; 1: mov eax, cr0; done`]),
  ...[0x400, 0x800000, 0x1, 0x2, 0x80, 0x20000, 0x1000000].map((v) => [`cr4 = ${v.toString(16)}`, `resume 1f; mov eax, ${v}; mov cr4, eax; 1: mov ecx, cr4; xor eax, eax; mov cr4, eax; done`]),
  ['lmsw cannot clear PE', 'mov eax, 0; lmsw ax; mov eax, cr0; mov ebx, 0xf; lmsw bx; mov ebx, cr0; clts; mov ecx, cr0; done'],
  ['x87 with EM, with TS', 'mov eax, cr0; or eax, 4; mov cr0, eax; resume 1f; fninit; 1: mov eax, cr0; and eax, ~4; or eax, 8; mov cr0, eax; resume 2f; fninit; 2: resume 3f; wait; 3: or eax, 2; mov cr0, eax; resume 4f; wait; 4: clts; fninit; done'],
  ['sse with TS, without OSFXSR', 'resume 1f; xorps xmm0, xmm0; 1: mov eax, cr4; or eax, 0x200; mov cr4, eax; xorps xmm0, xmm0; mov eax, cr0; or eax, 8; mov cr0, eax; resume 2f; xorps xmm0, xmm0; 2: clts; done'],
  ['alignment', 'mov eax, cr0; or eax, 0x40000; mov cr0, eax; to_user 2f, 0x40002; 2: resume 1f; mov eax, [DATA + 0x11]; 1: resume 3f; mov ax, [DATA + 0x11]; 3: mov al, [DATA + 0x11]; resume 4f; push word ptr [DATA + 0x10]; push eax; 4: resume 5f; fld qword ptr [DATA + 0x14]; 5: done'],
  ['alignment against a page that is not there', 'page 1, 0x401006; mov eax, cr0; or eax, 0x40000; mov cr0, eax; to_user 2f, 0x40002; 2: resume 1f; mov eax, [PAGED + 0x1001]; 1: done'],
  ['alignment at CPL 0', 'mov eax, cr0; or eax, 0x40000; mov cr0, eax; flags_on 0x40000; mov eax, [DATA + 0x11]; flags_off 0x40000; done'],
  ['rdmsr of an MSR that does not exist', 'resume 1f; mov ecx, 0xdead; rdmsr; 1: done'],
  ['wrmsr of a non-canonical LSTAR', 'resume 1f; mov ecx, 0xc0000082; mov eax, 0; mov edx, 0x8000; wrmsr; 1: done'],
  ['lock prefixes', 'resume 1f; .byte 0xf0, 0x90; 1: resume 2f; .byte 0xf0, 0x01, 0xc0; 2: resume 3f; .byte 0xf0, 0x3b, 0x05; .long DATA; 3: resume 4f; .byte 0xf0, 0x0f, 0xba, 0x25; .long DATA; .byte 1; 4: lock inc dword ptr [DATA + 8]; done'],
  ['an instruction of 16 bytes', 'resume 1f; .byte 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x90; 1: .byte 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x90; done'],
  ['bound', 'mov dword ptr [DATA + 8], -5; mov dword ptr [DATA + 12], 5; mov eax, 5; bound eax, [DATA + 8]; mov eax, -6; resume 1f; bound eax, [DATA + 8]; 1: resume 2f; .byte 0x62, 0xc0, 0, 0, 0, 0; 2: done'],
  ['arpl', 'mov eax, 0x10; mov ebx, 0x13; arpl ax, bx; setz cl; mov edx, 0x13; arpl dx, ax; setz ch; done'],
  ['into', 'mov al, 0x7f; add al, 1; into; done'],
  ['division', 'resume 1f; xor ecx, ecx; div ecx; 1: resume 2f; mov edx, 5; mov eax, 0; mov ecx, 5; div ecx; 2: resume 3f; mov ax, 0x8000; mov cl, 0xff; idiv cl; 3: resume 4f; aam 0; 4: done'],
  ['far pointers', 'mov dword ptr [DATA + 8], 0x12345678; mov dword ptr [DATA + 12], 0x10; les eax, [DATA + 8]; mov dword ptr [DATA + 12], 0x104; resume 1f; lds ebx, [DATA + 8]; 1: mov dword ptr [DATA + 12], 0; lfs ecx, [DATA + 8]; resume 2f; lss edx, [DATA + 8]; 2: resume 3f; .byte 0xc5, 0x00; 3: done'],
  ['return to CPL 3 drops data segments', 'mov eax, 0x23; mov es, ax; mov eax, 0x60; mov fs, ax; mov eax, 0xc0; mov gs, ax; to_user 1f; 1: done'],
  ['iretd to CPL 3 keeps IOPL and IF rules', 'push 0x23; push USER_STACK; push 0x247fd7; push 0x1b; push offset 1f; iretd; 1: push 0x3202; popfd; pushfd; pop ecx; flags_off 0x100; done'],
  ['a 16-bit iret at CPL 0', 'push 0; pushw 0x2; pushw 0x68; pushw offset 1f - start; .byte 0x66, 0xcf; .code16; 1: int 0x7f; .code32'],
  ['wrapping of a 16-bit code segment', '.byte 0xea; .long 1f - start; .word 0x68; .code16; 1: mov eax, 0x12345; .byte 0x66, 0xff, 0xe0; .code32'],
  ['lidt with a 16-bit operand', 'mov dword ptr [DATA + 16], 0x56780123; mov word ptr [DATA + 20], 0x9abc; .byte 0x66, 0x0f, 0x01, 0x1d; .long DATA + 16; sidt [DATA + 24]; lidt [idtr]; mov eax, [DATA + 24]; movzx ebx, word ptr [DATA + 28]; done'],
  ['sysenter and sysexit', 'mov ecx, 0x174; xor edx, edx; mov eax, 8; wrmsr; mov ecx, 0x175; mov eax, KERNEL_STACK; wrmsr; mov ecx, 0x176; mov eax, offset 2f; wrmsr; to_user 1f, 0x3202; 1: sysenter; 2: show; mov ecx, USER_STACK; mov edx, offset 3f; sysexit; 3: done'],
  ['sysenter without a selector', 'mov ecx, 0x174; xor edx, edx; xor eax, eax; wrmsr; to_user 1f; 1: resume 2f; sysenter; 2: done'],
  ['IN of a TSS without a map', 'mov dword ptr [GDT + 0x28], 0x20000067; mov byte ptr [GDT + 0x2d], 0x89; mov eax, 0x28; ltr ax; to_user 1f; 1: resume 2f; in al, 0xf8; 2: done'],
  ['VM flag cannot be set by popf', 'push 0x20002; popfd; pushfd; pop eax; done'],
  ['iretd to virtual-8086 mode needs CPL 0', 'to_user 1f; 1: push 0x20; push 0x20; push 0x20; push 0x23; push 0x23; push USER_STACK; push 0x20002; push 0x1b; push offset 2f; iretd; 2: done'],
];

export const CASES = [...loads('ds'), ...loads('ss'), ...userLoads, ...QUERIES, ...transfers, ...accesses, ...stackEdges, ...paging, ...pagingMore, ...privileged, ...withIopl, ...v86, ...gates, ...tasks, ...debug, ...control];
