/**
 * The VEX-encoded forms that are compared with silicon: every line of the decoder's VEX table, once per vector length.
 * The table so is checked too: bytes made from a wrong line do something else on the real processor.
 */
import { VEX } from '../../src/cpu/decode/opcodesVex';
import { AF, PF, SF } from '../../src/cpu/flags';
import type { Random } from './random';
import type { Elements } from './simdForms';

export interface VexForm {
  name: string;
  mnemonic: string;
  /** VEX.pp and VEX.mmmmm. */
  prefix: number;
  map: number;
  opcode: number;
  /** ModRM.reg when it is part of the opcode; the vector length, undefined where it is ignored; VEX.W likewise. */
  reg: number | undefined;
  length: 0 | 1 | undefined;
  w: 0 | 1 | undefined;
  operands: string[];
  modrm: boolean;
  registerOnly: boolean;
  memoryOnly: boolean;
  immediate: boolean;
  elements: Elements;
  undefinedFlags: number;
}

const PREFIX: Record<string, number> = { np: 0, '66': 1, f3: 2, f2: 3 };
const MAP: Record<string, number> = { '0F': 1, '0F38': 2, '0F3A': 3 };
const UNDEFINED: Record<string, number> = { andn: AF | PF, bextr: AF | SF | PF, blsi: AF | PF, blsr: AF | PF, blsmsk: AF | PF, bzhi: AF | PF };
/** Operand types whose width is the vector's, or a part of it. */
const BY_LENGTH = /^[VWUHLM](x|ps|pd|xh|xq|xe)$/;
const RSP = 4;
const RDI = 7;

function elementsOf(mnemonic: string): Elements {
  if (mnemonic === 'vcvtps2ph') return 'half';
  const conversion = /^vcvtt?(ps|ss|pd|sd)/.exec(mnemonic);
  const suffix = conversion ? conversion[1]! : mnemonic.slice(-2);
  if (/^vcvt(dq|si|ph)/.test(mnemonic)) return 'integer';
  return suffix === 'ps' || suffix === 'ss' ? 'single' : suffix === 'pd' || suffix === 'sd' ? 'double' : 'integer';
}

function parse(line: string): VexForm[] {
  const [encoding, meaning, conditions = ''] = line.split('|').map((part) => part.trim());
  const [mnemonic, operandText = ''] = meaning!.split(/\s+/) as [string, string?];
  const operands = operandText.split(',').filter((o) => o !== '');
  const words = conditions.split(/\s+/);
  if (words.includes('i64')) return []; // not for 64-bit code
  const [vex, opcode, ...rest] = encoding!.split(/\s+/) as [string, string, ...string[]];
  const [, prefix, map] = vex.split('.') as [string, string, string];
  const extension = rest.find((t) => t.startsWith('/'));
  const fixed = (letter: string): 0 | 1 | undefined => (words.includes(letter + '0') ? 0 : words.includes(letter + '1') ? 1 : undefined);
  const lengths: (0 | 1 | undefined)[] = fixed('l') !== undefined ? [fixed('l')] : operands.some((o) => BY_LENGTH.test(o)) ? [0, 1] : [undefined];
  const rm = operands.find((o) => /^(W|U|M|E|R|VM)/.test(o));
  return lengths.map((length) => ({
    name: `${line.trim().replace(/\s+/g, ' ')}${length === undefined ? '' : ` (${length ? 256 : 128})`}`,
    mnemonic,
    prefix: PREFIX[prefix]!,
    map: MAP[map]!,
    opcode: parseInt(opcode, 16),
    reg: extension ? Number(extension[1]) : undefined,
    length,
    w: fixed('w'),
    operands,
    modrm: operands.length > 0,
    registerOnly: /^[UR]/.test(rm ?? 'U'),
    memoryOnly: /^(M|VM)/.test(rm ?? '') || rest.includes('mem'),
    immediate: operands.includes('Ib') || operands.some((o) => o.startsWith('L')),
    elements: elementsOf(mnemonic),
    undefinedFlags: UNDEFINED[mnemonic] ?? 0,
  }));
}

export const VEX_FORMS: readonly VexForm[] = VEX.split('\n')
  .filter((line) => line.includes('|'))
  .flatMap(parse);

/** One instruction of the form. Memory operands are [rdi + disp8], of gathers [rdi + index * scale + disp8]. */
export function encodeVex(form: VexForm, r: Random): { bytes: number[]; indices?: { register: number; bits: number; scale: number } } {
  const general = (): number => {
    for (;;) {
      const n = r.below(16);
      if (n !== RSP) return n;
    }
  };
  const vector = (): number => (r.below(2) ? r.below(16) : r.below(4));
  const pick = (operand: string | undefined): number => (operand !== undefined && /^[GERB]/.test(operand) ? general() : vector());
  const find = (pattern: RegExp): string | undefined => form.operands.find((o) => pattern.test(o));
  let reg = form.reg ?? pick(find(/^[VG][a-z]/));
  const needsVvvv = find(/^[HB]/);
  let vvvv = needsVvvv ? pick(needsVvvv) : 0;
  const gather = find(/^VM/) !== undefined;
  const memory = !form.registerOnly && (form.memoryOnly || r.below(2) === 1);
  let index = 0;
  let scale = 0;
  if (gather) {
    do {
      reg = r.below(16);
      vvvv = r.below(16);
      index = r.below(16);
    } while (reg === vvvv || reg === index || vvvv === index);
    scale = r.below(4);
  }
  let [x, b] = [0, 0];
  const after: number[] = [];
  if (form.modrm && gather) {
    after.push(0x44 | ((reg & 7) << 3), (scale << 6) | ((index & 7) << 3) | RDI, r.below(6) * 8);
    x = index >> 3;
  } else if (form.modrm && memory) after.push(0x40 | ((reg & 7) << 3) | RDI, r.below(8) === 0 ? r.below(64) : r.below(6) * 16);
  else if (form.modrm) {
    const rm = pick(find(/^[WUER]/));
    after.push(0xc0 | ((reg & 7) << 3) | (rm & 7));
    b = rm >> 3;
  }
  if (find(/^L/)) after.push((r.below(16) << 4) | r.below(16));
  else if (form.immediate) after.push(r.below(2) ? r.below(256) : r.below(16));
  const w = form.w ?? r.below(2);
  const length = form.length ?? (find(/^[VW](ss|sd)$/) && r.below(8) === 0 ? 1 : 0);
  const high = (reg >> 3) & 1;
  const tail = ((~vvvv & 15) << 3) | (length << 2) | form.prefix;
  const short = form.map === 1 && w === 0 && x === 0 && b === 0 && r.below(2) === 0;
  const prefix = short ? [0xc5, ((high ^ 1) << 7) | tail] : [0xc4, ((high ^ 1) << 7) | ((x ^ 1) << 6) | ((b ^ 1) << 5) | form.map, (w << 7) | tail];
  const bytes = [...prefix, form.opcode, ...after];
  return gather ? { bytes, indices: { register: index, bits: /gatherd/.test(form.mnemonic) ? 32 : 64, scale } } : { bytes };
}
