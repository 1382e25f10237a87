/** Builds the body of one WebAssembly function: locals, structured control and raw opcodes. */
import { ByteWriter } from './bytes';

export type ValueType = 'i32' | 'i64' | 'f32' | 'f64' | 'v128';
export const TYPE_CODE: Record<ValueType, number> = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b };
/** What the opcodes of 128-bit vectors stand behind. */
const SIMD_PREFIX = 0xfd;
const BULK_PREFIX = 0xfc;
const VOID = 0x40;

/** Labels are nesting depths, so that a branch may be written before its distance is known. */
export type Label = number;

export class FunctionBuilder {
  readonly code: ByteWriter;
  readonly locals: ValueType[] = [];
  /** Code that stands before the body: what can be written only once the body is known. It has no locals of its own. */
  before: FunctionBuilder | undefined;
  private depth = 0;
  private readonly pool: Record<ValueType, number[]> = { i32: [], i64: [], f32: [], f64: [], v128: [] };
  private readonly poolUsed: Record<ValueType, number> = { i32: 0, i64: 0, f32: 0, f64: 0, v128: 0 };

  constructor(
    readonly parameters: readonly ValueType[],
    readonly results: readonly ValueType[],
    /** Bytes of code to make room for at once. */
    capacity = 256,
  ) {
    this.code = new ByteWriter(capacity);
  }

  /** A new local of its own. */
  local(type: ValueType): number {
    this.locals.push(type);
    return this.parameters.length + this.locals.length - 1;
  }

  /** A local from the pool of temporaries; `releaseTemporaries` makes all of them free again. */
  temporary(type: ValueType): number {
    const pool = this.pool[type];
    const n = this.poolUsed[type]++;
    return (pool[n] ??= this.local(type));
  }

  releaseTemporaries(): void {
    for (const type of Object.keys(this.poolUsed) as ValueType[]) this.poolUsed[type] = 0;
  }

  op(opcode: number): this {
    this.code.u8(opcode);
    return this;
  }
  get(local: number): this {
    this.code.u8(0x20).u32(local);
    return this;
  }
  set(local: number): this {
    this.code.u8(0x21).u32(local);
    return this;
  }
  tee(local: number): this {
    this.code.u8(0x22).u32(local);
    return this;
  }
  i32(value: number): this {
    this.code.u8(0x41).s32(value);
    return this;
  }
  i64(value: bigint): this {
    this.code.u8(0x42).s64(value);
    return this;
  }
  /** A load or store with its offset; alignment hints are left at 1 byte. */
  memory(opcode: number, offset: number): this {
    this.code.u8(opcode).u8(0).u32(offset);
    return this;
  }
  /** An opcode of 128-bit vectors. */
  simd(opcode: number): this {
    this.code.u8(SIMD_PREFIX).u32(opcode);
    return this;
  }
  simdMemory(opcode: number, offset: number): this {
    this.simd(opcode).code.u8(0).u32(offset);
    return this;
  }
  /** memory.copy and memory.fill: destination, source or value, length. */
  memoryCopy(): this {
    this.code.u8(BULK_PREFIX).u32(0x0a).u8(0).u8(0);
    return this;
  }
  memoryFill(): this {
    this.code.u8(BULK_PREFIX).u32(0x0b).u8(0);
    return this;
  }
  /** A floating-point constant by its bits. */
  f32(value: number): this {
    this.code.u8(0x43).bytes(new Uint8Array(Float32Array.of(value).buffer));
    return this;
  }
  f64(value: number): this {
    this.code.u8(0x44).bytes(new Uint8Array(Float64Array.of(value).buffer));
    return this;
  }
  call(index: number): this {
    this.code.u8(0x10).u32(index);
    return this;
  }
  /** Calls the function of a type (by its index) that the module's table holds at the i32 on the stack. */
  callIndirect(signature: number): this {
    this.code.u8(0x11).u32(signature).u8(0);
    return this;
  }
  return(): this {
    return this.op(0x0f);
  }
  unreachable(): this {
    return this.op(0x00);
  }

  block(): Label {
    this.code.u8(0x02).u8(VOID);
    return ++this.depth;
  }
  loop(): Label {
    this.code.u8(0x03).u8(VOID);
    return ++this.depth;
  }
  if(): Label {
    this.code.u8(0x04).u8(VOID);
    return ++this.depth;
  }
  else(): this {
    return this.op(0x05);
  }
  end(): this {
    this.depth--;
    return this.op(0x0b);
  }
  branch(label: Label): this {
    this.code.u8(0x0c).u32(this.depth - label);
    return this;
  }
  branchIf(label: Label): this {
    this.code.u8(0x0d).u32(this.depth - label);
    return this;
  }
  branchTable(labels: readonly Label[], otherwise: Label): this {
    this.code.u8(0x0e).u32(labels.length);
    for (const label of labels) this.code.u32(this.depth - label);
    this.code.u32(this.depth - otherwise);
    return this;
  }

  /** The function's entry in the code section. */
  encode(): Uint8Array {
    const runs: { type: ValueType; count: number }[] = [];
    for (const type of this.locals) {
      const last = runs[runs.length - 1];
      if (last?.type === type) last.count++;
      else runs.push({ type, count: 1 });
    }
    const body = new ByteWriter(this.code.length + 64);
    body.u32(runs.length);
    for (const run of runs) body.u32(run.count).u8(TYPE_CODE[run.type]);
    if (this.before) body.bytes(this.before.code.result());
    body.bytes(this.code.result()).u8(0x0b);
    return body.result();
  }
}
