/**
 * ACPI's fixed hardware (ACPI Specification, "ACPI Hardware Specification"): event registers, which nothing raises, the
 * control register, whose sleep bit switches the machine off, and the power-management timer.
 */
import { bit } from '../../base/bits';
import { clocksAt, PM_TIMER_HERTZ } from '../clock';
import { type Device, type DeviceHost, NEVER, type PortDevice } from '../device';
import type { PowerSwitch } from './powerControl';

/** First ports of the register blocks. Hobby kernels know the control register's, as that of a usual virtual machine. */
export const ACPI_PORTS = { EVENT: 0x600, CONTROL: 0x604, TIMER: 0x608 } as const;
/** ISA line of the system control interrupt. */
export const SCI_LINE = 9;

/** Control register: ACPI mode is on, and stays on; sleep type; sleep enable. */
const SCI_ENABLED = 0x0001;
const SLEEP_TYPE = 0x1c00;
const SLEEP_ENABLE = 13;

export class AcpiPower implements Device, PortDevice {
  readonly name = 'ACPI power management';
  state = { enable: 0, control: 0 };

  constructor(
    private readonly host: DeviceHost,
    private readonly machine: PowerSwitch,
  ) {}

  reset(): void {
    this.state = { enable: 0, control: 0 };
  }
  nextDeadline(): number {
    return NEVER;
  }
  advance(): void {}

  readPort(port: number, size: number): number {
    // The registers as one row of bytes: status 0, enable, control, and from 8 on the timer, of 32 bits.
    const words = [this.state.enable * 0x1_0000, this.state.control | SCI_ENABLED, clocksAt(this.host.now(), PM_TIMER_HERTZ) % 2 ** 32];
    const offset = port - ACPI_PORTS.EVENT;
    return Math.floor(words[offset >> 2]! / 2 ** (8 * (offset & 3))) % 2 ** (8 * size);
  }

  writePort(port: number, value: number, size: number): void {
    if (port >= ACPI_PORTS.TIMER) return;
    for (let i = 0; i < size; i++) this.writeByte(port + i, (value >>> (8 * i)) & 0xff);
    if (port <= ACPI_PORTS.CONTROL + 1 && port + size > ACPI_PORTS.CONTROL + 1 && bit(this.state.control, SLEEP_ENABLE)) this.machine.powerOff();
  }

  private writeByte(port: number, value: number): void {
    const s = this.state;
    switch (port) {
      case ACPI_PORTS.EVENT + 2:
        s.enable = (s.enable & 0xff00) | value;
        break;
      case ACPI_PORTS.EVENT + 3:
        s.enable = (s.enable & 0x00ff) | (value << 8);
        break;
      case ACPI_PORTS.CONTROL + 1:
        s.control = (value << 8) & (SLEEP_TYPE | (1 << SLEEP_ENABLE));
        break;
      default: // status bits are never set; the rest of the control register is not there
    }
  }
}
