/** Ports 0xE9 and 0x402, where guests of other emulators print, and their firmware. The last text is kept for whoever looks; it is not the console. */
import { type Device, NEVER, type PortDevice } from '../device';

export const DEBUG_CONSOLE_PORTS = [0xe9, 0x402] as const;
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

  /** Reading either port yields the first one's number: how guests recognise them. */
  readPort(): number {
    return 0xe9;
  }
  writePort(_port: number, value: number): void {
    this.state.text = (this.state.text + String.fromCharCode(value)).slice(-KEPT);
  }
}
