/**
 * The configuration device of virtual machines (ports 0x510 and 0x511), by which test suites and firmware ask for memory
 * size, processors and named files. Only its plain port interface, no DMA.
 */
import type { E820Entry } from '../machineInterface';
import { type Device, NEVER, type PortDevice } from '../device';

export const SELECTOR = 0x510;
const DATA = 0x511;

/** Keys of the items. */
const Key = { SIGNATURE: 0x00, INTERFACE: 0x01, IDENTITY: 0x02, MEMORY: 0x03, CPUS: 0x05, BOOT_MENU: 0x0e, MAXIMUM_CPUS: 0x0f, DIRECTORY: 0x19, FIRST_FILE: 0x20 } as const;
/** The upper bits of a selector: write access, and the half for items of one architecture. */
const KEY_MASK = 0xbfff;
const NAME_SIZE = 56;
const E820_ENTRY = 20;

export interface FirmwareFacts {
  memory: number;
  cpus: number;
  e820(): readonly E820Entry[];
}

export class FirmwareConfig implements Device, PortDevice {
  readonly name = 'firmware configuration';
  state = { key: 0, offset: 0 };
  private readonly items: ReadonlyMap<number, Uint8Array>;

  constructor({ memory, cpus, e820 }: FirmwareFacts) {
    const files: readonly (readonly [string, Uint8Array])[] = [['etc/e820', e820Table(e820())]];
    this.items = new Map([
      [Key.SIGNATURE, ascii('QEMU')],
      [Key.INTERFACE, little(4, 1)],
      [Key.IDENTITY, new Uint8Array(16)],
      [Key.MEMORY, little(8, memory)],
      [Key.CPUS, little(2, cpus)],
      [Key.BOOT_MENU, little(2, 0)],
      [Key.MAXIMUM_CPUS, little(2, cpus)],
      [Key.DIRECTORY, directory(files)],
      ...files.map(([, bytes], n) => [Key.FIRST_FILE + n, bytes] as const),
    ]);
  }

  reset(): void {
    this.state = { key: 0, offset: 0 };
  }
  nextDeadline(): number {
    return NEVER;
  }
  advance(): void {}

  /** Each byte read moves on; behind an item's end, and for items that are not there, there are zeros. */
  readPort(port: number, size: number): number {
    if (port !== DATA) return 0;
    const item = this.items.get(this.state.key);
    let value = 0;
    for (let i = 0; i < size; i++) value += (item?.[this.state.offset++] ?? 0) * 2 ** (8 * i);
    return value;
  }

  writePort(port: number, value: number): void {
    if (port === SELECTOR) this.state = { key: value & KEY_MASK, offset: 0 };
  }
}

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);
const little = (size: number, value: number): Uint8Array => Uint8Array.from({ length: size }, (_, i) => Math.floor(value / 2 ** (8 * i)) & 0xff);

/** Number of files; then for each its size, its key and its name. Numbers are big-endian. */
function directory(files: readonly (readonly [string, Uint8Array])[]): Uint8Array {
  const data = new DataView(new ArrayBuffer(4 + files.length * (8 + NAME_SIZE)));
  data.setUint32(0, files.length);
  files.forEach(([name, bytes], n) => {
    const at = 4 + n * (8 + NAME_SIZE);
    data.setUint32(at, bytes.length);
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
