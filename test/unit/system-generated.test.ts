/**
 * Whoever watches what TypeScript performs gets it all from TypeScript: with an observer and without, a program goes through
 * the same states, whether generated code or TypeScript performs its system calls, returns and changes of RFLAGS.IF.
 */
import assert from 'node:assert/strict';
import { readFlags } from '../../src/cpu/flags';
import { Gpr, Offset } from '../../src/cpu/state';
import { longMode, type Pc } from './systemPc';

/** User code calls the kernel five times; the kernel opens and closes its interrupt window in every way and moves memory. */
const SYSTEM_CALLS = `
  bc 00 70 00 00             ; mov esp, 0x7000
  45 31 ff                   ; xor r15d, r15d
  b8 30 00 00 00             ; mov eax, 0x30
  0f 00 d8                   ; ltr ax
  b9 81 00 00 c0             ; mov ecx, 0xc0000081
  31 c0                      ; xor eax, eax
  ba 08 00 18 00             ; mov edx, 0x180008
  0f 30                      ; wrmsr
  ff c1                      ; inc ecx
  48 8d 05 45 00 00 00       ; lea rax, [rip+0x45] (kernel)
  31 d2                      ; xor edx, edx
  0f 30                      ; wrmsr
  b9 84 00 00 c0             ; mov ecx, 0xc0000084
  b8 00 06 00 00             ; mov eax, 0x600
  0f 30                      ; wrmsr
  b9 02 01 00 c0             ; mov ecx, 0xc0000102
  b8 00 00 06 00             ; mov eax, 0x60000
  0f 30                      ; wrmsr
  6a 23                      ; push 0x23
  68 00 68 00 00             ; push 0x6800
  68 03 02 00 00             ; push 0x203
  6a 2b                      ; push 0x2b
  48 8d 05 03 00 00 00       ; lea rax, [rip+0x3] (user)
  50                         ; push rax
  48 cf                      ; iretq
                             ; user:
  bd 04 00 00 00             ; mov ebp, 0x4
                             ; again:
  f9                         ; stc
  fd                         ; std
  89 ef                      ; mov edi, ebp
  0f 05                      ; syscall
  fc                         ; cld
  ff cd                      ; dec ebp
  79 f5                      ; jns again
  f4                         ; hlt
                             ; kernel:
  0f 01 f8                   ; swapgs
  65 48 89 24 25 00 00 00 00 ; mov qword gs:0x0, rsp
  48 c7 c4 00 70 00 00       ; mov rsp, 0x7000
  51                         ; push rcx
  41 53                      ; push r11
  65 48 ff 04 25 08 00 00 00 ; inc qword gs:0x8
  8c d2                      ; mov edx, ss
  8c cb                      ; mov ebx, cs
  e6 10                      ; out 0x10, al
  9c                         ; pushf
  fb                         ; sti
  48 ff c6                   ; inc rsi
  fa                         ; cli
  9d                         ; popf
  68 02 02 00 00             ; push 0x202
  9d                         ; popf
  48 ff c6                   ; inc rsi
  fa                         ; cli
  e6 10                      ; out 0x10, al
  68 46 02 00 00             ; push 0x246
  9d                         ; popf
  48 ff c6                   ; inc rsi
  fa                         ; cli
  fc                         ; cld
  85 ff                      ; test edi, edi
  74 4a                      ; je off
  57                         ; push rdi
  b8 67 45 23 01             ; mov eax, 0x1234567
  48 c7 c7 00 10 06 00       ; mov rdi, 0x61000
  b9 28 00 00 00             ; mov ecx, 0x28
  f3 48 ab                   ; rep stos qword es:[rdi], rax
  b0 5a                      ; mov al, 0x5a
  b9 03 00 00 00             ; mov ecx, 0x3
  f3 aa                      ; rep stos byte es:[rdi], al
  48 c7 c6 00 10 06 00       ; mov rsi, 0x61000
  b9 15 00 00 00             ; mov ecx, 0x15
  f3 a4                      ; rep movs byte es:[rdi], byte ds:[rsi]
  48 8d 77 f8                ; lea rsi, [rdi-0x8]
  b9 05 00 00 00             ; mov ecx, 0x5
  f3 a5                      ; rep movs dword es:[rdi], dword ds:[rsi]
  5f                         ; pop rdi
  41 5b                      ; pop r11
  59                         ; pop rcx
  65 48 8b 24 25 00 00 00 00 ; mov rsp, qword gs:0x0
  0f 01 f8                   ; swapgs
  48 0f 07                   ; sysretq
                             ; off:
  f4                         ; hlt
`;

/** User code that reads the GDT and its stack, and then returns to the kernel's code segment. */
const USER_RETURN = `
  bc 00 70 00 00             ; mov esp, 0x7000
  b8 30 00 00 00             ; mov eax, 0x30
  0f 00 d8                   ; ltr ax
  6a 23                      ; push 0x23
  68 00 68 00 00             ; push 0x6800
  68 02 02 00 00             ; push 0x202
  6a 2b                      ; push 0x2b
  48 8d 05 03 00 00 00       ; lea rax, [rip+3] (user)
  50                         ; push rax
  48 cf                      ; iretq
                             ; user:
  4c 8d 3d 21 00 00 00       ; lea r15, [rip+33] (end)
  48 8b 04 25 08 07 00 00    ; mov rax, [0x708]
  48 89 e3                   ; mov rbx, rsp
  6a 10                      ; push 0x10
  53                         ; push rbx
  68 02 02 00 00             ; push 0x202
  6a 08                      ; push 8
  48 8d 0d 03 00 00 00       ; lea rcx, [rip+3] (end)
  51                         ; push rcx
  48 cf                      ; iretq
                             ; end:
  f4                         ; hlt
`;

const PER_CPU = 0x6_0000;
const MEMORY = 0x6_1000;
const TICKS = 2000;
const INTERRUPTS_PER_CALL = 2;
const CALLS = 5;

function digest({ cpu }: Pc): string {
  const s = cpu.state;
  const segments = Array.from({ length: 8 }, (_, seg) => [s.selector(seg), s.access(seg), s.limit(seg), s.segBase(seg)].join(':'));
  const registers = Array.from({ length: 16 }, (_, n) => s.reg(n).toString(16));
  return [s.icount, s.rip.toString(16), readFlags(s).toString(16), s.cpl, s.get32(Offset.INTERRUPTIBILITY), s.get32(Offset.ACTIVITY), s.get64(Offset.KERNEL_GS_BASE), ...registers, ...segments].join(' ');
}

/** The states in which the program is between slices, and at its end. */
function states(slice: number, observed: boolean): { pc: Pc; digests: string[] } {
  const pc = longMode(SYSTEM_CALLS);
  const performed = new Set<number>();
  if (observed) pc.cpu.onOperation = (insn) => performed.add(insn.op);
  const digests: string[] = [];
  for (let tick = 0; tick < TICKS; tick += slice) {
    if (pc.cpu.run(slice) === 'halt') break;
    digests.push(digest(pc));
  }
  digests.push(digest(pc));
  if (observed) assert.ok(performed.size > 8, 'TypeScript performs what is observed');
  return { pc, digests };
}

describe('system instructions in generated code', () => {
  it('SYSCALL, SYSRET, SWAPGS, STI, POPF and IRETQ do what TypeScript does, instruction by instruction', () => {
    const { pc, digests } = states(1, true);
    assert.equal(pc.get64(PER_CPU + 8), BigInt(CALLS), 'calls');
    assert.equal(pc.log().length, CALLS * INTERRUPTS_PER_CALL, 'interrupts');
    assert.equal(pc.cpu.state.reg(Gpr.RSP), 0x7000n - 16n);
    assert.deepEqual(states(1, false).digests, digests);
    const last = digests.length - 1;
    for (const slice of [3, 50]) {
      const expected = digests.filter((_, i) => i === last || (i + 1) % slice === 0);
      assert.deepEqual(states(slice, false).digests, expected, `in slices of ${slice}`);
    }
  });

  it('IRETQ at CPL 3 cannot return to CPL 0, in memory that user code may read', () => {
    const pc = longMode(USER_RETURN);
    pc.cpu.run(TICKS);
    const [fault] = pc.log();
    assert.match(fault ?? '', /^d\(8\) .* user$/, '#GP with the selector');
  });

  it('REP STOS and REP MOVS store what they say, a pattern that overlaps included', () => {
    const { pc } = states(TICKS, false);
    const stored = Array.from({ length: 40 }, (_, i) => pc.get64(MEMORY + i * 8));
    assert.deepEqual(stored, new Array(40).fill(0x123_4567n));
    const bytes = (from: number, length: number): number[] => Array.from({ length }, (_, i) => Number((pc.get64(from + i) & 0xffn)));
    assert.deepEqual(bytes(MEMORY + 320, 3), [0x5a, 0x5a, 0x5a]);
    const copied = bytes(MEMORY + 323, 21);
    assert.deepEqual(copied, bytes(MEMORY, 21));
    const end = MEMORY + 344;
    assert.deepEqual(bytes(end, 20), Array.from({ length: 20 }, (_, i) => bytes(end - 8 + (i % 8), 1)[0]!), 'elements that repeat');
  });
});
