/**
 * Interrupts and exceptions as 64-bit kernels take them many times a second: through a 64-bit gate to CPL 0, everything
 * present and in the TLB. It makes the checks of delivery.ts on 32-bit numbers; where one does not pass it says so with
 * nothing changed, and the general way tells what is wrong.
 */
import { IF, NT, readFlags, RF, TF, VM, writeFlags } from '../flags';
import { lookupIn } from '../mmu/tlb';
import type { Processor } from '../processor';
import { ACCESS_UNUSABLE, Gpr, Offset, Privileged, Seg, Segment, SEGMENT_STRIDE } from '../state';
import { Access, is64 } from './mode';

const GATE_BYTES = 16;
/** P, S and type of an interrupt gate, and of a trap gate, in a gate's second word. */
const GATE_MASK = 0x9f00;
const INTERRUPT_GATE = 0x8e00;
const TRAP_GATE = 0x8f00;
/** Of the rights of the code segment: present, 64-bit, not conforming, DPL 0, accessed. */
const CODE_MASK = Access.P | Access.S | Access.CODE | Access.CONFORMING | Access.L | Access.DB | Access.ACCESSED | 0x60;
const CODE_RIGHTS = Access.P | Access.S | Access.CODE | Access.L | Access.ACCESSED;
const RSP0 = 4;
const IST1 = 0x24;
const BLOCKING_STI_MOVSS = 3;
const HALTED = 1;
const SS_CACHE = Offset.SEGMENTS + Seg.SS * SEGMENT_STRIDE;
const CS_CACHE = Offset.SEGMENTS + Seg.CS * SEGMENT_STRIDE;

const canonical = (high: number): boolean => (high | 0) >> 15 === 0 || (high | 0) >> 15 === -1;

/** Delivers an external interrupt or an exception. Returns whether it was done. */
export function deliverQuickly(cpu: Processor, vector: number, errorCode: number | undefined): boolean {
  const s = cpu.state;
  const { u32 } = cpu.views;
  const { cpl } = s;
  const inner = cpl === 3;
  if (!cpu.changePrivilege || !is64(s) || (!inner && cpl !== 0)) return false;
  const bank = s.get32(Offset.PRIVILEGES + Privileged.TLB_BASE);
  if (bank === 0) return false;
  const generation = s.get32(Offset.PRIVILEGES + Privileged.GENERATION);

  const gateOffset = vector * GATE_BYTES;
  const gateLow = s.get32(Offset.IDTR_BASE) + gateOffset;
  if (gateOffset + GATE_BYTES - 1 > s.get32(Offset.IDTR_LIMIT) || gateLow > 0xffff_ffff || gateLow & 3) return false;
  const gate = lookupIn(u32, bank, generation, gateLow, s.high(Offset.IDTR_BASE), GATE_BYTES, false) >>> 2;
  if (gate === 0) return false;
  const selector = u32[gate]! >>> 16;
  const attributes = u32[gate + 1]!;
  const interrupt = (attributes & GATE_MASK) === INTERRUPT_GATE;
  if (!interrupt && (attributes & GATE_MASK) !== TRAP_GATE) return false;
  const targetHigh = u32[gate + 2]!;
  if (!canonical(targetHigh)) return false;

  const descriptorLow = s.get32(Offset.GDTR_BASE) + (selector & 0xfff8);
  if (selector & 4 || (selector & 0xfffc) === 0 || (selector & 0xfff8) + 7 > s.get32(Offset.GDTR_LIMIT) || descriptorLow > 0xffff_ffff || descriptorLow & 7) return false;
  const code = lookupIn(u32, bank, generation, descriptorLow, s.high(Offset.GDTR_BASE), 8, false) >>> 2;
  if (code === 0) return false;
  const codeLow = u32[code]!;
  const codeHigh = u32[code + 1]!;
  const rights = (codeHigh >>> 8) & 0xf0ff;
  if ((rights & CODE_MASK) !== CODE_RIGHTS) return false;

  const rsp = (s.base + Offset.GPR + Gpr.RSP * 8) >>> 2;
  const oldLow = u32[rsp]!;
  const oldHigh = u32[rsp + 1]!;
  let topLow = oldLow;
  let topHigh = oldHigh;
  const ist = attributes & 7;
  if (inner || ist !== 0) {
    const offset = ist === 0 ? RSP0 : IST1 + (ist - 1) * 8;
    const tss = Offset.SEGMENTS + Seg.TR * SEGMENT_STRIDE + Segment.BASE;
    const at = s.get32(tss) + offset;
    if (offset + 7 > s.limit(Seg.TR) || at > 0xffff_ffff || at & 3) return false;
    const pointer = lookupIn(u32, bank, generation, at, s.high(tss), 8, false) >>> 2;
    if (pointer === 0) return false;
    topLow = u32[pointer]!;
    topHigh = u32[pointer + 1]!;
  }
  topLow = (topLow & ~15) >>> 0;
  const bytes = errorCode === undefined ? 40 : 48;
  if (topLow < bytes) return false;
  const newLow = topLow - bytes;
  const frame = lookupIn(u32, bank, generation, newLow, topHigh, bytes, true) >>> 2;
  if (frame === 0) return false;

  const flags = readFlags(s);
  let i = frame;
  if (errorCode !== undefined) {
    u32[i++] = errorCode;
    u32[i++] = 0;
  }
  u32[i] = s.get32(Offset.RIP);
  u32[i + 1] = s.high(Offset.RIP);
  u32[i + 2] = s.selector(Seg.CS);
  u32[i + 3] = 0;
  u32[i + 4] = flags;
  u32[i + 5] = 0;
  u32[i + 6] = oldLow;
  u32[i + 7] = oldHigh;
  u32[i + 8] = s.selector(Seg.SS);
  u32[i + 9] = 0;

  u32[rsp] = newLow;
  u32[rsp + 1] = topHigh;
  s.set32(Offset.RIP, ((attributes & 0xffff_0000) | (u32[gate]! & 0xffff)) >>> 0);
  s.set32(Offset.RIP + 4, targetHigh);
  const raw = (codeLow & 0xffff) | (codeHigh & 0xf_0000);
  s.setSelector(Seg.CS, selector & ~3);
  s.setAccess(Seg.CS, rights);
  s.setLimit(Seg.CS, rights & Access.G ? ((raw << 12) | 0xfff) >>> 0 : raw);
  s.set32(CS_CACHE + Segment.FLAT, 0);
  s.set32(CS_CACHE + Segment.BASE, ((codeLow >>> 16) | ((codeHigh & 0xff) << 16) | (codeHigh & 0xff00_0000)) >>> 0);
  s.set32(CS_CACHE + Segment.BASE + 4, 0);
  if (inner) {
    s.setSelector(Seg.SS, 0);
    s.setAccess(Seg.SS, ACCESS_UNUSABLE);
    s.setLimit(Seg.SS, 0);
    s.set32(SS_CACHE + Segment.FLAT, 0);
    s.clear64(SS_CACHE + Segment.BASE);
  }
  writeFlags(s, flags & ~(TF | NT | VM | RF | (interrupt ? IF : 0)));
  s.set32(Offset.INTERRUPTIBILITY, s.get32(Offset.INTERRUPTIBILITY) & ~BLOCKING_STI_MOVSS);
  if (s.get32(Offset.ACTIVITY) === HALTED) s.set32(Offset.ACTIVITY, 0);
  cpu.changePrivilege(0);
  return true;
}
