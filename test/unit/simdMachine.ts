/** A machine in 64-bit mode for tests of SIMD and state-saving instructions: a tiny program, and the exceptions that it raises. */
import type { Cpu } from '../../src/cpu/engine/cpu';
import type { Fault } from '../../src/cpu/fault';
import { createFlatMachine, noVmx } from '../silicon/flatMachine';
import { Gpr, Offset } from '../../src/cpu/state';

export const CODE = 0x20_0000;
export const DATA = 0x40_0000;
/** OSFXSR, OSXMMEXCPT, OSXSAVE. */
const CR4_STATE = 0x4_0600n;

export const bytes = (text: string): number[] => text.trim().split(/\s+/).map((t) => parseInt(t, 16));

export interface SimdMachine {
  cpu: Cpu;
  ram: number;
  /** Vectors of the exceptions raised, and their error codes. */
  raised: number[];
  codes: number[];
  /** Loads a program, followed by HLT, and runs it. */
  run(program: string): void;
  /** Bytes of RAM as a view. */
  data(at: number): DataView;
}

/** SSE, AVX and XSAVE are enabled, RDI is DATA; an exception halts the machine with `raised` telling its vector. */
export function simdMachine(xcr0 = 7n): SimdMachine {
  const { cpu, ram } = createFlatMachine(16);
  const raised: number[] = [];
  const codes: number[] = [];
  const none = noVmx();
  cpu.intercepts = Object.assign(Object.create(none), none, {
    nonRoot: false,
    boundary: () => false,
    ticksToBoundary: () => Infinity,
    event: (_type: number, vector: number, fault: Fault | undefined) => {
      raised.push(vector);
      codes.push(fault?.errorCode ?? 0);
    },
    tripleFault: () => undefined,
    delivering: () => undefined,
    instruction: () => false,
  });
  const s = cpu.state;
  s.setReg(Gpr.RDI, BigInt(DATA));
  s.set64(Offset.CR4, s.get64(Offset.CR4) | CR4_STATE);
  s.set64(Offset.XCR0, xcr0);
  cpu.stateChanged();
  return {
    cpu,
    ram,
    raised,
    codes,
    data: (at) => new DataView(cpu.views.memory.buffer, ram + at),
    run(program) {
      raised.length = codes.length = 0;
      cpu.views.u8.set(bytes(program + ' f4'), ram + CODE);
      cpu.memoryChanged(CODE >>> 12);
      s.rip = BigInt(CODE);
      s.set32(Offset.ACTIVITY, 0);
      s.set64(Offset.IDTR_LIMIT, 0n);
      cpu.stateChanged();
      cpu.run(1000);
    },
  };
}
