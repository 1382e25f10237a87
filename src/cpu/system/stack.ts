/**
 * A stack that is being pushed to or popped from by one instruction or one event. Nothing of the processor's state
 * changes before `commit`, so a fault in the middle leaves RSP as it was.
 */
import { AccessFlag } from '../accessFlags';
import { isCanonical } from '../../base/bits';
import { Vector } from '../fault';
import { currentPrivilege, readLinearAs, writeLinearAs } from '../mmu/linear';
import type { Processor } from '../processor';
import { type CpuState, Gpr, Seg } from '../state';
import { is64 } from './mode';
import { withinLimit } from './segmentation';

/** The stack segment in use; `undefined` means that addresses are 64-bit offsets without a segment. */
export interface StackSegment {
  access: number;
  limit: number;
  base: bigint;
}

/** The mask for the stack pointer that a stack segment asks for. */
export const stackMask = (access: number): bigint => (access & 0x4000 ? 0xffff_ffffn : 0xffffn);

/** The stack segment of the present state. */
export const currentStackSegment = (s: CpuState): StackSegment | undefined =>
  is64(s) ? undefined : { access: s.access(Seg.SS), limit: s.limit(Seg.SS), base: s.segBase(Seg.SS) };

export class Stack {
  private readonly mask: bigint;
  constructor(
    private readonly cpu: Processor,
    /** The stack pointer, all 64 bits of RSP. */
    public pointer: bigint,
    private readonly segment: StackSegment | undefined,
    private readonly privilege: number,
    /** Error code of the #SS that a limit or non-canonical address raises. */
    private readonly errorCode = 0,
  ) {
    this.mask = segment ? stackMask(segment.access) : 0xffff_ffff_ffff_ffffn;
  }

  /** The current stack with the present privilege. */
  static current(cpu: Processor): Stack {
    return new Stack(cpu, cpu.state.reg(Gpr.RSP), currentStackSegment(cpu.state), currentPrivilege(cpu));
  }

  private linear(offset: bigint, size: number): bigint {
    const seg = this.segment;
    if (seg) {
      if (!withinLimit(seg.access, seg.limit, Number(offset), size)) throw this.cpu.fault.exception(Vector.SS, this.errorCode);
      return BigInt.asUintN(32, seg.base + offset);
    }
    if (!isCanonical(offset) || !isCanonical(BigInt.asUintN(64, offset + BigInt(size - 1)))) throw this.cpu.fault.exception(Vector.SS, this.errorCode);
    return offset;
  }

  private move(by: number): void {
    this.pointer = replacePointer(this.pointer, this.mask, this.pointer + BigInt(by));
  }

  /** Offset of the top, as the stack segment sees it. */
  get top(): bigint {
    return this.pointer & this.mask;
  }

  /** Pushes `size` bytes; `written` of them when the instruction writes fewer. */
  push(value: bigint, size: number, written = size): void {
    const offset = (this.pointer - BigInt(size)) & this.mask;
    writeLinearAs(this.cpu, this.linear(offset, written), written, value, this.privilege, AccessFlag.STACK);
    this.move(-size);
  }

  /** Pops `size` bytes; `read` of them when the instruction reads fewer. */
  pop(size: number, read = size): bigint {
    const value = readLinearAs(this.cpu, this.linear(this.top, read), read, this.privilege, AccessFlag.STACK);
    this.move(size);
    return value;
  }

  /** Drops bytes (RET n). */
  release(bytes: number): void {
    this.move(bytes);
  }

  /** Makes the pointer RSP. */
  commit(): void {
    this.cpu.state.setReg(Gpr.RSP, this.pointer);
  }
}

/** The stack pointer after a stack switch: a 16-bit stack keeps the upper bits of the old RSP. */
export const replacePointer = (old: bigint, mask: bigint, value: bigint): bigint => (mask === 0xffffn ? (old & ~mask) | (value & mask) : value & mask);
