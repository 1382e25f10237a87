/** Programs of a few instructions, written as bytes with what they mean beside them. */
import { readFlags } from '../../src/cpu/flags';
import type { CpuState } from '../../src/cpu/state';

/** Bytes from text such as "48 01 c8 ; add rax, rcx", line by line. */
export const bytes = (text: string): number[] =>
  text
    .split('\n')
    .flatMap((line) => line.replace(/;.*/, '').trim().split(/\s+/))
    .filter((t) => t !== '')
    .map((t) => parseInt(t, 16));

/** Adds up, stores, loads, calls and returns a thousand times: 12 instructions a round, in the 32 KB behind RDI. */
export const LOOP = `
  b9 e8 03 00 00   ; mov ecx, 1000
  48 01 c8         ; add rax, rcx
  50               ; push rax
  5b               ; pop rbx
  48 31 da         ; xor rdx, rbx
  48 89 14 cf      ; mov [rdi+rcx*8], rdx
  48 03 14 cf      ; add rdx, [rdi+rcx*8]
  48 c1 c2 07      ; rol rdx, 7
  e8 05 00 00 00   ; call +5
  ff c9            ; dec ecx
  75 e3            ; jnz the add
  f4               ; hlt
  48 d1 e8         ; shr rax, 1
  c3               ; ret
`;

/** What two runs of one program are compared by: RIP, RFLAGS, instructions and the general registers. */
export const stateOf = (state: CpuState): string =>
  [state.rip, readFlags(state), state.icount, ...Array.from({ length: 16 }, (_, n) => state.reg(n))].map((v) => v.toString(16)).join(' ');
