/** Writing routines: functions of the generated module with locals, branches and an early end. */
import type { FunctionBuilder, ValueType } from '../../wasm/function';
import { Value } from '../../wasm/value';
import type { CallRoutine, Routine } from './emitter';

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
  store(address: Value, value: Value, size: number, offset = 0): void {
    address.store(this.f, value, size, offset);
  }
  when(condition: Value, then: () => void): void {
    condition.emit(this.f);
    this.f.if();
    then();
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
