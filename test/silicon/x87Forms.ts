/** The x87 and MMX instructions that are compared with silicon: their bytes, and what operands are worth trying. */

/** What lies at the memory operand. */
export type MemoryKind = 'single' | 'double' | 'extended' | 'int16' | 'int32' | 'int64' | 'bcd' | 'control' | 'environment' | 'anything';

export interface X87Form {
  name: string;
  /** Prefix and opcode bytes, then ModRM or its template: memory forms have only the /digit in `reg`. */
  opcode: number[];
  /** Register forms: the ModRM byte; with `stack`, ST(i) is added. */
  modrm?: number;
  stack?: boolean;
  /** Memory forms: ModRM.reg, and what is there. */
  reg?: number;
  memory?: MemoryKind;
  /** MMX: any register numbers, and memory or register as second operand. */
  mmx?: 'both' | 'register' | 'memory';
  immediate?: boolean;
  /** The second operand is a general-purpose register. */
  general?: 'source' | 'destination';
  /** ... and stands in ModRM.reg. */
  generalIsReg?: boolean;
  /** Results may differ from silicon's in the last place: transcendental instructions. */
  approximate?: boolean;
  /** Operands near this magnitude, as an exponent. */
  near?: number;
}

const forms: X87Form[] = [];
const memory = (name: string, opcode: number, reg: number, kind: MemoryKind): void => {
  forms.push({ name: `${name} ${kind}`, opcode: [opcode], reg, memory: kind });
};
const stack = (name: string, opcode: number, modrm: number): void => {
  forms.push({ name, opcode: [opcode], modrm, stack: true });
};
const plain = (name: string, opcode: number, modrm: number, more: Partial<X87Form> = {}): void => {
  forms.push({ name, opcode: [opcode], modrm, ...more });
};

['fadd', 'fmul', 'fcom', 'fcomp', 'fsub', 'fsubr', 'fdiv', 'fdivr'].forEach((name, n) => {
  memory(name, 0xd8, n, 'single');
  memory(name, 0xdc, n, 'double');
  memory(name.replace('f', 'fi'), 0xda, n, 'int32');
  memory(name.replace('f', 'fi'), 0xde, n, 'int16');
  stack(`${name} st, st(i)`, 0xd8, 0xc0 + n * 8);
  stack(`${name} twin DC`, 0xdc, 0xc0 + n * 8);
  if (n !== 3) stack(`${name}p twin DE`, 0xde, 0xc0 + n * 8);
});
memory('fld', 0xd9, 0, 'single');
memory('fst', 0xd9, 2, 'single');
memory('fstp', 0xd9, 3, 'single');
memory('fldenv', 0xd9, 4, 'environment');
memory('fldcw', 0xd9, 5, 'control');
memory('fnstenv', 0xd9, 6, 'anything');
memory('fnstcw', 0xd9, 7, 'anything');
memory('fild', 0xdb, 0, 'int32');
memory('fisttp', 0xdb, 1, 'int32');
memory('fist', 0xdb, 2, 'int32');
memory('fistp', 0xdb, 3, 'int32');
memory('fld', 0xdb, 5, 'extended');
memory('fstp', 0xdb, 7, 'extended');
memory('fld', 0xdd, 0, 'double');
memory('fisttp', 0xdd, 1, 'int64');
memory('fst', 0xdd, 2, 'double');
memory('fstp', 0xdd, 3, 'double');
memory('frstor', 0xdd, 4, 'environment');
memory('fnsave', 0xdd, 6, 'anything');
memory('fnstsw', 0xdd, 7, 'anything');
memory('fild', 0xdf, 0, 'int16');
memory('fisttp', 0xdf, 1, 'int16');
memory('fist', 0xdf, 2, 'int16');
memory('fistp', 0xdf, 3, 'int16');
memory('fbld', 0xdf, 4, 'bcd');
memory('fild', 0xdf, 5, 'int64');
memory('fbstp', 0xdf, 6, 'bcd');
memory('fistp', 0xdf, 7, 'int64');
for (const [name, opcode, reg, kind] of [['fldenv', 0xd9, 4, 'environment'], ['fnstenv', 0xd9, 6, 'anything'], ['frstor', 0xdd, 4, 'environment'], ['fnsave', 0xdd, 6, 'anything']] as const) {
  forms.push({ name: `${name} 16-bit`, opcode: [0x66, opcode], reg, memory: kind });
}
stack('fld st(i)', 0xd9, 0xc0);
stack('fxch', 0xd9, 0xc8);
stack('fxch twin DD', 0xdd, 0xc8);
stack('fxch twin DF', 0xdf, 0xc8);
stack('fstp twin D9', 0xd9, 0xd8);
stack('fcmovb', 0xda, 0xc0);
stack('fcmove', 0xda, 0xc8);
stack('fcmovbe', 0xda, 0xd0);
stack('fcmovu', 0xda, 0xd8);
stack('fcmovnb', 0xdb, 0xc0);
stack('fcmovne', 0xdb, 0xc8);
stack('fcmovnbe', 0xdb, 0xd0);
stack('fcmovnu', 0xdb, 0xd8);
stack('fucomi', 0xdb, 0xe8);
stack('fcomi', 0xdb, 0xf0);
stack('fucomip', 0xdf, 0xe8);
stack('fcomip', 0xdf, 0xf0);
stack('ffree', 0xdd, 0xc0);
stack('ffreep', 0xdf, 0xc0);
stack('fst st(i)', 0xdd, 0xd0);
stack('fstp st(i)', 0xdd, 0xd8);
stack('fstp twin DF', 0xdf, 0xd0);
stack('fucom', 0xdd, 0xe0);
stack('fucomp', 0xdd, 0xe8);
plain('fucompp', 0xda, 0xe9);
plain('fcompp', 0xde, 0xd9);
plain('fnstsw ax', 0xdf, 0xe0);
plain('fneni', 0xdb, 0xe0);
plain('fnclex', 0xdb, 0xe2);
plain('fninit', 0xdb, 0xe3);
['fld1', 'fldl2t', 'fldl2e', 'fldpi', 'fldlg2', 'fldln2', 'fldz'].forEach((name, i) => plain(name, 0xd9, 0xe8 + i));
plain('fnop', 0xd9, 0xd0);
plain('fchs', 0xd9, 0xe0);
plain('fabs', 0xd9, 0xe1);
plain('ftst', 0xd9, 0xe4);
plain('fxam', 0xd9, 0xe5);
plain('f2xm1', 0xd9, 0xf0, { approximate: true, near: -3 });
plain('fyl2x', 0xd9, 0xf1, { approximate: true, near: 0 });
plain('fptan', 0xd9, 0xf2, { approximate: true, near: 1 });
plain('fpatan', 0xd9, 0xf3, { approximate: true, near: 0 });
plain('fxtract', 0xd9, 0xf4);
plain('fprem1', 0xd9, 0xf5);
plain('fdecstp', 0xd9, 0xf6);
plain('fincstp', 0xd9, 0xf7);
plain('fprem', 0xd9, 0xf8);
plain('fyl2xp1', 0xd9, 0xf9, { approximate: true, near: -4 });
plain('fsqrt', 0xd9, 0xfa);
plain('fsincos', 0xd9, 0xfb, { approximate: true, near: 1 });
plain('frndint', 0xd9, 0xfc, { near: 20 });
plain('fscale', 0xd9, 0xfd, { near: 6 });
plain('fsin', 0xd9, 0xfe, { approximate: true, near: 1 });
plain('fcos', 0xd9, 0xff, { approximate: true, near: 1 });

// What was for the 8087 and 80287 does nothing.
plain('feni', 0xdb, 0xe0);
plain('fdisi', 0xdb, 0xe1);
plain('fsetpm', 0xdb, 0xe4);

export const X87_FORMS: readonly X87Form[] = forms;
