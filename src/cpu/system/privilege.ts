/** Checks that several system instructions begin with. */
import { Cr4 } from '../controlBits';
import { Vector } from '../fault';
import type { Processor } from '../processor';
import { is64, isReal } from './mode';

/** #GP(0) unless CPL is 0. */
export function requireCpl0(cpu: Processor): void {
  if (cpu.state.cpl !== 0) throw cpu.fault.exception(Vector.GP, 0);
}

export function undefinedOpcode(cpu: Processor): never {
  throw cpu.fault.exception(Vector.UD);
}

/** #UD unless the feature exists. */
export function requireFeature(cpu: Processor, name: string): void {
  if (!cpu.features.has(name)) undefinedOpcode(cpu);
}

/** The same for an instruction that a VMM enables for its guest, which is undefined before its privilege counts (SDM volume 3, "Changes to Instruction Behavior in VMX Non-Root Operation"). */
export function requireEnabled(cpu: Processor, feature: string, mnemonic: string): void {
  if (!cpu.features.has(feature) || cpu.intercepts.disabled?.(mnemonic) === true) undefinedOpcode(cpu);
}

/** #UD in real-address and virtual-8086 mode. */
export function requireProtected(cpu: Processor): void {
  if (isReal(cpu.state)) undefinedOpcode(cpu);
}

/** #UD outside 64-bit mode. */
export function require64(cpu: Processor): void {
  if (!is64(cpu.state)) undefinedOpcode(cpu);
}

/** CR4.UMIP: SGDT, SIDT, SLDT, STR and SMSW outside CPL 0 raise #GP(0). */
export function checkUmip(cpu: Processor): void {
  if (cpu.state.cr4 & Cr4.UMIP && cpu.state.cpl !== 0) throw cpu.fault.exception(Vector.GP, 0);
}
