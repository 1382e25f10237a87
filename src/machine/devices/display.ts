/**
 * The display adapter's graphics, as Bochs and QEMU have them: a PCI function whose first base address register leads to
 * the pixels, and an index and a data port for the size of the picture. In text mode the adapter is a VGA (vga.ts).
 * Pixels are plain memory; nothing is drawn until somebody asks for the picture.
 */
import { PAGE_SIZE, pageOf } from '../../base/address';
import { IO_APIC, TEXT_MEMORY, VIDEO_MEMORY, VIDEO_MEMORY_SIZE } from '../memory/addressMap';
import type { PhysicalMemory } from '../memory/physicalMemory';
import type { Vga } from './vga';
import { type Device, type DeviceHost, NEVER, type PortDevice } from '../device';
import { type Bar, barBase, EXPANSION_ROM, type PciFunction } from './pci/pciFunction';
import { PciSlot } from './pci/pciTable';

/** Two ports of 16 bits each: index, data. */
export const DISPLAY_PORTS = { first: 0x1ce, count: 4 } as const;
const INDEX = 0x1ce;
const DATA = [0x1cf, 0x1d0];

/** Registers by index. */
export const Register = { ID: 0, WIDTH: 1, HEIGHT: 2, BITS: 3, ENABLE: 4, BANK: 5, VIRTUAL_WIDTH: 6, VIRTUAL_HEIGHT: 7, X: 8, Y: 9, MEMORY: 10 } as const;
const REGISTERS = 11;
/** Version 5 of the interface: with a linear frame buffer. */
const VERSION = 0xb0c5;
const OLDEST_VERSION = 0xb0c0;
export const Enable = { ON: 0x01, LARGEST: 0x02, WIDE_PALETTE: 0x20, LINEAR: 0x40, KEEP: 0x80 } as const;
export const LARGEST = { width: 2560, height: 1600, bits: 32 } as const;
const DEPTHS = [8, 15, 16, 24, 32];
/** The unit of the register MEMORY. */
const MEMORY_UNIT = 0x1_0000;

const powerOn = () => ({ index: 0, registers: Uint16Array.from({ length: REGISTERS }, (_, n) => (n === Register.ID ? VERSION : n === Register.MEMORY ? VIDEO_MEMORY_SIZE / MEMORY_UNIT : 0)) });

/** A picture that is not text. */
export interface Picture {
  width: number;
  height: number;
  bitsPerPixel: number;
  /** Physical address of the first pixel that is shown, and bytes from one line to the next. */
  address: number;
  bytesPerLine: number;
  /** Eight pixels have four bytes, one in each of a VGA's planes. */
  planes?: true;
  /** Odd lines are CGA_ODD_LINES behind even ones. */
  oddLinesApart?: true;
}

/** What is said of a picture where its pixels are not looked at. */
export interface PictureMode {
  /** In pixels. */
  width: number;
  height: number;
  /** Who made it, and its colours: `VGA, 256 colours`. */
  words: string;
}

export const bytesPerPixel = (bits: number): number => (bits + 7) >> 3;

/** An expansion ROM, which ends in ones. */
function romBar(rom: Uint8Array): Bar {
  const LEAST = 0x1_0000;
  const read = (offset: number, size: number): number => Array.from({ length: size }, (_, n) => rom[offset + n] ?? 0xff).reduceRight((value, byte) => value * 256 + byte, 0);
  return { index: EXPANSION_ROM, kind: 'memory', size: Math.max(LEAST, 2 ** Math.ceil(Math.log2(rom.length))), region: { read, write: () => undefined } };
}

export class Display implements Device, PortDevice {
  readonly name = 'display';
  state = powerOn();
  /** Called when another part of the memory may be seen at 0xA0000, or another picture. */
  changed: () => void = () => undefined;
  readonly pci: PciFunction;
  private readonly pixels: Bar = { index: 0, kind: 'memory', size: VIDEO_MEMORY_SIZE, at: VIDEO_MEMORY, moved: (base) => this.place(base) };
  private readonly function = {
    name: 'display',
    device: PciSlot.DISPLAY,
    fn: 0,
    vendorId: 0x1234,
    deviceId: 0x1111,
    classCode: 0x03_0000,
    revision: 2,
    subsystemVendorId: 0x1af4,
    subsystemId: 0x1100,
    pin: 0,
    capabilities: [],
    written: (space: Uint8Array) => this.moved(barBase(space, this.pixels)),
  } satisfies Omit<PciFunction, 'bars'>;
  /** Where the pixels are now; undefined while software has switched them off. Derived from the configuration space. */
  private base: number | undefined = VIDEO_MEMORY;

  /**
   * `dropTranslations` is there where firmware, not this machine's BIOS, says where the pixels are. `rom` is the adapter's own BIOS,
   * which such firmware may use.
   */
  constructor(
    private readonly host: Pick<DeviceHost, 'warn'>,
    private readonly memory: PhysicalMemory,
    private readonly vga: Vga,
    private readonly dropTranslations?: () => void,
    rom?: Uint8Array,
  ) {
    this.pci = { ...this.function, bars: [this.pixels, ...(rom ? [romBar(rom)] : [])] };
    if (dropTranslations) this.place(undefined);
  }

  reset(): void {
    this.state = powerOn();
    this.changed();
  }
  nextDeadline(): number {
    return NEVER;
  }
  advance(): void {}

  /** What is shown; undefined in text mode. */
  get picture(): Picture | undefined {
    const r = this.state.registers;
    if (!(r[Register.ENABLE]! & Enable.ON)) return this.vgaPicture;
    const bits = r[Register.BITS]!;
    const bytesPerLine = r[Register.VIRTUAL_WIDTH]! * bytesPerPixel(bits);
    return { width: r[Register.WIDTH]!, height: r[Register.HEIGHT]!, bitsPerPixel: bits, address: (this.base ?? VIDEO_MEMORY) + r[Register.Y]! * bytesPerLine + r[Register.X]! * bytesPerPixel(bits), bytesPerLine };
  }

  /** Size and words of what is shown; undefined in text mode. */
  get mode(): PictureMode | undefined {
    const shown = this.picture;
    if (!shown) return undefined;
    const { width, height, bitsPerPixel } = shown;
    return { width, height, words: `${this.on ? 'VBE' : 'VGA'}, ${bitsPerPixel <= 8 ? `${2 ** bitsPerPixel} colours` : `${bitsPerPixel} bits a pixel`}` };
  }

  private get vgaPicture(): Picture | undefined {
    const shown = this.vga.picture;
    if (!shown) return undefined;
    const { width, height, colours, first, line } = shown;
    if (colours <= 4) return { width, height, bitsPerPixel: colours === 4 ? 2 : 1, address: TEXT_MEMORY + first, bytesPerLine: line, oddLinesApart: true };
    return { width, height, bitsPerPixel: colours === 16 ? 4 : 8, address: (this.base ?? VIDEO_MEMORY) + first, bytesPerLine: line, ...(colours === 16 ? { planes: true } : {}) };
  }

  /** Whether a mode of this adapter's own is set, none of a VGA. */
  get on(): boolean {
    return (this.state.registers[Register.ENABLE]! & Enable.ON) !== 0;
  }

  /** Of such a mode, the 64 KiB that are seen at 0xA0000. */
  get bank(): number | undefined {
    return this.on ? this.state.registers[Register.BANK] : undefined;
  }

  readPort(port: number): number {
    const { index, registers } = this.state;
    if (port === INDEX) return index;
    if (!DATA.includes(port)) return 0xffff;
    if (registers[Register.ENABLE]! & Enable.LARGEST && index >= Register.WIDTH && index <= Register.BITS) return [LARGEST.width, LARGEST.height, LARGEST.bits][index - Register.WIDTH]!;
    return registers[index] ?? 0;
  }

  writePort(port: number, value: number): void {
    if (port === INDEX) this.state.index = value;
    else if (DATA.includes(port)) this.set(this.state.index, value & 0xffff);
  }

  /** Writes a register, as software does by the ports. What makes no picture is not taken. */
  set(index: number, value: number): void {
    const r = this.state.registers;
    const on = (r[Register.ENABLE]! & Enable.ON) !== 0;
    switch (index) {
      case Register.ID:
        if (value >= OLDEST_VERSION && value <= VERSION) r[index] = value;
        return;
      case Register.WIDTH:
      case Register.HEIGHT:
        if (!on && value <= (index === Register.WIDTH ? LARGEST.width : LARGEST.height)) r[index] = value;
        return;
      case Register.BITS:
        if (!on && (value === 0 || DEPTHS.includes(value))) r[index] = value === 0 ? 8 : value;
        return;
      case Register.VIRTUAL_WIDTH:
        if (on && value >= r[Register.WIDTH]!) this.setLine(value);
        return;
      case Register.X:
      case Register.Y:
        r[index] = value;
        return;
      case Register.ENABLE:
        this.enable(value);
        return;
      case Register.BANK:
        if (value < VIDEO_MEMORY_SIZE / MEMORY_UNIT) r[index] = value;
        this.changed();
        return;
      default: // read-only
    }
  }

  /** The pixels are seen at `base`, and nowhere else. */
  private place(wanted: number | undefined): void {
    if (!this.dropTranslations) return;
    // Where RAM or the chip set's own things are, they answer: software that measures the register writes such an address for a moment.
    const base = wanted === undefined || wanted < this.memory.map.lowEnd || wanted + VIDEO_MEMORY_SIZE > IO_APIC ? undefined : wanted;
    if (base === this.base) return;
    const own = pageOf(VIDEO_MEMORY);
    const pages = VIDEO_MEMORY_SIZE / PAGE_SIZE;
    const before = this.base;
    for (let n = 0; before !== undefined && n < pages; n++) this.memory.show(pageOf(before) + n, own + n, 'nothing');
    for (let n = 0; base !== undefined && n < pages; n++) this.memory.show(pageOf(base) + n, own + n, 'write');
    this.base = base;
    this.dropTranslations();
  }

  private setLine(width: number): void {
    const r = this.state.registers;
    const lines = Math.floor(VIDEO_MEMORY_SIZE / (width * bytesPerPixel(r[Register.BITS]!)));
    if (lines < r[Register.HEIGHT]!) return;
    r[Register.VIRTUAL_WIDTH] = width;
    r[Register.VIRTUAL_HEIGHT] = Math.min(lines, 0xffff);
  }

  private enable(value: number): void {
    const r = this.state.registers;
    const begins = (value & Enable.ON) !== 0 && !(r[Register.ENABLE]! & Enable.ON);
    const [width, height, bits] = [r[Register.WIDTH]!, r[Register.HEIGHT]!, r[Register.BITS]!];
    if (begins && (width === 0 || height === 0 || width * height * bytesPerPixel(bits) > VIDEO_MEMORY_SIZE)) return;
    r[Register.ENABLE] = value & (Enable.ON | Enable.LARGEST | Enable.WIDE_PALETTE | Enable.LINEAR);
    this.vga.state.colourMask = value & Enable.WIDE_PALETTE ? 0xff : 0x3f;
    if (begins) r[Register.BANK] = 0;
    this.changed();
    if (!begins) return;
    r[Register.X] = r[Register.Y] = 0;
    this.setLine(width);
    if (!(value & Enable.KEEP)) this.memory.clear(VIDEO_MEMORY, Math.ceil((width * height * bytesPerPixel(bits)) / PAGE_SIZE));
    // Firmware tries several sizes, and speaks on the serial console too.
    if (this.dropTranslations) this.host.warn('The guest shows a picture: in VS Code "Hyperstep: Show the VGA Screen" opens it, and hyperstep run --screenshot FILE writes it.');
    else this.host.warn(`The guest shows a picture of ${width} by ${height} pixels with ${bits} bits each, which begins at physical address 0x${(this.base ?? VIDEO_MEMORY).toString(16)}; in VS Code "Hyperstep: Show the VGA Screen" opens it, and hyperstep run --screenshot FILE writes it.`);
  }

  /** Software measures a base address register by writing ones and writing back what it was. Anything else moves the pixels, which cannot be. */
  private moved(base: number): void {
    if (this.dropTranslations) return;
    const ones = (-VIDEO_MEMORY_SIZE) >>> 0;
    if (base !== 0 && base !== VIDEO_MEMORY && base !== ones) this.host.warn(`The guest wants the pixels of the display at physical address 0x${base.toString(16)}; Hyperstep keeps them at 0x${VIDEO_MEMORY.toString(16)}.`);
  }
}
