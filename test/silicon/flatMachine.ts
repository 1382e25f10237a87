/** The engine alone, in 64-bit mode over flat identity-mapped RAM: for tests of instructions. */
import { createEngine, type Engine } from '../../src/cpu/engine/engine';
import { Frame } from '../../src/cpu/mmu/frameTable';
import { resetProcessor } from '../../src/cpu/engine/reset';
import type { PhysicalBus } from '../../src/cpu/bus';
import type { Cpu, CpuParts } from '../../src/cpu/engine/cpu';
import type { Intercepts, SecondLevel } from '../../src/cpu/intercepts';
import { enterLongMode } from '../unit/longMode';

/** An Intercepts (and SecondLevel) of a processor outside VMX: nothing is intercepted. */
export function noVmx(): Intercepts & SecondLevel {
  const fixed: Record<string, unknown> = {
    nonRoot: false,
    inVmx: false,
    active: false,
    rights: 7,
    boundary: () => false,
    externalInterrupt: () => false,
    ticksToBoundary: () => Infinity,
    timestamp: (tsc: bigint) => tsc,
    readControlRegister: (_cr: number, value: bigint) => value,
    writeControlRegister: (_cr: number, value: bigint) => value,
    controlRegisterAllowed: () => true,
    clts: () => true,
  };
  return new Proxy({}, { get: (_target, key) => (key in fixed ? fixed[key as string] : () => undefined) }) as Intercepts & SecondLevel;
}

/** The parts of a processor alone: nothing is at its ports, no interrupt comes, every feature exists. `bus` says what differs. */
export function bareParts(bus: Pick<PhysicalBus, 'frameForRead' | 'frameForWrite'> & Partial<PhysicalBus>): CpuParts {
  return {
    bus: { read: () => 0xffff_ffff, write: () => undefined, in: () => 0xffff_ffff, out: () => undefined, ...bus },
    interrupts: { pending: () => false, acknowledge: () => 0, getTaskPriority: () => 0, setTaskPriority: () => undefined, setBase: () => undefined },
    deviceMsrs: { read: () => undefined, write: () => false },
    features: { has: () => true },
  };
}

/** Tells generated code of pages of RAM that lie one after another from physical address 0, but of those that `frame` does not give. */
export function tellFrames(engine: Engine, pages: number, frame: (page: number) => number): void {
  for (let page = 0; page < pages; page++) if (frame(page) !== 0) engine.frameTable[page] = frame(page) | Frame.WRITTEN;
}

export interface FlatMachine {
  cpu: Cpu;
  /** Host offset of physical address 0. */
  ram: number;
}

/** RAM of `mebibytes` (a multiple of 2, at most 1024), mapped one to one by 2-MiB pages for user and supervisor; page tables lie at 0x1000 to 0x3fff. */
export function createFlatMachine(mebibytes: number): FlatMachine {
  const engine = createEngine({ ramBytes: mebibytes << 20, cpus: 1 });
  const pages = mebibytes << 8;
  const frame = (page: number): number => (page < pages ? engine.frameBase + page * 0x1000 : 0);
  tellFrames(engine, pages, frame);
  const cpu = engine.createProcessor(0, bareParts({ frameForRead: frame, frameForWrite: frame }));
  cpu.intercepts = cpu.secondLevel = noVmx();
  resetProcessor(cpu);
  const ram = engine.frameBase;
  const entry = (at: number, value: bigint): void => engine.views.data.setBigUint64(ram + at, value, true);
  entry(0x1000, 0x2007n);
  entry(0x2000, 0x3007n);
  for (let i = 0; i < mebibytes / 2; i++) entry(0x3000 + i * 8, BigInt(i) * 0x20_0000n + 0x87n);
  enterLongMode(cpu, { cr3: 0x1000 });
  return { cpu, ram };
}
