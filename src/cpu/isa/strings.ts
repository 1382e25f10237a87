/**
 * MOVS, STOS and LODS without REP in 32-bit code with flat segments: what decompressors of boot loaders are made of. All
 * else is TypeScript's (system/stringOperations.ts).
 */
import { Value } from '../../wasm/value';
import { DF } from '../flags';
import { Gpr, Offset, Seg, Segment, SEGMENT_STRIDE } from '../state';
import { type Emitter, type Semantics } from './emitter';

const MASK32 = 0xffff_ffffn;

/** Linear address of the string at a register. Leaves when the segment asks for more than its base. */
function stringAt(e: Emitter, seg: number, register: number): Value {
  const cache = Offset.SEGMENTS + seg * SEGMENT_STRIDE;
  e.leave(e.stateWord(cache + Segment.FLAT).eqz());
  return e.let(e.fixed(register).add(e.state().load('i64', 8, cache + Segment.BASE)).and(MASK32));
}

function advance(e: Emitter, ...registers: number[]): void {
  const step = e.let(Value.select(e.otherFlags().and(DF), Value.i64(-e.size), Value.i64(e.size)));
  for (const register of registers) e.setFixed(register, e.let(e.fixed(register).add(step).and(MASK32)));
}

const string = (mnemonic: string, form: string, emit: (e: Emitter) => void): Semantics => ({ mnemonic, sizes: [1, 4], forms: [form], onlyPlainStrings: true, emit });

export const strings: readonly Semantics[] = [
  string('movs', 'do', (e) => {
    const from = stringAt(e, Seg.DS, Gpr.RSI);
    const to = stringAt(e, Seg.ES, Gpr.RDI);
    e.store(to, e.load(from, e.size), e.size);
    advance(e, Gpr.RSI, Gpr.RDI);
  }),
  string('stos', 'd', (e) => {
    e.store(stringAt(e, Seg.ES, Gpr.RDI), e.let(e.fixedPart(Gpr.RAX)), e.size);
    advance(e, Gpr.RDI);
  }),
  string('lods', 'o', (e) => {
    e.setFixedPart(Gpr.RAX, e.load(stringAt(e, Seg.DS, Gpr.RSI), e.size));
    advance(e, Gpr.RSI);
  }),
];
