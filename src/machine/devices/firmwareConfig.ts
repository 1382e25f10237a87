/**
 * The configuration device of virtual machines (ports 0x510 and 0x511), by which test suites and firmware ask for memory
 * size, processors and named files: byte by byte, or by a transfer to memory.
 */
import type { E820Entry } from '../machineInterface';
import type { PhysicalMemory } from '../memory/physicalMemory';
import { type Device, NEVER, type PortDevice } from '../device';

export const SELECTOR = 0x510;
const DATA = 0x511;
/** Physical address of a transfer's description, big-endian, in two halves; writing the second starts it. */
export const DMA_ADDRESS = 0x514;
const DMA_ADDRESS_LOW = 0x518;
/** What the address registers read as. */
const DMA_SIGNATURE = 'QEMU CFG';
/** The description: control, length, address. Its control word says what to do, and afterwards what has become of it. */
const DMA_SIZE = 16;
const Dma = { ERROR: 1, READ: 2, SKIP: 4, SELECT: 8, WRITE: 16 } as const;
/** Interface revision: ports, and transfers to memory. */
const INTERFACES = 3;
/** Bytes of one piece of a transfer. */
const PIECE = 0x1_0000;

/** Keys of the items. */
const Key = { SIGNATURE: 0x00, INTERFACE: 0x01, IDENTITY: 0x02, MEMORY: 0x03, CPUS: 0x05, BOOT_MENU: 0x0e, MAXIMUM_CPUS: 0x0f, DIRECTORY: 0x19, FIRST_FILE: 0x20 } as const;
/** The upper bits of a selector: write access, and the half for items of one architecture. */
const KEY_MASK = 0xbfff;
const NAME_SIZE = 56;
const E820_ENTRY = 20;

/** A file's name and bytes; those that depend on what the firmware has set up so far, of the same length always, are made when they are selected. */
export type FirmwareFile = readonly [name: string, bytes: Uint8Array | (() => Uint8Array)];

export interface FirmwareFacts {
  memory: number;
  cpus: number;
  e820(): readonly E820Entry[];
  /** Further files, and further items by their keys. */
  files?: readonly FirmwareFile[];
  items?: readonly (readonly [number, Uint8Array])[];
}

export class FirmwareConfig implements Device, PortDevice {
  readonly name = 'firmware configuration';
  state = { key: 0, offset: 0, dmaHigh: 0 };
  private readonly items: ReadonlyMap<number, FirmwareFile[1]>;
  private made: { state: object; bytes: Uint8Array } | undefined = undefined;

  constructor(
    { memory, cpus, e820, files: more = [], items = [] }: FirmwareFacts,
    private readonly ram: PhysicalMemory,
  ) {
    const files: readonly FirmwareFile[] = [['etc/e820', e820Table(e820())], ...more];
    this.items = new Map([
      [Key.SIGNATURE, ascii('QEMU')],
      [Key.INTERFACE, little(4, INTERFACES)],
      [Key.IDENTITY, new Uint8Array(16)],
      [Key.MEMORY, little(8, memory)],
      [Key.CPUS, little(2, cpus)],
      [Key.BOOT_MENU, little(2, 0)],
      [Key.MAXIMUM_CPUS, little(2, cpus)],
      [Key.DIRECTORY, directory(files)],
      ...files.map(([, bytes], n) => [Key.FIRST_FILE + n, bytes] as const),
      ...items,
    ]);
  }

  /** The item that is selected; one that is made is kept for its bytes to be read, of the state that was its. */
  private get item(): Uint8Array | undefined {
    const item = this.items.get(this.state.key);
    if (typeof item !== 'function') return item;
    if (this.made?.state !== this.state) this.made = { state: this.state, bytes: item() };
    return this.made.bytes;
  }

  reset(): void {
    this.state = { key: 0, offset: 0, dmaHigh: 0 };
  }
  nextDeadline(): number {
    return NEVER;
  }
  advance(): void {}

  /** Each byte read moves on; behind an item's end, and for items that are not there, there are zeros. */
  readPort(port: number, size: number): number {
    if (port >= DMA_ADDRESS) {
      let signature = 0;
      for (let i = 0; i < size; i++) signature += (DMA_SIGNATURE.charCodeAt(port - DMA_ADDRESS + i) || 0) * 2 ** (8 * i);
      return signature;
    }
    if (port !== DATA) return 0;
    const { item } = this;
    let value = 0;
    for (let i = 0; i < size; i++) value += (item?.[this.state.offset++] ?? 0) * 2 ** (8 * i);
    return value;
  }

  writePort(port: number, value: number, size: number): void {
    if (port === SELECTOR) this.select(value);
    else if (port === DMA_ADDRESS && size === 4) this.state.dmaHigh = swapped(value);
    else if (port === DMA_ADDRESS_LOW && size === 4) {
      this.transfer(this.state.dmaHigh * 0x1_0000_0000 + swapped(value));
      this.state.dmaHigh = 0;
    }
  }

  private select(key: number): void {
    Object.assign(this.state, { key: key & KEY_MASK, offset: 0 });
    this.made = undefined;
  }

  /** Carries out the transfer that is described at `at`. Items cannot be written. */
  private transfer(at: number): void {
    const description = new DataView(this.ram.readBytes(at, DMA_SIZE).slice().buffer);
    const control = description.getUint32(0);
    let left = description.getUint32(4);
    let to = description.getUint32(8) * 0x1_0000_0000 + description.getUint32(12);
    if (control & Dma.SELECT) this.select(control >>> 16);
    const s = this.state;
    if (control & Dma.READ) {
      const item = this.item ?? new Uint8Array(0);
      while (left > 0) {
        const piece = new Uint8Array(Math.min(left, PIECE));
        piece.set(item.subarray(s.offset, s.offset + piece.length));
        this.ram.writeBytes(to, piece);
        s.offset += piece.length;
        to += piece.length;
        left -= piece.length;
      }
    } else if (control & Dma.SKIP) s.offset += left;
    this.ram.store(at, 4, swapped(control & Dma.WRITE && !(control & Dma.READ) ? Dma.ERROR : 0));
  }
}

/** A 32-bit number with its bytes in the other order. */
const swapped = (value: number): number => (((value & 0xff) << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)) >>> 0;
const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);
const little = (size: number, value: number): Uint8Array => Uint8Array.from({ length: size }, (_, i) => Math.floor(value / 2 ** (8 * i)) & 0xff);

/** Number of files; then for each its size, its key and its name. Numbers are big-endian. */
function directory(files: readonly FirmwareFile[]): Uint8Array {
  const data = new DataView(new ArrayBuffer(4 + files.length * (8 + NAME_SIZE)));
  data.setUint32(0, files.length);
  files.forEach(([name, bytes], n) => {
    const at = 4 + n * (8 + NAME_SIZE);
    data.setUint32(at, (typeof bytes === 'function' ? bytes() : bytes).length);
    data.setUint16(at + 4, Key.FIRST_FILE + n);
    new Uint8Array(data.buffer).set(ascii(name), at + 8);
  });
  return new Uint8Array(data.buffer);
}

function e820Table(map: readonly E820Entry[]): Uint8Array {
  const data = new DataView(new ArrayBuffer(map.length * E820_ENTRY));
  map.forEach(({ base, length, type }, n) => {
    data.setBigUint64(n * E820_ENTRY, base, true);
    data.setBigUint64(n * E820_ENTRY + 8, length, true);
    data.setUint32(n * E820_ENTRY + 16, type, true);
  });
  return new Uint8Array(data.buffer);
}
