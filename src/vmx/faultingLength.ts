/**
 * Length of the instruction at RIP. For exits by a memory access (EPT violations, APIC accesses) the SDM leaves the
 * instruction length undefined; processors give it all the same, and there are VMMs that rely on it.
 */
import { decode } from '../cpu/decode/decode';
import { type CodeSize, Instruction } from '../cpu/decode/instruction';
import { readPhysicalByte } from '../cpu/mmu/physical';
import { Offset } from '../cpu/state';
import type { Vmx } from './vmx';

const MAXIMUM_LENGTH = 15;
const PAGE = 0x1000n;
const bytes = new Uint8Array(MAXIMUM_LENGTH);
const insn = new Instruction();

/** In bytes; undefined where the instruction cannot be read without a fault. */
export function faultingLength(vmx: Vmx): number | undefined {
  const { cpu, state: s } = vmx;
  const codeSize = s.get32(Offset.CODE_MODE) as CodeSize;
  const start = s.rip + s.get64(Offset.CS_BASE);
  let available = 0;
  let physical = -1;
  for (; available < MAXIMUM_LENGTH; available++) {
    const at = BigInt.asUintN(codeSize === 64 ? 64 : 32, start + BigInt(available));
    if (available === 0 || at % PAGE === 0n) physical = cpu.peekTranslate(at);
    if (physical < 0) break;
    bytes[available] = readPhysicalByte(cpu, physical);
    physical++;
  }
  return decode(bytes, 0, available, codeSize, insn) || undefined;
}
