/** FCOM, FUCOM, FICOM and their kin, FCOMI and FUCOMI, FTST, FXAM. */
import type { Instruction } from '../decode/instruction';
import { AF, CF, OF, PF, readFlags, SF, writeFlags, ZF } from '../flags';
import type { Processor, SlowOperation } from '../processor';
import { Class, classOf, type Extended, isNan, scaleOf, zero } from './extended';
import { begin, checkAvailable, reportPending, requiring, settle } from './frame';
import { noteDenormals } from './nan';
import type { Numeric } from './numeric';
import { isEmpty, pop, readStack, setLastInstruction, setStatusWord, statusWord } from './registers';
import { fromMemory, readSource } from './source';
import { CONDITION_CODES, Exception, Status } from './statusWord';

const Relation = { GREATER: 0, LESS: 1, EQUAL: 2, UNORDERED: 3 } as const;
const CODES = [0, Status.C0, Status.C3, Status.C0 | Status.C2 | Status.C3];
const FLAGS = [0, CF, ZF, ZF | PF | CF];

/** `quietly`: QNaNs are unordered without an exception. */
function relation(env: Numeric, a: Extended, b: Extended, quietly: boolean): number {
  const kinds = [classOf(a), classOf(b)];
  if (kinds.some((kind) => isNan(kind) || kind === Class.UNSUPPORTED)) {
    if (!quietly || kinds.some((kind) => kind !== Class.QNAN && (kind === Class.SNAN || kind === Class.UNSUPPORTED))) env.raise(Exception.INVALID);
    return Relation.UNORDERED;
  }
  noteDenormals(env, a, b);
  if (kinds[0] === Class.ZERO && kinds[1] === Class.ZERO) return Relation.EQUAL;
  if (a.sign !== b.sign) return a.sign ? Relation.LESS : Relation.GREATER;
  const magnitude = compareMagnitudes(a, b);
  if (magnitude === 0) return Relation.EQUAL;
  return magnitude > 0 !== (a.sign === 1) ? Relation.GREATER : Relation.LESS;
}

/** Of normalized numbers the larger exponent wins; denormals have the smallest, pseudo-denormals that of the smallest normals. */
function compareMagnitudes(a: Extended, b: Extended): number {
  const scales = scaleOf(a) - scaleOf(b);
  if (scales !== 0) return scales;
  return a.significand > b.significand ? 1 : a.significand < b.significand ? -1 : 0;
}

type Report = (cpu: Processor, relation: number) => void;
const toStatus: Report = (cpu, r) => setStatusWord(cpu.state, (statusWord(cpu.state) & ~(Status.C0 | Status.C2 | Status.C3)) | CODES[r]!);
const toFlags: Report = (cpu, r) => writeFlags(cpu.state, (readFlags(cpu.state) & ~(CF | PF | AF | ZF | SF | OF)) | FLAGS[r]!);

/** `operand`: which operand ST(0) is compared with; -1 for ST(1), which FCOMPP and FUCOMPP imply. */
function compare(cpu: Processor, insn: Instruction, operand: number, integer: boolean, quietly: boolean, pops: number, report: Report): void {
  const env = begin(cpu);
  const s = cpu.state;
  env.keepsC1 = report === toFlags;
  const source = operand < 0 ? { value: readStack(s, 1), empty: isEmpty(s, 1) } : readSource(cpu, insn, operand, integer);
  let result: number = Relation.UNORDERED;
  if (isEmpty(s, 0) || source.empty) env.stackUnderflow();
  else result = relation(env, readStack(s, 0), source.value, quietly);
  const popping = settle(cpu, insn, env, 'offset' in source ? source.offset : undefined);
  // Silicon reports the relation even when an exception is unmasked; only the pops do not happen.
  report(cpu, result);
  if (popping) for (let i = 0; i < pops; i++) pop(s);
}

const withStatus =
  (quietly: boolean, pops: number, integer = false): SlowOperation =>
  (cpu, insn) =>
    compare(cpu, insn, fromMemory(insn) || insn.operandCount === 1 ? 0 : -1, integer, quietly, pops, toStatus);
const withFlags = (quietly: boolean, pops: number): SlowOperation =>
  requiring('cmov', (cpu, insn) => compare(cpu, insn, 1, false, quietly, pops, toFlags));

/** C3, C2, C0 by class of ST(0); C1 is its sign. */
const EXAMINED: Readonly<Record<number, number>> = {
  [Class.UNSUPPORTED]: 0,
  [Class.QNAN]: Status.C0,
  [Class.SNAN]: Status.C0,
  [Class.NORMAL]: Status.C2,
  [Class.INFINITY]: Status.C2 | Status.C0,
  [Class.ZERO]: Status.C3,
  [Class.DENORMAL]: Status.C3 | Status.C2,
};
const EXAMINED_EMPTY = Status.C3 | Status.C0;

export const compareOperations: Record<string, SlowOperation> = {
  fcom: withStatus(false, 0),
  fcomp: withStatus(false, 1),
  fcompp: withStatus(false, 2),
  fucom: withStatus(true, 0),
  fucomp: withStatus(true, 1),
  fucompp: withStatus(true, 2),
  ficom: withStatus(false, 0, true),
  ficomp: withStatus(false, 1, true),
  fcomi: withFlags(false, 0),
  fcomip: withFlags(false, 1),
  fucomi: withFlags(true, 0),
  fucomip: withFlags(true, 1),
  ftst(cpu, insn) {
    const env = begin(cpu);
    const s = cpu.state;
    let result: number = Relation.UNORDERED;
    if (isEmpty(s, 0)) env.stackUnderflow();
    else result = relation(env, readStack(s, 0), zero(0), false);
    settle(cpu, insn, env);
    toStatus(cpu, result);
  },
  fxam(cpu) {
    checkAvailable(cpu);
    reportPending(cpu);
    const s = cpu.state;
    const x = readStack(s, 0);
    setLastInstruction(s, cpu.instructionRip);
    const codes = (isEmpty(s, 0) ? EXAMINED_EMPTY : EXAMINED[classOf(x)]!) | (x.sign ? Status.C1 : 0);
    setStatusWord(s, (statusWord(s) & ~CONDITION_CODES) | codes);
  },
};
