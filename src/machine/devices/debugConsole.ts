/** Port 0xE9, where guests of other emulators print. The last text is kept for whoever looks; it is not the console. */
import { type Device, NEVER, type PortDevice } from '../device';

const KEPT = 4096;

export class DebugConsole implements Device, PortDevice {
  readonly name = 'debug console';
  state = { text: '' };

  reset(): void {
    this.state = { text: '' };
  }
  nextDeadline(): number {
    return NEVER;
  }
  advance(): void {}

  /** Reading yields the port's own number: how guests recognise it. */
  readPort(): number {
    return 0xe9;
  }
  writePort(_port: number, value: number): void {
    this.state.text = (this.state.text + String.fromCharCode(value)).slice(-KEPT);
  }
}
