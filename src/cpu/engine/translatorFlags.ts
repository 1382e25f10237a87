/**
 * Flags in a translated region. `res` and `aux` are worked out only when somebody asks: an addition or subtraction leaves its
 * operands, a condition that follows compares these, and where code comes together a local tells what was left.
 */
import type { FunctionBuilder } from '../../wasm/function';
import { Value } from '../../wasm/value';
import type { CallRoutine, DeferredOperation, Emitter } from '../isa/emitter';
import { multiplyHighSigned } from '../isa/multiply';
import { routine } from '../isa/routine';
import { auxOfCarries, carriesOfAdd, carriesOfSub, signOf } from '../isa/statusFlags';

/**
 * Bits of the kind of flags that are kept as operands: 1:0 their size as a power of 2, AUX the operands tell `aux`, RES they
 * tell `res` too, CARRY with another CF, ROTATED before that with the CF and OF of a rotation, 10:8 the operation of which
 * they are the operands; of the rotation RIGHT its direction and 14:13 its size. 0: `res` and `aux` are valid.
 */
const Kind = { SIZE: 3, CARRY: 8, AUX: 16, RES: 32, ROTATED: 0x800, RIGHT: 0x1000 } as const;
const OPERATION_SHIFT = 8;
const ROTATION_SIZE_SHIFT = 13;
/** Everything that tells of a CF, or a CF and OF, that came after the operation. */
const REPLACED = Kind.CARRY | Kind.ROTATED | Kind.RIGHT | (Kind.SIZE << ROTATION_SIZE_SHIFT);
/** Numbers of the operations; those of which the operands tell the result come first, the shifts last. */
const OPERATIONS = { add: 0, sub: 1, product: 2, shl: 3, shr: 4, sar: 5 } as const;
const SUB = OPERATIONS.sub << OPERATION_SHIFT;

const log2 = (size: number): number => 31 - Math.clz32(size);
const sizeOf = (kind: number): number => 1 << (kind & Kind.SIZE);
const operationOf = (kind: number): number => (kind >> OPERATION_SHIFT) & 7;
const kindOf = (operation: DeferredOperation, size: number): number => Kind.AUX | (OPERATIONS[operation] << OPERATION_SHIFT) | log2(size);

/** `aux` of r = a * b (all sign-extended): CF and OF tell that r is not the whole product. */
const productAux = routine('flags.productAux', ['i64', 'i64', 'i64'], 'i32', (r) => {
  const [a, b, res] = [r.argument(0), r.argument(1), r.argument(2)];
  const low = r.let(a.mul(b));
  return low.ne(res).or(multiplyHighSigned(r, a, b).ne(low.shrS(63))).shl(31);
});

/** `aux` of a shift of `a` by `n`, which is not 0. */
const shiftAux = routine('flags.shiftAux', ['i32', 'i64', 'i64', 'i64'], 'i32', (r) => {
  const [kind, a, n, res] = [r.argument(0), r.argument(1), r.argument(2), r.argument(3)];
  const unused = r.let(unusedBits(kind));
  const high = r.let(a.shl(unused));
  const is = (operation: number): Value => kind.shrU(OPERATION_SHIFT).and(7).eq(operation);
  const last = n.sub(1);
  const right = Value.select(is(OPERATIONS.sar), high.shrS(unused).shrS(last), a.shrU(last));
  const cf = r.let(Value.select(is(OPERATIONS.shl), high.shrU(Value.i64(64).sub(n)), right).wrap().and(1));
  const differs = Value.select(is(OPERATIONS.shl), res.shrU(63).wrap(), cf.xor(Value.select(is(OPERATIONS.shr), high.shrU(63).wrap(), Value.i32(0))));
  return cf.shl(31).or(differs.shl(30));
});

/** `aux` with the CF and OF of a rotation to `rotated`, whose unused high bits are 0. */
const rotatedAux = routine('flags.rotatedAux', ['i32', 'i32', 'i64'], 'i32', (r) => {
  const [kind, aux, rotated] = [r.argument(0), r.argument(1), r.argument(2)];
  const topTwo = r.let(rotated.shrU(Value.i32(8).shl(kind.shrU(ROTATION_SIZE_SHIFT).and(Kind.SIZE)).sub(2).extendU()).wrap());
  const left = rotated.wrap().shl(31).or(topTwo.and(2).shl(29));
  return aux.and(0x3fff_ffff).or(Value.select(kind.and(Kind.RIGHT), topTwo.shl(30), left));
});

/** Works `aux` out of the kind, the operands, the sign-extended result and `aux` itself; `cf` and `rotated` count when it is replaced by them. */
const keptAux = routine('flags.aux', ['i32', 'i64', 'i64', 'i64', 'i32', 'i32', 'i64'], 'i32', (r) => {
  const [kind, a, b, res, cf, before, rotated] = [r.argument(0), r.argument(1), r.argument(2), r.argument(3), r.argument(4), r.argument(5), r.argument(6)];
  const aux = (value: Value): void => r.set(5, value);
  const operation = r.let(kind.shrU(OPERATION_SHIFT).and(7));
  r.when(kind.and(Kind.AUX), () => {
    r.when(operation.ltU(OPERATIONS.product), () => {
      const carries = r.let(Value.select(operation, carriesOfSub(a, b, res), carriesOfAdd(a, b, res)));
      const topTwo = Value.i32(8).shl(kind.and(Kind.SIZE)).sub(2);
      aux(carries.shrU(topTwo.extendU()).wrap().shl(30).or(carries.wrap().and(8)));
    });
    r.when(operation.eq(OPERATIONS.product), () => aux(r.call(productAux, a, b, res)));
    r.when(operation.gtU(OPERATIONS.product), () => aux(r.call(shiftAux, kind, a, b, res)));
  });
  r.when(kind.and(Kind.ROTATED), () => aux(r.call(rotatedAux, kind, before, rotated)));
  return Value.select(kind.and(Kind.CARRY), withCarry(before, cf), before);
});

/** Bits of a 64-bit number that an operand of the kind's size does not have, i64. */
const unusedBits = (kind: Value): Value => Value.i32(64).sub(Value.i32(8).shl(kind.and(Kind.SIZE))).extendU();

/** Works `res` out of the kind and the operands of an addition or subtraction. */
const derivedRes = routine('flags.res', ['i32', 'i64', 'i64'], 'i64', (r) => {
  const [kind, a, b] = [r.argument(0), r.argument(1), r.argument(2)];
  const unused = r.let(unusedBits(kind));
  return Value.select(kind.and(SUB), a.sub(b), a.add(b)).shl(unused).shrS(unused);
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
  /** Operands are kept, of this kind. */
  | { state: 'kept'; kind: number };

export const UNKNOWN_FLAGS: KnownFlags = { state: 'unknown' };

/** What holds where two places lead to the same one. */
export function commonFlags(a: KnownFlags, b: KnownFlags): KnownFlags {
  if (a.state !== b.state) return UNKNOWN_FLAGS;
  if (a.state !== 'kept' || b.state !== 'kept') return a;
  return a.kind === b.kind ? a : UNKNOWN_FLAGS;
}

/** Even conditions of Jcc. */
const Condition = { O: 0, B: 2, E: 4, BE: 6, S: 8, L: 12, LE: 14 } as const;

export class TranslatorFlags {
  known: KnownFlags = UNKNOWN_FLAGS;
  readonly locals: { res: number; aux: number; kind: number; a: number; b: number; cf: number; rotated: number };
  /** The last result, sign-extended, where it is valid. */
  readonly res: Value;
  readonly aux: Value;
  private readonly kind: Value;
  private readonly a: Value;
  private readonly b: Value;
  private readonly cf: Value;
  private readonly rotated: Value;

  constructor(
    f: FunctionBuilder,
    private readonly e: Emitter & { set(local: number, value: Value): void; when(condition: Value, then: () => void): void },
    private readonly call: CallRoutine,
  ) {
    const locals = (this.locals = { res: f.local('i64'), aux: f.local('i32'), kind: f.local('i32'), a: f.local('i64'), b: f.local('i64'), cf: f.local('i32'), rotated: f.local('i64') });
    this.res = Value.local(locals.res, 'i64');
    this.aux = Value.local(locals.aux, 'i32');
    this.kind = Value.local(locals.kind, 'i32');
    this.a = Value.local(locals.a, 'i64');
    this.b = Value.local(locals.b, 'i64');
    this.cf = Value.local(locals.cf, 'i32');
    this.rotated = Value.local(locals.rotated, 'i64');
  }

  private keep(kind: number): void {
    this.e.set(this.locals.kind, Value.i32(kind));
    this.known = { state: 'kept', kind };
  }

  /** As Emitter.deferFlags; `derived` says that a and b alone make r. */
  defer(operation: DeferredOperation | 'logic', a: Value, b: Value, r: Value, size: number, derived: boolean): void {
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
    if (!derived) e.set(locals.res, e.signed64(r, size));
    this.keep(kindOf(operation, size) | (derived ? Kind.RES : 0));
  }

  /** As Emitter.deferShift. */
  deferShift(operation: 'shl' | 'shr' | 'sar', a: Value, n: Value, r: Value, size: number, always: boolean): void {
    const { e, locals } = this;
    if (always) return this.defer(operation, a, n, r, size, false);
    const shifted = n.eqz();
    const set = (local: number, before: Value, value: Value): void => e.set(local, Value.select(shifted, before, value));
    set(locals.a, this.a, a.extendU());
    set(locals.b, this.b, n.extendU());
    set(locals.res, this.res, e.signed64(r, size));
    set(locals.kind, this.kind, Value.i32(kindOf(operation, size)));
    this.known = UNKNOWN_FLAGS;
  }

  /** As Emitter.deferRotation. */
  deferRotation(right: boolean, n: Value, r: Value, size: number, always: boolean): void {
    const { e, known, locals } = this;
    const rotation = Kind.ROTATED | (right ? Kind.RIGHT : 0) | (log2(size) << ROTATION_SIZE_SHIFT);
    if (always && known.state === 'kept') {
      e.set(locals.rotated, r.extendU());
      return this.keep((known.kind & ~REPLACED) | rotation);
    }
    const kind = this.kind.and(~REPLACED).or(rotation);
    e.set(locals.rotated, always ? r.extendU() : Value.select(n.eqz(), this.rotated, r.extendU()));
    e.set(locals.kind, always ? kind : Value.select(n.eqz(), this.kind, kind));
    this.known = UNKNOWN_FLAGS;
  }

  /** As Emitter.deferCarry. */
  deferCarry(cf: Value): boolean {
    const { known, locals } = this;
    if (known.state !== 'kept') return false;
    this.e.set(locals.cf, cf);
    this.keep(known.kind | Kind.CARRY);
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
        return this.keptCondition(known.kind, cc);
    }
  }

  private keptCondition(kind: number, cc: number): Value | undefined {
    const { e, res, rotated } = this;
    const size = sizeOf(kind);
    if (kind & Kind.CARRY && cc === Condition.B) return this.cf;
    if (kind & Kind.ROTATED && cc === Condition.B) {
      const top = (8 << ((kind >> ROTATION_SIZE_SHIFT) & Kind.SIZE)) - 1;
      return (kind & Kind.RIGHT ? rotated.shrU(top) : rotated).wrap().and(1);
    }
    if (!(kind & Kind.RES)) {
      if (cc === Condition.E) return res.eqz();
      return cc === Condition.S ? res.ltS(0n) : undefined;
    }
    const operation = operationOf(kind) === OPERATIONS.sub ? 'sub' : 'add';
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
    if (kind & Kind.ROTATED) return undefined;
    if (cc === Condition.L) return signed(a).ltS(signed(b));
    if (cc === Condition.LE) return signed(a).leS(signed(b));
    if (kind & Kind.CARRY) return undefined;
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
    e.when(kind.and(Kind.AUX | Kind.ROTATED), () => {
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
    return this.call(keptAux, this.kind, this.a, this.b, this.res, this.cf, this.aux, this.rotated);
  }

  /** Makes `res` and `aux` valid. */
  settle(): void {
    const { e, known, locals, a, b, res } = this;
    if (known.state === 'settled' || known.state === 'logic') return;
    this.known = { state: 'settled' };
    if (known.state !== 'kept') {
      e.when(this.kind, () => {
        this.deriveRes();
        if (known.state === 'unknown') e.when(this.kind.and(Kind.AUX | REPLACED), () => e.set(locals.aux, this.callAux()));
        e.set(locals.kind, Value.i32(0));
      });
      return;
    }
    const size = sizeOf(known.kind);
    const subtraction = operationOf(known.kind) === OPERATIONS.sub;
    if (known.kind & Kind.RES) {
      const result = subtraction ? a.sub(b) : a.add(b);
      e.set(locals.res, size === 8 ? result : e.signed64(result.wrap(), size));
    }
    if (operationOf(known.kind) < OPERATIONS.product && !(known.kind & Kind.ROTATED)) {
      const carries = subtraction ? carriesOfSub(a, b, res) : carriesOfAdd(a, b, res);
      const aux = e.let(auxOfCarries(e.let(size === 8 ? carries : carries.wrap()), size));
      e.set(locals.aux, known.kind & Kind.CARRY ? withCarry(aux, this.cf) : aux);
    } else e.set(locals.aux, this.callAux());
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
      e.set(locals.kind, this.kind.and(~(Kind.AUX | REPLACED)));
      this.known = { state: 'aux' };
    } else if (known.state === 'kept' && known.kind & Kind.RES) {
      e.set(locals.kind, Value.i32(known.kind & ~(Kind.AUX | REPLACED)));
      this.known = { state: 'aux' };
    } else {
      e.set(locals.kind, Value.i32(0));
      this.known = { state: 'settled' };
    }
  }
}
