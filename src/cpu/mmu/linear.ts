/** Linear memory for TypeScript callers: the same rules as for generated code, but faults are thrown. */
import { AccessFlag } from '../accessFlags';
import { high32, low32 } from '../../base/bits';
import { Efer } from '../controlBits';
import { Vector } from '../fault';
import { ACCESS_FETCH, ACCESS_READ, ACCESS_WRITE } from '../intercepts';
import type { Processor } from '../processor';
import { Offset } from '../state';
import { commit, stage } from './slowPath';
import { checksAlignment, fill, lookup, lookupPage } from './tlb';
import { found, Privilege, walk } from './walk';
import { linearPage } from './watch';

/** The privilege of an instruction that executes now. */
export const currentPrivilege = (cpu: Processor): number => (cpu.state.cpl === 3 ? Privilege.USER : Privilege.SUPERVISOR);

/** Host address of the bytes; scratch where they had to be staged. Throws the fault. */
function host(cpu: Processor, linear: bigint, flags: number, privilege: number): number {
  const low = low32(linear);
  const high = cpu.state.efer & Efer.LMA ? high32(linear) : 0;
  // What the processor reads for itself is in the supervisor's bank, which is in use outside CPL 3.
  const cached = privilege === currentPrivilege(cpu) || (privilege === Privilege.IMPLICIT && cpu.state.cpl !== 3);
  if (cached) {
    const hit = lookup(cpu, low, high, flags & 0xff, (flags & AccessFlag.WRITE) !== 0);
    if (hit !== 0) return hit;
  }
  const address = stage(cpu, low, high, flags, privilege, cached);
  if (address === 0) throw cpu.fault;
  return address;
}

function load(cpu: Processor, address: number, size: number): bigint {
  const data = cpu.views.data;
  switch (size) {
    case 1:
      return BigInt(data.getUint8(address));
    case 2:
      return BigInt(data.getUint16(address, true));
    case 4:
      return BigInt(data.getUint32(address, true));
    case 8:
      return data.getBigUint64(address, true);
  }
  throw new Error(`Linear memory is read in 1, 2, 4 or 8 bytes, not ${size}.`);
}

function store(cpu: Processor, address: number, size: number, value: bigint): void {
  const data = cpu.views.data;
  switch (size) {
    case 1:
      return data.setUint8(address, Number(value & 0xffn));
    case 2:
      return data.setUint16(address, Number(value & 0xffffn), true);
    case 4:
      return data.setUint32(address, Number(value & 0xffff_ffffn), true);
    case 8:
      return data.setBigUint64(address, BigInt.asUintN(64, value), true);
  }
  throw new Error(`Linear memory is written in 1, 2, 4 or 8 bytes, not ${size}.`);
}

/**
 * Reads 1, 2, 4 or 8 bytes with the present privilege, or with the processor's own (`supervisor`: descriptor tables,
 * TSS). Throws the fault.
 */
export function readLinear(cpu: Processor, linear: bigint, size: number, supervisor = false): bigint {
  return load(cpu, host(cpu, linear, size, supervisor ? Privilege.IMPLICIT : currentPrivilege(cpu)), size);
}

/** Writes 1, 2, 4 or 8 bytes; otherwise as `readLinear`. A fault leaves nothing written. */
export function writeLinear(cpu: Processor, linear: bigint, size: number, value: bigint, supervisor = false): void {
  writeLinearAs(cpu, linear, size, value, supervisor ? Privilege.IMPLICIT : currentPrivilege(cpu));
}

/** Reads with a Privilege of its own: the stack of a privilege level that is about to become current. `flags`: AccessFlag. */
export function readLinearAs(cpu: Processor, linear: bigint, size: number, privilege: number, flags = 0): bigint {
  return load(cpu, host(cpu, linear, size | flags, privilege), size);
}

/** Writes with a Privilege of its own. `flags`: AccessFlag. */
export function writeLinearAs(cpu: Processor, linear: bigint, size: number, value: bigint, privilege: number, flags = 0): void {
  const address = host(cpu, linear, size | AccessFlag.WRITE | flags, privilege);
  store(cpu, address, size, value);
  if (address === cpu.state.base + Offset.SCRATCH) commit(cpu);
}

/** For `plainHost`: all of the page. */
const WHOLE = 0;

/** Whether the page that was found is the APIC-access page of VMX, where VMX decides about every access. */
const isApicPage = (cpu: Processor): boolean => cpu.state.get32(Offset.APIC_ACCESS_PAGE) === found.page + 1;

/**
 * Host address of a byte whose page is plain RAM, so that the rest of the page may be accessed directly, or of `bytes` bytes
 * of which that is true; 0 where every access has to be made singly (device, ROM, watched bytes, page with decoded code when
 * writing). Throws the fault of the translation. Who is about to write the bytes at once (`told`) gets a page with decoded
 * code too, which loses what is overwritten.
 */
export function plainHost(cpu: Processor, linear: bigint, write: boolean, bytes = WHOLE, told = false): number {
  const low = low32(linear);
  const high = cpu.state.efer & Efer.LMA ? high32(linear) : 0;
  const hit = bytes === WHOLE ? lookupPage(cpu, low, high, write) : lookup(cpu, low, high, bytes, write);
  if (hit !== 0) return hit;
  if (checksAlignment(cpu)) return 0;
  checkCanonical(cpu, high, false);
  if (!walk(cpu, low, high, write ? ACCESS_WRITE : ACCESS_READ, currentPrivilege(cpu))) throw cpu.fault;
  const hasCode = write && cpu.codePages.has(found.page);
  if ((hasCode && !told) || isApicPage(cpu)) return 0;
  if (cpu.watches.active && cpu.watches.withholds(linearPage(low, high), found.page, write)) {
    if (bytes === WHOLE || cpu.watches.near(linearPage(low, high), found.page, low & 0xfff, bytes)) return 0;
  }
  const frame = write ? cpu.bus.frameForWrite(found.page) : cpu.bus.frameForRead(found.page);
  if (frame === 0) return 0;
  if (hasCode) cpu.codePages.written(found.page, low & 0xfff, bytes);
  fill(cpu, low, high, frame, write);
  return frame + (low & 0xfff);
}

/**
 * Checks that `size` bytes (1 to 64) could be written, so that a sequence of writes can be made whole: #PF and
 * non-canonical addresses are thrown here, before the first write.
 */
export function probeWrite(cpu: Processor, linear: bigint, size: number, privilege = currentPrivilege(cpu), stack = false): void {
  const low = low32(linear);
  const high = cpu.state.efer & Efer.LMA ? high32(linear) : 0;
  const last = BigInt.asUintN(64, linear + BigInt(size - 1));
  checkCanonical(cpu, high, stack);
  checkCanonical(cpu, cpu.state.efer & Efer.LMA ? high32(last) : 0, stack);
  if (!walk(cpu, low, high, ACCESS_WRITE, privilege)) throw cpu.fault;
  const whole = (low & 0xfff) + size <= 0x1000;
  if (isApicPage(cpu) && cpu.intercepts.apicAccess!(low & 0xfff, size, whole, ACCESS_WRITE, cpu.fault) < 0) throw cpu.fault;
  if (whole) return;
  if (!walk(cpu, (low32(last) & ~0xfff) >>> 0, cpu.state.efer & Efer.LMA ? high32(last) : 0, ACCESS_WRITE, privilege)) throw cpu.fault;
}

function checkCanonical(cpu: Processor, high: number, stack: boolean): void {
  if (!(cpu.state.efer & Efer.LMA)) return;
  const sign = (high | 0) >> 15;
  if (sign !== 0 && sign !== -1) throw cpu.fault.exception(stack ? Vector.SS : Vector.GP, 0);
}

/** Host-physical address behind a linear address for an access (ACCESS_* bits); accessed and dirty bits are set. Throws the fault. */
export function translate(cpu: Processor, linear: bigint, access: number, user: boolean): number {
  const low = low32(linear);
  const high = cpu.state.efer & Efer.LMA ? high32(linear) : 0;
  checkCanonical(cpu, high, false);
  if (!walk(cpu, low, high, access, user ? Privilege.USER : Privilege.SUPERVISOR)) throw cpu.fault;
  return found.page * 0x1000 + (low & 0xfff);
}

/** Host-physical page number for an instruction fetch with the present privilege, or -1 with `cpu.fault` filled. */
export function fetchTranslate(cpu: Processor, low: number, high: number): number {
  if (cpu.state.efer & Efer.LMA) {
    const sign = (high | 0) >> 15;
    if (sign !== 0 && sign !== -1) {
      cpu.fault.exception(Vector.GP, 0);
      return -1;
    }
  } else high = 0;
  if (!walk(cpu, low >>> 0, high >>> 0, ACCESS_FETCH, currentPrivilege(cpu))) return -1;
  return isApicPage(cpu) ? cpu.intercepts.apicAccess!(low & 0xfff, 1, true, ACCESS_FETCH, cpu.fault) : found.page;
}

/** Host-physical address behind a linear address for inspection, without any side effect; -1 when nothing is mapped. */
export function peekTranslate(cpu: Processor, linear: bigint): number {
  const low = low32(linear);
  let high = 0;
  if (cpu.state.efer & Efer.LMA) {
    high = high32(linear);
    const sign = (high | 0) >> 15;
    if (sign !== 0 && sign !== -1) return -1;
  }
  return walk(cpu, low, high, ACCESS_READ, Privilege.PEEK) ? found.page * 0x1000 + (low & 0xfff) : -1;
}
