/** The virtio entropy device (Virtual I/O Device 1.2, "Entropy Device"). Its numbers are the same in every run. */
import type { VirtioKind } from './virtioPci';
import type { Chain } from './virtqueue';

const SEED = 0x2545_f491;

export class EntropyKind implements VirtioKind {
  readonly name = 'virtio entropy';
  readonly type = 4;
  readonly deviceId = 0x1005;
  readonly classCode = 0x00_ff00;
  readonly features = 0;
  readonly queues = [16];
  state = { seed: SEED };

  /** A reset does not bring the same numbers again. */
  reset(): void {}
  configuration(): Uint8Array {
    return new Uint8Array(0);
  }
  ready(): boolean {
    return true;
  }

  serve(_queue: number, chain: Chain): number {
    const bytes = Uint8Array.from({ length: chain.room }, () => this.next());
    chain.write(bytes);
    return bytes.length;
  }

  /** Xorshift of 32 bits: not for secrets, and everybody who debugs here wants the run to repeat. */
  private next(): number {
    let x = this.state.seed;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.state.seed = x >>> 0;
    return (x >>> 16) & 0xff;
  }
}
