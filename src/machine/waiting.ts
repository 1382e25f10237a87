/** What the machine does while its processors wait: time passes to what comes next, with nothing executed. */
import { Activity } from '../cpu/engine/activity';
import type { Cpu } from '../cpu/engine/cpu';
import { breaksMasked } from '../cpu/engine/monitoredLines';
import { interruptsEnabled } from '../cpu/flags';
import { Offset } from '../cpu/state';
import type { Pc } from './machine';

const waitsForSipi = ({ state }: Cpu): boolean => state.get32(Offset.ACTIVITY) === Activity.WAIT_FOR_SIPI;

export class Waiting {
  constructor(private readonly pc: Pc) {}

  /** Wakes halted guests whose preemption timer has expired. Returns when the next one does. */
  wakeAtBoundaries(now: number): number {
    const { units, turns, cpus } = this.pc;
    let next = Infinity;
    units.forEach((unit, n) => {
      if (!unit.nonRoot || !turns.isAsleep(n) || waitsForSipi(cpus[n]!)) return;
      if (unit.timerDeadline <= now) turns.signal(n, now);
      else next = Math.min(next, unit.timerDeadline);
    });
    return next;
  }

  /** All processors wait: skips to the next thing that happens. False when nothing can ever wake one. */
  idle(end: number, boundary: number): boolean {
    const { cpus, board, input } = this.pc;
    if (this.pc.interrupted) return true;
    const waiting = cpus.filter((cpu) => !waitsForSipi(cpu));
    if (waiting.length === 0) return false;
    const interrupt = waiting.some((cpu) => cpu.intercepts.nonRoot || interruptsEnabled(cpu.state) || breaksMasked(cpu.state)) ? board.deadlineThatWakes() : Infinity;
    return this.skip(end, Math.min(boundary, interrupt, input.nextDeadline));
  }

  /** The machine is in S3: skips to what may wake it. False when nothing can. */
  sleep(end: number): boolean {
    const { board, input, told } = this.pc;
    if (this.pc.interrupted) return true;
    if (board.wakesAt === Infinity) told.add('The guest sleeps (ACPI S3) and has set no alarm that wakes it; a key on its keyboard does.');
    return this.skip(end, Math.min(board.wakesAt, input.nextDeadline));
  }

  /** Lets time pass to the next thing that happens, at most to `end`. False when nothing can ever wake a processor. */
  skip(end: number, wake: number): boolean {
    if (wake === Infinity) return false;
    const s = this.pc.cpu.state;
    const skipped = Math.min(end, wake, this.pc.board.nextDeadline()) - s.icount;
    if (skipped > 0) {
      s.icount += skipped;
      s.idle += skipped;
    }
    return true;
  }
}
