/**
 * The high precision event timers (IA-PC HPET Specification, "Hardware Overview"): a 64-bit counter of 10 ns and three
 * comparators, of which the first two can take the place of the 8254 and of the clock's periodic interrupt. The counter
 * is not stepped but computed from the machine's clock.
 *
 * Kernels measure by it in tight loops, so 64-bit values are pairs of 32-bit halves and no bigints.
 */
import type { Device, DeviceHost, MemoryDevice } from '../device';
import { noLooks, ticksOfLook } from './looks';

/** Ticks of the machine's clock per count. */
const TICKS_PER_COUNT = 10;
const FEMTOSECONDS_PER_COUNT = 10_000_000;
const TIMERS = 3;
const VENDOR = 0x8086;
const REVISION = 1;

const Register = { CAPABILITIES: 0x000, CONFIGURATION: 0x010, STATUS: 0x020, COUNTER: 0x0f0, TIMERS: 0x100, STRIDE: 0x20 } as const;
/** Registers of a timer. */
const CONFIGURATION = 0x00;
const COMPARATOR = 0x08;
/** Bits of the general configuration. */
const ENABLE = 1;
const LEGACY = 2;
/** Bits of a timer's configuration. */
const Timer = { LEVEL: 1 << 1, INTERRUPT: 1 << 2, PERIODIC: 1 << 3, PERIODIC_CAPABLE: 1 << 4, WIDE: 1 << 5, SET_VALUE: 1 << 6, NARROW_MODE: 1 << 8 } as const;
const ROUTE_SHIFT = 9;
const ROUTE_MASK = 0x1f;
const WRITABLE = Timer.LEVEL | Timer.INTERRUPT | Timer.PERIODIC | Timer.SET_VALUE | Timer.NARROW_MODE | (ROUTE_MASK << ROUTE_SHIFT);
/** I/O APIC inputs that a timer can be routed to: those that nothing else uses. */
const ROUTES = 0x00f0_0000;
const ALL_ONES = 0xffff_ffff;
const TWO_32 = 0x1_0000_0000;

/** What the first bytes of the ACPI table repeat: the low half of the capabilities. */
export const HPET_BLOCK_ID = ((VENDOR << 16) | (1 << 15) | (1 << 13) | ((TIMERS - 1) << 8) | REVISION) >>> 0;

/** A 64-bit value in unsigned halves. */
interface Wide {
  low: number;
  high: number;
}
const wide = (low: number, high: number): Wide => ({ low: low >>> 0, high: high >>> 0 });
const add = (a: Wide, b: Wide): Wide => wide(a.low + b.low, a.high + b.high + (a.low + b.low >= TWO_32 ? 1 : 0));
const subtract = (a: Wide, b: Wide): Wide => wide(a.low - b.low, a.high - b.high - (a.low < b.low ? 1 : 0));
/** As a number: exact below 2^53, which is as far as the machine's clock goes. */
const numberOf = (a: Wide): number => a.high * TWO_32 + a.low;
/** The bytes that are written, in their place, and where they are. */
interface Written {
  bits: Wide;
  mask: Wide;
}
const merged = (old: Wide, { bits, mask }: Written): Wide => wide((old.low & ~mask.low) | bits.low, (old.high & ~mask.high) | bits.high);

const timer = () => ({ configuration: 0, comparator: wide(ALL_ONES, ALL_ONES), period: wide(0, 0), /** Tick of the next match, or Infinity when none is due. */ due: Infinity });
type TimerState = ReturnType<typeof timer>;

const powerOn = () => ({ configuration: 0, status: 0, /** Counter while it stands; else its value at tick 0. */ base: wide(0, 0), timers: [timer(), timer(), timer()], /** At the counter. */ row: noLooks() });

export class Hpet implements Device, MemoryDevice {
  readonly name = 'hpet';
  state = powerOn();

  /** `setInput` drives an input of the I/O APIC, `setLegacy` the lines of IRQ 0 and IRQ 8. */
  constructor(
    private readonly host: DeviceHost,
    private readonly setInput: (input: number, level: boolean) => void,
    private readonly setLegacy: (irq: number, level: boolean) => void,
    /** Lets so many ticks pass after the present instruction. */
    private readonly letPass: (ticks: number) => void,
  ) {}

  reset(): void {
    this.state = powerOn();
  }

  /** Whether timers 0 and 1 have taken the lines of the 8254 and the clock. */
  get replacesLegacy(): boolean {
    return (this.state.configuration & LEGACY) !== 0;
  }

  private get running(): boolean {
    return (this.state.configuration & ENABLE) !== 0;
  }

  /** Counts since tick 0. */
  private counts(): Wide {
    const counts = Math.floor(this.host.now() / TICKS_PER_COUNT);
    return wide(counts, counts / TWO_32);
  }
  private get counter(): Wide {
    return this.running ? add(this.state.base, this.counts()) : this.state.base;
  }

  nextDeadline(): number {
    if (!this.running) return Infinity;
    let next = Infinity;
    for (const t of this.state.timers) next = Math.min(next, interruptAt(t));
    return next;
  }

  advance(now: number): void {
    this.state.timers.forEach((t, n) => {
      while (t.due <= now) {
        this.fire(n);
        const period = numberOf(t.period);
        if (t.configuration & Timer.PERIODIC && period !== 0) {
          t.due += period * TICKS_PER_COUNT;
          t.comparator = narrowed(t, add(t.comparator, t.period));
        } else t.due += wrap(t) * TICKS_PER_COUNT;
      }
    });
  }

  private fire(n: number): void {
    const { configuration } = this.state.timers[n]!;
    if (!(configuration & Timer.INTERRUPT)) return;
    const level = (configuration & Timer.LEVEL) !== 0;
    if (level) this.state.status |= 1 << n;
    this.drive(n, true);
    if (!level) this.drive(n, false);
  }

  private drive(n: number, level: boolean): void {
    if (this.replacesLegacy && n < 2) return this.setLegacy(n === 0 ? 0 : 8, level);
    const route = (this.state.timers[n]!.configuration >> ROUTE_SHIFT) & ROUTE_MASK;
    if ((ROUTES >> route) & 1) this.setInput(route, level);
  }

  /** The counter has begun to run or to stand, or was set: all timers match at other times. */
  private restart(): void {
    const counts = this.counts();
    for (const t of this.state.timers) this.schedule(t, counts);
    this.host.reschedule();
  }

  /** Works out when a timer matches next. Calibration loops write comparators of timers that nobody waits for, over and over. */
  private schedule(t: TimerState, counts: Wide): void {
    // A comparator that the counter has reached or passed matches once it has wrapped.
    const left = numberOf(narrowed(t, subtract(t.comparator, add(this.state.base, counts)))) || wrap(t);
    t.due = this.running ? (numberOf(counts) + left) * TICKS_PER_COUNT : Infinity;
  }

  readRegister(offset: number, size: number): number {
    const { low, high } = this.read(offset & ~7);
    const half = (offset & 4 ? high : low) >>> ((offset & 3) * 8);
    return size === 4 ? half : half & ((1 << (size * 8)) - 1);
  }

  private read(offset: number): Wide {
    switch (offset) {
      case Register.CAPABILITIES:
        return wide(HPET_BLOCK_ID, FEMTOSECONDS_PER_COUNT);
      case Register.CONFIGURATION:
        return wide(this.state.configuration, 0);
      case Register.STATUS:
        return wide(this.state.status, 0);
      case Register.COUNTER:
        if (this.running) this.letPass(ticksOfLook(this.state.row, this.host.now()));
        return this.counter;
    }
    const t = this.state.timers[((offset - Register.TIMERS) / Register.STRIDE) | 0];
    if (offset < Register.TIMERS || !t) return wide(0, 0);
    switch (offset % Register.STRIDE) {
      case CONFIGURATION:
        return wide(Timer.PERIODIC_CAPABLE | Timer.WIDE | (t.configuration & ~Timer.SET_VALUE), ROUTES);
      case COMPARATOR:
        return t.comparator;
      default:
        return wide(0, 0); // no interrupts by messages
    }
  }

  writeRegister(offset: number, size: number, value: number): void {
    const shift = (offset & 3) * 8;
    const mask = size === 4 ? ALL_ONES : ((1 << (size * 8)) - 1) << shift;
    const bits = (value << shift) & mask;
    this.write(offset & ~7, offset & 4 ? { bits: wide(0, bits), mask: wide(0, mask) } : { bits: wide(bits, 0), mask: wide(mask, 0) });
  }

  private write(offset: number, written: Written): void {
    const { state } = this;
    if (offset === Register.CONFIGURATION) return this.configure(merged(wide(state.configuration, 0), written).low & (ENABLE | LEGACY));
    if (offset === Register.STATUS) {
      const cleared = state.status & written.bits.low;
      state.status &= ~cleared;
      for (let n = 0; n < TIMERS; n++) if (cleared & (1 << n)) this.drive(n, false);
      return;
    }
    if (offset === Register.COUNTER) {
      const value = merged(this.counter, written);
      state.base = this.running ? subtract(value, this.counts()) : value;
      return this.restart();
    }
    const t = state.timers[((offset - Register.TIMERS) / Register.STRIDE) | 0];
    if (offset < Register.TIMERS || !t) return;
    const before = interruptAt(t);
    const register = offset % Register.STRIDE;
    if (register === CONFIGURATION) t.configuration = merged(wide(t.configuration, 0), written).low & WRITABLE;
    else if (register === COMPARATOR) compare(t, written);
    else return;
    this.schedule(t, this.counts());
    if (interruptAt(t) !== before) this.host.reschedule();
  }

  private configure(configuration: number): void {
    const { state } = this;
    const { counter } = this;
    // Whoever gives the lines away leaves them low.
    if ((state.configuration ^ configuration) & LEGACY) for (const irq of [0, 8]) this.setLegacy(irq, false);
    state.configuration = configuration;
    state.base = this.running ? subtract(counter, this.counts()) : counter;
    this.restart();
  }
}

/** As many bits of a value as the timer compares. */
const narrowed = (t: TimerState, value: Wide): Wide => (t.configuration & Timer.NARROW_MODE ? wide(value.low, 0) : value);

/** Tick at which a timer interrupts next, or Infinity. */
const interruptAt = (t: TimerState): number => (t.configuration & Timer.INTERRUPT ? t.due : Infinity);

/** Counts after which a comparator that is left alone matches again; 64 bits never come round. */
const wrap = (t: TimerState): number => (t.configuration & Timer.NARROW_MODE ? TWO_32 : Infinity);

/** A periodic timer's comparator: the period, or with SET_VALUE the first match. */
function compare(t: TimerState, written: Written): void {
  const periodic = (t.configuration & Timer.PERIODIC) !== 0;
  const first = (t.configuration & Timer.SET_VALUE) !== 0;
  if (!periodic || first) t.comparator = narrowed(t, merged(t.comparator, written));
  if (periodic) t.period = narrowed(t, first ? written.bits : merged(t.period, written));
  t.configuration &= ~Timer.SET_VALUE;
}
