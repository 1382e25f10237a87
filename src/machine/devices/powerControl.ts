/** Ports that end or restart the machine: reset control, debug exit, and the power-off ports of virtual machines. */
import { bit } from '../../base/bits';
import { type Device, NEVER, type PortDevice } from '../device';

export const RESET_CONTROL = 0xcf9;
export const DEBUG_EXIT = 0xf4;
/** Where hobby kernels write 0x2000 to switch a virtual machine off: ACPI control registers of usual ones. A third, 0x604, is this machine's own. */
export const POWER_OFF_PORTS = [0xb004, 0x4004] as const;
const SLEEP_ENABLE = 0x2000;

export interface PowerSwitch {
  resetMachine(): void;
  powerOff(): void;
  /** The machine wakes up from S3; absent where it cannot sleep. */
  resume?: (() => void) | undefined;
  debugExit(value: number): void;
}

export class PowerControl implements Device, PortDevice {
  readonly name = 'power control';
  state = { resetControl: 0 };

  constructor(private readonly machine: PowerSwitch) {}

  reset(): void {
    this.state = { resetControl: 0 };
  }
  nextDeadline(): number {
    return NEVER;
  }
  advance(): void {}

  readPort(port: number, size: number): number {
    return port === RESET_CONTROL ? this.state.resetControl : 0xffff_ffff >>> (32 - 8 * size);
  }

  writePort(port: number, value: number): void {
    if (port === DEBUG_EXIT) this.machine.debugExit(value);
    else if (port === RESET_CONTROL) {
      const rising = bit(value, 2) && !bit(this.state.resetControl, 2);
      this.state.resetControl = value & 0x0e;
      if (rising) this.machine.resetMachine();
    } else if (value & SLEEP_ENABLE) this.machine.powerOff();
  }
}
