/** MONITOR and MWAIT (SDM volume 2). CPUID leaf 5 tells what of them there is: lines of 64 bytes, C1, and interrupts that end a wait although they are masked. */
import { Vector } from '../fault';
import { IF } from '../flags';
import { readLinear } from '../mmu/linear';
import type { Processor, SlowOperation } from '../processor';
import { Gpr, Offset } from '../state';
import { is64 } from './mode';
import { readGpr } from './operands';
import { undefinedOpcode } from './privilege';
import { segmentLinear } from './segmentation';

/** Bytes of a monitored line. */
export const MONITOR_LINE = 64;
/** IA32_MISC_ENABLE: MONITOR and MWAIT exist. */
export const MONITOR_ENABLED = 1 << 18;
/** ECX of MWAIT: an interrupt ends the wait even while RFLAGS.IF is 0. */
const BREAK_ON_MASKED = 1n;

/** Whether the instructions exist at present. */
export const hasMonitor = (cpu: Processor): boolean => cpu.features.has('monitor') && (cpu.state.get32(Offset.MISC_ENABLE) & MONITOR_ENABLED) !== 0;

function require(cpu: Processor): void {
  if (!hasMonitor(cpu) || cpu.state.cpl !== 0) undefinedOpcode(cpu);
}

/** The extensions in RCX, of which only some bits may be set. */
function extensions(cpu: Processor, allowed: bigint): bigint {
  const value = readGpr(cpu.state, Gpr.RCX, is64(cpu.state) ? 8 : 4);
  if (value & ~allowed) throw cpu.fault.exception(Vector.GP, 0);
  return value;
}

export const monitorOperations: Record<string, SlowOperation> = {
  monitor(cpu, insn) {
    require(cpu);
    if (cpu.intercepts.instruction('monitor', insn)) return true;
    extensions(cpu, 0n);
    const linear = segmentLinear(cpu, insn.segment, readGpr(cpu.state, Gpr.RAX, insn.addressSize), 1, false);
    readLinear(cpu, linear, 1); // the access of a load, with its faults
    cpu.armMonitor?.(cpu.peekTranslate(linear));
  },
  mwait(cpu, insn) {
    require(cpu);
    if (cpu.intercepts.instruction('mwait', insn)) return true;
    const breaks = extensions(cpu, BREAK_ON_MASKED) !== 0n;
    const masked = (cpu.state.get32(Offset.FLAGS) & IF) === 0;
    // In VMX non-root operation what waits for RFLAGS.IF ends such a wait before it begins (SDM volume 3, "Changes to Instruction Behavior in VMX Non-Root Operation").
    if (breaks && masked && cpu.intercepts.nonRoot && cpu.intercepts.awaitsInterruptFlag?.()) return;
    cpu.waitMonitored?.(breaks);
  },
};
