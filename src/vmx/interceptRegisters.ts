/** Control and debug registers of the guest: masks, shadows, exits (SDM volume 3, "Changes to Instruction Behavior in VMX Non-Root Operation"). */
import type { Instruction } from '../cpu/decode/instruction';
import { Kind } from '../cpu/decode/instruction';
import { Cr0 } from '../cpu/controlBits';
import { Vector } from '../cpu/fault';
import { exitByInstruction } from './exit';
import { Primary } from './tables/controls';
import { Reason } from './tables/exitReasons';
import { Slot } from './tables/fields';
import { ApicRegister, readApic, virtualizeTpr, writeApic } from './virtualApic';
import type { Vmx } from './vmx';

const { CR0_GUEST_HOST_MASK, CR0_READ_SHADOW, CR4_GUEST_HOST_MASK, CR4_READ_SHADOW, CR3_TARGET_COUNT, CR3_TARGET_VALUE_0 } = Slot;

/** Bits 5:4 of the exit qualification. */
const Access = { MOV_TO: 0, MOV_FROM: 1, CLTS: 2, LMSW: 3 } as const;
const LMSW_MEMORY = 1 << 6;

const registerOf = (insn: Instruction): number => insn.operands.find((o) => o.kind === Kind.REG)?.number ?? 0;

function exitCr(vmx: Vmx, cr: number, access: number, insn: Instruction): never {
  return exitByInstruction(vmx, Reason.CR_ACCESS, insn, { qualification: BigInt(cr | (access << 4) | (registerOf(insn) << 8)) });
}

/** What MOV from CR and SMSW yield: host-owned bits come from the read shadow. */
export function readControlRegister(vmx: Vmx, cr: number, value: bigint, insn: Instruction): bigint {
  const { vmcs } = vmx;
  if (cr === 0 || cr === 4) {
    const mask = vmcs.get(cr === 0 ? CR0_GUEST_HOST_MASK : CR4_GUEST_HOST_MASK);
    const shadow = vmcs.get(cr === 0 ? CR0_READ_SHADOW : CR4_READ_SHADOW);
    return (value & ~mask) | (shadow & mask);
  }
  if (cr === 3 && vmx.primary(Primary.CR3_STORE_EXITING)) exitCr(vmx, 3, Access.MOV_FROM, insn);
  if (cr === 8) {
    if (vmx.primary(Primary.CR8_STORE_EXITING)) exitCr(vmx, 8, Access.MOV_FROM, insn);
    if (vmx.primary(Primary.TPR_SHADOW)) return BigInt((readApic(vmx, ApicRegister.TPR) >>> 4) & 15);
  }
  return value;
}

/** The value that MOV to CR writes: an exit when it would give a host-owned bit another value than its shadow. */
export function writeControlRegister(vmx: Vmx, cr: number, value: bigint, insn: Instruction): bigint {
  const { vmcs, state } = vmx;
  if (cr === 0 || cr === 4) {
    const mask = vmcs.get(cr === 0 ? CR0_GUEST_HOST_MASK : CR4_GUEST_HOST_MASK);
    const shadow = vmcs.get(cr === 0 ? CR0_READ_SHADOW : CR4_READ_SHADOW);
    if ((value ^ shadow) & mask) exitCr(vmx, cr, Access.MOV_TO, insn);
    const present = BigInt(cr === 0 ? state.cr0 : state.cr4);
    return (value & ~mask) | (present & mask);
  }
  if (cr === 3 && vmx.primary(Primary.CR3_LOAD_EXITING)) {
    const targets = vmcs.low(CR3_TARGET_COUNT);
    for (let i = 0; i < targets; i++) if (vmcs.get(CR3_TARGET_VALUE_0 + i) === value) return value;
    exitCr(vmx, 3, Access.MOV_TO, insn);
  }
  if (cr === 8 && vmx.primary(Primary.CR8_LOAD_EXITING)) exitCr(vmx, 8, Access.MOV_TO, insn);
  return value;
}

/** MOV to CR8 with a TPR shadow: the task priority on the virtual-APIC page. False without one. */
export function writeTaskPriority(vmx: Vmx, value: bigint): boolean {
  if (!vmx.primary(Primary.TPR_SHADOW)) return false;
  if (value >> 4n) throw vmx.cpu.fault.exception(Vector.GP, 0);
  writeApic(vmx, ApicRegister.TPR, Number(value) << 4);
  virtualizeTpr(vmx);
  return true;
}

/** Returns whether CLTS may clear TS: an exit when TS is host-owned and shown as 1, nothing at all when shown as 0. */
export function clts(vmx: Vmx, insn: Instruction): boolean {
  const { vmcs } = vmx;
  if (!(vmcs.low(CR0_GUEST_HOST_MASK) & Cr0.TS)) return true;
  if (vmcs.low(CR0_READ_SHADOW) & Cr0.TS) exitByInstruction(vmx, Reason.CR_ACCESS, insn, { qualification: BigInt(Access.CLTS << 4) });
  return false;
}

/** The low four bits of CR0 after LMSW, which can set PE but not clear it. */
export function lmsw(vmx: Vmx, source: number, linear: bigint | undefined, insn: Instruction): number {
  const { vmcs, state } = vmx;
  const mask = vmcs.low(CR0_GUEST_HOST_MASK) & 0xf;
  const shadow = vmcs.low(CR0_READ_SHADOW);
  const setsPe = mask & Cr0.PE && source & Cr0.PE && !(shadow & Cr0.PE);
  if (setsPe || (source ^ shadow) & mask & 0xe) {
    const qualification = BigInt(((source & 0xffff) << 16) >>> 0) | BigInt((Access.LMSW << 4) | (linear === undefined ? 0 : LMSW_MEMORY));
    exitByInstruction(vmx, Reason.CR_ACCESS, insn, { qualification, linear: linear ?? 0n });
  }
  const present = state.cr0 & 0xf;
  return (source & ~mask & 0xf) | (present & mask) | (present & Cr0.PE);
}

/** MOV to or from a debug register. */
export function movDebugRegister(vmx: Vmx, dr: number, write: boolean, gpr: number, insn: Instruction): void {
  if (!vmx.primary(Primary.MOV_DR_EXITING)) return;
  exitByInstruction(vmx, Reason.DR_ACCESS, insn, { qualification: BigInt(dr | (write ? 0 : 1 << 4) | (gpr << 8)) });
}

/** Bits of CR0 and CR4 that VMX operation fixes; an unrestricted guest may clear PE and PG. */
export function controlRegisterAllowed(vmx: Vmx, cr: 0 | 4, value: bigint, unrestricted: boolean): boolean {
  const { cr0Fixed0, cr0Fixed1, cr4Fixed0, cr4Fixed1 } = vmx.capabilities;
  const low = Number(value & 0xffff_ffffn);
  const exempt = cr === 0 && unrestricted ? Cr0.PE | Cr0.PG : 0;
  const ones = cr === 0 ? cr0Fixed0 : cr4Fixed0;
  const may = cr === 0 ? cr0Fixed1 : cr4Fixed1;
  return value >> 32n === 0n && (~low & ones & ~exempt) === 0 && (low & ~may) === 0;
}
