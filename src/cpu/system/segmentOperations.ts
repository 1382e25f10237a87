/** Instructions on segment registers and selectors: MOV, PUSH and POP of segment registers, LDS.., LAR, LSL, VERR, VERW, ARPL. */
import { low32, high32 } from '../../base/bits';
import { Kind } from '../decode/instruction';
import { readFlags, writeFlags, ZF } from '../flags';
import { readLinear } from '../mmu/linear';
import type { Processor, SlowOperation } from '../processor';
import { ACCESS_UNUSABLE, type CpuState, Offset, Seg } from '../state';
import { type Descriptor, isCode, isConforming, isNull, isReadable, isSystem, isWritableData, parseDescriptor, SystemType, typeOf } from './descriptors';
import { dplOf, isLong } from './mode';
import { memoryLinear, readOperand, writeGpr, writeOperand } from './operands';
import { requireProtected, undefinedOpcode } from './privilege';
import { loadSegment } from './segments';
import { Stack } from './stack';
import { readFarPointer } from './transfer';

const BLOCKING_MOV_SS = 2;

/** MOV SS and POP SS hold back interrupts and debug traps until after the next instruction. */
function afterLoad(cpu: Processor, seg: number): void {
  cpu.stateChanged();
  if (seg !== Seg.SS) return;
  const s = cpu.state;
  s.set32(Offset.INTERRUPTIBILITY, s.get32(Offset.INTERRUPTIBILITY) | BLOCKING_MOV_SS);
  cpu.requestAttention();
}

function setZero(s: CpuState, zero: boolean): void {
  writeFlags(s, (readFlags(s) & ~ZF) | (zero ? ZF : 0));
}

/** The descriptor that LAR, LSL, VERR and VERW ask about, or undefined where they report "not accessible". */
function inspect(cpu: Processor, selector: number): Descriptor | undefined {
  const s = cpu.state;
  if (isNull(selector)) return undefined;
  const local = (selector & 4) !== 0;
  if (local && s.access(Seg.LDTR) & ACCESS_UNUSABLE) return undefined;
  const limit = local ? s.limit(Seg.LDTR) : s.get32(Offset.GDTR_LIMIT);
  const offset = selector & 0xfff8;
  if (offset + 7 > limit) return undefined;
  const address = (local ? s.segBase(Seg.LDTR) : s.get64(Offset.GDTR_BASE)) + BigInt(offset);
  const value = readLinear(cpu, address, 8, true);
  return parseDescriptor(selector, address, low32(value), high32(value));
}

/** In IA-32e mode a system descriptor has 16 bytes: whether the upper half is there and has no type of its own. */
function isWhole(cpu: Processor, d: Descriptor): boolean {
  const s = cpu.state;
  if (!isSystem(d.access) || !isLong(s)) return true;
  const limit = d.selector & 4 ? s.limit(Seg.LDTR) : s.get32(Offset.GDTR_LIMIT);
  return (d.selector & 0xfff8) + 15 <= limit && (high32(readLinear(cpu, d.address + 8n, 8, true)) & UPPER_TYPE) === 0;
}
const UPPER_TYPE = 0x1f00;

/** Whether privilege lets a segment be seen; conforming code always is. */
function visible(s: CpuState, d: Descriptor): boolean {
  if (isCode(d.access) && isConforming(d.access)) return true;
  return s.cpl <= dplOf(d.access) && (d.selector & 3) <= dplOf(d.access);
}

const LSL_SYSTEM: ReadonlySet<number> = new Set([SystemType.LDT, SystemType.TSS16, SystemType.TSS16_BUSY, SystemType.TSS, SystemType.TSS_BUSY]);
const LSL_SYSTEM_LONG: ReadonlySet<number> = new Set([SystemType.LDT, SystemType.TSS, SystemType.TSS_BUSY]);
const LAR_SYSTEM: ReadonlySet<number> = new Set([...LSL_SYSTEM, SystemType.CALL_GATE16, SystemType.TASK_GATE, SystemType.CALL_GATE]);
const LAR_SYSTEM_LONG: ReadonlySet<number> = new Set([...LSL_SYSTEM_LONG, SystemType.CALL_GATE]);

/** LAR and LSL: the register is written only when the selector passes. */
function query(types: ReadonlySet<number>, typesLong: ReadonlySet<number>, result: (d: Descriptor) => number): SlowOperation {
  return (cpu, insn) => {
    requireProtected(cpu);
    const s = cpu.state;
    const d = inspect(cpu, Number(readOperand(cpu, insn, 1, 2)));
    const known = d && (!isSystem(d.access) || (isLong(s) ? typesLong : types).has(typeOf(d.access)));
    const passed = known && visible(s, d) && isWhole(cpu, d);
    setZero(s, passed === true);
    if (passed) writeGpr(s, insn.operands[0].number, insn.operandSize, BigInt(result(d)));
  };
}

/** VERR and VERW. */
function verify(accessible: (access: number) => boolean): SlowOperation {
  return (cpu, insn) => {
    requireProtected(cpu);
    const d = inspect(cpu, Number(readOperand(cpu, insn, 0, 2)));
    setZero(cpu.state, d !== undefined && !isSystem(d.access) && accessible(d.access) && visible(cpu.state, d));
  };
}

/** LDS, LES, LFS, LGS, LSS: the segment register first, so that a fault leaves the general register alone. */
function loadPointer(seg: number): SlowOperation {
  return (cpu, insn) => {
    const size = insn.operandSize;
    const pointer = readFarPointer(cpu, memoryLinear(cpu, insn, size + 2, false), size);
    loadSegment(cpu, seg, pointer.selector);
    writeGpr(cpu.state, insn.operands[0].number, size, pointer.offset);
    cpu.stateChanged();
  };
}

export const segmentOperations: Record<string, SlowOperation> = {
  mov_to_sreg(cpu, insn) {
    const seg = insn.operands[0].number;
    if (seg === Seg.CS || seg > Seg.GS) undefinedOpcode(cpu);
    loadSegment(cpu, seg, Number(readOperand(cpu, insn, 1, 2)));
    afterLoad(cpu, seg);
  },
  mov_from_sreg(cpu, insn) {
    const seg = insn.operands[1].number;
    if (seg > Seg.GS) undefinedOpcode(cpu);
    const destination = insn.operands[0];
    writeOperand(cpu, insn, 0, BigInt(cpu.state.selector(seg)), destination.kind === Kind.REG ? insn.operandSize : 2);
  },
  push_sreg(cpu, insn) {
    const stack = Stack.current(cpu);
    const size = insn.operandSize;
    // With a 32-bit operand recent processors write the selector alone.
    stack.push(BigInt(cpu.state.selector(insn.operands[0].number)), size, size === 4 ? 2 : size);
    stack.commit();
  },
  pop_sreg(cpu, insn) {
    const stack = Stack.current(cpu);
    // Silicon reads the selector alone, as alignment checks show.
    const selector = Number(stack.pop(insn.operandSize, 2));
    const seg = insn.operands[0].number;
    loadSegment(cpu, seg, selector);
    stack.commit();
    afterLoad(cpu, seg);
  },
  lds: loadPointer(Seg.DS),
  les: loadPointer(Seg.ES),
  lfs: loadPointer(Seg.FS),
  lgs: loadPointer(Seg.GS),
  lss: loadPointer(Seg.SS),
  lar: query(LAR_SYSTEM, LAR_SYSTEM_LONG, (d) => d.high & 0x00ff_ff00),
  lsl: query(LSL_SYSTEM, LSL_SYSTEM_LONG, (d) => d.limit),
  verr: verify(isReadable),
  verw: verify(isWritableData),
  arpl(cpu, insn) {
    requireProtected(cpu);
    const destination = Number(readOperand(cpu, insn, 0, 2));
    const source = Number(readOperand(cpu, insn, 1, 2));
    const lower = (destination & 3) < (source & 3);
    if (lower) writeOperand(cpu, insn, 0, BigInt((destination & ~3) | (source & 3)), 2);
    setZero(cpu.state, lower);
  },
};
