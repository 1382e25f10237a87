/** System control port A: bit 1 is the A20 gate, a rising bit 0 resets the machine. */
import { bit } from '../../base/bits';
import { type Device, NEVER, type PortDevice } from '../device';
import type { A20Gate } from './a20Gate';

export class Port92 implements Device, PortDevice {
  readonly name = 'port 0x92';
  state = { reset: false };

  constructor(
    private readonly a20: A20Gate,
    private readonly resetMachine: () => void,
  ) {}

  reset(): void {
    this.state = { reset: false };
  }
  nextDeadline(): number {
    return NEVER;
  }
  advance(): void {}

  readPort(): number {
    return (this.a20.enabled ? 2 : 0) | (this.state.reset ? 1 : 0);
  }
  writePort(_port: number, value: number): void {
    this.a20.set(bit(value, 1));
    const reset = bit(value, 0);
    if (reset && !this.state.reset) this.resetMachine();
    this.state.reset = reset;
  }
}
