/**
 * ACPI's fixed hardware (ACPI Specification, "ACPI Hardware Specification"): event registers with the clock's alarm, the
 * control register, which puts the machine to sleep or switches it off, and the power-management timer. In S3 only RAM and
 * the clock live on; the alarm or a key wakes the machine, which then starts as after a reset, where the FACS says.
 */
import { bit } from '../../base/bits';
import { clocksAt, PM_TIMER_HERTZ } from '../clock';
import { type Device, type DeviceHost, NEVER, type PortDevice } from '../device';
import { noLooks, ticksOfLook } from './looks';
import type { PowerSwitch } from './powerControl';

/** First ports of the register blocks. Hobby kernels know the control register's, as that of a usual virtual machine. */
export const ACPI_PORTS = { EVENT: 0x600, CONTROL: 0x604, TIMER: 0x608, COUNT: 12 } as const;
/** ISA line of the system control interrupt. */
export const SCI_LINE = 9;
/** Sleep types as the DSDT's packages for the states have them. */
export const SLEEP_TYPE = { S5: 0, S3: 1 } as const;

/** Control register: ACPI mode is on, and stays on; sleep type; sleep enable. */
const SCI_ENABLED = 0x0001;
const SLEEP_TYPE_BITS = 0x1c00;
const SLEEP_TYPE_SHIFT = 10;
const SLEEP_ENABLE = 13;
/** Event registers: the clock's alarm, and (status alone) that the machine has slept. */
const ALARM = 1 << 10;
const WOKEN = 1 << 15;

const powerOn = () => ({ status: 0, enable: 0, control: 0, /** In S3. */ asleep: false, /** At the timer. */ row: noLooks() });

export class AcpiPower implements Device, PortDevice {
  readonly name = 'ACPI power management';
  state = powerOn();

  constructor(
    private readonly host: DeviceHost,
    private readonly machine: PowerSwitch,
    private readonly setInterrupt: (level: boolean) => void,
    /** First port of the registers now. */
    private readonly base: () => number = () => ACPI_PORTS.EVENT,
    /** Lets so many ticks pass after the present instruction. */
    private readonly letPass?: (ticks: number) => void,
  ) {}

  /** What woke the machine outlives the reset that follows. */
  reset(): void {
    this.state = { ...powerOn(), status: this.state.status & WOKEN ? this.state.status : 0 };
  }
  nextDeadline(): number {
    return NEVER;
  }
  advance(): void {}

  get asleep(): boolean {
    return this.state.asleep;
  }
  /** Whether the clock's alarm ends the sleep. */
  get alarmWakes(): boolean {
    return (this.state.enable & ALARM) !== 0;
  }

  /** The clock's alarm went off. */
  alarm(): void {
    this.state.status |= ALARM;
    if (this.state.asleep) {
      if (this.alarmWakes) this.wake();
    } else this.updateInterrupt();
  }

  /** Ends the sleep. */
  wake(): void {
    if (!this.state.asleep) return;
    this.state.asleep = false;
    this.state.status |= WOKEN;
    this.machine.resume?.();
  }

  /** The firmware starts over: nothing has happened. */
  forget(): void {
    this.state.status = 0;
  }

  private updateInterrupt(): void {
    this.setInterrupt((this.state.status & this.state.enable) !== 0);
  }

  readPort(port: number, size: number): number {
    // The registers as one row of bytes: status, enable, control, and from 8 on the timer, of 32 bits.
    const words = [this.state.status + this.state.enable * 0x1_0000, this.state.control | SCI_ENABLED, clocksAt(this.host.now(), PM_TIMER_HERTZ) % 2 ** 32];
    const offset = port - this.base();
    if (offset >= ACPI_PORTS.TIMER - ACPI_PORTS.EVENT) this.letPass?.(ticksOfLook(this.state.row, this.host.now()));
    return Math.floor(words[offset >> 2]! / 2 ** (8 * (offset & 3))) % 2 ** (8 * size);
  }

  writePort(mapped: number, value: number, size: number): void {
    const port = mapped - this.base() + ACPI_PORTS.EVENT;
    if (port >= ACPI_PORTS.TIMER) return;
    for (let i = 0; i < size; i++) this.writeByte(port + i, (value >>> (8 * i)) & 0xff);
    if (port < ACPI_PORTS.CONTROL) this.updateInterrupt();
    if (port <= ACPI_PORTS.CONTROL + 1 && port + size > ACPI_PORTS.CONTROL + 1 && bit(this.state.control, SLEEP_ENABLE)) this.sleep();
  }

  private sleep(): void {
    const type = (this.state.control & SLEEP_TYPE_BITS) >> SLEEP_TYPE_SHIFT;
    if (type === SLEEP_TYPE.S3 && this.machine.resume) {
      this.state.asleep = true;
      if (this.state.status & this.state.enable) this.wake(); // for what has happened already
      this.host.reschedule();
      return;
    }
    if (type !== SLEEP_TYPE.S5) this.host.warn(`The guest asked for ACPI sleep type ${type}, which this machine does not have; it is switched off.`);
    this.machine.powerOff();
  }

  private writeByte(port: number, value: number): void {
    const s = this.state;
    switch (port) {
      case ACPI_PORTS.EVENT: // a one clears a status
        s.status &= ~value;
        break;
      case ACPI_PORTS.EVENT + 1:
        s.status &= ~(value << 8);
        break;
      case ACPI_PORTS.EVENT + 2:
        s.enable = (s.enable & 0xff00) | value;
        break;
      case ACPI_PORTS.EVENT + 3:
        s.enable = (s.enable & 0x00ff) | (value << 8);
        break;
      case ACPI_PORTS.CONTROL + 1:
        s.control = (value << 8) & (SLEEP_TYPE_BITS | (1 << SLEEP_ENABLE));
        break;
      default: // the rest of the control register is not there
    }
  }
}
