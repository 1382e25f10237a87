/** Pixels and characters that the BIOS draws into a VGA's picture. */
import type { Display } from '../devices/display';
import { CGA_ODD_LINES, type Vga, type VgaPicture } from '../devices/vga';
import { TEXT_MEMORY, TEXT_MEMORY_END, VIDEO_MEMORY } from '../memory/addressMap';
import type { PhysicalMemory } from '../memory/physicalMemory';
import { Bda } from './biosData';
import type { Cells } from './textScreen';

/** Interrupt vectors that point to the font: of all characters, and in CGA's modes of those from 128 on. */
export const FONT_VECTOR = 0x43;
export const UPPER_FONT_VECTOR = 0x1f;
const UPPER = 128;
/** Of a colour: it is combined with what is there. */
const COMBINE = 0x80;

/** Address of a line of CGA's. */
const cgaLine = (shown: VgaPicture, y: number): number => TEXT_MEMORY + shown.first + (y & 1) * CGA_ODD_LINES + (y >> 1) * shown.line;

export class PictureCells implements Cells {
  constructor(
    private readonly memory: PhysicalMemory,
    private readonly vga: Vga,
    private readonly display: Display,
  ) {}

  /** Nothing is drawn into pictures of the adapter's own modes. */
  private get shown(): VgaPicture | undefined {
    return this.display.on ? undefined : this.vga.picture;
  }

  /** A pixel as it was, with `change` applied; 0 where no VGA picture has one. Pages are those of sixteen colours. */
  change(page: number, x: number, y: number, change: ((before: number) => number) | undefined): number {
    const { memory } = this;
    const { shown } = this;
    if (!shown || x >= shown.width || y >= shown.height) return 0;
    if (shown.colours <= 4) return this.changeCga(shown, x, y, change);
    const line = VIDEO_MEMORY + this.first(shown, page) + y * shown.line;
    if (shown.colours === 256) {
      const before = memory.cell(line + x);
      if (change) memory.program(line + x, Uint8Array.of(change(before)));
      return before;
    }
    const at = line + (x >> 3) * 4;
    const bit = 0x80 >> (x & 7);
    const cells = Uint8Array.from({ length: 4 }, (_, plane) => memory.cell(at + plane));
    const before = cells.reduce((colour, cell, plane) => colour | (cell & bit ? 1 << plane : 0), 0);
    if (change) {
      const after = change(before);
      memory.program(at, cells.map((cell, plane) => ((after >> plane) & 1 ? cell | bit : cell & ~bit)));
    }
    return before;
  }

  /** A character in its cell, in a colour on black. */
  put(page: number, row: number, column: number, character: number, attribute = 0x07): void {
    const height = this.height;
    this.glyph(character, height).forEach((bits, y) => {
      for (let x = 0; x < 8; x++) {
        const ink = bits & (0x80 >> x) ? attribute & ~COMBINE : 0;
        this.change(page, column * 8 + x, row * height + y, (before) => (attribute & COMBINE ? before ^ ink : ink));
      }
    });
  }
  fill(page: number, row: number, column: number, length: number, character: number, attribute: number | undefined): void {
    for (let n = 0; n < length; n++) this.put(page, row, column + n, character, attribute);
  }

  /** The character whose shape is there, in any colour but 0; 0 where it is none. */
  read(page: number, row: number, column: number): number {
    const height = this.height;
    const shape = Array.from({ length: height }, (_, y) => Array.from({ length: 8 }, (__, x) => (this.change(page, column * 8 + x, row * height + y, undefined) ? 0x80 >> x : 0)).reduce((bits, bit) => bits | bit, 0));
    for (let character = 0; character < 256; character++) if (this.glyph(character, height).every((bits, y) => bits === shape[y])) return character;
    return 0;
  }

  clear(page: number, row: number, left: number, right: number, attribute: number): void {
    const colours = this.shown?.colours ?? 16;
    const pattern = colours === 16 ? [1, 2, 4, 8].map((plane) => (attribute & plane ? 0xff : 0)) : [colours === 256 ? attribute : colours === 4 ? (attribute & 3) * 0x55 : (attribute & 1) * 0xff];
    this.lines(row, (y) => {
      const { length } = this.read8(page, y, left, right);
      this.write8(page, y, left, Uint8Array.from({ length }, (_, n) => pattern[n % pattern.length]!));
    });
  }

  copy(page: number, to: number, from: number, left: number, right: number): void {
    this.lines(to, (y) => this.write8(page, y, left, this.read8(page, y + (from - to) * this.height, left, right)));
  }

  /** What the columns from `left` to `right`, of eight pixels each, have of a line. */
  private read8(page: number, y: number, left: number, right: number): Uint8Array {
    const { at, each } = this.place(page, y, left);
    return this.memory.readBytes(at, (right - left + 1) * each);
  }
  private write8(page: number, y: number, left: number, bytes: Uint8Array): void {
    const { at } = this.place(page, y, left);
    if (at < TEXT_MEMORY_END) this.memory.writeBytes(at, bytes);
    else this.memory.program(at, bytes);
  }
  /** Address of a column's part of a line, and its bytes. */
  private place(page: number, y: number, column: number): { at: number; each: number } {
    const shown = this.shown!;
    if (shown.colours <= 4) {
      const each = shown.colours === 4 ? 2 : 1;
      return { at: cgaLine(shown, y) + column * each, each };
    }
    const each = shown.colours === 16 ? 4 : 8;
    return { at: VIDEO_MEMORY + this.first(shown, page) + y * shown.line + column * each, each };
  }

  /** Lines of a character. */
  private get height(): number {
    return this.memory.load(Bda.CHARACTER_HEIGHT, 1);
  }
  private lines(row: number, line: (y: number) => void): void {
    if (!this.shown) return;
    const height = this.height;
    for (let y = row * height; y < (row + 1) * height; y++) line(y);
  }

  /** Two or four colours: 8 or 4 pixels in a byte, the leftmost in its upper bits. */
  private changeCga(shown: VgaPicture, x: number, y: number, change: ((before: number) => number) | undefined): number {
    const bits = shown.colours === 4 ? 2 : 1;
    const at = cgaLine(shown, y) + ((x * bits) >> 3);
    const shift = 8 - bits - ((x * bits) & 7);
    const mask = shown.colours - 1;
    const byte = this.memory.load(at, 1);
    const before = (byte >> shift) & mask;
    if (change) this.memory.store(at, 1, (byte & ~(mask << shift)) | ((change(before) & mask) << shift));
    return before;
  }

  /** Where a page begins in the display's memory. */
  private first(shown: VgaPicture, page: number): number {
    if (shown.colours !== 16) return shown.first;
    return shown.first + 4 * (page * this.memory.load(Bda.PAGE_SIZE, 2) - this.memory.load(Bda.PAGE_START, 2));
  }

  private glyph(character: number, height: number): Uint8Array {
    const upper = character >= UPPER && (this.shown?.colours ?? 16) <= 4;
    const vector = 4 * (upper ? UPPER_FONT_VECTOR : FONT_VECTOR);
    const font = this.memory.load(vector + 2, 2) * 16 + this.memory.load(vector, 2);
    return this.memory.readBytes(font + (upper ? character - UPPER : character) * height, height);
  }
}
