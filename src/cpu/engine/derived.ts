/**
 * What follows from the architectural state and is kept beside it so that generated code need not work it out: itself
 * generated code, as it runs at every change of mode, VM entry and VM exit.
 */
import { FunctionBuilder } from '../../wasm/function';
import { ModuleBuilder } from '../../wasm/module';
import { Value } from '../../wasm/value';
import { Cr0, Cr4, Efer } from '../controlBits';
import type { CodeSize } from '../decode/instruction';
import { AC, VM } from '../flags';
import { Permitted } from '../isa/permitted';
import type { Features } from '../processor';
import { simdDisabled } from '../simd/levels';
import { ACCESS_UNUSABLE, type CpuState, Offset, PRIVILEGE_STRIDE, Privileged, Seg, Segment, SEGMENT_STRIDE } from '../state';

const TYPE_EXPAND_DOWN = 4;
const TYPE_CODE = 8;
const TYPE_WRITABLE = 2;
const ACCESS_L = 1 << 13;
const ACCESS_DB = 1 << 14;
const ACCESS_PRESENT = 1 << 7;
const NON_ROOT = 2;

/** Whether unaligned accesses raise #AC: CPL 3 with CR0.AM and RFLAGS.AC. */
export const alignmentChecked = (s: CpuState): boolean => s.cpl === 3 && (s.get32(Offset.FLAGS) & AC) !== 0 && (s.cr0 & Cr0.AM) !== 0;

/** The bits of isa/permitted.ts that a processor with these features can have at all. */
export const announcedInstructions = (features: Features): number =>
  (features.has('tsc') ? Permitted.RDTSC : 0) | (features.has('tsc') && features.has('rdtscp') ? Permitted.RDTSCP : 0) | (features.has('syscall') ? Permitted.SYSCALL | Permitted.SYSRET : 0) | Permitted.PAUSE | Permitted.SWAPGS | Permitted.IRET;

export const TIMESTAMPS = Permitted.RDTSC | Permitted.RDTSCP;
const CHANGES_OF_PRIVILEGE = Permitted.SYSCALL | Permitted.SYSRET;
const CPL0_ONLY = Permitted.SYSRET | Permitted.SWAPGS | Permitted.IRET;
const LONG_MODE_ONLY = CHANGES_OF_PRIVILEGE | Permitted.SWAPGS | Permitted.IRET;

const BASE = Value.local(0, 'i32');
const word = (offset: number): Value => BASE.load('i32', 4, offset);
const segmentWord = (seg: number, part: number): Value => word(Offset.SEGMENTS + seg * SEGMENT_STRIDE + part);

class Derivation {
  readonly f = new FunctionBuilder(['i32', 'i32', 'i32'], ['i32']);
  private readonly withheldSimd = Value.local(1, 'i32');
  private readonly announced = Value.local(2, 'i32');

  private let(value: Value): Value {
    const local = this.f.local(value.type);
    value.emit(this.f);
    this.f.set(local);
    return Value.local(local, value.type);
  }
  private set(offset: number, value: Value): void {
    BASE.store(this.f, value, value.type === 'i32' ? 4 : 8, offset);
  }

  build(): FunctionBuilder {
    const inProtectedMode = this.let(word(Offset.CR0).and(Cr0.PE).and(word(Offset.FLAGS).and(VM).eqz()));
    const cs = segmentWord(Seg.CS, Segment.ACCESS);
    const inLongMode = word(Offset.EFER).and(Efer.LMA).eqz().eqz();
    const long = this.let(inProtectedMode.and(inLongMode).and(cs.and(ACCESS_L).eqz().eqz()));
    const codeSize = this.let(Value.select(long, Value.i32(64), Value.select(cs.and(ACCESS_DB), Value.i32(32), Value.i32(16))));
    this.set(Offset.CODE_MODE, codeSize);
    this.set(Offset.CS_BASE, Value.select(long, Value.i64(0), BASE.load('i64', 8, Offset.SEGMENTS + Seg.CS * SEGMENT_STRIDE + Segment.BASE)));
    const legacyMask = Value.select(segmentWord(Seg.SS, Segment.ACCESS).and(ACCESS_DB), Value.i64(0xffff_ffff), Value.i64(0xffff));
    this.set(Offset.SP_MASK, Value.select(long, Value.i64(-1), legacyMask));
    this.segments();
    this.set(Offset.SIMD_DISABLED, simdDisabled(word, inProtectedMode, this.withheldSimd));
    this.permitted(long);
    codeSize.emit(this.f);
    return this.f;
  }

  /** FLAT: no access through the segment can violate its type or limit. */
  private segments(): void {
    const looked = ACCESS_UNUSABLE | ACCESS_PRESENT | TYPE_CODE | TYPE_EXPAND_DOWN | TYPE_WRITABLE;
    for (let seg: number = Seg.ES; seg <= Seg.GS; seg++) {
      const writableData = segmentWord(seg, Segment.ACCESS).and(looked).eq(ACCESS_PRESENT | TYPE_WRITABLE);
      this.set(Offset.SEGMENTS + seg * SEGMENT_STRIDE + Segment.FLAT, writableData.and(segmentWord(seg, Segment.LIMIT).eq(-1)));
    }
    this.set(Offset.NO_SEGMENT + Segment.FLAT, Value.i32(1));
  }

  /** What generated code may execute of isa/permitted.ts at CPL 0 and above. In VMX non-root operation the controls decide about PAUSE, and `announced` has the time stamps that they leave. */
  private permitted(long: Value): void {
    const unless = (condition: Value, bits: number): Value => Value.select(condition, Value.i32(-1), Value.i32(~bits));
    const supervisor = this.let(
      this.announced
        .and(unless(word(Offset.VMX_MODE).ne(NON_ROOT), Permitted.PAUSE))
        .and(unless(long, LONG_MODE_ONLY))
        .and(unless(word(Offset.EFER).and(Efer.SCE), CHANGES_OF_PRIVILEGE)),
    );
    const user = this.let(supervisor.and(~CPL0_ONLY).and(unless(word(Offset.CR4).and(Cr4.TSD).eqz(), TIMESTAMPS)));
    this.set(Offset.PERMITTED, Value.select(word(Offset.CPL), user, supervisor));
    this.set(Offset.PRIVILEGES + Privileged.PERMITTED, supervisor);
    this.set(Offset.PRIVILEGES + PRIVILEGE_STRIDE + Privileged.PERMITTED, user);
  }
}

/**
 * Recomputes CODE_MODE, CS_BASE, SP_MASK, SIMD_DISABLED, the segments' FLAT and what is PERMITTED for the processor whose
 * block is at `base`; yields the code size. `announced`: bits of isa/permitted.ts that nobody forbids but the state.
 */
export type Derive = (base: number, withheldSimd: number, announced: number) => CodeSize;

const MAXIMUM_PAGES = 0x1_0000;
let compiled: WebAssembly.Module | undefined;
const made = new WeakMap<WebAssembly.Memory, Derive>();

/** The function for a memory. */
export function deriveFor(memory: WebAssembly.Memory): Derive {
  let derive = made.get(memory);
  if (!derive) {
    if (!compiled) {
      const module = new ModuleBuilder();
      module.importMemory(1, MAXIMUM_PAGES);
      module.add(new Derivation().build(), 'derive');
      compiled = new WebAssembly.Module(module.encode());
    }
    derive = new WebAssembly.Instance(compiled, { env: { memory } }).exports.derive as Derive;
    made.set(memory, derive);
  }
  return derive;
}
