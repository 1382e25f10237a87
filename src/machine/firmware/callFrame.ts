/**
 * A BIOS service as it is called: the caller's registers, the flags that its INT pushed, and memory by segment and
 * offset. Stack and segments are taken from the segment caches, so callers with large ("unreal") segments work.
 */
import { CF, ZF } from '../../cpu/flags';
import type { Processor } from '../../cpu/processor';
import { Gpr, Offset, Seg } from '../../cpu/state';
import type { Linear } from '../../base/address';
import type { PhysicalMemory } from '../memory/physicalMemory';

/** Byte offset of the pushed flags from the stack pointer: behind IP and CS. */
const PUSHED_FLAGS = 4;

export class CallFrame {
  constructor(
    readonly cpu: Processor,
    private readonly memory: PhysicalMemory,
  ) {}

  get16(register: number): number {
    return this.cpu.state.reg32(register) & 0xffff;
  }
  set16(register: number, value: number): void {
    const s = this.cpu.state;
    s.setReg(register, (s.reg(register) & ~0xffffn) | BigInt(value & 0xffff));
  }
  get32(register: number): number {
    return this.cpu.state.reg32(register);
  }
  set32(register: number, value: number): void {
    this.cpu.state.setReg32(register, value);
  }

  get ax(): number {
    return this.get16(Gpr.RAX);
  }
  set ax(value: number) {
    this.set16(Gpr.RAX, value);
  }
  get al(): number {
    return this.ax & 0xff;
  }
  set al(value: number) {
    this.ax = (this.ax & 0xff00) | (value & 0xff);
  }
  get ah(): number {
    return this.ax >> 8;
  }
  set ah(value: number) {
    this.ax = (this.ax & 0xff) | ((value & 0xff) << 8);
  }
  get bx(): number {
    return this.get16(Gpr.RBX);
  }
  set bx(value: number) {
    this.set16(Gpr.RBX, value);
  }
  get cx(): number {
    return this.get16(Gpr.RCX);
  }
  set cx(value: number) {
    this.set16(Gpr.RCX, value);
  }
  get dx(): number {
    return this.get16(Gpr.RDX);
  }
  set dx(value: number) {
    this.set16(Gpr.RDX, value);
  }

  /** Success: CF of the caller is cleared and AH is 0. */
  succeed(): void {
    this.ah = 0;
    this.carry = false;
  }
  /** Failure: CF of the caller is set and AH says why. */
  fail(code: number): void {
    this.ah = code;
    this.carry = true;
  }
  set carry(on: boolean) {
    this.setFlag(CF, on);
  }
  set zero(on: boolean) {
    this.setFlag(ZF, on);
  }

  /** Linear address of segment:offset, by the segment's cached base. */
  linear(segment: number, offset: number): Linear {
    return BigInt.asUintN(64, this.cpu.state.segBase(segment) + BigInt(offset)) as Linear;
  }

  /** Loads a segment register in real mode. */
  setSegment(segment: number, selector: number): void {
    this.cpu.state.setSelector(segment, selector);
    this.cpu.state.setSegBase(segment, BigInt(selector * 16));
    this.cpu.stateChanged();
  }

  /** Caller's CS:IP, pushed by its INT; for messages. */
  get caller(): { cs: number; ip: number } {
    return { ip: this.load(this.stack(0), 2), cs: this.load(this.stack(2), 2) };
  }

  /** Makes the stub's IRET go elsewhere first, with the caller's own frame still on the stack behind it. */
  detour(cs: number, ip: number): void {
    const flags = this.load(this.stack(PUSHED_FLAGS), 2);
    this.set16(Gpr.RSP, this.get16(Gpr.RSP) - 6);
    [ip, cs, flags].forEach((word, n) => this.store(this.stack(2 * n), 2, word));
  }

  load(linear: Linear, size: number): number {
    return Number(this.cpu.readLinear(linear, size));
  }
  store(linear: Linear, size: number, value: number): void {
    this.cpu.writeLinear(linear, size, BigInt(value >>> 0));
  }

  /** Copies bytes to linear memory, page by page; where nothing is mapped or there is no RAM they are lost, as on a PC. */
  write(linear: Linear, bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) {
      const at = linear + BigInt(done);
      const n = Math.min(bytes.length - done, 0x1000 - Number(at & 0xfffn));
      const hpa = this.cpu.peekTranslate(at as Linear);
      if (hpa >= 0) this.memory.writeBytes(this.memory.throughA20(hpa), bytes.subarray(done, done + n));
      done += n;
    }
  }
  read(linear: Linear, length: number): Uint8Array {
    const bytes = new Uint8Array(length).fill(0xff);
    for (let done = 0; done < length; ) {
      const at = linear + BigInt(done);
      const n = Math.min(length - done, 0x1000 - Number(at & 0xfffn));
      const hpa = this.cpu.peekTranslate(at as Linear);
      if (hpa >= 0) bytes.set(this.memory.readBytes(this.memory.throughA20(hpa), n), done);
      done += n;
    }
    return bytes;
  }

  private stack(offset: number): Linear {
    const s = this.cpu.state;
    const pointer = (s.reg(Gpr.RSP) + BigInt(offset)) & s.get64(Offset.SP_MASK);
    return BigInt.asUintN(64, s.segBase(Seg.SS) + pointer) as Linear;
  }

  private setFlag(flag: number, on: boolean): void {
    const at = this.stack(PUSHED_FLAGS);
    const flags = this.load(at, 2);
    this.store(at, 2, on ? flags | flag : flags & ~flag);
  }
}
