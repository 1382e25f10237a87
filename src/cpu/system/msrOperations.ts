/** CPUID, MSRs, time-stamp and performance counters, FS and GS base. */
import { isCanonical } from '../../base/bits';
import { Cr4 } from '../controlBits';
import { Vector } from '../fault';
import type { Processor, SlowOperation } from '../processor';
import { Gpr, Offset, Seg } from '../state';
import { cpuid } from './cpuid';
import { readMsrOrFault, readTsc, writeMsr } from './msr';
import { readEdxEax, readGpr, writeEdxEax, writeGpr } from './operands';
import { require64, requireCpl0, requireEnabled, requireFeature, undefinedOpcode } from './privilege';
import { isProtected } from './mode';

/** CR4.TSD keeps RDTSC and RDTSCP for CPL 0. */
function checkTsd(cpu: Processor): void {
  if (cpu.state.cr4 & Cr4.TSD && cpu.state.cpl !== 0 && isProtected(cpu.state)) throw cpu.fault.exception(Vector.GP, 0);
}

/** MSRs 0x800 to 0x8ff: the x2APIC's. */
const isApicMsr = (index: number): boolean => index >>> 8 === 8;

/**
 * Performance counters that every processor of family 6 has, whether or not CPUID leaf 0AH announces the architectural
 * ones (SDM volume 3, "Performance Monitoring (P6 Family Processor)"). Nothing makes these count: they read as 0.
 */
const COUNTERS = 2;

function requireFsGsBase(cpu: Processor): void {
  require64(cpu);
  if (!(cpu.state.cr4 & Cr4.FSGSBASE)) undefinedOpcode(cpu);
}

const readBase =
  (seg: number): SlowOperation =>
  (cpu, insn) => {
    requireFsGsBase(cpu);
    writeGpr(cpu.state, insn.operands[0].number, insn.operands[0].size, cpu.state.segBase(seg));
  };

const writeBase =
  (seg: number): SlowOperation =>
  (cpu, insn) => {
    requireFsGsBase(cpu);
    const value = readGpr(cpu.state, insn.operands[0].number, insn.operands[0].size);
    if (!isCanonical(value)) throw cpu.fault.exception(Vector.GP, 0);
    cpu.state.setSegBase(seg, value);
  };

export const msrOperations: Record<string, SlowOperation> = {
  cpuid(cpu, insn) {
    if (cpu.intercepts.instruction('cpuid', insn)) return true;
    const s = cpu.state;
    const { eax, ebx, ecx, edx } = cpuid(cpu, s.reg32(Gpr.RAX), s.reg32(Gpr.RCX));
    s.setReg32(Gpr.RAX, eax);
    s.setReg32(Gpr.RBX, ebx);
    s.setReg32(Gpr.RCX, ecx);
    s.setReg32(Gpr.RDX, edx);
  },
  rdmsr(cpu, insn) {
    requireFeature(cpu, 'msr');
    requireCpl0(cpu);
    const index = cpu.state.reg32(Gpr.RCX);
    if (cpu.intercepts.rdmsr(index, insn)) return true;
    const virtual = isApicMsr(index) ? cpu.intercepts.readApicMsr?.(index) : undefined;
    writeEdxEax(cpu.state, virtual ?? readMsrOrFault(cpu, index));
  },
  wrmsr(cpu, insn) {
    requireFeature(cpu, 'msr');
    requireCpl0(cpu);
    const index = cpu.state.reg32(Gpr.RCX);
    const value = readEdxEax(cpu.state);
    if (cpu.intercepts.wrmsr(index, value, insn)) return true;
    if (isApicMsr(index) && cpu.intercepts.writeApicMsr?.(index, value) === true) return;
    if (!writeMsr(cpu, index, value)) throw cpu.fault.exception(Vector.GP, 0);
  },
  rdtsc(cpu, insn) {
    requireFeature(cpu, 'tsc');
    checkTsd(cpu);
    if (cpu.intercepts.instruction('rdtsc', insn)) return true;
    writeEdxEax(cpu.state, cpu.intercepts.timestamp(readTsc(cpu)));
  },
  rdtscp(cpu, insn) {
    requireEnabled(cpu, 'rdtscp', 'rdtscp');
    checkTsd(cpu);
    if (cpu.intercepts.instruction('rdtscp', insn)) return true;
    writeEdxEax(cpu.state, cpu.intercepts.timestamp(readTsc(cpu)));
    cpu.state.setReg32(Gpr.RCX, cpu.state.get32(Offset.TSC_AUX));
  },
  rdpid(cpu, insn) {
    requireEnabled(cpu, 'rdpid', 'rdpid');
    writeGpr(cpu.state, insn.operands[0].number, 8, BigInt(cpu.state.get32(Offset.TSC_AUX)));
  },
  rdpmc(cpu, insn) {
    if (!(cpu.state.cr4 & Cr4.PCE) && cpu.state.cpl !== 0 && isProtected(cpu.state)) throw cpu.fault.exception(Vector.GP, 0);
    if (cpu.intercepts.instruction('rdpmc', insn)) return true;
    if (cpu.state.reg32(Gpr.RCX) >= COUNTERS) throw cpu.fault.exception(Vector.GP, 0);
    writeEdxEax(cpu.state, 0n);
  },
  rdfsbase: readBase(Seg.FS),
  rdgsbase: readBase(Seg.GS),
  wrfsbase: writeBase(Seg.FS),
  wrgsbase: writeBase(Seg.GS),
};
