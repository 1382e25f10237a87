/**
 * What generated code calls when the TLB has no tag: translate, enter the translation into the TLB, or stage the
 * access in the scratch bytes where it crosses a page, reaches a device or writes a page with decoded code.
 */
import { AccessFlag } from '../accessFlags';
import { Cr4, Efer } from '../controlBits';
import { Vector } from '../fault';
import { ACCESS_READ, ACCESS_WRITE } from '../intercepts';
import type { Processor } from '../processor';
import { Offset } from '../state';
import { checksAlignment, fill, fillDevice, forget, tellWrite } from './tlb';
import { found, Privilege, walk } from './walk';
import { linearPage } from './watch';

/** The write that `commit` has to perform: one or two pieces, each inside a host-physical page. */
const pending = { pieces: 0, page: [0, 0], offset: [0, 0], length: [0, 0] };

/** The largest piece in which a device is accessed. */
const pieceOf = (left: number): number => (left >= 4 ? 4 : left >= 2 ? 2 : 1);

function readPiece(cpu: Processor, page: number, offset: number, length: number, to: number): void {
  const frame = cpu.bus.frameForRead(page);
  const { u8, u32 } = cpu.views;
  if (frame !== 0) {
    u8.copyWithin(to, frame + offset, frame + offset + length);
    return;
  }
  const address = page * 0x1000 + offset;
  if (length === 4 && (to & 3) === 0) {
    u32[to >>> 2] = cpu.bus.read(address, 4);
    return;
  }
  for (let done = 0; done < length; ) {
    const size = pieceOf(length - done);
    let value = cpu.bus.read(address + done, size);
    for (let i = 0; i < size; i++, value >>>= 8) u8[to + done + i] = value;
    done += size;
  }
}

function writePiece(cpu: Processor, page: number, offset: number, length: number, from: number): void {
  const frame = cpu.bus.frameForWrite(page);
  const { u8, u32 } = cpu.views;
  if (frame !== 0) {
    u8.copyWithin(frame + offset, from, from + length);
    if (cpu.codePages.has(page)) cpu.codePages.written(page, offset, length);
    return;
  }
  const address = page * 0x1000 + offset;
  if (length === 4 && (from & 3) === 0) {
    cpu.bus.write(address, 4, u32[from >>> 2]!);
    return;
  }
  for (let done = 0; done < length; ) {
    const size = pieceOf(length - done);
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = ((value << 8) | u8[from + done + i]!) >>> 0;
    cpu.bus.write(address + done, size, value);
    done += size;
  }
}

/** Tells the watches of an access inside one page; where it met one the run loop looks after this instruction. */
function noteAccess(cpu: Processor, low: number, high: number, page: number, length: number, write: boolean, rmw: boolean): boolean {
  const met = cpu.watches.note(linearPage(low, high), page, low & 0xfff, length, !write || rmw, write);
  if (met) cpu.requestAttention();
  return met;
}

/** Whether the translation that was found holds for every access of the present privilege. In the supervisor's bank a user page is accessible only while RFLAGS.AC is set, which is not asked. */
const mayKeep = ({ state }: Processor): boolean => found.readable && !(found.user && state.cr4 & Cr4.SMAP && state.cpl !== 3);

/**
 * Makes `flags & 0xff` bytes at a linear address accessible with a Privilege. Returns their host address, or the
 * scratch address (then a write needs `commit` once the value is there), or 0 with `cpu.fault` filled.
 */
export function stage(cpu: Processor, low: number, high: number, flags: number, privilege: number, cache: boolean): number {
  const size = flags & AccessFlag.SIZE;
  const write = (flags & AccessFlag.WRITE) !== 0;
  const rmw = (flags & AccessFlag.RMW) !== 0;
  const access = (write ? ACCESS_WRITE : 0) | (!write || rmw ? ACCESS_READ : 0);
  low >>>= 0;
  high >>>= 0;
  const lastLow = low + size - 1; // a number: may exceed 32 bits
  if (cpu.state.efer & Efer.LMA) {
    const lastHigh = lastLow > 0xffff_ffff ? (high + 1) | 0 : high | 0;
    const sign = (high | 0) >> 15;
    // An access may wrap from the highest address to 0: both are canonical.
    if ((sign !== 0 && sign !== -1) || (lastHigh >> 15 !== sign && !(sign === -1 && lastHigh === 0))) {
      cpu.fault.exception(flags & AccessFlag.STACK ? Vector.SS : Vector.GP, 0);
      return 0;
    }
  } else high = 0;
  // Real processors ask before they translate, and not of accesses wider than 8 bytes.
  if (privilege === Privilege.USER && checksAlignment(cpu) && size <= 8 && low % size !== 0 && !(flags & AccessFlag.ANY_ALIGNMENT)) {
    cpu.fault.exception(Vector.AC, 0);
    return 0;
  }

  const offset = low & 0xfff;
  const scratch = cpu.state.base + Offset.SCRATCH;
  pending.pieces = 0;
  let page = cache && cpu.devicePages ? cpu.devicePages.find(cpu.state, low, high, write) : -1;
  const known = page >= 0;
  if (!known) {
    if (!walk(cpu, low, high, access, privilege)) return 0;
    page = found.page;
  }
  const first = Math.min(size, 0x1000 - offset);
  const apicPage = cpu.state.get32(Offset.APIC_ACCESS_PAGE) - 1;
  const virtualized = page === apicPage;
  if (virtualized) {
    if (flags & AccessFlag.PLAIN) return 0;
    page = cpu.intercepts.apicAccess!(offset, size, first === size, access, cpu.fault);
    if (page < 0) return 0;
  }
  let met = false;
  if (cpu.watches.active && cpu.watches.onPage(linearPage(low, high), page)) {
    if (flags & AccessFlag.PLAIN && cpu.watches.near(linearPage(low, high), page, offset, first)) return 0;
    met = noteAccess(cpu, low, high, page, first, write, rmw);
  }
  // A watched write is staged even where there is RAM: generated code looks whether to stop only after a staged one.
  if (first === size && !(met && write) && !virtualized && !known) {
    const frame = write ? cpu.bus.frameForWrite(page) : cpu.bus.frameForRead(page);
    if (frame !== 0) {
      const told = write && cpu.codePages.has(page);
      if (cache) fill(cpu, low, high, frame, write);
      if (!told) return frame + offset;
    } else if (cache && mayKeep(cpu) && cpu.devicePages) {
      const ones = write ? 0 : (cpu.bus.onesFrame?.(page) ?? 0);
      if (ones !== 0) fill(cpu, low, high, ones, false);
      else {
        cpu.devicePages.keep(cpu.state, low, high, page, found.writable);
        fillDevice(cpu, low);
      }
    }
  }
  if (flags & AccessFlag.PLAIN) return 0;
  pending.page[0] = page;
  pending.offset[0] = offset;
  pending.length[0] = first;
  let pieces = 1;
  if (first < size) {
    // Both pages are translated before anything is touched, so that a fault leaves no partial effect.
    const nextHigh = lastLow > 0xffff_ffff && cpu.state.efer & Efer.LMA ? (high + 1) >>> 0 : high;
    if (!walk(cpu, (lastLow & ~0xfff) >>> 0, nextHigh, access, privilege)) return 0;
    if (found.page === apicPage && cpu.intercepts.apicAccess!(0, size, false, access, cpu.fault) < 0) return 0;
    if (cpu.watches.active) noteAccess(cpu, (lastLow & ~0xfff) >>> 0, nextHigh, found.page, size - first, write, rmw);
    pending.page[1] = found.page;
    pending.offset[1] = 0;
    pending.length[1] = size - first;
    pieces = 2;
  }
  if (!write || rmw) {
    readPiece(cpu, page, offset, first, scratch);
    if (pieces === 2) readPiece(cpu, found.page, 0, size - first, scratch + first);
  }
  if (write) pending.pieces = pieces;
  return scratch;
}

/**
 * The TLB miss of generated code. `flags`: bits 7:0 size in bytes (1 to 64), then AccessFlag. `remaining` is the
 * instruction budget left, put into the state first so that a device reads an exact clock. Returns as `stage` does.
 */
export function access(cpu: Processor, low: number, high: number, flags: number, remaining: number): number {
  cpu.state.set32(Offset.BUDGET, remaining);
  if (flags & AccessFlag.WRITE) {
    const told = tellWrite(cpu, low, high, flags & AccessFlag.SIZE);
    if (told !== 0) return told;
  }
  return stage(cpu, low, high, flags, cpu.state.cpl === 3 ? Privilege.USER : Privilege.SUPERVISOR, true);
}

/**
 * The TLB miss of a translated region, as `access`: the host address where there is plain RAM, entered into the TLB, else 0
 * with nothing done. Then, or when the walk itself asks for attention, the interpreter performs the instruction.
 */
export function reach(cpu: Processor, low: number, high: number, flags: number, remaining: number): number {
  const host = access(cpu, low, high, flags | AccessFlag.PLAIN, remaining);
  if (host === 0 || cpu.state.get32(Offset.CUT) === 0) return host;
  forget(cpu, low); // so that the interpreter comes to the slow path too and stops behind the instruction
  return 0;
}

/** Performs the write whose value has been put at the scratch address; nothing when none is pending. */
export function commit(cpu: Processor): void {
  let from = cpu.state.base + Offset.SCRATCH;
  const pieces = pending.pieces;
  pending.pieces = 0;
  for (let i = 0; i < pieces; i++) {
    writePiece(cpu, pending.page[i]!, pending.offset[i]!, pending.length[i]!, from);
    from += pending.length[i]!;
  }
}
