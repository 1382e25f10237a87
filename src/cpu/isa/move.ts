/** MOV, MOVZX, MOVSX, LEA, CMOVcc, SETcc, XCHG, BSWAP, CBW, CWD and their wider forms, NOP. */
import { Value } from '../../wasm/value';
import { Gpr } from '../state';
import { type Semantics } from './emitter';
import { condition } from './statusFlags';

const ALL = [1, 2, 4, 8] as const;
const WORDS = [2, 4, 8] as const;
const CONDITIONS = Array.from({ length: 16 }, (_, cc) => cc);

export const moves: Semantics[] = [
  {
    mnemonic: 'mov',
    sizes: ALL,
    forms: ['rr', 'ri', 'rm', 'mr', 'mi'],
    emit: (e) => e.write(0, e.read(1)),
  },
  {
    mnemonic: 'mov_from_sreg',
    sizes: WORDS,
    forms: ['rs', 'ms'],
    emit(e) {
      const selector = e.read(1, 2);
      e.write(0, e.size === 8 ? selector.extendU() : selector);
    },
  },
  {
    mnemonic: 'movzx',
    sizes: WORDS,
    forms: ['rr', 'rm'],
    variant: 'source',
    variants: [1, 2],
    emit(e) {
      const v = e.read(1, e.variant);
      e.write(0, e.size === 8 ? v.extendU() : v);
    },
  },
  {
    mnemonic: 'movsx',
    sizes: WORDS,
    forms: ['rr', 'rm'],
    variant: 'source',
    variants: [1, 2, 4],
    emit(e) {
      const v = e.signed64(e.read(1, e.variant), e.variant);
      e.write(0, e.size === 8 ? v : e.narrow(v.wrap()));
    },
  },
  {
    mnemonic: 'lea',
    sizes: WORDS,
    forms: ['rm'],
    variant: 'address',
    variants: [2, 4, 8],
    emit(e) {
      const ea = e.effectiveAddress();
      const masked = e.variant === 8 ? ea : ea.and(e.variant === 4 ? 0xffff_ffffn : 0xffffn);
      e.write(0, e.let(e.size === 8 ? masked : e.narrow(masked.wrap())));
    },
  },
  {
    mnemonic: 'cmovcc',
    sizes: WORDS,
    forms: ['rr', 'rm'],
    variant: 'condition',
    variants: CONDITIONS,
    // The source is read, and its faults taken, whether or not the condition holds; a 32-bit move not taken still clears the upper half.
    emit(e) {
      const source = e.read(1);
      const old = e.read(0);
      e.write(0, e.let(Value.select(condition(e, e.variant), source, old)));
    },
  },
  {
    mnemonic: 'setcc',
    sizes: [1],
    forms: ['r', 'm'],
    variant: 'condition',
    variants: CONDITIONS,
    emit: (e) => e.write(0, e.let(condition(e, e.variant))),
  },
  {
    mnemonic: 'xchg',
    sizes: ALL,
    forms: ['rr', 'mr', 'rm'],
    emit(e) {
      const memoryFirst = e.form !== 'rm';
      const [first, second] = memoryFirst ? [0, 1] : [1, 0];
      const other = e.read(second);
      let old!: Value;
      e.modify(first, (v) => {
        old = v;
        return other;
      });
      e.write(second, old);
    },
  },
  {
    mnemonic: 'bswap',
    sizes: [4, 8],
    forms: ['r'],
    emit(e) {
      const v = e.read(0);
      if (e.size === 4) {
        e.write(0, e.let(v.rotl(8).and(0x00ff_00ff).or(v.rotr(8).and(0xff00_ff00 | 0))));
        return;
      }
      const bytes = e.let(v.shrU(8).and(0x00ff00ff00ff00ffn).or(v.and(0x00ff00ff00ff00ffn).shl(8)));
      const words = e.let(bytes.shrU(16).and(0x0000ffff0000ffffn).or(bytes.and(0x0000ffff0000ffffn).shl(16)));
      e.write(0, e.let(words.rotl(32)));
    },
  },
  {
    // CBW, CWDE, CDQE: the lower half of the accumulator sign-extended.
    mnemonic: 'cbw',
    sizes: WORDS,
    forms: [''],
    sizeFrom: -1,
    emit(e) {
      const half = e.size / 2;
      const v = e.signed64(e.fixedPart(Gpr.RAX, half), half);
      e.setFixedPart(Gpr.RAX, e.let(e.size === 8 ? v : e.narrow(v.wrap())));
    },
  },
  {
    // CWD, CDQ, CQO: the accumulator's sign fills rDX.
    mnemonic: 'cwd',
    sizes: WORDS,
    forms: [''],
    sizeFrom: -1,
    emit(e) {
      const v = e.signed64(e.fixedPart(Gpr.RAX)).shrS(63);
      e.setFixedPart(Gpr.RDX, e.let(e.size === 8 ? v : e.narrow(v.wrap())));
    },
  },
  // One processor's accesses are seen in program order; nothing is reordered.
  ...['lfence', 'mfence', 'sfence'].map((mnemonic): Semantics => ({ mnemonic, sizes: [1], forms: [''], sizeFrom: -2, emit: () => undefined })),
  { mnemonic: 'nop', sizes: [1, 2, 4, 8], forms: ['', 'r', 'm', 'rr', 'mr', 'rm'], sizeFrom: -1, emit: () => undefined },
];
