/**
 * What is seen of the display's memory at 0xA0000: 64 KiB of it as one piece (mode 13h, and a bank of a VBE mode), the same
 * by planes (16 colours, and 256 without chained planes), or nothing. Planes lie side by side in that memory: byte `n` of plane
 * `p` is at 4n + p, so that chained planes are one piece in it, and so are pixels of 256 colours in any case.
 */
import { PAGE_SIZE, pageOf } from '../../base/address';
import type { Bus } from '../bus';
import type { MemoryDevice } from '../device';
import { VIDEO_MEMORY } from '../memory/addressMap';
import type { Display } from './display';
import type { Vga } from './vga';

const WINDOW = 0xa0000;
const PAGES = 16;
const PAGES_PER_BANK = 16;

/** Registers of the graphics controller that accesses to planes go by. */
const Graphics = { SET: 0, SET_ENABLED: 1, COMPARE: 2, FUNCTION: 3, READ_PLANE: 4, MODE: 5, CARE: 7, MASK: 8 } as const;
const COMPARES = 0x08;

export class VideoWindow {
  /** A bank, planes, or nothing. */
  private seen: number | 'planes' | 'nothing' = 'nothing';

  constructor(
    private readonly bus: Bus,
    private readonly vga: Vga,
    private readonly display: Display,
    private readonly dropTranslations: () => void,
    private readonly warn: (sentence: string) => void,
    /** Firmware of others says where the pixels are: a page is seen in one other place at most, so that they are a device's here. */
    private readonly moves: boolean,
  ) {}

  /** Brings the window in line with the registers. */
  update(): void {
    const { vga, display } = this;
    if (!display.on && vga.picture) this.warn(`The guest shows a picture by a VGA's registers, with its pixels at physical address ${vga.window === 'nothing' ? '0xb8000' : '0xa0000'}; in VS Code "Hyperstep: Show the VGA Screen" opens it, and hyperstep run --screenshot FILE writes it.`);
    const wanted = display.bank ?? (vga.window === 'linear' ? 0 : vga.window);
    if (wanted === this.seen) return;
    const first = pageOf(WINDOW);
    // The first one last: the bus looks for the next first one only once.
    if (this.seen === 'planes' || this.moves) for (let n = PAGES - 1; n >= 0; n--) this.bus.claimPage(first + n, undefined);
    if (wanted === 'planes') for (let n = 0; n < PAGES; n++) this.bus.claimPage(first + n, this.page((at) => this.read(at), (at, value) => this.write(at, value), n * PAGE_SIZE));
    for (let n = 0; n < PAGES; n++) {
      if (this.moves) {
        if (typeof wanted === 'number') this.bus.claimPage(first + n, this.piece(VIDEO_MEMORY + (wanted * PAGES_PER_BANK + n) * PAGE_SIZE));
      } else if (typeof wanted === 'number') this.bus.memory.show(first + n, pageOf(VIDEO_MEMORY) + wanted * PAGES_PER_BANK + n, 'write');
      else if (typeof this.seen === 'number') this.bus.memory.show(first + n, first + n, 'nothing');
    }
    this.seen = wanted;
    this.dropTranslations();
  }

  /** A page of the window as a device, byte by byte. */
  private page(read: (at: number) => number, write: (at: number, value: number) => void, start: number): MemoryDevice {
    return {
      readRegister: (offset, size) => Array.from({ length: size }, (_, n) => read(start + offset + n)).reduceRight((value, byte) => value * 256 + byte, 0),
      writeRegister: (offset, size, value) => {
        for (let n = 0; n < size; n++) write(start + offset + n, (value >>> (8 * n)) & 0xff);
      },
    };
  }

  /** A page of the memory in one piece. */
  private piece(start: number): MemoryDevice {
    const { memory } = this.bus;
    return this.page((at) => memory.cell(at), (at, value) => memory.program(at, Uint8Array.of(value)), start);
  }

  /** Every read fills the latches; it yields a plane, or which pixels have a colour. */
  private read(at: number): number {
    const { latches, graphics } = this.vga.state;
    for (let plane = 0; plane < 4; plane++) latches[plane] = this.bus.memory.cell(VIDEO_MEMORY + 4 * at + plane);
    if (!(graphics[Graphics.MODE]! & COMPARES)) return latches[graphics[Graphics.READ_PLANE]! & 3]!;
    let same = 0xff;
    for (let plane = 0; plane < 4; plane++) if ((graphics[Graphics.CARE]! >> plane) & 1) same &= (graphics[Graphics.COMPARE]! >> plane) & 1 ? latches[plane]! : ~latches[plane]!;
    return same & 0xff;
  }

  /** The four ways to write: with set and reset, the latches, a colour, a mask of pixels. */
  private write(at: number, value: number): void {
    const { state, planesWritten } = this.vga;
    const { latches, graphics } = state;
    const mode = graphics[Graphics.MODE]! & 3;
    const turn = graphics[Graphics.FUNCTION]! & 7;
    const turned = ((value >> turn) | (value << (8 - turn))) & 0xff;
    const mask = mode === 3 ? graphics[Graphics.MASK]! & turned : graphics[Graphics.MASK]!;
    const cells = Uint8Array.from({ length: 4 }, (_, plane) => {
      const cell = this.bus.memory.cell(VIDEO_MEMORY + 4 * at + plane);
      if (!((planesWritten >> plane) & 1)) return cell;
      const latch = latches[plane]!;
      if (mode === 1) return latch;
      const whole = (bits: number): number => ((bits >> plane) & 1 ? 0xff : 0);
      const data = mode === 2 ? whole(value) : mode === 3 || (graphics[Graphics.SET_ENABLED]! >> plane) & 1 ? whole(graphics[Graphics.SET]!) : turned;
      const combined = [data, data & latch, data | latch, data ^ latch][(graphics[Graphics.FUNCTION]! >> 3) & 3]!;
      return (combined & mask) | (latch & ~mask);
    });
    this.bus.memory.program(VIDEO_MEMORY + 4 * at, cells);
  }
}
