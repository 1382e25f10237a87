/** LPT1 with a printer that is always ready and whose paper nobody reads. */
import { type Device, NEVER, type PortDevice } from '../device';

/** Not busy, no acknowledge pulse, paper in, selected, no error. */
const READY = 0xdf;

export class ParallelPort implements Device, PortDevice {
  readonly name = 'LPT1';
  state = { data: 0, control: 0x0c };

  reset(): void {
    this.state = { data: 0, control: 0x0c };
  }
  nextDeadline(): number {
    return NEVER;
  }
  advance(): void {}

  readPort(port: number): number {
    return [this.state.data, READY, this.state.control][port & 3] ?? 0xff;
  }
  writePort(port: number, value: number): void {
    if ((port & 3) === 0) this.state.data = value;
    else if ((port & 3) === 2) this.state.control = value;
  }
}
