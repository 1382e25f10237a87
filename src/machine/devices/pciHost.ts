/** PCI configuration mechanism 1 of an empty bus: the address register works, every function reads as absent. */
import { type Device, NEVER, type PortDevice } from '../device';

export class PciHost implements Device, PortDevice {
  readonly name = 'PCI host';
  state = { address: 0 };

  reset(): void {
    this.state = { address: 0 };
  }
  nextDeadline(): number {
    return NEVER;
  }
  advance(): void {}

  readPort(port: number, size: number): number {
    return port === 0xcf8 && size === 4 ? this.state.address : 0xffff_ffff >>> (32 - 8 * size);
  }
  writePort(port: number, value: number, size: number): void {
    if (port === 0xcf8 && size === 4) this.state.address = (value & 0x80ff_fffc) >>> 0;
  }
}
