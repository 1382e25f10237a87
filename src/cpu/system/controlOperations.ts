/** Control registers, cache and TLB instructions, HLT, and the flags that need privilege. */
import { isCanonical, low32 } from '../../base/bits';
import { Cr0, Cr4 } from '../controlBits';
import { type Instruction, Kind } from '../decode/instruction';
import { Vector } from '../fault';
import { AC, IF } from '../flags';
import { readLinear } from '../mmu/linear';
import type { Processor, SlowOperation } from '../processor';
import { Offset } from '../state';
import { PCID_MASK, setCr0, setCr3, setCr4, setCr8 } from './controlRegisters';
import { is64, ioplOf, isProtected, isVirtual8086 } from './mode';
import { effectiveOffset, memoryLinear, readGpr, readOperand, writeGpr, writeOperand } from './operands';
import { checkUmip, requireCpl0, requireEnabled, requireFeature, undefinedOpcode } from './privilege';
import { uncheckedLinear } from './segmentation';
import { changeVirtualFlag } from './virtualInterrupts';

const BLOCKING_STI = 1;
const ACTIVITY_HLT = 1;

/** Width of MOV to and from control registers: the operand-size prefix has no effect. */
const registerWidth = (cpu: Processor): number => (is64(cpu.state) ? 8 : 4);

function checkInterruptFlag(cpu: Processor): void {
  const s = cpu.state;
  if (!isProtected(s)) return;
  const fine = isVirtual8086(s) ? ioplOf(s) === 3 : s.cpl <= ioplOf(s);
  if (!fine) throw cpu.fault.exception(Vector.GP, 0);
}

/** Instructions whose only effects are on caches, which are not modelled, after privilege and VMX. */
const privilegedNothing =
  (mnemonic: string): SlowOperation =>
  (cpu, insn) => {
    requireCpl0(cpu);
    return cpu.intercepts.instruction(mnemonic, insn);
  };

/** CLFLUSH and its kin: nothing but the access check of a load. */
const flushLine =
  (feature: string): SlowOperation =>
  (cpu, insn) => {
    requireFeature(cpu, feature);
    readLinear(cpu, memoryLinear(cpu, insn, 1, false), 1);
  };

const InvpcidType = { ADDRESS: 0, CONTEXT: 1, ALL_WITH_GLOBAL: 2, ALL: 3 } as const;

function invpcid(cpu: Processor, insn: Instruction): void {
  requireEnabled(cpu, 'invpcid', 'invpcid');
  if (isVirtual8086(cpu.state)) throw cpu.fault.exception(Vector.GP, 0);
  requireCpl0(cpu);
  cpu.intercepts.memoryOperand('invpcid', 0n, insn);
  const linear = memoryLinear(cpu, insn, 16, false);
  const register = readGpr(cpu.state, insn.operands[0].number, registerWidth(cpu));
  const type = register > 3n ? 4 : Number(register);
  const pcid = readLinear(cpu, linear, 8);
  const address = readLinear(cpu, linear + 8n, 8);
  const s = cpu.state;
  const identifiers = (s.cr4 & Cr4.PCIDE) !== 0;
  const one = type === InvpcidType.ADDRESS || type === InvpcidType.CONTEXT;
  if (type > InvpcidType.ALL || pcid > BigInt(PCID_MASK) || (one && !identifiers && pcid !== 0n) || (type === InvpcidType.ADDRESS && !isCanonical(address))) {
    throw cpu.fault.exception(Vector.GP, 0);
  }
  const present = identifiers ? low32(s.cr3) & PCID_MASK : 0;
  if (type === InvpcidType.ADDRESS) cpu.flushPage(address);
  else if (type === InvpcidType.ALL_WITH_GLOBAL) cpu.flushOperation(cpu.intercepts.nonRoot);
  else if (type === InvpcidType.ALL) cpu.dropContext(undefined);
  else if (Number(pcid) === present) cpu.switchContext(present, present, false);
  else cpu.dropContext(Number(pcid));
}

export const controlOperations: Record<string, SlowOperation> = {
  mov_from_cr(cpu, insn) {
    const s = cpu.state;
    const cr = insn.operands[1].number;
    if (cr !== 0 && cr !== 2 && cr !== 3 && cr !== 4 && cr !== 8) undefinedOpcode(cpu);
    requireCpl0(cpu);
    let value: bigint;
    if (cr === 8) value = BigInt(cpu.interrupts.getTaskPriority());
    else value = s.get64(cr === 0 ? Offset.CR0 : cr === 2 ? Offset.CR2 : cr === 3 ? Offset.CR3 : Offset.CR4);
    if (cr !== 2) value = cpu.intercepts.readControlRegister(cr, value, insn);
    writeGpr(s, insn.operands[0].number, registerWidth(cpu), value);
  },
  mov_to_cr(cpu, insn) {
    const s = cpu.state;
    const cr = insn.operands[0].number;
    if (cr !== 0 && cr !== 2 && cr !== 3 && cr !== 4 && cr !== 8) undefinedOpcode(cpu);
    requireCpl0(cpu);
    let value = readGpr(s, insn.operands[1].number, registerWidth(cpu));
    if (cr === 2) return s.set64(Offset.CR2, value);
    value = cpu.intercepts.writeControlRegister(cr, value, insn);
    if (cr === 0) setCr0(cpu, value);
    else if (cr === 3) setCr3(cpu, value);
    else if (cr === 4) setCr4(cpu, value);
    else if (cpu.intercepts.writeTaskPriority?.(value) !== true) setCr8(cpu, value);
  },
  smsw(cpu, insn) {
    checkUmip(cpu);
    const value = cpu.intercepts.readControlRegister(0, cpu.state.get64(Offset.CR0), insn);
    writeOperand(cpu, insn, 0, value, insn.operands[0].kind === Kind.REG ? insn.operandSize : 2);
  },
  lmsw(cpu, insn) {
    requireCpl0(cpu);
    const s = cpu.state;
    const memory = insn.operands[0].kind === Kind.MEM;
    const linear = memory && cpu.intercepts.nonRoot ? memoryLinear(cpu, insn, 2, false) : undefined;
    const source = Number(readOperand(cpu, insn, 0, 2));
    const low = cpu.intercepts.lmsw(source, linear, insn) & 15;
    // LMSW can set PE but not clear it.
    setCr0(cpu, BigInt(((s.cr0 & ~0xe) | low) >>> 0));
  },
  clts(cpu, insn) {
    requireCpl0(cpu);
    if (cpu.intercepts.clts(insn)) cpu.state.set32(Offset.CR0, cpu.state.cr0 & ~Cr0.TS);
    cpu.stateChanged();
  },
  invlpg(cpu, insn) {
    requireCpl0(cpu);
    // The address is not checked for limits or canonical form: a non-canonical one is a NOP.
    const linear = uncheckedLinear(cpu, insn.segment, effectiveOffset(cpu, insn));
    cpu.intercepts.memoryOperand('invlpg', linear, insn);
    if (isCanonical(linear)) cpu.flushPage(linear);
  },
  invpcid,
  wbinvd: privilegedNothing('wbinvd'),
  wbnoinvd: privilegedNothing('wbinvd'),
  invd: privilegedNothing('invd'),
  clflush: flushLine('clflush'),
  clflushopt: flushLine('clflushopt'),
  clwb: flushLine('clwb'),
  hlt(cpu, insn) {
    requireCpl0(cpu);
    if (cpu.intercepts.instruction('hlt', insn)) return true;
    cpu.state.set32(Offset.ACTIVITY, ACTIVITY_HLT);
    cpu.requestAttention();
  },
  cli(cpu) {
    if (changeVirtualFlag(cpu, false)) return;
    checkInterruptFlag(cpu);
    cpu.state.set32(Offset.FLAGS, cpu.state.get32(Offset.FLAGS) & ~IF);
  },
  sti(cpu) {
    if (changeVirtualFlag(cpu, true)) return;
    checkInterruptFlag(cpu);
    const s = cpu.state;
    const flags = s.get32(Offset.FLAGS);
    if (flags & IF) return;
    s.set32(Offset.FLAGS, flags | IF);
    s.set32(Offset.INTERRUPTIBILITY, s.get32(Offset.INTERRUPTIBILITY) | BLOCKING_STI);
    cpu.requestAttention();
  },
  clac(cpu) {
    requireFeature(cpu, 'smap');
    if (cpu.state.cpl !== 0) undefinedOpcode(cpu);
    cpu.state.set32(Offset.FLAGS, cpu.state.get32(Offset.FLAGS) & ~AC);
  },
  stac(cpu) {
    requireFeature(cpu, 'smap');
    if (cpu.state.cpl !== 0) undefinedOpcode(cpu);
    cpu.state.set32(Offset.FLAGS, cpu.state.get32(Offset.FLAGS) | AC);
  },
};
