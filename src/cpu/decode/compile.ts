/**
 * Compiles the readable opcode tables into the typed arrays that `decode` walks. Runs once, at module load.
 *
 * A line of a table is `pattern | mnemonic operands | flags`. The pattern, in the SDM's notation:
 *   np 66 f3 f2     the mandatory prefix, or alternatives `np/66`; absent: the prefixes do not select
 *   vex.66.0F38     VEX prefix, mandatory prefix (absent: it does not select) and map, in place of prefix and escape bytes
 *   0F, 0F 38, 0F 3A  escape bytes
 *   58              opcode byte; 50+r: eight opcodes, the low bits name a register; 70+c: sixteen, the low bits are a condition
 *   /3              value of ModRM.reg
 *   mem, reg        ModRM.mod is not 3, or is 3 (implied by operands M and R, U, N)
 *   C1, C0+i        the ModRM byte itself; or eight of them
 * Flags:
 *   lock            LOCK is allowed when the first operand is memory
 *   i64, o64        invalid in 64-bit code; valid in 64-bit code only
 *   d64, f64        in 64-bit code the operand size is 8 by default (66 makes it 2); is always 8
 *   w0 w1 l0 l1 b0 b1  value of REX.W or VEX.W, VEX.L, REX.B
 *   string          the operand size is the element's
 *   noMod           ModRM.mod is ignored and taken as 3
 *   distinct        destination, index and mask registers must differ (gathers)
 */
import { memoryOnly, Method, methodOf, operandSpec, registerOnly, usesModrm } from './notation';

export const FormFlag = {
  LOCK: 1,
  DEFAULT_64: 2,
  FORCE_64: 4,
  STRING: 8,
  NO_MOD: 16,
  CONDITION: 32,
  /** 66 is a mandatory prefix and does not change the operand size; F3 and F2 likewise are no REP. */
  MANDATORY_66: 64,
  MANDATORY_REP: 128,
  /** VEX.vvvv names an operand. */
  VVVV: 256,
  DISTINCT: 512,
  /** An operand is memory with a vector index. */
  VSIB: 1024,
} as const;

/** What can select among the forms of one opcode; the value is what a node of the tree holds. */
export const Dimension = { MODE: 0, PREFIX: 1, W: 2, L: 3, REG: 4, MOD: 5, RM: 6, B: 7 } as const;
const DIMENSION_SIZES = [2, 4, 2, 2, 8, 2, 8, 2] as const;

/** Opcode maps: the three of SDM "Opcode Map" after the one-byte map, then the same three under VEX. */
export const MAPS = 7;
export const VEX_MAP_BASE = 3;

interface Form {
  readonly source: string;
  readonly mnemonic: string;
  readonly operands: readonly number[];
  flags: number;
  readonly opcodes: number[];
  /** Per dimension the set of values, one bit each. */
  readonly sets: number[];
  readonly needsModrm: boolean;
}

export interface CompiledTables {
  readonly mnemonics: readonly string[];
  /** By map * 256 + opcode: a form (0 invalid), or minus the position of a node. */
  readonly roots: Int32Array;
  /** 1 where the opcode has a ModRM byte. */
  readonly modrm: Uint8Array;
  /** Node: dimension, then one entry as in `roots` per value. */
  readonly nodes: Int32Array;
  readonly formOp: Uint16Array;
  readonly formFlags: Uint16Array;
  readonly formCount: Uint8Array;
  /** Four operand specs per form. */
  readonly formOperands: Int32Array;
}

const PREFIX_BIT: Record<string, number> = { np: 1, '66': 2, f3: 4, f2: 8 };
const ESCAPES: Record<string, number> = { '0F': 1, '0F38': 2, '0F3A': 3 };

function parseLine(line: string): Form {
  const [pattern, meaning, flagText] = line.split('|').map((s) => s.trim());
  const fail = (why: string): never => {
    throw new Error(`opcode table: ${why} in "${line.trim()}"`);
  };
  const tokens = pattern!.split(/\s+/);
  const [mnemonic, operandText] = meaning!.split(/\s+/);
  const operands = operandText ? operandText.split(',').map(operandSpec) : [];
  const sets = DIMENSION_SIZES.map((n) => (1 << n) - 1);
  let flags = 0;
  let map = 0;
  let needsModrm = operands.some(usesModrm);

  const first = tokens[0]!;
  if (first.startsWith('vex')) {
    tokens.shift();
    const parts = first.split('.').slice(1);
    map = VEX_MAP_BASE + (ESCAPES[parts.pop()!] ?? fail('unknown map'));
    if (parts.length) sets[Dimension.PREFIX] = PREFIX_BIT[parts[0]!] ?? fail('unknown prefix');
  } else {
    if (/^(np|66|f3|f2)(\/|$)/.test(first)) {
      tokens.shift();
      const set = first.split('/').reduce((bits, p) => bits | (PREFIX_BIT[p] ?? fail('unknown prefix')), 0);
      sets[Dimension.PREFIX] = set;
      if (set === PREFIX_BIT['66']) flags |= FormFlag.MANDATORY_66;
      if (set === PREFIX_BIT['f3'] || set === PREFIX_BIT['f2']) flags |= FormFlag.MANDATORY_REP;
    }
    if (tokens[0] === '0F') {
      tokens.shift();
      map = 1;
      const second: string | undefined = tokens[0];
      if (second === '38' || second === '3A') {
        tokens.shift();
        map = second === '38' ? 2 : 3;
      }
    }
  }

  const [, byteText, range] = /^([0-9A-F]{2})(\+[rc])?$/.exec(tokens.shift() ?? '') ?? fail('no opcode');
  const byte = parseInt(byteText!, 16);
  const count = range === '+r' ? 8 : range === '+c' ? 16 : 1;
  if (range === '+c') flags |= FormFlag.CONDITION;
  const opcodes = Array.from({ length: count }, (_, i) => map * 256 + byte + i);

  for (const token of tokens) {
    needsModrm = true;
    if (/^\/[0-7]$/.test(token)) sets[Dimension.REG] = 1 << Number(token[1]);
    else if (token === 'mem') sets[Dimension.MOD] = 1;
    else if (token === 'reg') sets[Dimension.MOD] = 2;
    else if (/^[C-F][0-9A-F](\+i)?$/.test(token)) {
      const modrm = parseInt(token.slice(0, 2), 16);
      sets[Dimension.MOD] = 2;
      sets[Dimension.REG] = 1 << ((modrm >> 3) & 7);
      if (!token.endsWith('+i')) sets[Dimension.RM] = 1 << (modrm & 7);
    } else fail(`unknown token "${token}"`);
  }

  const words = flagText ? flagText.split(/\s+/) : [];
  if (operands.some(memoryOnly)) sets[Dimension.MOD] = 1;
  else if (operands.some(registerOnly) && !words.includes('noMod')) sets[Dimension.MOD] = 2;
  if (operands.some((o) => methodOf(o) === Method.H || methodOf(o) === Method.B)) flags |= FormFlag.VVVV;
  if (operands.some((o) => methodOf(o) === Method.VM)) flags |= FormFlag.VSIB;

  for (const word of words) {
    if (word === 'lock') flags |= FormFlag.LOCK;
    else if (word === 'i64') sets[Dimension.MODE] = 1;
    else if (word === 'o64') sets[Dimension.MODE] = 2;
    else if (word === 'd64') flags |= FormFlag.DEFAULT_64;
    else if (word === 'f64') flags |= FormFlag.FORCE_64;
    else if (word === 'string') flags |= FormFlag.STRING;
    else if (word === 'noMod') flags |= FormFlag.NO_MOD;
    else if (word === 'distinct') flags |= FormFlag.DISTINCT;
    else if (/^[wlb][01]$/.test(word)) sets[{ w: Dimension.W, l: Dimension.L, b: Dimension.B }[word[0] as 'w' | 'l' | 'b']] = 1 << Number(word[1]);
    else fail(`unknown flag "${word}"`);
  }
  return { source: line.trim(), mnemonic: mnemonic!, operands, flags, opcodes, sets, needsModrm };
}

/**
 * Compiles table texts. `pseudo` names mnemonics that no opcode has; they come first, in this order.
 * Throws when a line does not parse, when two lines claim the same bytes, or when only some forms of an opcode have a ModRM byte.
 */
export function compileTables(texts: readonly string[], pseudo: readonly string[]): CompiledTables {
  const forms: Form[] = [];
  for (const text of texts)
    for (const line of text.split('\n')) if (line.trim() !== '' && !line.trimStart().startsWith('#')) forms.push(parseLine(line));

  const mnemonics = [...pseudo];
  const opOf = new Map(mnemonics.map((name, op) => [name, op]));
  const formOp = new Uint16Array(forms.length + 1);
  const formFlags = new Uint16Array(forms.length + 1);
  const formCount = new Uint8Array(forms.length + 1);
  const formOperands = new Int32Array((forms.length + 1) * 4);
  const byOpcode: number[][] = Array.from({ length: MAPS * 256 }, () => []);
  forms.forEach((form, i) => {
    const id = i + 1; // form 0 is the invalid instruction
    if (!opOf.has(form.mnemonic)) opOf.set(form.mnemonic, mnemonics.push(form.mnemonic) - 1);
    formOp[id] = opOf.get(form.mnemonic)!;
    formFlags[id] = form.flags;
    formCount[id] = form.operands.length;
    form.operands.forEach((spec, n) => (formOperands[id * 4 + n] = spec));
    for (const opcode of form.opcodes) byOpcode[opcode]!.push(id);
  });

  const nodes: number[] = [0]; // a node's position is never 0, for 0 is the invalid form
  const formAt = (id: number): Form => forms[id - 1]!;
  const build = (ids: number[], from: number): number => {
    if (ids.length === 0) return 0;
    for (let dimension = from; dimension < DIMENSION_SIZES.length; dimension++) {
      const size = DIMENSION_SIZES[dimension]!;
      if (ids.every((id) => formAt(id).sets[dimension] === (1 << size) - 1)) continue;
      const at = nodes.length;
      nodes.push(dimension, ...new Array<number>(size).fill(0));
      for (let value = 0; value < size; value++)
        nodes[at + 1 + value] = build(ids.filter((id) => (formAt(id).sets[dimension]! >> value) & 1), dimension + 1);
      return -at;
    }
    if (ids.length > 1) throw new Error(`opcode table: two lines claim the same bytes: ${ids.map((id) => `"${formAt(id).source}"`).join(', ')}`);
    return ids[0]!;
  };

  const roots = new Int32Array(MAPS * 256);
  const modrm = new Uint8Array(MAPS * 256);
  byOpcode.forEach((ids, opcode) => {
    if (ids.length === 0) return;
    const needs = formAt(ids[0]!).needsModrm;
    const odd = ids.find((id) => formAt(id).needsModrm !== needs);
    if (odd !== undefined) throw new Error(`opcode table: "${formAt(odd).source}" and "${formAt(ids[0]!).source}" disagree about a ModRM byte`);
    modrm[opcode] = needs ? 1 : 0;
    roots[opcode] = build(ids, 0);
  });
  return { mnemonics, roots, modrm, nodes: Int32Array.from(nodes), formOp, formFlags, formCount, formOperands };
}
