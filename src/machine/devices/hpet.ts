/**
 * The high precision event timers (IA-PC HPET Specification, "Hardware Overview"): a 64-bit counter of 10 ns and three
 * comparators, of which the first two can take the place of the 8254 and of the clock's periodic interrupt. The counter
 * is not stepped but computed from the machine's clock.
 */
import type { Device, DeviceHost, MemoryDevice } from '../device';

/** Ticks of the machine's clock per count. */
const TICKS_PER_COUNT = 10n;
const FEMTOSECONDS_PER_COUNT = 10_000_000n;
const TIMERS = 3;
const VENDOR = 0x8086n;
const REVISION = 1n;

const Register = { CAPABILITIES: 0x000, CONFIGURATION: 0x010, STATUS: 0x020, COUNTER: 0x0f0, TIMERS: 0x100, STRIDE: 0x20 } as const;
/** Bits of the general configuration. */
const ENABLE = 1n;
const LEGACY = 2n;
/** Bits of a timer's configuration. */
const Timer = { LEVEL: 1n << 1n, INTERRUPT: 1n << 2n, PERIODIC: 1n << 3n, PERIODIC_CAPABLE: 1n << 4n, WIDE: 1n << 5n, SET_VALUE: 1n << 6n, NARROW_MODE: 1n << 8n } as const;
const WRITABLE = Timer.LEVEL | Timer.INTERRUPT | Timer.PERIODIC | Timer.SET_VALUE | Timer.NARROW_MODE | (0x1fn << 9n);
/** I/O APIC inputs that a timer can be routed to: those that nothing else uses. */
const ROUTES = 0x00f0_0000n;
const MASK64 = 0xffff_ffff_ffff_ffffn;
const MASK32 = 0xffff_ffffn;

/** What the first bytes of the ACPI table repeat: the low half of the capabilities. */
export const HPET_BLOCK_ID = Number((VENDOR << 16n) | (1n << 15n) | (1n << 13n) | (BigInt(TIMERS - 1) << 8n) | REVISION);

const timer = () => ({ configuration: 0n, comparator: MASK64, period: 0n, /** Counter value of the next match, or -1 when none is due. */ due: -1n });

const powerOn = () => ({ configuration: 0n, status: 0n, /** Counter while it stands; else its value at tick 0. */ base: 0n, timers: [timer(), timer(), timer()] });

export class Hpet implements Device, MemoryDevice {
  readonly name = 'hpet';
  state = powerOn();

  /** `setInput` drives an input of the I/O APIC, `setLegacy` the lines of IRQ 0 and IRQ 8. */
  constructor(
    private readonly host: DeviceHost,
    private readonly setInput: (input: number, level: boolean) => void,
    private readonly setLegacy: (irq: number, level: boolean) => void,
  ) {}

  reset(): void {
    this.state = powerOn();
  }

  /** Whether timers 0 and 1 have taken the lines of the 8254 and the clock. */
  get replacesLegacy(): boolean {
    return (this.state.configuration & LEGACY) !== 0n;
  }

  private get running(): boolean {
    return (this.state.configuration & ENABLE) !== 0n;
  }

  private counts(): bigint {
    return BigInt(this.host.now()) / TICKS_PER_COUNT;
  }
  private get counter(): bigint {
    return (this.running ? this.state.base + this.counts() : this.state.base) & MASK64;
  }

  nextDeadline(): number {
    if (!this.running) return Infinity;
    let next = Infinity;
    for (const t of this.state.timers) if (t.due >= 0n && t.configuration & Timer.INTERRUPT) next = Math.min(next, Number((t.due - this.state.base) * TICKS_PER_COUNT));
    return next;
  }

  advance(): void {
    const counter = this.state.base + this.counts();
    this.state.timers.forEach((t, n) => {
      while (t.due >= 0n && t.due <= counter) {
        this.fire(n);
        if (!(t.configuration & Timer.PERIODIC) || t.period === 0n) {
          t.due = -1n;
          break;
        }
        t.due += t.period;
        t.comparator = t.due & this.width(n);
      }
    });
  }

  private width(n: number): bigint {
    return this.state.timers[n]!.configuration & Timer.NARROW_MODE ? MASK32 : MASK64;
  }

  private fire(n: number): void {
    const { configuration } = this.state.timers[n]!;
    if (!(configuration & Timer.INTERRUPT)) return;
    const level = (configuration & Timer.LEVEL) !== 0n;
    if (level) this.state.status |= 1n << BigInt(n);
    this.drive(n, true);
    if (!level) this.drive(n, false);
  }

  private drive(n: number, level: boolean): void {
    if (this.replacesLegacy && n < 2) return this.setLegacy(n === 0 ? 0 : 8, level);
    const route = Number((this.state.timers[n]!.configuration >> 9n) & 0x1fn);
    if ((ROUTES >> BigInt(route)) & 1n) this.setInput(route, level);
  }

  /** The counter runs or stands, or a comparator changed: works out when each timer matches next. `before` is the deadline that the machine knows, if that is certain. */
  private schedule(before?: number): void {
    const counter = this.state.base + this.counts();
    this.state.timers.forEach((t, n) => {
      if (!this.running) {
        t.due = -1n;
        return;
      }
      // The counter has no limit here, so that a comparator that it has passed matches once it has wrapped.
      const width = this.width(n);
      t.due = counter + ((t.comparator - counter - 1n) & width) + 1n;
    });
    if (before === undefined || this.nextDeadline() !== before) this.host.reschedule();
  }

  readRegister(offset: number, size: number): number {
    const value = this.read(offset & ~7) >> BigInt((offset & 7) * 8);
    return Number(value & ((1n << BigInt(size * 8)) - 1n));
  }

  private read(offset: number): bigint {
    switch (offset) {
      case Register.CAPABILITIES:
        return (FEMTOSECONDS_PER_COUNT << 32n) | BigInt(HPET_BLOCK_ID);
      case Register.CONFIGURATION:
        return this.state.configuration;
      case Register.STATUS:
        return this.state.status;
      case Register.COUNTER:
        return this.counter;
    }
    const t = this.state.timers[(offset - Register.TIMERS) / Register.STRIDE | 0];
    if (offset < Register.TIMERS || !t) return 0n;
    switch (offset % Register.STRIDE) {
      case 0x00:
        return (ROUTES << 32n) | Timer.PERIODIC_CAPABLE | Timer.WIDE | (t.configuration & ~Timer.SET_VALUE);
      case 0x08:
        return t.comparator;
      default:
        return 0n; // no interrupts by messages
    }
  }

  writeRegister(offset: number, size: number, value: number): void {
    const at = offset & ~7;
    const shift = BigInt((offset & 7) * 8);
    const mask = ((1n << BigInt(size * 8)) - 1n) << shift;
    const bits = (BigInt(value) << shift) & mask;
    this.write(at, (old) => (old & ~mask) | bits, bits);
  }

  /** `merged` puts the written bytes into an old value; `bits` are they alone. */
  private write(offset: number, merged: (old: bigint) => bigint, bits: bigint): void {
    const { state } = this;
    if (offset === Register.CONFIGURATION) return this.configure(merged(state.configuration) & (ENABLE | LEGACY));
    if (offset === Register.STATUS) {
      const cleared = state.status & bits;
      state.status &= ~bits;
      for (let n = 0; n < TIMERS; n++) if (cleared & (1n << BigInt(n))) this.drive(n, false);
      return;
    }
    if (offset === Register.COUNTER) {
      const value = merged(this.counter) & MASK64;
      state.base = this.running ? value - this.counts() : value;
      return this.schedule();
    }
    const n = (offset - Register.TIMERS) / Register.STRIDE | 0;
    const t = state.timers[n];
    if (offset < Register.TIMERS || !t) return;
    const before = this.nextDeadline();
    if (offset % Register.STRIDE === 0x00) t.configuration = merged(t.configuration) & WRITABLE;
    else if (offset % Register.STRIDE === 0x08) this.compare(n, merged, bits);
    else return;
    this.schedule(before);
  }

  /** A periodic timer's comparator: the period, or with SET_VALUE the first match. */
  private compare(n: number, merged: (old: bigint) => bigint, bits: bigint): void {
    const t = this.state.timers[n]!;
    const periodic = (t.configuration & Timer.PERIODIC) !== 0n;
    if (!periodic || t.configuration & Timer.SET_VALUE) t.comparator = merged(t.comparator) & this.width(n);
    if (periodic) t.period = (t.configuration & Timer.SET_VALUE ? bits : merged(t.period)) & this.width(n);
    t.configuration &= ~Timer.SET_VALUE;
  }

  private configure(configuration: bigint): void {
    const { state } = this;
    const counter = this.counter;
    // Whoever gives the lines away leaves them low.
    if ((state.configuration ^ configuration) & LEGACY) for (const irq of [0, 8]) this.setLegacy(irq, false);
    state.configuration = configuration;
    state.base = this.running ? counter - this.counts() : counter;
    this.schedule();
  }
}
