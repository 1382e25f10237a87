/** The A20 gate. The keyboard controller, port 0x92 and the firmware all switch the same line; the last one wins. */
import { type Device, NEVER } from '../device';

export class A20Gate implements Device {
  readonly name = 'A20 gate';
  state = { enabled: true };

  constructor(private readonly apply: (enabled: boolean) => void) {}

  reset(): void {
    this.set(true);
  }
  nextDeadline(): number {
    return NEVER;
  }
  advance(): void {}

  get enabled(): boolean {
    return this.state.enabled;
  }
  set(enabled: boolean): void {
    this.state.enabled = enabled;
    this.apply(enabled);
  }
}
