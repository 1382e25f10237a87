/**
 * The SIMD forms that are compared with silicon: every line of the decoder's SIMD table without an MMX
 * register (mmxForms.ts has those). The
 * table so is checked too: bytes made from a wrong line do something else on the real processor.
 */
import { SIMD } from '../../src/cpu/decode/opcodesSimd';

/** What the bits of the operands most likely mean. */
export type Elements = 'integer' | 'single' | 'double' | 'half';

export interface SimdForm {
  name: string;
  mnemonic: string;
  prefix: number | undefined;
  /** Opcode bytes, escape bytes included. */
  opcode: number[];
  /** ModRM.reg when it is part of the opcode. */
  reg: number | undefined;
  rexW: boolean | undefined;
  /** What ModRM.reg and r/m name; `rm` may be memory unless `registerOnly`. */
  regKind: 'xmm' | 'gpr';
  rmKind: 'xmm' | 'gpr';
  registerOnly: boolean;
  memoryOnly: boolean;
  immediate: boolean;
  elements: Elements;
}

const PREFIX: Record<string, number | undefined> = { np: undefined, '66': 0x66, f2: 0xf2, f3: 0xf3 };

export function elementsOf(mnemonic: string): Elements {
  const conversion = /^cvtt?(ps|ss|pd|sd)/.exec(mnemonic);
  const suffix = conversion ? conversion[1]! : mnemonic.slice(-2);
  if (mnemonic.startsWith('cvtdq') || mnemonic.startsWith('cvtsi')) return 'integer';
  return suffix === 'ps' || suffix === 'ss' ? 'single' : suffix === 'pd' || suffix === 'sd' ? 'double' : 'integer';
}

/** One line of the table, or nothing where the form is MMX's. */
function parse(line: string): SimdForm | undefined {
  const [encoding, meaning, conditions] = line.split('|').map((part) => part.trim());
  const [mnemonic, operandText] = meaning!.split(/\s+/);
  const operands = (operandText ?? '').split(',').filter((o) => o !== '');
  const mixed = operands[0]?.startsWith('V') && operands[1]?.startsWith('Q'); // integers from memory to XMM registers
  if (operands.length === 0 || (!mixed && operands.some((o) => /^[PQN]/.test(o)))) return undefined;
  const [prefix, ...rest] = encoding!.split(/\s+/);
  const opcode = rest.filter((t) => /^[0-9A-F]{2}$/.test(t)).map((t) => parseInt(t, 16));
  const extension = rest.find((t) => t.startsWith('/'));
  const modrm = operands.filter((o) => o !== 'Ib');
  const rm = modrm.find((o) => /^[WUMERQ]/.test(o))!;
  const reg = modrm.find((o) => /^[VG]/.test(o));
  return {
    name: line.trim().replace(/\s+/g, ' '),
    mnemonic: mnemonic!,
    prefix: PREFIX[prefix!],
    opcode,
    reg: extension ? Number(extension[1]) : undefined,
    rexW: conditions?.includes('w1') ? true : conditions?.includes('w0') ? false : undefined,
    regKind: reg?.startsWith('G') ? 'gpr' : 'xmm',
    rmKind: /^[ER]/.test(rm) ? 'gpr' : 'xmm',
    registerOnly: /^[UR]/.test(rm),
    memoryOnly: /^[MQ]/.test(rm),
    immediate: operands.includes('Ib'),
    elements: elementsOf(mnemonic!),
  };
}

/** Lines of the two-byte table that belong here. */
const MORE = `
  np 0F AE /2 | ldmxcsr Md
  np 0F AE /3 | stmxcsr Md
`;

export const SIMD_FORMS: readonly SimdForm[] = (SIMD + MORE).split('\n')
  .filter((line) => line.includes('|'))
  .map(parse)
  .filter((form) => form !== undefined);
