/** Loading segment registers, LDTR and TR, with the checks of each mode (SDM volume 3, "Loading Segment Registers" and "Privilege Checking"). */
import { isCanonical } from '../../base/bits';
import { Vector } from '../fault';
import type { Processor } from '../processor';
import { ACCESS_UNUSABLE, type CpuState, Seg } from '../state';
import { type Descriptor, isCode, isConforming, isNull, isPresent, isReadable, isWritableData, readDescriptor, readUpperHalf, selectorCode, setTypeBits, SystemType, typeOf } from './descriptors';
import { Access, dplOf, is64, isLong, isReal, isVirtual8086 } from './mode';

/** Access rights of every segment in virtual-8086 mode: present, DPL 3, writable data, accessed. */
const VIRTUAL_8086_ACCESS = 0xf3;

/** Fills a segment register from a descriptor that has passed its checks. */
export function setSegment(s: CpuState, seg: number, selector: number, descriptor: Descriptor): void {
  s.setSelector(seg, selector);
  s.setAccess(seg, descriptor.access);
  s.setLimit(seg, descriptor.limit);
  s.setSegBase(seg, descriptor.base);
}

/** Makes a segment register unusable, as a null selector does. SS keeps a DPL: the VMCS holds the CPL in it. */
export function setNull(s: CpuState, seg: number, selector: number): void {
  s.setSelector(seg, selector);
  s.setAccess(seg, seg === Seg.SS ? ACCESS_UNUSABLE | (s.cpl << 5) : ACCESS_UNUSABLE);
  s.setLimit(seg, 0);
  s.setSegBase(seg, 0n);
}

/** Loads a segment register in real-address or virtual-8086 mode. Real mode changes selector and base only, so the limits and rights that protected mode left stay ("unreal" mode). */
export function setRealSegment(s: CpuState, seg: number, selector: number): void {
  s.setSelector(seg, selector);
  s.setSegBase(seg, BigInt(selector << 4));
  if (!isVirtual8086(s)) return;
  s.setAccess(seg, VIRTUAL_8086_ACCESS);
  s.setLimit(seg, 0xffff);
}

/** Loads ES, DS, FS or GS. `vector` is #GP, or #TS when the selector comes from a TSS. */
export function loadData(cpu: Processor, seg: number, selector: number, vector: number = Vector.GP, ext = 0): void {
  const s = cpu.state;
  if (isNull(selector)) return setNull(s, seg, selector);
  const d = readDescriptor(cpu, selector, vector, ext);
  const guarded = !isCode(d.access) || !isConforming(d.access);
  if (!isReadable(d.access) || (guarded && ((selector & 3) > dplOf(d.access) || s.cpl > dplOf(d.access)))) throw cpu.fault.exception(vector, selectorCode(selector) | ext);
  if (!isPresent(d.access)) throw cpu.fault.exception(Vector.NP, selectorCode(selector) | ext);
  setTypeBits(cpu, d, Access.ACCESSED);
  setSegment(s, seg, selector, d);
}

/**
 * Checks a selector for SS at privilege level `cpl` and yields its descriptor, accessed bit written; undefined for the
 * null selector where 64-bit mode (`to64`) allows it. `vector` is #GP, or #TS when the selector comes from a TSS.
 */
export function checkStackSegment(cpu: Processor, selector: number, cpl: number, to64: boolean, vector: number = Vector.GP, ext = 0): Descriptor | undefined {
  if (isNull(selector)) {
    if (to64 && cpl !== 3 && (selector & 3) === cpl) return undefined;
    throw cpu.fault.exception(vector, ext);
  }
  const code = selectorCode(selector) | ext;
  const d = readDescriptor(cpu, selector, vector, ext);
  if ((selector & 3) !== cpl || !isWritableData(d.access) || dplOf(d.access) !== cpl) throw cpu.fault.exception(vector, code);
  if (!isPresent(d.access)) throw cpu.fault.exception(Vector.SS, code);
  setTypeBits(cpu, d, Access.ACCESSED);
  return d;
}

/** Loads ES, SS, DS, FS or GS as MOV and POP do. Throws the fault; the caller calls `stateChanged`. */
export function loadSegment(cpu: Processor, seg: number, selector: number): void {
  const s = cpu.state;
  if (isReal(s)) return setRealSegment(s, seg, selector);
  if (seg !== Seg.SS) return loadData(cpu, seg, selector);
  const d = checkStackSegment(cpu, selector, s.cpl, is64(s));
  if (d) setSegment(s, seg, selector, d);
  else setNull(s, seg, selector);
}

/** After a return to an outer privilege level: data segments that it may not use become null, and of null selectors the RPL goes too. Their bases stay, as on processors: 64-bit code goes on using that of FS and GS. */
export function dropInnerSegments(s: CpuState): void {
  for (const seg of [Seg.ES, Seg.DS, Seg.FS, Seg.GS]) {
    const access = s.access(seg);
    if (access & ACCESS_UNUSABLE) {
      if (isNull(s.selector(seg))) s.setSelector(seg, 0);
      continue;
    }
    const guarded = !isCode(access) || !isConforming(access);
    if (!guarded || dplOf(access) >= s.cpl) continue;
    s.setSelector(seg, 0);
    s.setAccess(seg, ACCESS_UNUSABLE);
  }
}

/** LLDT. */
export function loadLdtr(cpu: Processor, selector: number): void {
  const s = cpu.state;
  if (isNull(selector)) return setNull(s, Seg.LDTR, selector);
  const d = readTableDescriptor(cpu, selector);
  if (typeOf(d.access) !== SystemType.LDT || d.access & Access.S) throw cpu.fault.exception(Vector.GP, selectorCode(selector));
  finishSystem(cpu, d);
  setSegment(s, Seg.LDTR, selector, d);
}

/** LTR: the TSS becomes busy. */
export function loadTr(cpu: Processor, selector: number): void {
  if (isNull(selector)) throw cpu.fault.exception(Vector.GP, 0);
  const d = readTableDescriptor(cpu, selector);
  const type = d.access & (Access.S | 15);
  if (type !== SystemType.TSS && (type !== SystemType.TSS16 || isLong(cpu.state))) throw cpu.fault.exception(Vector.GP, selectorCode(selector));
  finishSystem(cpu, d);
  setTypeBits(cpu, d, 2);
  setSegment(cpu.state, Seg.TR, selector, d);
}

/** LDTR and TR come from the GDT only. */
function readTableDescriptor(cpu: Processor, selector: number): Descriptor {
  if (selector & 4) throw cpu.fault.exception(Vector.GP, selectorCode(selector));
  return readDescriptor(cpu, selector);
}

function finishSystem(cpu: Processor, d: Descriptor): void {
  if (!isPresent(d.access)) throw cpu.fault.exception(Vector.NP, selectorCode(d.selector));
  if (!isLong(cpu.state)) return;
  readUpperHalf(cpu, d);
  if (!isCanonical(d.base)) throw cpu.fault.exception(Vector.GP, selectorCode(d.selector));
}
