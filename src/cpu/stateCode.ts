/** What generated functions over a processor's block are written with: they have its address as their first parameter. */
import type { FunctionBuilder } from '../wasm/function';
import { Value } from '../wasm/value';

/** The block's address. */
export const BASE = Value.local(0, 'i32');

export const word = (offset: number): Value => BASE.load('i32', 4, offset);
export const long = (offset: number): Value => BASE.load('i64', 8, offset);
export const number = (offset: number): Value => BASE.load('f64', 8, offset);
/** Writes as many bytes as the value's type has. */
export const set = (f: FunctionBuilder, offset: number, value: Value | number): void => {
  const v = typeof value === 'number' ? Value.i32(value | 0) : value;
  BASE.store(f, v, v.type === 'i32' ? 4 : 8, offset);
};

/** Sets a local. */
export function assign(f: FunctionBuilder, local: number, value: Value): void {
  value.emit(f);
  f.set(local);
}

/** The value in a local: for what is used more than once. */
export function keep(f: FunctionBuilder, value: Value): Value {
  const local = f.local(value.type);
  assign(f, local, value);
  return Value.local(local, value.type);
}

/** Code for where `condition` (i32) is not 0, and for where it is. */
export function when(f: FunctionBuilder, condition: Value, then: () => void, otherwise?: () => void): void {
  condition.emit(f);
  f.if();
  then();
  if (otherwise) {
    f.else();
    otherwise();
  }
  f.end();
}
