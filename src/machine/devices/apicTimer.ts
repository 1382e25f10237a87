/** The local APIC's timer: one-shot, periodic and TSC-deadline (SDM volume 3, "APIC Timer"). Its state is the local APIC's. */
import { APIC_TIMER_TICKS } from '../clock';
import type { DeviceHost } from '../device';
import { Lvt, MASKED, TimerMode } from './apicRegisters';
import type { ApicState } from './apicState';

export const TSC_DEADLINE_MSR = 0x6e0;

export class ApicTimer {
  /** `tscOffset`: TSC minus ticks. `expired` is told the vector of an interrupt that is due. */
  constructor(
    private readonly state: () => ApicState,
    private readonly host: Pick<DeviceHost, 'now' | 'reschedule'>,
    private readonly tscOffset: () => bigint,
    private readonly expired: (vector: number) => void,
  ) {}

  advance(now: number): void {
    const s = this.state();
    while (s.expiry <= now) {
      const timer = s.lvt[Lvt.TIMER]!;
      if (this.mode === TimerMode.PERIODIC && s.initialCount > 0) {
        s.start = s.expiry;
        s.expiry += s.initialCount * this.ticksPerCount();
      } else {
        s.expiry = Infinity;
        s.tscDeadline = 0n;
      }
      if (!(timer & MASKED)) this.expired(timer & 0xff);
    }
  }

  private get mode(): number {
    return (this.state().lvt[Lvt.TIMER]! >> 17) & 3;
  }

  private ticksPerCount(): number {
    const { divide } = this.state();
    const code = (divide & 3) | ((divide >> 1) & 4);
    return APIC_TIMER_TICKS * (code === 7 ? 1 : 2 << code);
  }

  /** The current-count register. */
  get count(): number {
    const { expiry } = this.state();
    if (expiry === Infinity || this.mode === TimerMode.TSC_DEADLINE) return 0;
    return Math.max(0, Math.ceil((expiry - this.host.now()) / this.ticksPerCount()));
  }

  /** The initial-count register was written. */
  start(count: number): void {
    const s = this.state();
    s.initialCount = count;
    if (this.mode === TimerMode.TSC_DEADLINE) return;
    s.start = this.host.now();
    s.expiry = count === 0 ? Infinity : s.start + count * this.ticksPerCount();
    this.host.reschedule();
  }

  /** The divide-configuration register was written: the count that is left goes on at the new rate. */
  divide(value: number): void {
    const s = this.state();
    const left = this.count;
    s.divide = value & 0xb;
    if (left === 0) return;
    s.expiry = this.host.now() + left * this.ticksPerCount();
    this.host.reschedule();
  }

  /** The timer's entry of the local vector table is replaced: changing to or from TSC-deadline mode disarms the timer. */
  setEntry(value: number): void {
    const s = this.state();
    const before = this.mode;
    s.lvt[Lvt.TIMER] = value;
    if ((before === TimerMode.TSC_DEADLINE) === (this.mode === TimerMode.TSC_DEADLINE)) return;
    s.expiry = Infinity;
    s.tscDeadline = 0n;
    this.host.reschedule();
  }

  /** IA32_TSC_DEADLINE was written: ignored in the other modes; due now when the TSC is there already. */
  setDeadline(tsc: bigint): void {
    const s = this.state();
    if (this.mode !== TimerMode.TSC_DEADLINE) return;
    s.tscDeadline = tsc;
    s.expiry = tsc === 0n ? Infinity : this.tickOf(tsc);
    this.host.reschedule();
  }

  private tickOf(tsc: bigint): number {
    const now = this.host.now();
    const present = BigInt.asUintN(64, BigInt(now) + this.tscOffset());
    return tsc <= present ? now : now + Number(tsc - present);
  }
}
