/** The virtio console (Virtual I/O Device 1.2, "Console Device"), with its one port. */
import type { VirtioKind } from './virtioPci';
import type { Chain } from './virtqueue';

export const RECEIVE_QUEUE = 0;
const TRANSMIT = 1;

export class ConsoleKind implements VirtioKind {
  readonly name = 'virtio console';
  readonly type = 3;
  readonly deviceId = 0x1003;
  readonly classCode = 0x07_8000;
  readonly features = 0;
  readonly queues = [64, 64];
  /** What was typed and not yet taken; whether the guest wrote here rather than to the serial port last. */
  state = { typed: [] as number[], active: false };
  /** Told each byte that the guest writes. */
  transmit: (byte: number) => void = () => {};

  reset(): void {
    this.state = { typed: [], active: false };
  }
  configuration(): Uint8Array {
    return new Uint8Array(12); // columns, rows, ports, emergency write: none of them offered
  }
  ready(queue: number): boolean {
    return queue === TRANSMIT || this.state.typed.length > 0;
  }

  serve(queue: number, chain: Chain): number {
    if (queue === RECEIVE_QUEUE) {
      const bytes = Uint8Array.from(this.state.typed.splice(0, chain.room));
      chain.write(bytes);
      return bytes.length;
    }
    this.state.active = true;
    for (const byte of chain.read()) this.transmit(byte);
    return 0;
  }
}
