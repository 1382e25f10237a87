/** Writing routines: functions of the generated module with locals, branches and an early end. */
import type { FunctionBuilder, ValueType } from '../../wasm/function';
import { Value } from '../../wasm/value';
import type { CallRoutine, Routine } from './emitter';

const I32_LT_U = 0x49;

export class RoutineBody {
  constructor(
    private readonly f: FunctionBuilder,
    readonly call: CallRoutine,
  ) {}

  argument(n: number): Value {
    return Value.local(n, this.f.parameters[n]!);
  }
  /** Evaluates now and yields the local that holds the value. */
  let(value: Value): Value {
    const local = this.f.local(value.type);
    value.emit(this.f);
    this.f.set(local);
    return Value.local(local, value.type);
  }
  /** Replaces an argument. */
  set(n: number, value: Value): void {
    value.emit(this.f);
    this.f.set(n);
  }
  store(address: Value, value: Value, size: number, offset = 0): void {
    address.store(this.f, value, size, offset);
  }
  when(condition: Value, then: () => void): void {
    condition.emit(this.f);
    this.f.if();
    then();
    this.f.end();
  }
  /** Fills `bytes` bytes at a host address with the low byte of a value. */
  fill(at: Value, value: Value, bytes: Value): void {
    for (const operand of [at, value, bytes]) operand.emit(this.f);
    this.f.memoryFill();
  }
  /** Copies `bytes` bytes, which may overlap, as if by way of another place. */
  copy(to: Value, from: Value, bytes: Value): void {
    for (const operand of [to, from, bytes]) operand.emit(this.f);
    this.f.memoryCopy();
  }
  /** Does something at every `size` bytes of a range that is not empty. */
  each(start: Value, bytes: Value, size: number, action: (at: Value) => void): void {
    const end = this.let(start.add(bytes));
    const local = this.f.local('i32');
    const at = Value.local(local, 'i32');
    start.emit(this.f);
    this.f.set(local);
    const loop = this.f.loop();
    action(at);
    at.add(size).emit(this.f);
    this.f.tee(local);
    end.emit(this.f);
    this.f.op(I32_LT_U).branchIf(loop);
    this.f.end();
  }
  /** Ends the routine with a result. */
  end(result: Value): void {
    result.emit(this.f);
    this.f.return();
  }
  /** Ends the routine with 0 (i32) unless the condition holds. */
  require(condition: Value): void {
    this.when(condition.eqz(), () => {
      this.f.i32(0);
      this.f.return();
    });
  }
}

/** A routine whose body yields its result. */
export const routine = (name: string, parameters: readonly ValueType[], result: ValueType, body: (b: RoutineBody) => Value): Routine => ({
  name,
  parameters,
  result,
  build(f, call) {
    body(new RoutineBody(f, call)).emit(f);
  },
});
