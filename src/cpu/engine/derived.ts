/**
 * What follows from the architectural state and is kept beside it so that generated code need not work it out: itself
 * generated code, as it runs at every change of mode, VM entry and VM exit.
 */
import { FunctionBuilder } from '../../wasm/function';
import { memoryFunctions } from '../../wasm/memoryFunctions';
import { Value } from '../../wasm/value';
import { Cr0, Cr4, Efer } from '../controlBits';
import type { CodeSize } from '../decode/instruction';
import { AC, VM } from '../flags';
import { Permitted } from '../isa/permitted';
import { prebuilt } from '../prebuilt';
import type { Features } from '../processor';
import { simdDisabled } from '../simd/levels';
import { isFlat } from '../system/segmentationCode';
import { keep, long, set, word } from '../stateCode';
import { type CpuState, Offset, PRIVILEGE_STRIDE, Privileged, Seg, Segment, SEGMENT_STRIDE } from '../state';

const ACCESS_L = 1 << 13;
const ACCESS_DB = 1 << 14;
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

const segmentWord = (seg: number, part: number): Value => word(Offset.SEGMENTS + seg * SEGMENT_STRIDE + part);

function derive(): FunctionBuilder {
  const f = new FunctionBuilder(['i32', 'i32', 'i32'], ['i32']);
  const [withheldSimd, announced] = [Value.local(1, 'i32'), Value.local(2, 'i32')];
  const inProtectedMode = keep(f, word(Offset.CR0).and(Cr0.PE).and(word(Offset.FLAGS).and(VM).eqz()));
  const cs = segmentWord(Seg.CS, Segment.ACCESS);
  const inLongMode = word(Offset.EFER).and(Efer.LMA).eqz().eqz();
  const is64Bit = keep(f, inProtectedMode.and(inLongMode).and(cs.and(ACCESS_L).eqz().eqz()));
  const codeSize = keep(f, Value.select(is64Bit, Value.i32(64), Value.select(cs.and(ACCESS_DB), Value.i32(32), Value.i32(16))));
  set(f, Offset.CODE_MODE, codeSize);
  set(f, Offset.CS_BASE, Value.select(is64Bit, Value.i64(0), long(Offset.SEGMENTS + Seg.CS * SEGMENT_STRIDE + Segment.BASE)));
  const legacyMask = Value.select(segmentWord(Seg.SS, Segment.ACCESS).and(ACCESS_DB), Value.i64(0xffff_ffff), Value.i64(0xffff));
  set(f, Offset.SP_MASK, Value.select(is64Bit, Value.i64(-1), legacyMask));
  deriveSegments(f);
  set(f, Offset.SIMD_DISABLED, simdDisabled(word, inProtectedMode, withheldSimd));
  derivePermitted(f, is64Bit, announced);
  codeSize.emit(f);
  return f;
}

function deriveSegments(f: FunctionBuilder): void {
  for (let seg: number = Seg.ES; seg <= Seg.GS; seg++) set(f, Offset.SEGMENTS + seg * SEGMENT_STRIDE + Segment.FLAT, isFlat(segmentWord(seg, Segment.ACCESS), segmentWord(seg, Segment.LIMIT)));
  set(f, Offset.NO_SEGMENT + Segment.FLAT, 1);
}

/** What generated code may execute of isa/permitted.ts at CPL 0 and above. In VMX non-root operation the controls decide about PAUSE, and `announced` has the time stamps that they leave. */
function derivePermitted(f: FunctionBuilder, is64Bit: Value, announced: Value): void {
  const unless = (condition: Value, bits: number): Value => Value.select(condition, Value.i32(-1), Value.i32(~bits));
  const pause = unless(word(Offset.VMX_MODE).ne(NON_ROOT), Permitted.PAUSE);
  const changesOfPrivilege = unless(word(Offset.EFER).and(Efer.SCE), CHANGES_OF_PRIVILEGE);
  const supervisor = keep(f, announced.and(pause).and(unless(is64Bit, LONG_MODE_ONLY)).and(changesOfPrivilege));
  const user = keep(f, supervisor.and(~CPL0_ONLY).and(unless(word(Offset.CR4).and(Cr4.TSD).eqz(), TIMESTAMPS)));
  set(f, Offset.PERMITTED, Value.select(word(Offset.CPL), user, supervisor));
  set(f, Offset.PRIVILEGES + Privileged.PERMITTED, supervisor);
  set(f, Offset.PRIVILEGES + PRIVILEGE_STRIDE + Privileged.PERMITTED, user);
}

/**
 * Recomputes CODE_MODE, CS_BASE, SP_MASK, SIMD_DISABLED, the segments' FLAT and what is PERMITTED for the processor whose
 * block is at `base`; yields the code size. `announced`: bits of isa/permitted.ts that nobody forbids but the state.
 */
export type Derive = (base: number, withheldSimd: number, announced: number) => CodeSize;

/** The function for a memory. */
export const derivedFor = memoryFunctions<{ derive: Derive }>({ derive }, prebuilt?.derived);
