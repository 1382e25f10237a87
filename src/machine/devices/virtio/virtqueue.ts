/** A split virtqueue (Virtual I/O Device 1.2, "Split Virtqueues"): the rings in guest memory, and nothing about devices. */
import type { PhysicalMemory } from '../../memory/physicalMemory';

/** Where the driver put a queue, and how far it was served. Plain data: part of the device's state. */
export interface QueueState {
  size: number;
  enabled: boolean;
  /** Physical addresses: descriptor table, driver area (available ring), device area (used ring). */
  descriptors: number;
  available: number;
  used: number;
  nextAvailable: number;
  nextUsed: number;
}

/** Feature bits that concern the rings alone: descriptors in a table of their own, and notification by index. */
export const RingFeature = { INDIRECT: 1 << 28, EVENT_INDEX: 1 << 29 } as const;

export const queueAtReset = (size: number): QueueState => ({ size, enabled: false, descriptors: 0, available: 0, used: 0, nextAvailable: 0, nextUsed: 0 });

const DESCRIPTOR_SIZE = 16;
/** Descriptor flags. */
const NEXT = 1;
const WRITE = 2;
const INDIRECT = 4;
/** Flag of the available ring: the driver wants no interrupt. */
const NO_INTERRUPT = 1;
/** Bytes in one buffer that no driver of these devices reaches; more is a mistake of the driver. */
const LONGEST = 0x1000_0000;

interface Piece {
  address: number;
  length: number;
}

/** A request: what the driver gives, and room for what it gets. */
export class Chain {
  constructor(
    private readonly memory: PhysicalMemory,
    readonly head: number,
    private readonly readable: readonly Piece[],
    private readonly writable: readonly Piece[],
  ) {}

  get room(): number {
    return this.writable.reduce((sum, { length }) => sum + length, 0);
  }

  /** Everything that the driver gives. */
  read(): Uint8Array {
    const bytes = new Uint8Array(this.readable.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const { address, length } of this.readable) {
      bytes.set(this.memory.readBytes(address, length), at);
      at += length;
    }
    return bytes;
  }

  /** Writes into the driver's room, from its byte `from` on; what does not fit is left out. */
  write(bytes: Uint8Array, from = 0): void {
    let begin = 0;
    for (const { address, length } of this.writable) {
      const first = Math.max(0, begin - from);
      const skip = Math.max(0, from - begin);
      const n = Math.min(length - skip, bytes.length - first);
      if (n > 0) this.memory.writeBytes(address + skip, bytes.subarray(first, first + n));
      begin += length;
    }
  }
}

export class Virtqueue {
  /** The used ring's index when the driver was last asked whether it wants to be interrupted. */
  private readonly usedBefore: number;

  /** `features`: bits 0 to 31 as the driver accepted them. */
  constructor(
    private readonly memory: PhysicalMemory,
    private readonly state: QueueState,
    private readonly features: number,
  ) {
    this.usedBefore = state.nextUsed;
  }

  /** The next request of the driver, undefined when there is none, or 'broken' for a ring that cannot be. */
  pop(): Chain | 'broken' | undefined {
    const q = this.state;
    if (!q.enabled || this.memory.load(q.available + 2, 2) === q.nextAvailable) return undefined;
    const head = this.memory.load(q.available + 4 + 2 * (q.nextAvailable % q.size), 2);
    const readable: Piece[] = [];
    const writable: Piece[] = [];
    let table = { at: q.descriptors, size: q.size, indirect: false };
    let total = 0;
    for (let index = head, n = 0; ; n++) {
      if (index >= table.size || n >= table.size) return 'broken';
      const at = table.at + DESCRIPTOR_SIZE * index;
      const flags = this.memory.load(at + 12, 2);
      const piece = { address: this.memory.load(at, 4) + this.memory.load(at + 4, 4) * 0x1_0000_0000, length: this.memory.load(at + 8, 4) };
      if (flags & INDIRECT) {
        // The last of its chain, and not inside another table.
        if (!(this.features & RingFeature.INDIRECT) || table.indirect || flags & NEXT || piece.length === 0 || piece.length % DESCRIPTOR_SIZE !== 0) return 'broken';
        table = { at: piece.address, size: piece.length / DESCRIPTOR_SIZE, indirect: true };
        index = 0;
        n = -1;
        continue;
      }
      total += piece.length;
      // What is written comes after what is read.
      if (total > LONGEST || (!(flags & WRITE) && writable.length > 0)) return 'broken';
      (flags & WRITE ? writable : readable).push(piece);
      if (!(flags & NEXT)) break;
      index = this.memory.load(at + 14, 2);
    }
    q.nextAvailable = (q.nextAvailable + 1) & 0xffff;
    return new Chain(this.memory, head, readable, writable);
  }

  /** Gives a request back, with the number of bytes written to it. */
  push({ head }: Chain, written: number): void {
    const q = this.state;
    const at = q.used + 4 + 8 * (q.nextUsed % q.size);
    this.memory.store(at, 4, head);
    this.memory.store(at + 4, 4, written);
    q.nextUsed = (q.nextUsed + 1) & 0xffff;
    this.memory.store(q.used + 2, 2, q.nextUsed);
  }

  /** Everything that can be served now was: by index, the driver is to notify of the very next request. */
  askForNotification(): void {
    const q = this.state;
    if (q.enabled && this.features & RingFeature.EVENT_INDEX) this.memory.store(q.used + 4 + 8 * q.size, 2, q.nextAvailable);
  }

  /** Whether the driver wants to be interrupted for what was given back by this object. */
  get wantsInterrupt(): boolean {
    const q = this.state;
    if (!(this.features & RingFeature.EVENT_INDEX)) return !(this.memory.load(q.available, 2) & NO_INTERRUPT);
    // By index: when the used ring has passed the place that the driver names, behind its part of the ring.
    const event = this.memory.load(q.available + 4 + 2 * q.size, 2);
    return ((q.nextUsed - event - 1) & 0xffff) < ((q.nextUsed - this.usedBefore) & 0xffff);
  }
}
