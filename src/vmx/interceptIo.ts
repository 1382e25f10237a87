/** Ports and MSRs of the guest: unconditional exiting and the bitmaps (SDM volume 3, "I/O-Bitmap Addresses", "MSR-Bitmap Address"). */
import { type Instruction, Kind, Prefix } from '../cpu/decode/instruction';
import { exitOfInstruction } from './exit';
import { Primary } from './tables/controls';
import { Reason } from './tables/exitReasons';
import { Slot } from './tables/fields';
import type { Vmx } from './vmx';

const { IO_BITMAP_A, IO_BITMAP_B, MSR_BITMAP } = Slot;

/** Bits of the exit qualification. */
const Io = { INPUT: 1 << 3, STRING: 1 << 4, REP: 1 << 5, IMMEDIATE: 1 << 6 } as const;

/** A bit of the bitmap page at a physical address. */
function bitmapBit(vmx: Vmx, page: number, n: number): boolean {
  const address = page + (n >>> 3);
  return ((Number(vmx.cpu.readPhysical(address, 1)) >>> (n & 7)) & 1) !== 0;
}

function portExits(vmx: Vmx, port: number, size: number): boolean {
  if (!vmx.primary(Primary.IO_BITMAPS)) return vmx.primary(Primary.UNCONDITIONAL_IO_EXITING);
  // An access that wraps around the end of the port space always exits.
  if (port + size > 0x1_0000) return true;
  for (let p = port; p < port + size; p++) {
    const slot = p < 0x8000 ? IO_BITMAP_A : IO_BITMAP_B;
    if (bitmapBit(vmx, vmx.vmcs.address(slot), p & 0x7fff)) return true;
  }
  return false;
}

/** IN, OUT, INS, OUTS; `linear` is the address of a string operand. True: a VM exit. */
export function interceptIo(vmx: Vmx, port: number, size: number, input: boolean, insn: Instruction, linear: bigint | undefined): boolean {
  if (!portExits(vmx, port, size)) return false;
  let qualification = (size - 1) | (port << 16);
  if (input) qualification |= Io.INPUT;
  if (linear !== undefined) qualification |= Io.STRING;
  if (linear !== undefined && insn.prefixes & (Prefix.REP | Prefix.REPNE)) qualification |= Io.REP;
  if (linear === undefined && insn.operands.some((o) => o.kind === Kind.IMM)) qualification |= Io.IMMEDIATE;
  const addressSize = { 2: 0, 4: 1, 8: 2 }[insn.addressSize] ?? 0;
  // INS always writes through ES; OUTS reads through DS or the override.
  const segment = input ? 0 : insn.segment;
  return exitOfInstruction(vmx, Reason.IO_INSTRUCTION, insn, {
    qualification: BigInt(qualification >>> 0),
    linear: linear ?? 0n,
    instructionInfo: linear === undefined ? 0 : (addressSize << 7) | (segment << 15),
  });
}

/** Bytes in the MSR bitmap: read low, read high, write low, write high. */
const HIGH_MSRS = 0xc000_0000;
const MSRS_PER_BITMAP = 0x2000;
const HIGH_OFFSET = 0x400;
const WRITE_OFFSET = 0x800;

function msrExits(vmx: Vmx, index: number, write: boolean): boolean {
  if (!vmx.primary(Primary.MSR_BITMAPS)) return true;
  const high = index >= HIGH_MSRS;
  const n = high ? index - HIGH_MSRS : index;
  if (n >= MSRS_PER_BITMAP) return true;
  const page = vmx.vmcs.address(MSR_BITMAP) + (high ? HIGH_OFFSET : 0) + (write ? WRITE_OFFSET : 0);
  return bitmapBit(vmx, page, n);
}

export function interceptRdmsr(vmx: Vmx, index: number, insn: Instruction): boolean {
  return msrExits(vmx, index, false) && exitOfInstruction(vmx, Reason.RDMSR, insn);
}

export function interceptWrmsr(vmx: Vmx, index: number, insn: Instruction): boolean {
  return msrExits(vmx, index, true) && exitOfInstruction(vmx, Reason.WRMSR, insn);
}
