/**
 * SSE's operations on one 128-bit lane, all in one function, for AVX: VEX-encoded instructions do on each lane of their
 * operands what their SSE kin do on a register, so that the meaning of both stands in the sse*.ts tables alone. What AVX
 * adds is in avxLanes.ts, in the same form.
 */
import type { FunctionBuilder, Label, ValueType } from '../../wasm/function';
import { Value } from '../../wasm/value';
import { avxLanes } from './avxLanes';
import { type CallRoutine, Emitter, type Routine, type Semantics, typeOf } from './emitter';
import { sseArithmetic } from './sseArithmetic';
import { sseConversions } from './sseConvert';
import { sseIntegers } from './sseInteger';
import { sseMoves } from './sseMove';
import { sseShuffles } from './sseShuffle';

/** Parameters of the function: number of the operation, processor, destination (which is the first source too), source, immediate. */
const PARAMETERS: readonly ValueType[] = ['i32', 'i32', 'i32', 'i32', 'i32'];
const [NUMBER, CPU, TO, FROM, IMMEDIATE] = PARAMETERS.map((type, n) => Value.local(n, type)) as [Value, Value, Value, Value, Value];

const nothing = (what: string): never => {
  throw new Error(`An operation on a lane has no ${what}.`);
};

/** Operand 0 is at TO, operand 1 at FROM, whatever comes last the immediate. */
class LaneEmitter extends Emitter {
  constructor(
    f: FunctionBuilder,
    private readonly callRoutine: CallRoutine,
  ) {
    super(f);
    this.size = 16;
  }
  read(operand: number, size: number = this.size): Value {
    if (this.form[operand] === 'i') return IMMEDIATE;
    return this.let((operand === 0 ? TO : FROM).load(typeOf(size), size));
  }
  write(operand: number, value: Value, size: number = this.size): void {
    (operand === 0 ? TO : FROM).store(this.f, value, size);
  }
  vector(operand: number): Value {
    return this.read(operand, 16);
  }
  setVector(operand: number, value: Value): void {
    this.write(operand, value, 16);
  }
  registerHost(operand: number): Value {
    return operand === 0 ? TO : FROM;
  }
  stateHost(): Value {
    return CPU;
  }
  call(routine: Routine, ...args: Value[]): Value {
    return this.callRoutine(routine, ...args);
  }
  leave(condition: Value): void {
    condition.emit(this.f);
    this.f.if();
    this.f.i32(0);
    this.f.return();
    this.f.end();
  }
  stateWord(offset: number): Value {
    return CPU.load('i32', 4, offset);
  }
  state(): Value {
    return CPU;
  }

  fixed = () => nothing('general-purpose register');
  setFixed = () => nothing('general-purpose register');
  override modify = () => nothing('memory');
  override address = () => nothing('memory');
  effectiveAddress = () => nothing('memory');
  load = () => nothing('memory');
  store = () => nothing('memory');
  modifyAt = () => nothing('memory');
  requireAligned = () => nothing('memory');
  res = () => nothing('flags');
  aux = () => nothing('flags');
  setRes = () => nothing('flags');
  setAux = () => nothing('flags');
  otherFlags = () => nothing('flags');
  setOtherFlags = () => nothing('flags');
  clock = () => nothing('clock');
  rip = () => nothing('RIP');
  nextRip = () => nothing('RIP');
  portIn = () => nothing('port');
  portOut = () => nothing('port');
  invalidatePage = () => nothing('page');
  jump = () => nothing('jump');
  jumpTo = () => nothing('jump');
  raise = () => nothing('exception of its own');
  changePrivilege = () => nothing('privilege');
  stackMask = () => nothing('stack');
  stackLinear = () => nothing('stack');
}

/** Those of SSE that are no operation on a lane: results in flags, a mask in XMM0. Moves of whole registers are AVX's own. */
const EXCLUDED = new Set(['ptest', 'comiss', 'comisd', 'ucomiss', 'ucomisd', 'pblendvb', 'blendvps', 'blendvpd', 'movups', 'movupd', 'movaps', 'movapd', 'movdqa', 'movdqu']);
const FORMS = ['xx', 'xxi', 'xi'];

interface Lane {
  semantics: Semantics;
  form: string;
}
const lanes: Lane[] = [];
const numbers = new Map<string, number>();
for (const semantics of [...sseMoves, ...sseIntegers, ...sseShuffles, ...sseArithmetic, ...sseConversions, ...avxLanes]) {
  if (EXCLUDED.has(semantics.mnemonic)) continue;
  for (const form of semantics.forms) if (FORMS.includes(form)) numbers.set(`${semantics.mnemonic} ${form}`, lanes.push({ semantics, form }) - 1);
}

/** Number of an operation by the SSE instruction's mnemonic and its form: xx two vectors, xxi with an immediate, xi one vector and an immediate. */
export const laneNumber = (mnemonic: string, form: string): number | undefined => numbers.get(`${mnemonic} ${form}`);

/** The function: yields 1, or 0 where TypeScript has to perform the instruction (then only the destination may have changed). */
export const laneRoutine: Routine = {
  name: 'lane',
  parameters: PARAMETERS,
  result: 'i32',
  build(f, call) {
    const e = new LaneEmitter(f, call);
    const labels: Label[] = [];
    for (let n = lanes.length - 1; n >= 0; n--) labels[n] = f.block();
    NUMBER.emit(f);
    f.branchTable(labels, labels[0]!);
    for (const { semantics, form } of lanes) {
      f.end();
      f.releaseTemporaries();
      e.form = form;
      semantics.emit(e);
      f.i32(1);
      f.return();
    }
    f.unreachable();
  },
};
