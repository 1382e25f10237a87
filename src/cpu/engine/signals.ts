/**
 * INIT and start-up IPIs as the processor that they are for sees them (SDM volume 3, "MP Initialization" and "Other
 * Causes of VM Exits"). INIT waits until an instruction boundary at which it is not blocked; a start-up IPI is lost unless
 * the processor waits for one.
 */
import { type CpuState, Offset } from '../state';
import { Activity } from './activity';
import type { Cpu } from './cpu';
import { initProcessor, startProcessor } from './reset';

/** Bits of Offset.SIGNALS; the vector of a start-up IPI is in bits 15:8. */
const Signal = { INIT: 1, STARTUP: 2 } as const;
const VECTOR_SHIFT = 8;
const VMX_ROOT = 1;

export function signalInit(s: CpuState): void {
  s.set32(Offset.SIGNALS, s.get32(Offset.SIGNALS) | Signal.INIT);
}

export function signalStartUp(s: CpuState, vector: number): void {
  const signals = s.get32(Offset.SIGNALS);
  const initComes = (signals & Signal.INIT) !== 0 && s.get32(Offset.VMX_MODE) !== VMX_ROOT;
  if (s.get32(Offset.ACTIVITY) !== Activity.WAIT_FOR_SIPI && !initComes) return;
  s.set32(Offset.SIGNALS, (signals & Signal.INIT) | Signal.STARTUP | (vector << VECTOR_SHIFT));
}

/** Takes what waits, if it can be taken. Returns whether the state changed. */
export function takeSignals(cpu: Cpu): boolean {
  const s = cpu.state;
  if (s.get32(Offset.SIGNALS) & Signal.INIT) {
    const effect = cpu.intercepts.initSignal?.() ?? 'reset';
    if (effect !== 'blocked') {
      s.set32(Offset.SIGNALS, s.get32(Offset.SIGNALS) & ~Signal.INIT);
      if (effect === 'reset') {
        initProcessor(cpu);
        cpu.interrupts.init?.();
      }
      return true;
    }
  }
  const signals = s.get32(Offset.SIGNALS);
  if (!(signals & Signal.STARTUP)) return false;
  s.set32(Offset.SIGNALS, signals & Signal.INIT);
  if (s.get32(Offset.ACTIVITY) !== Activity.WAIT_FOR_SIPI) return false;
  const vector = signals >>> VECTOR_SHIFT;
  if (cpu.intercepts.startUp?.(vector) !== true) startProcessor(cpu, vector);
  return true;
}
