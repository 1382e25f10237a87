/** Where software goes on after it slept in S3: what the FACS that it wrote to says (ACPI Specification, "Firmware ACPI Control Structure"). */
import type { Processor } from '../../cpu/processor';
import { Seg } from '../../cpu/state';
import { enterProtectedMode } from '../boot/entryState';
import { FACS } from '../memory/addressMap';
import type { PhysicalMemory } from '../memory/physicalMemory';

/** Offsets in the FACS: the waking vector of real mode, and the one of protected mode, which comes first where there is one. */
const REAL_MODE_VECTOR = 12;
const PROTECTED_MODE_VECTOR = 24;

/** Starts the processor, just reset, at the waking vector. False when there is none. */
export function wakeUp(cpu: Processor, memory: PhysicalMemory): boolean {
  const protectedMode = memory.load(FACS + PROTECTED_MODE_VECTOR, 4);
  if (protectedMode !== 0 && memory.load(FACS + PROTECTED_MODE_VECTOR + 4, 4) === 0) {
    enterProtectedMode(cpu, protectedMode, {});
    return true;
  }
  const vector = memory.load(FACS + REAL_MODE_VECTOR, 4);
  if (vector === 0 || vector >= 0x10_0000) return false;
  cpu.state.setSelector(Seg.CS, vector >> 4);
  cpu.state.setSegBase(Seg.CS, BigInt(vector & ~15));
  cpu.state.rip = BigInt(vector & 15);
  cpu.stateChanged();
  return true;
}
