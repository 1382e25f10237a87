/**
 * Interrupts that a PCI function sends as messages instead of by its pin: MSI with one message, and MSI-X with a table
 * behind a base address register (PCI Local Bus Specification 3.0, "Message Signaled Interrupts"). When neither is
 * enabled, the function uses its pin.
 */
import type { Bar, Capability } from './pciFunction';

/** Puts a message on the bus: a write of 32 bits. */
export type SendMessage = (address: number, data: number) => void;

const MSI = 0x05;
const MSIX = 0x11;
const CONTROL = 2;
/** MSI: enable; addresses have 64 bits. */
const MSI_ENABLE = 0x0001;
const MSI_WIDE = 0x0080;
const MSI_ADDRESS = 4;
const MSI_DATA = 12;
/** MSI-X: enable, all vectors masked. */
const MSIX_ENABLE = 0x8000;
const MSIX_MASK = 0x4000;
const ENTRY_SIZE = 16;
const ENTRY_DATA = 8;
const ENTRY_CONTROL = 12;
const ENTRY_MASKED = 1;
/** Where the bits of messages that wait lie behind the same register. */
const PENDING = 0x800;
const REGION_SIZE = 0x1000;

const atReset = (vectors: number) => ({
  /** From the configuration space. */
  single: false,
  address: 0,
  data: 0,
  tableEnabled: false,
  tableMasked: false,
  table: Uint8Array.from({ length: vectors * ENTRY_SIZE }, (_, at) => (at % ENTRY_SIZE === ENTRY_CONTROL ? ENTRY_MASKED : 0)),
  pending: new Array<boolean>(vectors).fill(false),
});

export class MessageInterrupts {
  /** Plain data: part of the state of the device that it belongs to. */
  state: ReturnType<typeof atReset>;
  readonly capabilities: readonly Capability[];
  readonly bar: Bar;

  /** `index` of the base address register, and entries of the table: at most 128. */
  constructor(
    index: number,
    private readonly vectors: number,
    private readonly send: SendMessage,
  ) {
    this.state = atReset(vectors);
    this.bar = { index, kind: 'memory', size: REGION_SIZE, region: { read: (offset, size) => this.read(offset, size), write: (offset, size, value) => this.write(offset, size, value) } };
    this.capabilities = [
      { bytes: [MSI, 0, MSI_WIDE, 0, ...new Array<number>(10).fill(0)], writable: [0, 0, MSI_ENABLE, 0, 0xfc, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff] },
      { bytes: [MSIX, 0, vectors - 1, 0, index, 0, 0, 0, (PENDING & 0xff) | index, PENDING >> 8, 0, 0], writable: [0, 0, 0, (MSIX_ENABLE | MSIX_MASK) >> 8] },
    ];
  }

  reset(): void {
    this.state = atReset(this.vectors);
  }

  /** Whether the function must leave its pin alone. */
  get enabled(): boolean {
    return this.state.single || this.state.tableEnabled;
  }

  /** The configuration space was written. */
  written(space: Uint8Array, offsets: readonly number[]): void {
    const s = this.state;
    const data = new DataView(space.buffer, space.byteOffset);
    for (const at of offsets) {
      const control = data.getUint16(at + CONTROL, true);
      if (space[at] === MSI) {
        s.single = (control & MSI_ENABLE) !== 0;
        s.address = data.getUint32(at + MSI_ADDRESS, true) + data.getUint32(at + MSI_ADDRESS + 4, true) * 0x1_0000_0000;
        s.data = data.getUint16(at + MSI_DATA, true);
      } else if (space[at] === MSIX) {
        s.tableEnabled = (control & MSIX_ENABLE) !== 0;
        s.tableMasked = (control & MSIX_MASK) !== 0;
      }
    }
    // With both enabled, which software must not do, the table counts.
    if (s.tableEnabled) s.single = false;
    this.sendPending();
  }

  /** Sends the one message of MSI. */
  signalSingle(): void {
    this.send(this.state.address, this.state.data);
  }

  /** Sends the message of a table entry, or keeps it until it is unmasked. A vector that is not there is none. */
  signal(vector: number): void {
    const s = this.state;
    if (vector >= this.vectors) return;
    s.pending[vector] = true;
    this.sendPending();
  }

  private sendPending(): void {
    const s = this.state;
    if (!s.tableEnabled || s.tableMasked) return;
    const table = new DataView(s.table.buffer, s.table.byteOffset);
    s.pending.forEach((pending, n) => {
      const at = n * ENTRY_SIZE;
      if (!pending || s.table[at + ENTRY_CONTROL]! & ENTRY_MASKED) return;
      s.pending[n] = false;
      this.send((table.getUint32(at, true) & ~3) >>> 0, table.getUint32(at + ENTRY_DATA, true));
    });
  }

  private byte(offset: number): number {
    if (offset >= PENDING) {
      let bits = 0;
      for (let n = 0; n < 8; n++) if (this.state.pending[(offset - PENDING) * 8 + n]) bits |= 1 << n;
      return bits;
    }
    return this.state.table[offset] ?? 0;
  }

  private read(offset: number, size: number): number {
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = value * 256 + this.byte(offset + i);
    return value;
  }

  private write(offset: number, size: number, value: number): void {
    for (let i = 0; i < size && offset + i < this.state.table.length; i++) {
      const at = (offset + i) % ENTRY_SIZE;
      const writable = at < ENTRY_CONTROL ? 0xff : at === ENTRY_CONTROL ? ENTRY_MASKED : 0;
      this.state.table[offset + i] = (value >>> (8 * i)) & writable;
    }
    this.sendPending();
  }
}
