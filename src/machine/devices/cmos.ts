/**
 * CMOS memory and the real-time clock (Motorola MC146818). The date is a fixed one plus the machine's own time, so that
 * two runs are the same; alarm, periodic and update interrupts come on IRQ 8.
 */
import { bit } from '../../base/bits';
import { TICKS_PER_SECOND } from '../clock';
import type { Device, DeviceHost, PortDevice } from '../device';
import { EXTENDED_RAM, HOLE } from '../memory/addressMap';

/** Power-on date: 1 January 2024, 00:00:00 UTC, in milliseconds since 1970. */
const EPOCH = Date.UTC(2024, 0, 1);
const REGISTERS = 128;
const Reg = { SECONDS: 0, MINUTES: 2, HOURS: 4, WEEKDAY: 6, DAY: 7, MONTH: 8, YEAR: 9, A: 0x0a, B: 0x0b, C: 0x0c, D: 0x0d, CENTURY: 0x32 } as const;
/** Register B: set, periodic, alarm and update interrupts, binary instead of BCD, 24 hours. */
const SET = 0x80;
const PERIODIC = 0x40;
const ALARM = 0x20;
const UPDATE = 0x10;
const BINARY = 0x04;
const HOURS_24 = 0x02;
const CLOCK_HERTZ = 32768;
/** Register A: an update is about to come. The bit is set for so many ticks before each second. */
const UPDATE_IN_PROGRESS = 0x80;
const UPDATE_TICKS = 244_000;

const powerOn = () => ({
  index: 0,
  registers: new Uint8Array(REGISTERS),
  /** Seconds to add to the machine's time: what software set. */
  secondsAhead: 0,
  /** Next periodic interrupt and next second, as ticks; Infinity while nobody asked for them. */
  periodicAt: Infinity,
  secondAt: Infinity,
});

export class Cmos implements Device, PortDevice {
  readonly name = 'CMOS';
  state = powerOn();

  constructor(
    private readonly host: DeviceHost,
    private readonly memory: number,
    private readonly drives: number,
    /** Types of the floppy disk drives. */
    private readonly floppies: readonly number[],
    private readonly setIrq8: (level: boolean) => void,
    private readonly onAlarm: () => void,
  ) {
    this.reset();
  }

  reset(): void {
    this.state = powerOn();
    const r = this.state.registers;
    r[Reg.A] = 0x26; // 32768 Hz oscillator, periodic rate 1024 Hz
    r[Reg.B] = HOURS_24;
    r[Reg.D] = 0x80; // the battery is good
    const word = (at: number, value: number): void => {
      r[at] = value;
      r[at + 1] = value >> 8;
    };
    // Memory sizes: base, above 1 MiB, above 16 MiB below 4 GiB, above 4 GiB.
    word(0x15, 640);
    const extended = Math.min(0xffff, Math.max(0, this.memory - EXTENDED_RAM) / 1024);
    word(0x17, extended);
    word(0x30, extended);
    word(0x34, Math.max(0, Math.min(this.memory, HOLE) - 0x100_0000) / 0x1_0000);
    const high = Math.max(0, this.memory - HOLE) / 0x1_0000;
    word(0x5b, high & 0xffff);
    r[0x5d] = Math.floor(high / 0x1_0000);
    r[0x12] = (this.drives > 0 ? 0xf0 : 0) | (this.drives > 1 ? 0x0f : 0);
    r[0x10] = ((this.floppies[0] ?? 0) << 4) | (this.floppies[1] ?? 0);
    const { length } = this.floppies;
    r[0x14] = 0x06 | (length > 0 ? ((length - 1) << 6) | 1 : 0); // mathematics coprocessor, PS/2 mouse port, floppy disks
    r[Reg.CENTURY] = 0x20;
  }

  nextDeadline(): number {
    return Math.min(this.state.periodicAt, this.state.secondAt);
  }

  advance(now: number): void {
    const s = this.state;
    while (s.periodicAt <= now) {
      s.periodicAt += this.periodicTicks();
      this.interrupt(PERIODIC);
    }
    while (s.secondAt <= now) {
      const at = s.secondAt;
      s.secondAt += TICKS_PER_SECOND;
      this.interrupt(UPDATE | (this.alarmMatches(at) ? ALARM : 0));
    }
  }

  readPort(port: number): number {
    return port & 1 ? this.readRegister(this.state.index) : 0xff;
  }

  writePort(port: number, value: number): void {
    if (port & 1) this.writeRegister(this.state.index, value);
    else this.state.index = value & 0x7f; // bit 7 masks NMI on real boards; nothing raises one here
  }

  /** As the BIOS reads it. */
  readRegister(index: number): number {
    const r = this.state.registers;
    if (index === Reg.C) {
      const flags = r[Reg.C]!;
      r[Reg.C] = 0;
      this.setIrq8(false);
      return flags;
    }
    if (index === Reg.A) return r[index]! | (this.isUpdating() ? UPDATE_IN_PROGRESS : 0);
    if (index > Reg.YEAR || index === 1 || index === 3 || index === 5) return index === Reg.CENTURY ? toBcd(Math.floor(this.date().getUTCFullYear() / 100)) : r[index]!;
    return this.clockField(index, this.date());
  }

  private writeRegister(index: number, value: number): void {
    const s = this.state;
    const r = s.registers;
    if (index === Reg.C || index === Reg.D) return;
    const clock = index <= Reg.YEAR && index !== 1 && index !== 3 && index !== 5;
    if (clock) this.setClockField(index, value);
    else r[index] = index === Reg.A ? value & 0x7f : value;
    if (index !== Reg.A && index !== Reg.B) return;
    const now = this.host.now();
    s.periodicAt = r[Reg.B]! & PERIODIC && this.periodicTicks() > 0 ? now + this.periodicTicks() : Infinity;
    const second = Math.floor(now / TICKS_PER_SECOND + 1) * TICKS_PER_SECOND;
    s.secondAt = r[Reg.B]! & (UPDATE | ALARM) && !(r[Reg.B]! & SET) ? second : Infinity;
    this.host.reschedule();
  }

  /** Programs wait for this bit to rise, then to fall, to find the beginning of a second. */
  private isUpdating(): boolean {
    return !(this.state.registers[Reg.B]! & SET) && this.host.now() % TICKS_PER_SECOND >= TICKS_PER_SECOND - UPDATE_TICKS;
  }

  private interrupt(flags: number): void {
    const r = this.state.registers;
    r[Reg.C]! |= flags;
    if (!(r[Reg.B]! & flags)) return;
    r[Reg.C]! |= 0x80;
    this.setIrq8(true);
    if (r[Reg.B]! & flags & ALARM) this.onAlarm();
  }

  /** When the alarm can go off next at the earliest. */
  get nextAlarm(): number {
    return this.state.registers[Reg.B]! & ALARM ? this.state.secondAt : Infinity;
  }

  private periodicTicks(): number {
    const rate = this.state.registers[Reg.A]! & 15;
    if (rate === 0) return 0;
    const clocks = 1 << (rate < 3 ? rate + 6 : rate - 1);
    return Math.round((clocks * TICKS_PER_SECOND) / CLOCK_HERTZ);
  }

  private date(now = this.host.now()): Date {
    return new Date(EPOCH + (Math.floor(now / TICKS_PER_SECOND) + this.state.secondsAhead) * 1000);
  }

  private alarmMatches(now: number): boolean {
    const date = this.date(now);
    const r = this.state.registers;
    return [Reg.SECONDS, Reg.MINUTES, Reg.HOURS].every((field) => r[field + 1]! >= 0xc0 || r[field + 1] === this.clockField(field, date));
  }

  private clockField(index: number, date: Date): number {
    const b = this.state.registers[Reg.B]!;
    const code = (value: number): number => (b & BINARY ? value : toBcd(value));
    switch (index) {
      case Reg.SECONDS:
        return code(date.getUTCSeconds());
      case Reg.MINUTES:
        return code(date.getUTCMinutes());
      case Reg.HOURS: {
        const hours = date.getUTCHours();
        return b & HOURS_24 ? code(hours) : code(hours % 12 || 12) | (hours >= 12 ? 0x80 : 0);
      }
      case Reg.WEEKDAY:
        return code(date.getUTCDay() + 1);
      case Reg.DAY:
        return code(date.getUTCDate());
      case Reg.MONTH:
        return code(date.getUTCMonth() + 1);
      default:
        return code(date.getUTCFullYear() % 100);
    }
  }

  private setClockField(index: number, value: number): void {
    const b = this.state.registers[Reg.B]!;
    const plain = b & BINARY ? value : fromBcd(value & 0x7f);
    const date = this.date();
    const before = date.getTime();
    if (index === Reg.SECONDS) date.setUTCSeconds(plain);
    else if (index === Reg.MINUTES) date.setUTCMinutes(plain);
    else if (index === Reg.HOURS) date.setUTCHours(b & HOURS_24 ? plain : (plain % 12) + (bit(value, 7) ? 12 : 0));
    else if (index === Reg.DAY) date.setUTCDate(plain);
    else if (index === Reg.MONTH) date.setUTCMonth(plain - 1);
    else if (index === Reg.YEAR) date.setUTCFullYear(2000 + plain);
    this.state.secondsAhead += (date.getTime() - before) / 1000;
  }
}

const toBcd = (value: number): number => (Math.floor(value / 10) << 4) | value % 10;
const fromBcd = (value: number): number => (value >> 4) * 10 + (value & 15);
