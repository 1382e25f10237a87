/** The VMX instructions (SDM volume 3, "VMX Instruction Reference"). */
import { hex, isCanonical } from '../base/bits';
import { Cr0, Cr4 } from '../cpu/controlBits';
import type { Instruction } from '../cpu/decode/instruction';
import { Vector } from '../cpu/fault';
import { is64, isLong, isVirtual8086 } from '../cpu/system/mode';
import { memoryLinear, readOperand, writeOperand } from '../cpu/system/operands';
import { Gpr, Offset } from '../cpu/state';
import { enterGuest, failedBasicCheck, failedChecks } from './entry';
import { exitByInstruction, exitOfInstruction, NO_INFORMATION } from './exit';
import { deliverField, fieldToRead, fieldToWrite } from './fieldOperands';
import { displacement, operandInfo } from './instructionInfo';
import { fail, failInvalid, reportFailure, succeed } from './outcome';
import { Private, VmxMode } from './privateState';
import { VMCS_REVISION } from './tables/capabilities';
import { exitReasonName, Reason } from './tables/exitReasons';
import { InstructionErrorNumber as E } from './tables/instructionErrors';
import { shadowed, shadowRead, shadowWrite } from './shadow';
import { Region } from './vmcs';
import { vmfunc } from './vmFunctions';
import type { Vmx } from './vmx';

/** Bit 31 of a VMCS region's first four bytes: a shadow VMCS. */
const SHADOW_INDICATOR = 0x8000_0000;
const FEATURE_CONTROL_LOCK = 1;
const FEATURE_CONTROL_VMX_OUTSIDE_SMX = 4;

/** True when the instruction ended in a VM exit of the guest. */
export type Ended = boolean | void;

const undefinedOpcode = (vmx: Vmx): never => {
  throw vmx.cpu.fault.exception(Vector.UD);
};

/** The modes in which every VMX instruction raises #UD: real, virtual-8086 and compatibility mode. */
function checkMode(vmx: Vmx): void {
  const s = vmx.state;
  if (!(s.cr0 & Cr0.PE) || isVirtual8086(s) || (isLong(s) && !is64(s))) undefinedOpcode(vmx);
}

function checkPrivilege(vmx: Vmx): void {
  if (vmx.state.cpl !== 0) throw vmx.cpu.fault.exception(Vector.GP, 0);
}

/** Tells of an exception that a VMX instruction is about to raise: VMMs that do not expect it seldom say more than its vector. */
function tellFault(vmx: Vmx, mnemonic: string, message: string): void {
  reportFailure(vmx, { mnemonic, rip: vmx.cpu.instructionRip, error: 0, exitReason: undefined, message, checks: [] });
}

/** What VMX instructions but VMXON have in common: VMX operation, the VM exit of the guest (then true), CPL 0. */
function preamble(vmx: Vmx, insn: Instruction, reason: number, rm = -1, reg = -1): boolean {
  if (vmx.mode === VmxMode.OFF) {
    // Software asks by VMCALL whether there is a hypervisor, and leaves VMX operation by VMXOFF in case it is in it.
    if (reason !== Reason.VMCALL && reason !== Reason.VMXOFF && vmx.state.cpl === 0) {
      const name = exitReasonName(reason);
      tellFault(vmx, name.toLowerCase(), `${name} raises #UD: the processor is not in VMX operation, VMXON comes first.`);
    }
    undefinedOpcode(vmx);
  }
  checkMode(vmx);
  if (vmx.nonRoot) {
    const memory = rm >= 0;
    return exitOfInstruction(vmx, reason, insn, memory ? { qualification: displacement(insn, vmx.state.rip), instructionInfo: operandInfo(insn, rm, reg) } : NO_INFORMATION);
  }
  checkPrivilege(vmx);
  return false;
}

/** The physical address in a 64-bit memory operand. */
const regionOperand = (vmx: Vmx, insn: Instruction): bigint => readOperand(vmx.cpu, insn, 0, 8);

/** Whether that is a valid place for a VMCS. */
const isRegion = (vmx: Vmx, pointer: bigint): boolean => (pointer & 0xfffn) === 0n && pointer >> BigInt(vmx.physicalAddressBits) === 0n;

const vmxonPointer = (vmx: Vmx): number => Number(vmx.state.get64(Offset.VMXON_POINTER));

/** Why VMXON raises #GP at CPL 0, or undefined when it does not. */
function vmxonRefused(vmx: Vmx): string | undefined {
  const s = vmx.state;
  const { cr0Fixed0, cr4Fixed0, cr4Fixed1 } = vmx.capabilities;
  const control = s.get32(Offset.FEATURE_CONTROL);
  const missing = ~s.cr0 & cr0Fixed0;
  if (missing !== 0) return `CR0 is ${hex(s.cr0 >>> 0)}, and VMX operation needs its bits ${hex(missing >>> 0)} at 1${missing & Cr0.NE ? ' (NE is bit 5)' : ''}: see IA32_VMX_CR0_FIXED0.`;
  if ((~s.cr4 & cr4Fixed0) !== 0 || (s.cr4 & ~cr4Fixed1) !== 0) return `CR4 is ${hex(s.cr4 >>> 0)}, which IA32_VMX_CR4_FIXED0 and IA32_VMX_CR4_FIXED1 do not permit in VMX operation.`;
  if (!(control & FEATURE_CONTROL_LOCK)) return `IA32_FEATURE_CONTROL is ${hex(control)}: its lock bit (bit 0) is 0.`;
  if (!(control & FEATURE_CONTROL_VMX_OUTSIDE_SMX)) return `IA32_FEATURE_CONTROL is ${hex(control)}, and locked: VMX outside SMX (bit 2) is not permitted.`;
  return undefined;
}

function vmxon(vmx: Vmx, insn: Instruction): Ended {
  const s = vmx.state;
  if (!(s.cr4 & Cr4.VMXE)) {
    if (s.cpl === 0 && vmx.mode === VmxMode.OFF) tellFault(vmx, 'vmxon', `VMXON raises #UD: CR4 is ${hex(s.cr4 >>> 0)}, and its bit VMXE (bit 13) is 0.`);
    undefinedOpcode(vmx);
  }
  checkMode(vmx);
  if (vmx.mode === VmxMode.OFF) {
    checkPrivilege(vmx);
    const refused = vmxonRefused(vmx);
    if (refused !== undefined) {
      tellFault(vmx, 'vmxon', `VMXON raises #GP(0): ${refused}`);
      throw vmx.cpu.fault.exception(Vector.GP, 0);
    }
    const pointer = regionOperand(vmx, insn);
    if (!isRegion(vmx, pointer)) return failInvalid(vmx, 'vmxon', 'VMXON with an address that is not 4-KiB aligned or too wide.', pointer);
    const address = Number(pointer);
    if (vmx.physical32(address) !== VMCS_REVISION) return failInvalid(vmx, 'vmxon', 'VMXON of a region whose first four bytes are not the VMCS revision identifier.', pointer);
    s.set64(Offset.VMXON_POINTER, pointer);
    vmx.vmcs.pointer = -1;
    s.set32(Offset.VMX_MODE, VmxMode.ROOT);
    vmx.cpu.stateChanged();
    return succeed(vmx);
  }
  if (vmx.nonRoot) exitByInstruction(vmx, Reason.VMXON, insn, { qualification: displacement(insn, s.rip), instructionInfo: operandInfo(insn, 0) });
  checkPrivilege(vmx);
  fail(vmx, 'vmxon', E.VMXON_IN_ROOT);
}

function vmxoff(vmx: Vmx, insn: Instruction): Ended {
  if (preamble(vmx, insn, Reason.VMXOFF)) return true;
  vmx.vmcs.store(vmx.cpu);
  vmx.vmcs.pointer = -1;
  vmx.state.set64(Offset.VMXON_POINTER, 0xffff_ffff_ffff_ffffn);
  vmx.state.set32(Offset.VMX_MODE, VmxMode.OFF);
  vmx.cpu.stateChanged();
  succeed(vmx);
}

function vmclear(vmx: Vmx, insn: Instruction): Ended {
  if (preamble(vmx, insn, Reason.VMCLEAR, 0)) return true;
  const pointer = regionOperand(vmx, insn);
  if (!isRegion(vmx, pointer)) return fail(vmx, 'vmclear', E.VMCLEAR_INVALID_ADDRESS, [], pointer);
  const address = Number(pointer);
  if (address === vmxonPointer(vmx)) return fail(vmx, 'vmclear', E.VMCLEAR_VMXON_POINTER);
  if (address === vmx.vmcs.pointer) {
    vmx.state.set32(Private.LAUNCHED, 0);
    vmx.vmcs.store(vmx.cpu);
    vmx.vmcs.pointer = -1;
  } else vmx.cpu.writePhysical(address + Region.LAUNCH_STATE, 4, 0n);
  succeed(vmx);
}

function vmptrld(vmx: Vmx, insn: Instruction): Ended {
  if (preamble(vmx, insn, Reason.VMPTRLD, 0)) return true;
  const pointer = regionOperand(vmx, insn);
  if (!isRegion(vmx, pointer)) return fail(vmx, 'vmptrld', E.VMPTRLD_INVALID_ADDRESS, [], pointer);
  const address = Number(pointer);
  if (address === vmxonPointer(vmx)) return fail(vmx, 'vmptrld', E.VMPTRLD_VMXON_POINTER);
  const revision = vmx.physical32(address);
  const shadow = revision === (VMCS_REVISION | SHADOW_INDICATOR) >>> 0 && vmx.capabilities.has('vmcs-shadowing');
  if (revision !== VMCS_REVISION && !shadow) return fail(vmx, 'vmptrld', E.VMPTRLD_WRONG_REVISION, [], pointer);
  // Software loads the same VMCS again and again; its fields are already here.
  if (address !== vmx.vmcs.pointer) {
    vmx.vmcs.store(vmx.cpu);
    vmx.vmcs.load(vmx.cpu, address);
    vmx.observer?.vmcsLoaded?.(address);
  }
  succeed(vmx);
}

function vmptrst(vmx: Vmx, insn: Instruction): Ended {
  if (preamble(vmx, insn, Reason.VMPTRST, 0)) return true;
  writeOperand(vmx.cpu, insn, 0, vmx.state.get64(Offset.CURRENT_VMCS), 8);
  succeed(vmx);
}

const noCurrentVmcs = 'There is no current VMCS: VMPTRLD comes first.';

function vmread(vmx: Vmx, insn: Instruction): Ended {
  if (vmx.nonRoot && shadowed(vmx, insn, 1, false)) return shadowRead(vmx, insn);
  if (preamble(vmx, insn, Reason.VMREAD, 0, 1)) return true;
  if (vmx.vmcs.pointer < 0) return failInvalid(vmx, 'vmread', noCurrentVmcs);
  const named = fieldToRead(vmx, insn);
  if (!named) return;
  deliverField(vmx, insn, named, vmx.vmcs.get(named.slot));
  vmx.observer?.fieldRead?.(named.encoding);
  vmx.fieldAccessed(named.encoding, false);
  succeed(vmx);
}

/** 32 bits of the VMM's stack, 0 where there is none: for the record of who wrote a field. */
function stackWord(vmx: Vmx, linear: bigint): number {
  const address = vmx.cpu.peekTranslate(BigInt.asUintN(64, linear));
  return address < 0 ? 0 : (vmx.physical32(Math.floor(address / 4) * 4) ?? 0);
}

function vmwrite(vmx: Vmx, insn: Instruction): Ended {
  if (vmx.nonRoot && shadowed(vmx, insn, 0, true)) return shadowWrite(vmx, insn);
  if (preamble(vmx, insn, Reason.VMWRITE, 1, 0)) return true;
  const { vmcs } = vmx;
  if (vmcs.pointer < 0) return failInvalid(vmx, 'vmwrite', noCurrentVmcs);
  const named = fieldToWrite(vmx, insn);
  if (!named) return;
  const { encoding, slot, value } = named;
  if (named.high) vmcs.set(slot, (vmcs.get(slot) & 0xffff_ffffn) | ((value & 0xffff_ffffn) << 32n));
  else vmcs.setField(named.field, value);
  vmcs.recordWriter(slot, vmx.state.icount, vmx.cpu.instructionRip, stackWord(vmx, vmx.state.reg(Gpr.RSP)), stackWord(vmx, vmx.state.reg(Gpr.RBP) + 8n));
  vmx.fieldAccessed(encoding, true);
  succeed(vmx);
}

function enter(vmx: Vmx, insn: Instruction, launch: boolean): Ended {
  const mnemonic = launch ? 'vmlaunch' : 'vmresume';
  if (preamble(vmx, insn, launch ? Reason.VMLAUNCH : Reason.VMRESUME)) return true;
  const broken = failedBasicCheck(vmx, launch);
  if (broken) return broken.error === 0 ? failInvalid(vmx, mnemonic, broken.condition) : fail(vmx, mnemonic, broken.error);
  const error = enterGuest(vmx, launch);
  if (error !== 0) fail(vmx, mnemonic, error, failedChecks(vmx));
}

/** VMCALL of a guest exits in every mode: unlike its kin it is not undefined in real and compatibility mode. */
function vmcall(vmx: Vmx, insn: Instruction): Ended {
  if (vmx.nonRoot) return exitOfInstruction(vmx, Reason.VMCALL, insn, NO_INFORMATION);
  if (preamble(vmx, insn, Reason.VMCALL)) return true;
  fail(vmx, 'vmcall', E.VMCALL_IN_ROOT);
}

const INVEPT_SINGLE_CONTEXT = 1n;
const INVEPT_ALL_CONTEXT = 2n;
const INVVPID_ADDRESS = 0n;
const INVVPID_ALL_CONTEXT = 2n;
const INVVPID_LAST_TYPE = 3n;

/** The 16-byte descriptor of INVEPT and INVVPID. */
function descriptor(vmx: Vmx, insn: Instruction): [bigint, bigint] {
  const linear = memoryLinear(vmx.cpu, insn, 16, false);
  return [vmx.cpu.readLinear(linear, 8), vmx.cpu.readLinear(BigInt.asUintN(64, linear + 8n), 8)];
}

function invept(vmx: Vmx, insn: Instruction): Ended {
  if (!vmx.capabilities.has('ept')) undefinedOpcode(vmx);
  if (preamble(vmx, insn, Reason.INVEPT, 1, 0)) return true;
  const type = readOperand(vmx.cpu, insn, 0, is64(vmx.state) ? 8 : 4);
  // The type is looked at before the descriptor is read.
  if (type !== INVEPT_SINGLE_CONTEXT && type !== INVEPT_ALL_CONTEXT) return fail(vmx, 'invept', E.INVALID_INVEPT_OPERAND);
  const [eptp] = descriptor(vmx, insn);
  if (type === INVEPT_SINGLE_CONTEXT && !eptpValid(vmx, eptp)) return fail(vmx, 'invept', E.INVALID_INVEPT_OPERAND);
  vmx.cpu.flushTlb();
  vmx.observer?.eptInvalidated?.();
  succeed(vmx);
}

/** Whether VM entry would accept an EPTP. */
export function eptpValid(vmx: Vmx, eptp: bigint): boolean {
  const type = eptp & 7n;
  const accessedDirty = (eptp & 0x40n) !== 0n;
  return (type === 0n || type === 6n) && ((eptp >> 3n) & 7n) === 3n && (eptp & 0xf80n) === 0n && eptp >> BigInt(vmx.physicalAddressBits) === 0n && (!accessedDirty || vmx.capabilities.has('ept-ad'));
}

function invvpid(vmx: Vmx, insn: Instruction): Ended {
  if (!vmx.capabilities.has('vpid')) undefinedOpcode(vmx);
  if (preamble(vmx, insn, Reason.INVVPID, 1, 0)) return true;
  const type = readOperand(vmx.cpu, insn, 0, is64(vmx.state) ? 8 : 4);
  if (type > INVVPID_LAST_TYPE) return fail(vmx, 'invvpid', E.INVALID_INVEPT_OPERAND);
  const [vpid, linear] = descriptor(vmx, insn);
  const needsVpid = type !== INVVPID_ALL_CONTEXT;
  const invalid = vpid >> 16n !== 0n || (needsVpid && vpid === 0n) || (type === INVVPID_ADDRESS && !isCanonical(linear));
  if (invalid) return fail(vmx, 'invvpid', E.INVALID_INVEPT_OPERAND);
  vmx.cpu.flushTlb();
  succeed(vmx);
}

/** By mnemonic. RIP is already that of the next instruction. */
export const VMX_INSTRUCTIONS: Readonly<Record<string, (vmx: Vmx, insn: Instruction) => Ended>> = {
  vmxon,
  vmxoff,
  vmclear,
  vmptrld,
  vmptrst,
  vmread,
  vmwrite,
  vmlaunch: (vmx, insn) => enter(vmx, insn, true),
  vmresume: (vmx, insn) => enter(vmx, insn, false),
  vmcall,
  vmfunc,
  invept,
  invvpid,
};
