/** RDPKRU and WRPKRU (SDM volume 3, "Protection Keys"); the keys' effect is in mmu/walk.ts. */
import { Cr4 } from '../controlBits';
import { Vector } from '../fault';
import type { Processor, SlowOperation } from '../processor';
import { Gpr, Offset } from '../state';
import { requireFeature, undefinedOpcode } from './privilege';

/** Writes PKRU; cached translations were permitted by the value before. */
export function writePkru(cpu: Processor, value: number): void {
  const s = cpu.state;
  if (s.get32(Offset.PKRU) === value) return;
  s.set32(Offset.PKRU, value);
  if (s.cr4 & Cr4.PKE) cpu.flushTlb();
}

/** #UD unless the system enabled protection keys, #GP(0) unless the registers that must be 0 are. */
function check(cpu: Processor, ...zeros: number[]): void {
  requireFeature(cpu, 'pku');
  if (!(cpu.state.cr4 & Cr4.PKE)) undefinedOpcode(cpu);
  if (zeros.some((register) => cpu.state.reg32(register) !== 0)) throw cpu.fault.exception(Vector.GP, 0);
}

const rdpkru: SlowOperation = (cpu) => {
  check(cpu, Gpr.RCX);
  cpu.state.setReg32(Gpr.RAX, cpu.state.get32(Offset.PKRU));
  cpu.state.setReg32(Gpr.RDX, 0);
};

const wrpkru: SlowOperation = (cpu) => {
  check(cpu, Gpr.RCX, Gpr.RDX);
  writePkru(cpu, cpu.state.reg32(Gpr.RAX));
};

export const protectionKeyOperations: Record<string, SlowOperation> = { rdpkru, wrpkru };
