/** Registers by x86-64 DWARF number. */
export const REGISTER_NAMES: readonly string[] = [
  'rax', 'rdx', 'rcx', 'rbx', 'rsi', 'rdi', 'rbp', 'rsp', 'r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15', 'rip',
  ...Array.from({ length: 16 }, (_, i) => `xmm${i}`),
  ...Array.from({ length: 8 }, (_, i) => `st${i}`),
  ...Array.from({ length: 8 }, (_, i) => `mm${i}`),
  'rflags', 'es', 'cs', 'ss', 'ds', 'fs', 'gs',
];

export const RBX = 3;
export const RBP = 6;
export const RSP = 7;
export const RIP = 16;

/** Registers a function must preserve in 64-bit code, besides rsp. */
export const CALLEE_SAVED_64: readonly number[] = [RBX, RBP, 12, 13, 14, 15];
/** The same in 32-bit code: ebx, ebp, esi, edi. */
export const CALLEE_SAVED_32: readonly number[] = [RBX, RBP, 4, 5];

/** i386 DWARF number -> x86-64 DWARF number: eax ecx edx ebx esp ebp esi edi eip eflags. */
const FROM_I386 = [0, 2, 1, 3, 7, 6, 4, 5, 16, 49];
const I386_ST0 = 11;
const I386_XMM0 = 21;
const I386_MM0 = 29;

/** Translates a register number of an image to the x86-64 numbering that frames use. */
export const frameRegister = (number: number, machine: 'x86' | 'x86-64'): number => {
  if (machine === 'x86-64') return number;
  if (number < FROM_I386.length) return FROM_I386[number];
  if (number >= I386_MM0) return number - I386_MM0 + 41;
  if (number >= I386_XMM0) return number - I386_XMM0 + 17;
  return number - I386_ST0 + 33;
};
