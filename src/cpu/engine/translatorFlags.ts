/**
 * Flags in a translated region. `res` and `aux` are worked out only when somebody asks: an addition or subtraction leaves its
 * operands, a condition that follows compares these, and where code comes together a local tells what was left.
 */
import type { FunctionBuilder } from '../../wasm/function';
import { Value } from '../../wasm/value';
import type { CallRoutine, Emitter } from '../isa/emitter';
import { routine } from '../isa/routine';
import { auxOfCarries, carriesOfAdd, carriesOfSub, signOf } from '../isa/statusFlags';

/**
 * Bits of the kind of flags that are kept as operands: 1:0 their size as a power of 2, SUB a subtraction, AUX they tell `aux`,
 * CARRY with another CF, RES they tell `res`. 0: `res` and `aux` are valid.
 */
const Kind = { SUB: 4, CARRY: 8, AUX: 16, RES: 32 } as const;

/** Works `aux` out of the kind, the operands and the sign-extended result; `cf` counts when it is replaced. */
const keptAux = routine('flags.aux', ['i32', 'i64', 'i64', 'i64', 'i32'], 'i32', (r) => {
  const [kind, a, b, res, cf] = [r.argument(0), r.argument(1), r.argument(2), r.argument(3), r.argument(4)];
  const carries = r.let(Value.select(kind.and(Kind.SUB), carriesOfSub(a, b, res), carriesOfAdd(a, b, res)));
  const topTwo = Value.i32(8).shl(kind.and(3)).sub(2);
  const aux = r.let(carries.shrU(topTwo.extendU()).wrap().shl(30).or(carries.wrap().and(8)));
  return Value.select(kind.and(Kind.CARRY), withCarry(aux, cf), aux);
});

/** Works `res` out of the kind and the operands. */
const derivedRes = routine('flags.res', ['i32', 'i64', 'i64'], 'i64', (r) => {
  const [kind, a, b] = [r.argument(0), r.argument(1), r.argument(2)];
  const unused = r.let(Value.i32(64).sub(Value.i32(8).shl(kind.and(3))).extendU());
  return Value.select(kind.and(Kind.SUB), a.sub(b), a.add(b)).shl(unused).shrS(unused);
});

/** `aux` with another CF and the same OF. */
const withCarry = (aux: Value, cf: Value): Value => aux.xor(aux.shrU(31).xor(cf).mul(0xc000_0000 | 0));

/** What is known of the flags at a place in a region. */
export type KnownFlags =
  | { state: 'unknown' }
  /** `res` and `aux` hold them. */
  | { state: 'settled' }
  | { state: 'logic' }
  /** `aux` holds its part; `res` may be kept as operands. */
  | { state: 'aux' }
  /** `derived`: the operands alone tell the result. */
  | { state: 'kept'; operation: 'add' | 'sub'; size: number; derived: boolean; carry: boolean };

export const UNKNOWN_FLAGS: KnownFlags = { state: 'unknown' };

/** What holds where two places lead to the same one. */
export function commonFlags(a: KnownFlags, b: KnownFlags): KnownFlags {
  if (a.state !== b.state) return UNKNOWN_FLAGS;
  if (a.state !== 'kept' || b.state !== 'kept') return a;
  return a.operation === b.operation && a.size === b.size && a.derived === b.derived && a.carry === b.carry ? a : UNKNOWN_FLAGS;
}

/** Even conditions of Jcc. */
const Condition = { O: 0, B: 2, E: 4, BE: 6, S: 8, L: 12, LE: 14 } as const;

export class TranslatorFlags {
  known: KnownFlags = UNKNOWN_FLAGS;
  readonly locals: { res: number; aux: number; kind: number; a: number; b: number; cf: number };
  /** The last result, sign-extended, where it is valid. */
  readonly res: Value;
  readonly aux: Value;
  private readonly kind: Value;
  private readonly a: Value;
  private readonly b: Value;
  private readonly cf: Value;

  constructor(
    f: FunctionBuilder,
    private readonly e: Emitter & { set(local: number, value: Value): void; when(condition: Value, then: () => void): void },
    private readonly call: CallRoutine,
  ) {
    const locals = (this.locals = { res: f.local('i64'), aux: f.local('i32'), kind: f.local('i32'), a: f.local('i64'), b: f.local('i64'), cf: f.local('i32') });
    this.res = Value.local(locals.res, 'i64');
    this.aux = Value.local(locals.aux, 'i32');
    this.kind = Value.local(locals.kind, 'i32');
    this.a = Value.local(locals.a, 'i64');
    this.b = Value.local(locals.b, 'i64');
    this.cf = Value.local(locals.cf, 'i32');
  }

  private kindOf(operation: 'add' | 'sub', size: number, derived: boolean, carry: boolean): Value {
    return Value.i32(Kind.AUX | (operation === 'sub' ? Kind.SUB : 0) | (derived ? Kind.RES : 0) | (carry ? Kind.CARRY : 0) | (31 - Math.clz32(size)));
  }

  /** As Emitter.deferFlags; `derived` says that a and b alone make r. */
  defer(operation: 'add' | 'sub' | 'logic', a: Value, b: Value, r: Value, size: number, derived: boolean): void {
    const { e, locals } = this;
    if (operation === 'logic') {
      e.set(locals.aux, Value.i32(0));
      e.set(locals.kind, Value.i32(0));
      e.set(locals.res, e.signed64(r, size));
      this.known = { state: 'logic' };
      return;
    }
    e.set(locals.a, a.extendU());
    e.set(locals.b, b.extendU());
    e.set(locals.kind, this.kindOf(operation, size, derived, false));
    if (!derived) e.set(locals.res, e.signed64(r, size));
    this.known = { state: 'kept', operation, size, derived, carry: false };
  }

  /** As Emitter.deferCarry. */
  deferCarry(cf: Value): boolean {
    const { known, locals } = this;
    if (known.state !== 'kept') return false;
    this.e.set(locals.cf, cf);
    this.e.set(locals.kind, this.kindOf(known.operation, known.size, known.derived, true));
    this.known = { ...known, carry: true };
    return true;
  }

  /** As Emitter.directCondition. */
  condition(cc: number): Value | undefined {
    const { known, res } = this;
    switch (known.state) {
      case 'unknown':
      case 'aux':
        if (cc === Condition.B) return known.state === 'aux' ? this.aux.shrU(31) : this.unknownCarry();
        if (cc !== Condition.E && cc !== Condition.S) return undefined;
        this.deriveRes();
        return cc === Condition.E ? res.eqz() : signOf(known.state === 'aux' ? this.aux : this.plainAux(), res);
      case 'settled':
        return undefined;
      case 'logic':
        if (cc === Condition.O || cc === Condition.B) return Value.i32(0);
        if (cc === Condition.E || cc === Condition.BE) return res.eqz();
        if (cc === Condition.S || cc === Condition.L) return res.ltS(0n);
        return cc === Condition.LE ? res.leS(0n) : undefined;
      case 'kept':
        return this.keptCondition(known, cc);
    }
  }

  private keptCondition({ operation, size, derived, carry }: KnownFlags & { state: 'kept' }, cc: number): Value | undefined {
    const { e, res } = this;
    if (carry && cc === Condition.B) return this.cf;
    if (!derived) {
      if (cc === Condition.E) return res.eqz();
      return cc === Condition.S ? res.ltS(0n) : undefined;
    }
    const part = (whole: Value): Value => (size === 8 ? whole : whole.wrap());
    const signed = (v: Value): Value => (size < 4 ? v.signExtend(size) : v);
    const [a, b] = [part(this.a), part(this.b)];
    const result = operation === 'sub' ? a.sub(b) : a.add(b);
    if (cc === Condition.S) return signed(result).ltS(0);
    if (operation === 'add') {
      if (cc === Condition.E) return e.narrow(result, size).eqz();
      return cc === Condition.B && size >= 4 ? result.ltU(a) : undefined;
    }
    if (cc === Condition.E) return a.eq(b);
    if (cc === Condition.L) return signed(a).ltS(signed(b));
    if (cc === Condition.LE) return signed(a).leS(signed(b));
    if (carry) return undefined;
    if (cc === Condition.B) return a.ltU(b);
    return cc === Condition.BE ? a.leU(b) : undefined;
  }

  /** CF where code comes together: INC and DEC in a loop keep it and nothing else. */
  private unknownCarry(): Value {
    const { e, kind } = this;
    const f = e.f;
    const found = f.temporary('i32');
    kind.and(Kind.CARRY).emit(f);
    f.if();
    e.set(found, this.cf);
    f.else();
    e.set(found, this.aux.shrU(31));
    e.when(kind.and(Kind.AUX), () => {
      this.deriveRes();
      e.set(found, this.callAux().shrU(31));
    });
    f.end();
    return Value.local(found, 'i32');
  }
  /** `aux` as far as it is kept as such; operands make one whose bit for SF is 0. */
  private plainAux(): Value {
    return Value.select(this.kind.and(Kind.AUX), Value.i32(0), this.aux);
  }
  private deriveRes(): void {
    const { e, kind, locals } = this;
    e.when(kind.and(Kind.RES), () => e.set(locals.res, this.call(derivedRes, kind, this.a, this.b)));
  }
  private callAux(): Value {
    return this.call(keptAux, this.kind, this.a, this.b, this.res, this.cf);
  }

  /** Makes `res` and `aux` valid. */
  settle(): void {
    const { e, known, locals, a, b, res } = this;
    if (known.state === 'settled' || known.state === 'logic') return;
    this.known = { state: 'settled' };
    if (known.state !== 'kept') {
      e.when(this.kind, () => {
        this.deriveRes();
        if (known.state === 'unknown') e.when(this.kind.and(Kind.AUX), () => e.set(locals.aux, this.callAux()));
        e.set(locals.kind, Value.i32(0));
      });
      return;
    }
    const { size, operation } = known;
    if (known.derived) {
      const result = operation === 'sub' ? a.sub(b) : a.add(b);
      e.set(locals.res, size === 8 ? result : e.signed64(result.wrap(), size));
    }
    const carries = operation === 'add' ? carriesOfAdd(a, b, res) : carriesOfSub(a, b, res);
    const aux = e.let(auxOfCarries(e.let(size === 8 ? carries : carries.wrap()), size));
    e.set(locals.aux, known.carry ? withCarry(aux, this.cf) : aux);
    e.set(locals.kind, Value.i32(0));
  }

  setRes(value: Value): void {
    const { e, known, locals } = this;
    if (known.state === 'aux') e.set(locals.kind, Value.i32(0));
    else this.settle(); // kept operands go together with their result
    e.set(locals.res, value);
    this.known = { state: 'settled' };
  }
  /** Replaces `aux` as a whole; `res` stays what it is, or is set next. */
  setAux(value: Value): void {
    const { e, known, locals } = this;
    e.set(locals.aux, value);
    if (known.state === 'unknown' || known.state === 'aux') {
      e.set(locals.kind, this.kind.and(~(Kind.AUX | Kind.CARRY)));
      this.known = { state: 'aux' };
    } else if (known.state === 'kept' && known.derived) {
      e.set(locals.kind, Value.i32(Kind.RES | (known.operation === 'sub' ? Kind.SUB : 0) | (31 - Math.clz32(known.size))));
      this.known = { state: 'aux' };
    } else {
      e.set(locals.kind, Value.i32(0));
      this.known = { state: 'settled' };
    }
  }
}
