/** The user-mode instruction forms that are compared with silicon: how to make one, and which flags it leaves undefined. */
import { AF, CF, OF, PF, SF, ZF } from '../../src/cpu/flags';

export interface Form {
  name: string;
  /** Opcode bytes after prefixes and REX. */
  opcode: number[];
  /** ModRM.reg when it is part of the opcode. */
  reg?: number;
  /** Byte operands: no operand-size variants. */
  byte?: boolean;
  /** 64-bit and 32-bit only. */
  noWord?: boolean;
  prefix?: number;
  /** Bytes of immediate; 'z' is 2 or 4 by operand size. */
  immediate?: number | 'z' | 'v';
  /** Encoded without REX (AH would become SPL). */
  noRex?: boolean;
  /** The source is a byte, whatever the destination's width. */
  byteSource?: boolean;
  /** No ModRM byte. */
  plain?: boolean;
  registerOnly?: boolean;
  memoryOnly?: boolean;
  /** Flags that the SDM leaves undefined; given the count or operand where it depends on it. */
  undefinedFlags?: number;
  /** For shifts: OF is undefined unless the masked count is 1. */
  shift?: 'shift' | 'rotate' | 'double';
  /** LOCK is allowed on memory. */
  lock?: boolean;
  /** Divisions: make quotients that fit likely. */
  divide?: boolean;
}

const ARITHMETIC = ['add', 'or', 'adc', 'sbb', 'and', 'sub', 'xor', 'cmp'];
const LOGIC_UNDEFINED = AF;
const undefinedOf = (name: string): number => (['or', 'and', 'xor', 'test'].includes(name) ? LOGIC_UNDEFINED : 0);

const forms: Form[] = [];
ARITHMETIC.forEach((name, i) => {
  const undefinedFlags = undefinedOf(name);
  forms.push({ name: `${name} r/m8, r8`, opcode: [i * 8], byte: true, undefinedFlags });
  forms.push({ name: `${name} r/m, r`, opcode: [i * 8 + 1], undefinedFlags });
  forms.push({ name: `${name} r8, r/m8`, opcode: [i * 8 + 2], byte: true, undefinedFlags });
  forms.push({ name: `${name} r, r/m`, opcode: [i * 8 + 3], undefinedFlags });
  forms.push({ name: `${name} al, imm8`, opcode: [i * 8 + 4], byte: true, plain: true, immediate: 1, undefinedFlags });
  forms.push({ name: `${name} rax, imm`, opcode: [i * 8 + 5], plain: true, immediate: 'z', undefinedFlags });
  forms.push({ name: `${name} r/m8, imm8`, opcode: [0x80], reg: i, byte: true, immediate: 1, undefinedFlags });
  forms.push({ name: `${name} r/m, imm`, opcode: [0x81], reg: i, immediate: 'z', undefinedFlags });
  forms.push({ name: `${name} r/m, imm8`, opcode: [0x83], reg: i, immediate: 1, undefinedFlags });
});
['rol', 'ror', 'rcl', 'rcr', 'shl', 'shr', 'sal', 'sar'].forEach((name, i) => {
  const shift = i < 4 ? 'rotate' : 'shift';
  for (const [byte, opcode] of [[true, 0xc0], [false, 0xc1]] as const) forms.push({ name: `${name} r/m${byte ? 8 : ''}, imm8`, opcode: [opcode], reg: i, byte, immediate: 1, shift });
  for (const [byte, opcode] of [[true, 0xd0], [false, 0xd1]] as const) forms.push({ name: `${name} r/m${byte ? 8 : ''}, 1`, opcode: [opcode], reg: i, byte, shift });
  for (const [byte, opcode] of [[true, 0xd2], [false, 0xd3]] as const) forms.push({ name: `${name} r/m${byte ? 8 : ''}, cl`, opcode: [opcode], reg: i, byte, shift });
});
for (const [name, base] of [['shld', 0xa4], ['shrd', 0xac]] as const) {
  forms.push({ name: `${name} r/m, r, imm8`, opcode: [0x0f, base], immediate: 1, shift: 'double', undefinedFlags: AF });
  forms.push({ name: `${name} r/m, r, cl`, opcode: [0x0f, base + 1], shift: 'double', undefinedFlags: AF });
}
forms.push(
  { name: 'test r/m8, r8', opcode: [0x84], byte: true, undefinedFlags: AF },
  { name: 'test r/m, r', opcode: [0x85], undefinedFlags: AF },
  { name: 'test al, imm8', opcode: [0xa8], byte: true, plain: true, immediate: 1, undefinedFlags: AF },
  { name: 'test rax, imm', opcode: [0xa9], plain: true, immediate: 'z', undefinedFlags: AF },
  { name: 'test r/m8, imm8', opcode: [0xf6], reg: 0, byte: true, immediate: 1, undefinedFlags: AF },
  { name: 'test r/m, imm', opcode: [0xf7], reg: 0, immediate: 'z', undefinedFlags: AF },
  { name: 'mov r/m8, r8', opcode: [0x88], byte: true },
  { name: 'mov r/m, r', opcode: [0x89] },
  { name: 'mov r8, r/m8', opcode: [0x8a], byte: true },
  { name: 'mov r, r/m', opcode: [0x8b] },
  { name: 'mov r/m8, imm8', opcode: [0xc6], reg: 0, byte: true, immediate: 1 },
  { name: 'mov r/m, imm', opcode: [0xc7], reg: 0, immediate: 'z' },
  { name: 'mov eax, imm', opcode: [0xb8], plain: true, immediate: 'v' },
  { name: 'mov ah, imm8', opcode: [0xb4], byte: true, noRex: true, plain: true, immediate: 1 },
  { name: 'lea', opcode: [0x8d], memoryOnly: true },
  { name: 'movsxd', opcode: [0x63] },
  { name: 'xchg r/m8, r8', opcode: [0x86], byte: true },
  { name: 'xchg r/m, r', opcode: [0x87] },
  { name: 'xchg rcx, rax', opcode: [0x91], plain: true },
  { name: 'cbw', opcode: [0x98], plain: true },
  { name: 'cwd', opcode: [0x99], plain: true },
  { name: 'lahf', opcode: [0x9f], plain: true },
  { name: 'sahf', opcode: [0x9e], plain: true },
  { name: 'cmc', opcode: [0xf5], plain: true },
  { name: 'clc', opcode: [0xf8], plain: true },
  { name: 'stc', opcode: [0xf9], plain: true },
  { name: 'imul r, r/m, imm', opcode: [0x69], immediate: 'z', undefinedFlags: SF | ZF | AF | PF },
  { name: 'imul r, r/m, imm8', opcode: [0x6b], immediate: 1, undefinedFlags: SF | ZF | AF | PF },
  { name: 'imul r, r/m', opcode: [0x0f, 0xaf], undefinedFlags: SF | ZF | AF | PF },
);
for (const [byte, opcode] of [[true, 0xf6], [false, 0xf7]] as const) {
  const b = byte ? '8' : '';
  forms.push({ name: `not r/m${b}`, opcode: [opcode], reg: 2, byte });
  forms.push({ name: `neg r/m${b}`, opcode: [opcode], reg: 3, byte });
  forms.push({ name: `mul r/m${b}`, opcode: [opcode], reg: 4, byte, undefinedFlags: SF | ZF | AF | PF });
  forms.push({ name: `imul r/m${b}`, opcode: [opcode], reg: 5, byte, undefinedFlags: SF | ZF | AF | PF });
  forms.push({ name: `div r/m${b}`, opcode: [opcode], reg: 6, byte, divide: true, undefinedFlags: CF | OF | SF | ZF | AF | PF });
  forms.push({ name: `idiv r/m${b}`, opcode: [opcode], reg: 7, byte, divide: true, undefinedFlags: CF | OF | SF | ZF | AF | PF });
}
forms.push(
  { name: 'inc r/m8', opcode: [0xfe], reg: 0, byte: true },
  { name: 'dec r/m8', opcode: [0xfe], reg: 1, byte: true },
  { name: 'inc r/m', opcode: [0xff], reg: 0 },
  { name: 'dec r/m', opcode: [0xff], reg: 1 },
);
for (let cc = 0; cc < 16; cc++) {
  forms.push({ name: `cmov${cc} r, r/m`, opcode: [0x0f, 0x40 + cc] });
  forms.push({ name: `set${cc} r/m8`, opcode: [0x0f, 0x90 + cc], reg: 0, byte: true });
}
const BIT_UNDEFINED = OF | SF | AF | PF;
['bt', 'bts', 'btr', 'btc'].forEach((name, i) => {
  forms.push({ name: `${name} r, r`, opcode: [0x0f, 0xa3 + i * 8], registerOnly: true, undefinedFlags: BIT_UNDEFINED });
  forms.push({ name: `${name} r/m, imm8`, opcode: [0x0f, 0xba], reg: 4 + i, immediate: 1, undefinedFlags: BIT_UNDEFINED });
});
forms.push(
  { name: 'bsf', opcode: [0x0f, 0xbc], undefinedFlags: CF | OF | SF | AF | PF },
  { name: 'bsr', opcode: [0x0f, 0xbd], undefinedFlags: CF | OF | SF | AF | PF },
  { name: 'tzcnt', opcode: [0x0f, 0xbc], prefix: 0xf3, undefinedFlags: OF | SF | AF | PF },
  { name: 'lzcnt', opcode: [0x0f, 0xbd], prefix: 0xf3, undefinedFlags: OF | SF | AF | PF },
  { name: 'popcnt', opcode: [0x0f, 0xb8], prefix: 0xf3 },
  { name: 'movzx r, r/m8', opcode: [0x0f, 0xb6] },
  { name: 'movzx r, r/m16', opcode: [0x0f, 0xb7] },
  { name: 'movsx r, r/m8', opcode: [0x0f, 0xbe] },
  { name: 'movsx r, r/m16', opcode: [0x0f, 0xbf] },
  { name: 'cmpxchg r/m8, r8', opcode: [0x0f, 0xb0], byte: true },
  { name: 'cmpxchg r/m, r', opcode: [0x0f, 0xb1] },
  { name: 'xadd r/m8, r8', opcode: [0x0f, 0xc0], byte: true },
  { name: 'xadd r/m, r', opcode: [0x0f, 0xc1] },
  { name: 'bswap ecx', opcode: [0x0f, 0xc9], plain: true, noWord: true },
  { name: 'nop', opcode: [0x90], plain: true, noRex: true },
  { name: 'pause', opcode: [0x90], plain: true, noRex: true, prefix: 0xf3 },
  { name: 'lfence', opcode: [0x0f, 0xae, 0xe8], plain: true, noWord: true },
  { name: 'mfence', opcode: [0x0f, 0xae, 0xf0], plain: true, noWord: true },
  { name: 'sfence', opcode: [0x0f, 0xae, 0xf8], plain: true, noWord: true },
  { name: 'clflush', opcode: [0x0f, 0xae], reg: 7, byte: true, memoryOnly: true },
  { name: 'clflushopt', opcode: [0x0f, 0xae], reg: 7, byte: true, memoryOnly: true, prefix: 0x66 },
  { name: 'clwb', opcode: [0x0f, 0xae], reg: 6, byte: true, memoryOnly: true, prefix: 0x66 },
  { name: 'cld', opcode: [0xfc], plain: true },
  { name: 'std', opcode: [0xfd], plain: true },
  { name: 'fwait', opcode: [0x9b], plain: true },
  { name: 'ud0', opcode: [0x0f, 0xff] },
  { name: 'ud1', opcode: [0x0f, 0xb9] },
  { name: 'ud2', opcode: [0x0f, 0x0b], plain: true },
  { name: 'movbe r, m', opcode: [0x0f, 0x38, 0xf0], memoryOnly: true },
  { name: 'movbe m, r', opcode: [0x0f, 0x38, 0xf1], memoryOnly: true },
  { name: 'movnti', opcode: [0x0f, 0xc3], memoryOnly: true, noWord: true },
  { name: 'crc32 r, r/m8', opcode: [0x0f, 0x38, 0xf0], prefix: 0xf2, noWord: true, byteSource: true },
  { name: 'crc32 r, r/m', opcode: [0x0f, 0x38, 0xf1], prefix: 0xf2 },
  { name: 'adcx', opcode: [0x0f, 0x38, 0xf6], prefix: 0x66, noWord: true },
  { name: 'adox', opcode: [0x0f, 0x38, 0xf6], prefix: 0xf3, noWord: true },
);
for (const opcode of [0x0d, 0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1f]) for (let reg = 0; reg < 8; reg++) forms.push({ name: `nop 0f ${opcode.toString(16)} /${reg}`, opcode: [0x0f, opcode], reg });
/** Those that LOCK may precede. */
const LOCKABLE = /^(add|or|adc|sbb|and|sub|xor) r\/m|^(inc|dec|not|neg|xchg|cmpxchg|xadd) r\/m|^bt[src] r\/m/;
for (const form of forms) if (LOCKABLE.test(form.name)) form.lock = true;


export const FORMS: readonly Form[] = forms;
