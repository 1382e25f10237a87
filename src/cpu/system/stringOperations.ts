/**
 * MOVS, STOS, LODS, CMPS, SCAS, INS and OUTS with their REP prefixes.
 *
 * A repeated instruction works page by page: where the rest of a page is plain RAM a whole run of elements is moved at
 * once. RCX, RSI and RDI are written after every run, so a fault in the middle leaves them at the faulting element with
 * RIP still at the instruction.
 */
import { type Instruction, Prefix } from '../decode/instruction';
import { DF } from '../flags';
import { plainHost, probeWrite, readLinear, writeLinear } from '../mmu/linear';
import type { Processor, SlowOperation } from '../processor';
import { type CpuState, Gpr, Offset, Seg } from '../state';
import { checkPorts } from './io';
import { readGpr, truncate, writeGpr } from './operands';
import { segmentLinear, uncheckedLinear } from './segmentation';
import { LONGEST_RUN, moveRuns, pauseRepetition, storeRuns } from './stringRuns';
import { setSubtractFlags } from './subtractFlags';

/** What an element counts for that had to be accessed singly (devices, page crossings). */
const SINGLE_COST = 50;

/** One execution of a string instruction: where its two strings are and how far it has come. */
class Strings {
  readonly size: number;
  /** Bytes to the next element: negative with DF set. */
  readonly step: number;
  private readonly addressSize: number;
  private readonly s: CpuState;
  constructor(
    private readonly cpu: Processor,
    readonly insn: Instruction,
  ) {
    this.s = cpu.state;
    this.size = insn.operands[0].size;
    this.step = this.s.get32(Offset.FLAGS) & DF ? -this.size : this.size;
    this.addressSize = insn.addressSize;
  }

  get repeated(): boolean {
    return (this.insn.prefixes & (Prefix.REP | Prefix.REPNE)) !== 0;
  }
  get count(): bigint {
    return readGpr(this.s, Gpr.RCX, this.addressSize);
  }
  private offset(register: number): bigint {
    return readGpr(this.s, register, this.addressSize);
  }

  /** Linear address of the present element: the source at DS:rSI (or an override), the destination at ES:rDI. */
  source(): bigint {
    return segmentLinear(this.cpu, this.insn.segment, this.offset(Gpr.RSI), this.size, false);
  }
  destination(write: boolean): bigint {
    return segmentLinear(this.cpu, Seg.ES, this.offset(Gpr.RDI), this.size, write);
  }
  /** What a VM exit tells of the string: it comes before the checks of its segment, which need not even be usable. */
  reported(seg: number, register: number): bigint {
    return uncheckedLinear(this.cpu, seg, this.offset(register));
  }

  /**
   * How many elements from the present one on, in the direction of DF, are inside one page and one wrap of the offset.
   * The segment's limit is checked for the last of them; when that fails only the present one is promised.
   */
  run(register: number, seg: number, linear: bigint, write: boolean, most: number): number {
    const at = Number(linear & 0xfffn);
    const forward = this.step > 0;
    if (at + this.size > 0x1000) return 1;
    const inPage = forward ? Math.floor((0x1000 - at) / this.size) : Math.floor(at / this.size) + 1;
    const elements = Math.min(most, inPage);
    if (elements <= 1) return 1;
    const last = this.offset(register) + BigInt((elements - 1) * this.step);
    const end = forward ? last + BigInt(this.size - 1) : last;
    if (end !== truncate(end, this.addressSize)) return 1;
    try {
      segmentLinear(this.cpu, seg, last, this.size, write);
    } catch (e) {
      if (e !== this.cpu.fault) throw e;
      return 1;
    }
    return elements;
  }

  /** Bytes of so many elements from the present one on, for `plainHost`, which is not told of those that lie downwards. */
  upwards(elements: number): number | undefined {
    return this.step > 0 ? elements * this.size : undefined;
  }

  /** Host address of the present element when all of a run's are about to be written at once; in a page with decoded code those upwards only. */
  destinationHost(linear: bigint, elements: number): number {
    const bytes = this.upwards(elements);
    return plainHost(this.cpu, linear, true, bytes, bytes !== undefined);
  }

  /** Moves the registers past `elements` elements. */
  advance(elements: number, source: boolean, destination: boolean): void {
    const by = BigInt(elements * this.step);
    if (source) this.move(Gpr.RSI, by);
    if (destination) this.move(Gpr.RDI, by);
    if (this.repeated) this.move(Gpr.RCX, BigInt(-elements));
  }
  private move(register: number, by: bigint): void {
    writeGpr(this.s, register, this.addressSize, truncate(this.offset(register) + by, this.addressSize));
  }
}

/**
 * REP with 32-bit addresses in 64-bit code clears the upper halves of its counters at once, even when it then does nothing
 * or faults (as silicon does; the SDM does not say).
 */
function clearUpperHalves({ state: s }: Processor, insn: Instruction, ...registers: number[]): void {
  if (insn.codeSize !== 64 || insn.addressSize !== 4 || (insn.prefixes & (Prefix.REP | Prefix.REPNE)) === 0) return;
  for (const register of registers) s.setReg32(register, s.reg32(register));
}

/** `later()`, but a fault of the element at `linear`, which is read before, comes first. */
function afterReading(cpu: Processor, linear: bigint, size: number, later: () => bigint): bigint {
  try {
    return later();
  } catch (e) {
    if (e !== cpu.fault) throw e;
    readLinear(cpu, linear, size);
    return later();
  }
}

/** Stops where there are iterations left. */
function pause(cpu: Processor, strings: Strings): void {
  if (strings.count !== 0n) pauseRepetition(cpu);
}

/**
 * Repeats `step` as the prefix asks. `step` handles at most `most` elements, at least one, and returns how many it
 * did, negative when the comparison ends the repetition.
 */
function repeat(cpu: Processor, strings: Strings, step: (most: number) => number): void {
  if (!strings.repeated) {
    step(1);
    return;
  }
  for (let done = 0; strings.count !== 0n; ) {
    if (done >= LONGEST_RUN) return pause(cpu, strings);
    const count = strings.count;
    const handled = step(cpu.stepping ? 1 : count > BigInt(LONGEST_RUN) ? LONGEST_RUN : Number(count));
    if (handled < 0) return;
    if (cpu.watches.met || cpu.stepping) return pause(cpu, strings);
    done += handled === 1 ? SINGLE_COST : handled;
  }
}

/**
 * Copies elements inside plain RAM as MOVS does one by one; `step` is negative when addresses count down. Where the
 * destination overlaps what is still to be read, what was written is read again. Returns false when elements overlap
 * themselves: those are copied singly.
 */
function copyHost(u8: Uint8Array, destination: number, source: number, elements: number, step: number): boolean {
  const size = Math.abs(step);
  const span = (elements - 1) * size;
  const ahead = step > 0 ? destination - source : source - destination;
  if (ahead > 0 && ahead < size) return false;
  if (ahead > 0 && ahead < span + size) {
    for (let i = 0, at = 0; i < elements; i++, at += step) u8.copyWithin(destination + at, source + at, source + at + size);
    return true;
  }
  const low = step > 0 ? 0 : -span;
  u8.copyWithin(destination + low, source + low, source + low + span + size);
  return true;
}

function movs(cpu: Processor, insn: Instruction): void {
  clearUpperHalves(cpu, insn, Gpr.RCX, Gpr.RSI, Gpr.RDI);
  if (moveRuns(cpu, insn, insn.operands[0].size)) return;
  const strings = new Strings(cpu, insn);
  const { size } = strings;
  const { u8 } = cpu.views;
  repeat(cpu, strings, (most) => {
    const from = strings.source();
    const to = afterReading(cpu, from, size, () => strings.destination(true));
    let elements = Math.min(strings.run(Gpr.RSI, insn.segment, from, false, most), strings.run(Gpr.RDI, Seg.ES, to, true, most));
    if (elements > 1) {
      const source = plainHost(cpu, from, false, strings.upwards(elements));
      const destination = source === 0 ? 0 : strings.destinationHost(to, elements);
      if (source === 0 || destination === 0 || !copyHost(u8, destination, source, elements, strings.step)) elements = 1;
    }
    if (elements === 1) writeLinear(cpu, to, size, readLinear(cpu, from, size));
    strings.advance(elements, true, true);
    return elements;
  });
}

/** Fills plain RAM with elements. */
function fillHost(cpu: Processor, at: number, elements: number, size: number, value: bigint): void {
  const { views } = cpu;
  const bytes = elements * size;
  if (size === 1) views.u8.fill(Number(value), at, at + bytes);
  else if (at % size !== 0) {
    for (let i = 0; i < bytes; i++) views.u8[at + i] = Number((value >> BigInt((i % size) * 8)) & 0xffn);
  } else if (size === 2) views.u16.fill(Number(value), at >>> 1, (at + bytes) >>> 1);
  else if (size === 4) views.u32.fill(Number(value), at >>> 2, (at + bytes) >>> 2);
  else views.u64.fill(value, at / 8, (at + bytes) / 8);
}

function stos(cpu: Processor, insn: Instruction): void {
  clearUpperHalves(cpu, insn, Gpr.RCX, Gpr.RDI);
  if (storeRuns(cpu, insn, insn.operands[0].size)) return;
  const strings = new Strings(cpu, insn);
  const { size } = strings;
  const value = readGpr(cpu.state, Gpr.RAX, size);
  repeat(cpu, strings, (most) => {
    const to = strings.destination(true);
    let elements = strings.run(Gpr.RDI, Seg.ES, to, true, most);
    const host = elements > 1 ? strings.destinationHost(to, elements) : 0;
    if (host !== 0) fillHost(cpu, strings.step > 0 ? host : host - (elements - 1) * size, elements, size, value);
    else {
      elements = 1;
      writeLinear(cpu, to, size, value);
    }
    strings.advance(elements, false, true);
    return elements;
  });
}

/** Only the last element of a run is seen in the end. */
function lods(cpu: Processor, insn: Instruction): void {
  clearUpperHalves(cpu, insn, Gpr.RCX);
  const strings = new Strings(cpu, insn);
  repeat(cpu, strings, (most) => {
    const from = strings.source();
    const elements = strings.run(Gpr.RSI, insn.segment, from, false, most);
    const host = elements > 1 ? plainHost(cpu, from, false, strings.upwards(elements)) : 0;
    const handled = host === 0 ? 1 : elements;
    writeGpr(cpu.state, Gpr.RAX, strings.size, readLinear(cpu, from + BigInt((handled - 1) * strings.step), strings.size));
    strings.advance(handled, true, false);
    return handled;
  });
}

/** Loads an element of 1, 2 or 4 bytes from host memory, or half of one of 8, without bigint. */
function loadHost(cpu: Processor, at: number, size: number): number {
  const { data } = cpu.views;
  return size === 1 ? data.getUint8(at) : size === 2 ? data.getUint16(at, true) : data.getUint32(at, true);
}
const sameHost = (cpu: Processor, a: number, b: number, size: number): boolean =>
  size === 8 ? loadHost(cpu, a, 4) === loadHost(cpu, b, 4) && loadHost(cpu, a + 4, 4) === loadHost(cpu, b + 4, 4) : loadHost(cpu, a, size) === loadHost(cpu, b, size);

/** Whether REPE (REPNE) goes on after a comparison. */
function goesOn(strings: Strings, equal: boolean): boolean {
  return (strings.insn.prefixes & Prefix.REPNE) !== 0 ? !equal : equal;
}

function cmps(cpu: Processor, insn: Instruction): void {
  clearUpperHalves(cpu, insn, Gpr.RCX);
  const strings = new Strings(cpu, insn);
  const { size } = strings;
  repeat(cpu, strings, (most) => {
    // Silicon reads the second operand first.
    const to = strings.destination(false);
    const from = afterReading(cpu, to, size, () => strings.source());
    // Elements that do not end the repetition are skipped quickly; the one that does, or the last, sets the flags.
    const elements = Math.min(strings.run(Gpr.RSI, insn.segment, from, false, most), strings.run(Gpr.RDI, Seg.ES, to, false, most));
    if (elements > 1) {
      const b = plainHost(cpu, to, false, strings.upwards(elements));
      const a = b === 0 ? 0 : plainHost(cpu, from, false, strings.upwards(elements));
      if (a !== 0) {
        let skipped = 0;
        while (skipped < elements - 1 && goesOn(strings, sameHost(cpu, a + skipped * strings.step, b + skipped * strings.step, size))) skipped++;
        if (skipped > 0) {
          strings.advance(skipped, true, true);
          return skipped;
        }
      }
    }
    const right = readLinear(cpu, to, size);
    const left = readLinear(cpu, from, size);
    setSubtractFlags(cpu.state, left, right, size);
    strings.advance(1, true, true);
    return goesOn(strings, left === right) ? 1 : -1;
  });
}

function scas(cpu: Processor, insn: Instruction): void {
  clearUpperHalves(cpu, insn, Gpr.RCX);
  const strings = new Strings(cpu, insn);
  const { size } = strings;
  const wanted = readGpr(cpu.state, Gpr.RAX, size);
  const wantedNumber = size < 8 ? Number(wanted) : -1;
  repeat(cpu, strings, (most) => {
    const to = strings.destination(false);
    const elements = size < 8 ? strings.run(Gpr.RDI, Seg.ES, to, false, most) : 1;
    if (elements > 1) {
      const at = plainHost(cpu, to, false, strings.upwards(elements));
      if (at !== 0) {
        let skipped = 0;
        while (skipped < elements - 1 && goesOn(strings, loadHost(cpu, at + skipped * strings.step, size) === wantedNumber)) skipped++;
        if (skipped > 0) {
          strings.advance(skipped, false, true);
          return skipped;
        }
      }
    }
    const value = readLinear(cpu, to, size);
    setSubtractFlags(cpu.state, wanted, value, size);
    strings.advance(1, false, true);
    return goesOn(strings, value === wanted) ? 1 : -1;
  });
}

/** INS: the destination must be writable before the port is read. */
function ins(cpu: Processor, insn: Instruction): boolean | undefined {
  const strings = new Strings(cpu, insn);
  const { size } = strings;
  const port = cpu.state.reg32(Gpr.RDX) & 0xffff;
  checkPorts(cpu, port, size);
  if (strings.repeated && strings.count === 0n) return;
  if (cpu.intercepts.nonRoot && cpu.intercepts.io(port, size, true, insn, strings.reported(Seg.ES, Gpr.RDI))) return true;
  repeat(cpu, strings, (most) => {
    const to = strings.destination(true);
    const elements = strings.run(Gpr.RDI, Seg.ES, to, true, most);
    const host = elements > 1 && !cpu.breaksOnPort(port, size) ? strings.destinationHost(to, elements) : 0;
    if (host === 0) {
      probeWrite(cpu, to, size);
      cpu.portAccessed(port, size);
      writeLinear(cpu, to, size, BigInt(cpu.bus.in(port, size) >>> 0));
      strings.advance(1, false, true);
      return 1;
    }
    const { data } = cpu.views;
    for (let i = 0; i < elements; i++) {
      const value = cpu.bus.in(port, size);
      const at = host + i * strings.step;
      if (size === 4) data.setUint32(at, value, true);
      else if (size === 2) data.setUint16(at, value, true);
      else data.setUint8(at, value);
    }
    strings.advance(elements, false, true);
    return elements;
  });
}

function outs(cpu: Processor, insn: Instruction): boolean | undefined {
  const strings = new Strings(cpu, insn);
  const { size } = strings;
  const port = cpu.state.reg32(Gpr.RDX) & 0xffff;
  checkPorts(cpu, port, size);
  if (strings.repeated && strings.count === 0n) return;
  if (cpu.intercepts.nonRoot && cpu.intercepts.io(port, size, false, insn, strings.reported(insn.segment, Gpr.RSI))) return true;
  repeat(cpu, strings, (most) => {
    const from = strings.source();
    const elements = strings.run(Gpr.RSI, insn.segment, from, false, most);
    const host = elements > 1 && !cpu.breaksOnPort(port, size) ? plainHost(cpu, from, false, strings.upwards(elements)) : 0;
    if (host === 0) {
      const value = Number(readLinear(cpu, from, size));
      cpu.portAccessed(port, size);
      cpu.bus.out(port, size, value);
      strings.advance(1, true, false);
      return 1;
    }
    for (let i = 0; i < elements; i++) cpu.bus.out(port, size, loadHost(cpu, host + i * strings.step, size));
    strings.advance(elements, true, false);
    return elements;
  });
}

export const stringOperations: Record<string, SlowOperation> = { movs, stos, lods, cmps, scas, ins, outs };
