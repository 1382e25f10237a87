/**
 * The 8254 timer: channel 0 drives IRQ 0, channel 2 the speaker and port 0x61 (Intel 8254 data sheet). Counts are not
 * stepped but computed from the clock when somebody looks.
 */
import { bit } from '../../base/bits';
import { clocksAt, PIT_HERTZ, ticksAt } from '../clock';
import { type Device, type DeviceHost, type PortDevice } from '../device';

const CONTROL = 0x43;
/** Port 0x61: gate of channel 2, speaker, refresh toggle, output of channel 2. */
const SPEAKER = 0x61;
/** The DRAM refresh that port 0x61 shows: a toggle about every 15 microseconds. */
const REFRESH_TICKS = 15_085;

function channel(gate: boolean) {
  return {
    mode: 3,
    /** 1 low byte, 2 high byte, 3 low then high. */
    access: 3,
    bcd: false,
    /** Count of a full period, 1 to 65536. */
    count: 0x10000,
    /** Count that takes effect when the present period of mode 2 or 3 ends, or when the gate starts mode 1 or 5 again; 0 for none. */
    nextCount: 0,
    /** Whether a count was loaded since the control word. */
    loaded: false,
    /** Clock at which counting began. */
    start: 0,
    /** Clocks counted when the gate went low, or -1 while it counts. */
    paused: -1,
    gate,
    /** Low byte that was written and waits for its high byte, or -1. */
    written: -1,
    /** Whether the next read yields the high byte. */
    readHigh: false,
    /** Latched count and status, or -1. */
    latch: -1,
    status: -1,
    /** Clock of the next rising edge of the output, or Infinity. Kept for channel 0 alone. */
    edge: Infinity,
  };
}
type Channel = ReturnType<typeof channel>;

const powerOn = () => ({ channels: [channel(true), channel(true), channel(false)], speaker: 0 });

export class Pit implements Device, PortDevice {
  readonly name = 'pit';
  state = powerOn();

  constructor(
    private readonly host: DeviceHost,
    private readonly setIrq0: (level: boolean) => void,
  ) {}

  reset(): void {
    this.state = powerOn();
  }

  nextDeadline(): number {
    return ticksAt(this.state.channels[0]!.edge, PIT_HERTZ);
  }

  advance(now: number): void {
    const c = this.state.channels[0]!;
    const clocks = clocksAt(now, PIT_HERTZ);
    while (c.edge <= clocks) {
      this.setIrq0(false);
      this.setIrq0(true);
      if (c.mode !== 2 && c.mode !== 3) {
        c.edge = Infinity;
        return;
      }
      c.start = c.edge;
      if (c.nextCount) c.count = c.nextCount;
      c.nextCount = 0;
      c.edge += c.count;
    }
  }

  readPort(port: number): number {
    if (port === SPEAKER) {
      const refresh = Math.floor(this.host.now() / REFRESH_TICKS) & 1;
      return this.state.speaker | (refresh << 4) | (this.output(this.state.channels[2]!) ? 0x20 : 0);
    }
    if (port === CONTROL) return 0xff;
    const c = this.state.channels[port & 3]!;
    if (c.status >= 0) {
      const status = c.status;
      c.status = -1;
      return status;
    }
    const value = c.latch >= 0 ? c.latch : this.present(c);
    const high = c.access === 2 || (c.access === 3 && c.readHigh);
    if (c.access === 3) c.readHigh = !c.readHigh;
    if (c.access !== 3 || !c.readHigh) c.latch = -1;
    return high ? value >> 8 : value & 0xff;
  }

  /** Who waits polls port 0x61 for the end of channel 2's count. */
  steadyUntil(port: number): number {
    if (port !== SPEAKER) return 0;
    const refresh = (Math.floor(this.host.now() / REFRESH_TICKS) + 1) * REFRESH_TICKS;
    return Math.min(refresh, ticksAt(this.nextChange(this.state.channels[2]!), PIT_HERTZ));
  }

  writePort(port: number, value: number): void {
    if (port === SPEAKER) {
      this.state.speaker = value & 3;
      this.setGate(this.state.channels[2]!, bit(value, 0));
    } else if (port === CONTROL) this.control(value);
    else this.writeCount(port & 3, value);
  }

  private control(value: number): void {
    const select = value >> 6;
    if (select === 3) {
      for (let n = 0; n < 3; n++) {
        if (!bit(value, n + 1)) continue;
        const c = this.state.channels[n]!;
        if (!bit(value, 5) && c.latch < 0) c.latch = this.present(c);
        if (!bit(value, 4) && c.status < 0) c.status = (this.output(c) ? 0x80 : 0) | (c.loaded ? 0 : 0x40) | (c.access << 4) | (c.mode << 1) | (c.bcd ? 1 : 0);
      }
      return;
    }
    const c = this.state.channels[select]!;
    const access = (value >> 4) & 3;
    if (access === 0) {
      if (c.latch < 0) c.latch = this.present(c);
      return;
    }
    const mode = (value >> 1) & 7;
    Object.assign(c, { ...channel(c.gate), access, mode: mode > 5 ? mode - 4 : mode, bcd: bit(value, 0), start: this.clock() });
    // The output is low after the control word of mode 0 and high in all others.
    if (select === 0) {
      this.setIrq0(c.mode !== 0);
      this.host.reschedule();
    }
  }

  private writeCount(n: number, value: number): void {
    const c = this.state.channels[n]!;
    if (c.access === 3 && c.written < 0) {
      c.written = value;
      return;
    }
    const raw = c.access === 1 ? value : c.access === 2 ? value << 8 : c.written | (value << 8);
    c.written = -1;
    const count = (c.bcd ? fromBcd(raw) : raw) || (c.bcd ? 10000 : 0x10000);
    const periodic = c.mode === 2 || c.mode === 3;
    if (n === 0 && periodic && c.loaded) {
      c.nextCount = count;
      return;
    }
    if (waitsForGate(c)) this.loadOneShot(c, count);
    else {
      c.count = count;
      c.start = this.clock();
      c.paused = c.gate ? -1 : 0;
    }
    c.loaded = true;
    if (n !== 0) return;
    if (c.mode === 0) this.setIrq0(false);
    // Channel 0's gate is tied high: its one-shots that wait for a gate never start.
    c.edge = waitsForGate(c) ? Infinity : c.start + count;
    this.host.reschedule();
  }

  /** The gate's next rise starts the count; until then the output is as after one. A count that runs goes on. */
  private loadOneShot(c: Channel, count: number): void {
    if (c.loaded && this.elapsed(c) < c.count) {
      c.nextCount = count;
      return;
    }
    c.count = count;
    c.nextCount = 0;
    c.start = this.clock() - count - 1;
    c.paused = -1;
  }

  private setGate(c: Channel, gate: boolean): void {
    if (gate === c.gate) return;
    c.gate = gate;
    const clock = this.clock();
    if (!gate) {
      if (!waitsForGate(c)) c.paused = clock - c.start;
    } else if (c.mode === 0 || c.mode === 4) {
      c.start = clock - Math.max(0, c.paused);
      c.paused = -1;
    } else {
      if (c.nextCount > 0) c.count = c.nextCount;
      c.nextCount = 0;
      c.start = clock;
      c.paused = -1;
    }
  }

  private clock(): number {
    return clocksAt(this.host.now(), PIT_HERTZ);
  }

  private elapsed(c: Channel): number {
    return c.paused >= 0 ? c.paused : this.clock() - c.start;
  }

  /** What a read of the counter yields. */
  private present(c: Channel): number {
    const elapsed = c.loaded ? this.elapsed(c) : 0;
    let count: number;
    if (c.mode === 2) count = c.count - (elapsed % c.count);
    else if (c.mode === 3) count = c.count - ((2 * elapsed) % c.count);
    else {
      const wrap = c.bcd ? 10000 : 0x10000;
      count = (((c.count - elapsed) % wrap) + wrap) % wrap;
    }
    return (c.bcd ? toBcd(count % 10000) : count) & 0xffff;
  }

  /** Clock at which the output next may be another one by itself. */
  private nextChange(c: Channel): number {
    if (!c.loaded || c.paused >= 0) return Infinity;
    const elapsed = this.elapsed(c);
    const cycle = elapsed - (elapsed % c.count);
    switch (c.mode) {
      case 0:
      case 1:
        return elapsed < c.count ? c.start + c.count : Infinity;
      case 2:
        return c.start + cycle + (elapsed % c.count === c.count - 1 ? c.count : c.count - 1);
      case 3: {
        const high = (c.count + 1) >> 1;
        return c.start + cycle + (elapsed % c.count < high ? high : c.count);
      }
      default:
        return elapsed > c.count ? Infinity : c.start + c.count + (elapsed === c.count ? 1 : 0);
    }
  }

  private output(c: Channel): boolean {
    if (!c.loaded) return c.mode !== 0;
    const elapsed = this.elapsed(c);
    switch (c.mode) {
      case 0:
      case 1:
        return elapsed >= c.count;
      case 2:
        return !c.gate || elapsed % c.count !== c.count - 1;
      case 3:
        return !c.gate || elapsed % c.count < (c.count + 1) >> 1; // of an odd count the longer part is high
      default:
        return elapsed !== c.count;
    }
  }
}

/** Modes 1 and 5 count when their gate rises. */
const waitsForGate = ({ mode }: Channel): boolean => mode === 1 || mode === 5;
const fromBcd = (v: number): number => (v >> 12) * 1000 + ((v >> 8) & 15) * 100 + ((v >> 4) & 15) * 10 + (v & 15);
const toBcd = (v: number): number => (Math.floor(v / 1000) << 12) | (Math.floor(v / 100) % 10 << 8) | (Math.floor(v / 10) % 10 << 4) | v % 10;
