/**
 * Address-range monitoring: the lines of memory that MONITOR has armed (SDM volume 3, "MONITOR/MWAIT Instruction"). As
 * long as a processor monitors one, its page is among those to which writes are told; nobody else pays for it.
 */
import { type CpuState, Offset } from '../state';
import { MONITOR_LINE } from '../system/monitorOperations';
import { Activity } from './activity';
import { PAGE } from './codePage';

/** Writes to a page without a monitored line after which they are not told any more. */
const WRITES_TO_FORGET = 64;

/** Bits of Offset.MONITOR. */
export const Monitoring = {
  /** MONITOR has armed a line that nobody has written since. */
  ARMED: 1,
  /** MWAIT waits for that; Offset.ACTIVITY then says HLT, as the VMCS knows no other such state. */
  WAITING: 2,
  /** An interrupt ends the wait even while RFLAGS.IF is 0. */
  BREAKS: 4,
} as const;

export const waitsMonitored = (s: CpuState): boolean => (s.get32(Offset.MONITOR) & Monitoring.WAITING) !== 0;

/** Whether an interrupt ends an MWAIT although RFLAGS.IF is 0. */
export const breaksMasked = (s: CpuState): boolean => (s.get32(Offset.MONITOR) & (Monitoring.WAITING | Monitoring.BREAKS)) === (Monitoring.WAITING | Monitoring.BREAKS);

export class MonitoredLines {
  /** By processor: the address of its line. */
  private readonly lines = new Map<number, number>();
  /** Pages whose writes are told, and how many came since somebody monitored a line there: lines are monitored again soon. */
  private readonly pages = new Map<number, number>();
  /** Told of the processor whose line was written. */
  onWrite: (processor: number) => void = () => undefined;

  constructor(private readonly pageAppeared: (page: number) => void) {}

  /** `address` undefined: the processor monitors nothing any more. */
  set(processor: number, address: number | undefined): void {
    if (address === undefined) {
      this.lines.delete(processor);
      return;
    }
    this.lines.set(processor, address);
    const page = Math.floor(address / PAGE);
    const known = this.pages.has(page);
    this.pages.set(page, 0);
    if (!known) this.pageAppeared(page);
  }

  has(page: number): boolean {
    return this.pages.size !== 0 && this.pages.has(page);
  }

  /** Bytes of a page are written, by whomever. Returns whether the page's writes are still to be told. */
  written(page: number, offset: number, length: number): boolean {
    const unused = this.pages.size === 0 ? undefined : this.pages.get(page);
    if (unused === undefined) return false;
    const start = page * PAGE + offset;
    let monitored = false;
    for (const [processor, address] of this.lines) {
      if (Math.floor(address / PAGE) === page) monitored = true;
      if (address >= start + length || address + MONITOR_LINE <= start) continue;
      this.lines.delete(processor);
      this.onWrite(processor);
    }
    if (monitored || unused + 1 < WRITES_TO_FORGET) this.pages.set(page, monitored ? 0 : unused + 1);
    else this.pages.delete(page);
    return this.pages.has(page);
  }
}

/** Ends what MONITOR began, and the wait of MWAIT. */
export function endMonitoring(s: CpuState): void {
  if (waitsMonitored(s)) s.set32(Offset.ACTIVITY, Activity.ACTIVE);
  s.set32(Offset.MONITOR, 0);
}
