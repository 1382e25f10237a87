/**
 * Every instruction form of a code size, from the decoder itself, and random encodings of one. A form is a mnemonic with
 * the kinds and widths of its operands.
 */
import { decode } from '../../src/cpu/decode/decode';
import { type CodeSize, Instruction, Kind } from '../../src/cpu/decode/instruction';
import { mnemonics } from '../../src/cpu/decode/mnemonics';
import type { Random } from './random';

const LETTER: Record<number, string> = {
  [Kind.REG]: 'r', [Kind.MEM]: 'm', [Kind.IMM]: 'i', [Kind.REL]: 'rel', [Kind.FAR]: 'far', [Kind.SREG]: 'sreg', [Kind.CREG]: 'cr', [Kind.DREG]: 'dr', [Kind.MM]: 'mm',
  [Kind.XMM]: 'xmm', [Kind.YMM]: 'ymm', [Kind.ST]: 'st', [Kind.IMM2]: 'i', [Kind.SRC_STRING]: 'm', [Kind.DST_STRING]: 'm',
}; // prettier-ignore
/** Operand kinds whose width tells forms apart. */
const WITH_SIZE = new Set<number>([Kind.REG, Kind.MEM, Kind.SRC_STRING, Kind.DST_STRING]);
const LONGEST = 15;

const insn = new Instruction();
const buffer = new Uint8Array(32);

/** Decodes bytes; undefined where they are no instruction. The result is valid until the next call. */
export function decoded(bytes: readonly number[], codeSize: CodeSize): Instruction | undefined {
  buffer.fill(0);
  buffer.set(bytes.slice(0, LONGEST));
  return decode(buffer, 0, LONGEST, codeSize, insn) === 0 || insn.op < 2 ? undefined : insn;
}

/** The form of an instruction. */
function nameOf({ op, operands, operandCount }: Instruction): string {
  const kinds = operands.slice(0, operandCount).map(({ kind, size }) => LETTER[kind]! + (WITH_SIZE.has(kind) ? size * 8 : ''));
  return `${mnemonics[op]!} ${kinds.join(',')}`.trim();
}

export function formOf(bytes: readonly number[], codeSize: CodeSize): string | undefined {
  const one = decoded(bytes, codeSize);
  return one && nameOf(one);
}

/** Where the parts of an encoding begin. */
export interface Template {
  /** Legacy prefixes, REX included. */
  readonly prefixes: readonly number[];
  /** Escape bytes and opcode, or the VEX prefix and opcode. */
  readonly opcode: readonly number[];
  readonly modrm: number;
  readonly vex: boolean;
}

export interface EncodedForm {
  readonly name: string;
  readonly mnemonic: string;
  readonly templates: Template[];
}

const MODRMS = Array.from({ length: 8 }, (_, reg) => [(reg << 3) | 7, 0xc0 | (reg << 3) | 1]).flat();
const ALL_MODRMS = Array.from({ length: 256 }, (_, i) => i);
const VECTOR_INDEX = 0x04;

/** Every form of code of a size: by each opcode with every prefix, ModRM and VEX field that matters. */
export function allForms(codeSize: CodeSize): Map<string, EncodedForm> {
  const forms = new Map<string, EncodedForm>();
  const add = (template: Template): void => {
    const one = decoded([...template.prefixes, ...template.opcode, template.modrm, template.modrm === VECTOR_INDEX ? 0x17 : 0], codeSize);
    if (!one) return;
    const name = nameOf(one);
    const known = forms.get(name);
    if (!known) forms.set(name, { name, mnemonic: mnemonics[one.op]!, templates: [template] });
    else {
      // One ModRM of each opcode and register field is enough: the others are made from it.
      const last = known.templates[known.templates.length - 1]!;
      if (last.opcode.join() !== template.opcode.join() || last.prefixes.join() !== template.prefixes.join() || ((last.modrm ^ template.modrm) & 0x38) !== 0) known.templates.push(template);
    }
  };
  for (const legacy of [[], [0x66], [0xf2], [0xf3]]) {
    for (const rex of codeSize === 64 ? [[], [0x48]] : [[]]) {
      [[], [0x0f], [0x0f, 0x38], [0x0f, 0x3a]].forEach((escape, map) => {
        for (let opcode = 0; opcode < 256; opcode++) {
          const whole = (map === 0 && opcode >= 0xd8 && opcode <= 0xdf) || (map === 1 && opcode === 1);
          for (const modrm of whole ? ALL_MODRMS : MODRMS) add({ prefixes: [...legacy, ...rex], opcode: [...escape, opcode], modrm, vex: false });
        }
      });
    }
  }
  for (let map = 1; map <= 3; map++) {
    for (let fields = 0; fields < 16; fields++) {
      // pp, L and W; vvvv 1111b and another register.
      const tail = (fields & 7) | ((fields >> 3) << 7);
      for (const vvvv of [0x78, 0x68]) {
        for (let opcode = 0; opcode < 256; opcode++) {
          for (const modrm of [...MODRMS, VECTOR_INDEX]) add({ prefixes: [], opcode: [0xc4, 0xe0 | map, tail | vvvv, opcode], modrm, vex: true });
        }
      }
    }
  }
  return forms;
}

/** A random encoding. */
export interface Encoding {
  bytes: number[];
  /** Offset of a 2- or 4-byte displacement that alone (with a small index) makes the address; 0 where there is none. */
  displacementAt: number;
  displacementSize: number;
}

const SEGMENT_PREFIXES = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65];

/** ModRM's mod and r/m fields with SIB and displacement, for an address size. */
function addressing(r: Random, addressSize: number, sib: boolean): { modrm: number; after: number[]; absoluteAt: number; absoluteSize: number } {
  const small = r.below(256);
  const mod = r.below(3);
  if (addressSize === 2) {
    const rm = r.below(8);
    if (mod === 0) return rm === 6 ? { modrm: 6, after: [0, 0], absoluteAt: 0, absoluteSize: 2 } : { modrm: rm, after: [], absoluteAt: -1, absoluteSize: 0 };
    return { modrm: (mod << 6) | rm, after: mod === 1 ? [small] : [small, r.below(256)], absoluteAt: -1, absoluteSize: 0 };
  }
  const displacement = mod === 1 ? [small] : mod === 2 ? [small, r.below(256), r.below(256), r.below(2) ? 0 : 0xff] : [];
  let rm = sib || r.below(3) === 0 ? 4 : r.below(8);
  if (rm === 4) {
    const byte = r.below(256);
    if (mod === 0 && (byte & 7) === 5) return { modrm: 4, after: [byte, 0, 0, 0, 0], absoluteAt: 1, absoluteSize: 4 };
    return { modrm: (mod << 6) | 4, after: [byte, ...displacement], absoluteAt: -1, absoluteSize: 0 };
  }
  if (mod === 0 && rm === 5 && r.below(2)) rm = 7;
  if (mod === 0 && rm === 5) return { modrm: 5, after: [0, 0, 0, 0], absoluteAt: 0, absoluteSize: 4 };
  return { modrm: (mod << 6) | rm, after: displacement, absoluteAt: -1, absoluteSize: 0 };
}

/** The bytes of an immediate, often at an edge. */
const immediate = (r: Random): number[] => Array.from({ length: 8 }, () => (r.below(4) === 0 ? [0, 1, 0x7f, 0x80, 0xff][r.below(5)]! : r.below(256)));

function attempt(form: EncodedForm, codeSize: CodeSize, r: Random): Encoding {
  const template = form.templates[r.below(form.templates.length)]!;
  const prefixes = [...template.prefixes];
  const rexAt = prefixes.findIndex((byte) => byte >= 0x40 && byte < 0x50);
  let rex = rexAt >= 0 ? prefixes.splice(rexAt, 1)[0]! : 0;
  if (codeSize === 64 && !template.vex && r.below(2)) rex |= 0x40 | r.below(8);
  const narrow = r.below(5) === 0;
  const addressSize = codeSize === 64 ? (narrow ? 4 : 8) : (codeSize === 16) !== narrow ? 2 : 4;
  const extra: number[] = [];
  if (narrow) extra.push(0x67);
  if (r.below(8) === 0) extra.push(SEGMENT_PREFIXES[r.below(6)]!);
  if (r.below(6) === 0) extra.push(0xf0);
  const opcode = [...template.opcode];
  if (template.vex) {
    // R, X, B (other code sizes need them set) and vvvv.
    if (codeSize === 64) opcode[1] = (opcode[1]! & 0x1f) | (r.below(8) << 5);
    const free = codeSize === 64 ? r.below(16) : 8 | r.below(8);
    if (r.below(8) !== 0) opcode[2] = (opcode[2]! & 0x87) | (free << 3);
  }
  let modrm = template.modrm;
  if (r.below(4) !== 0) modrm = (modrm & 0xc7) | (r.below(8) << 3);
  let after: number[] = [];
  let absoluteAt = -1;
  let absoluteSize = 0;
  if (modrm >= 0xc0) modrm = r.below(4) === 0 ? modrm : (modrm & 0xf8) | r.below(8);
  else {
    const memory = addressing(r, addressSize, template.modrm === VECTOR_INDEX);
    modrm = (modrm & 0x38) | memory.modrm;
    ({ after, absoluteAt, absoluteSize } = memory);
  }
  const head = [...extra, ...prefixes, ...(rex ? [rex] : []), ...opcode];
  return { bytes: [...head, modrm, ...after, ...immediate(r)], displacementAt: absoluteAt < 0 ? 0 : head.length + 1 + absoluteAt, displacementSize: absoluteSize };
}

/** A random encoding of the form. `decoded` holds it afterwards. */
export function encode(form: EncodedForm, codeSize: CodeSize, r: Random): { encoding: Encoding; insn: Instruction } {
  for (let tries = 0; tries < 200; tries++) {
    const encoding = attempt(form, codeSize, r);
    const one = decoded(encoding.bytes, codeSize);
    if (!one || nameOf(one) !== form.name || one.length > LONGEST) continue;
    encoding.bytes.length = one.length;
    if (one.modrm < 0 || encoding.displacementAt + encoding.displacementSize > one.length) encoding.displacementAt = 0;
    return { encoding, insn: one };
  }
  const template = form.templates[0]!;
  const bytes = [...template.prefixes, ...template.opcode, template.modrm, template.modrm === VECTOR_INDEX ? 0x17 : 0, 0, 0, 0, 0, 0, 0, 0];
  const one = decoded(bytes, codeSize)!;
  bytes.length = one.length;
  return { encoding: { bytes, displacementAt: 0, displacementSize: 0 }, insn: one };
}
