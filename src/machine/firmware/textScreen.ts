/** Characters as the BIOS writes them: pages of text of the size that the data area has, or pixels where the VGA shows a picture. */
import { TEXT_MEMORY, TEXT_MEMORY_END } from '../memory/addressMap';
import type { PhysicalMemory } from '../memory/physicalMemory';
import type { Display } from '../devices/display';
import type { Vga } from '../devices/vga';
import { Bda } from './biosData';
import { PictureCells } from './graphicsText';

/** Light grey on black. */
export const NORMAL = 0x07;
const BLANK = 0x20;
/** First and last line of the cursor, as software of eight lines a character knows them. */
const CURSOR_SHAPE_LINES = 0x0607;
/** As many as the data area has cursors for. */
export const PAGES = 8;

/** Where characters go. Rows and columns begin with 0, and are within the page. */
export interface Cells {
  put(page: number, row: number, column: number, character: number, attribute: number | undefined): void;
  /** The same for so many columns of a row. */
  fill(page: number, row: number, column: number, length: number, character: number, attribute: number | undefined): void;
  /** Character and attribute as one word. */
  read(page: number, row: number, column: number): number;
  /** Blanks columns of a row. */
  clear(page: number, row: number, left: number, right: number, attribute: number): void;
  /** Copies columns of a row to another row. */
  copy(page: number, to: number, from: number, left: number, right: number): void;
}

export class TextScreen {
  private readonly text: Cells;
  private readonly pixels: Cells;

  constructor(
    private readonly memory: PhysicalMemory,
    private readonly vga: Vga,
    private readonly display: Display,
  ) {
    this.text = new TextCells(memory);
    this.pixels = new PictureCells(memory, vga, display);
  }

  /** All pages blank, their cursors at the top left, the first page shown. */
  clear(): void {
    const blank = new Uint8Array(TEXT_MEMORY_END - TEXT_MEMORY);
    for (let i = 0; i < blank.length; i += 2) blank.set([BLANK, NORMAL], i);
    this.memory.writeBytes(TEXT_MEMORY, blank);
    this.home();
  }

  /** The same memory for the pixels of two or four colours: all black. */
  clearPixels(): void {
    this.memory.writeBytes(TEXT_MEMORY, new Uint8Array(TEXT_MEMORY_END - TEXT_MEMORY));
  }

  /** All cursors at the top left, the first page shown. */
  home(): void {
    for (let page = 0; page < PAGES; page++) this.memory.store(Bda.CURSOR + 2 * page, 2, 0);
    this.memory.store(Bda.CURSOR_SHAPE, 2, this.pictured ? 0 : CURSOR_SHAPE_LINES);
    this.show(0);
  }

  get columns(): number {
    return this.memory.load(Bda.COLUMNS, 1) || 80;
  }
  get rows(): number {
    return this.memory.load(Bda.LAST_ROW, 1) + 1;
  }

  /** Number of the page that is shown. */
  get page(): number {
    return this.memory.load(Bda.VIDEO_PAGE, 1) % PAGES;
  }

  /** Shows a page. */
  show(page: number): void {
    const start = page * this.memory.load(Bda.PAGE_SIZE, 2);
    this.memory.store(Bda.VIDEO_PAGE, 1, page);
    this.memory.store(Bda.PAGE_START, 2, start);
    // The register counts bytes of a plane; of text these are cells.
    this.vga.start = this.vga.picture ? start : start / 2;
    this.moveCursor(page, this.row(page), this.column(page));
  }

  row(page: number): number {
    return this.memory.load(Bda.CURSOR + 2 * page + 1, 1);
  }
  column(page: number): number {
    return this.memory.load(Bda.CURSOR + 2 * page, 1);
  }

  moveCursor(page: number, row: number, column: number): void {
    this.memory.store(Bda.CURSOR + 2 * page, 2, (row << 8) | column);
    if (page === this.page) this.vga.cursor = this.vga.start + row * this.columns + column;
  }

  /** Character and attribute at a place, as one word. */
  cell(page: number, row: number, column: number): number {
    return this.cells.read(page, row, column);
  }
  /** Without an attribute the one that is there stays. */
  put(page: number, row: number, column: number, character: number, attribute: number | undefined): void {
    if (row < this.rows && column < this.columns) this.cells.put(page, row, column, character, attribute);
  }

  /** Writes a character so often from the cursor on, which stays. */
  repeat(page: number, character: number, attribute: number | undefined, count: number): void {
    const { columns, rows, cells } = this;
    const first = this.row(page) * columns + this.column(page);
    const end = Math.min(first + count, rows * columns);
    for (let place = first, length = 0; place < end; place += length) {
      const column = place % columns;
      length = Math.min(end - place, columns - column);
      cells.fill(page, Math.floor(place / columns), column, length, character, attribute);
    }
  }

  /** Writes a character at the cursor and moves it on, with bell, backspace, line feed and carriage return. */
  teletype(page: number, character: number, attribute?: number): void {
    let [row, column] = [this.row(page), this.column(page)];
    if (character === 0x07) return;
    if (character === 0x08) column = Math.max(0, column - 1);
    else if (character === 0x0a) row++;
    else if (character === 0x0d) column = 0;
    else {
      this.put(page, row, column, character, attribute);
      if (++column === this.columns) {
        column = 0;
        row++;
      }
    }
    if (row >= this.rows) {
      row = this.rows - 1;
      this.scroll(page, 0, 0, row, this.columns - 1, 1, this.pictured ? 0 : NORMAL);
    }
    this.moveCursor(page, row, column);
  }

  /** Scrolls a window by `lines` (up when positive); 0, or more than it has, clears it. */
  scroll(page: number, top: number, left: number, bottom: number, right: number, lines: number, attribute: number): void {
    bottom = Math.min(bottom, this.rows - 1);
    right = Math.min(right, this.columns - 1);
    const height = bottom - top + 1;
    if (height <= 0 || right < left) return;
    const { cells } = this;
    const clear = (first: number, last: number): void => {
      for (let row = first; row <= last; row++) cells.clear(page, row, left, right, attribute);
    };
    if (lines === 0 || Math.abs(lines) >= height) return clear(top, bottom);
    if (lines > 0) {
      for (let row = top; row + lines <= bottom; row++) cells.copy(page, row, row + lines, left, right);
      clear(bottom - lines + 1, bottom);
    } else {
      for (let row = bottom; row + lines >= top; row--) cells.copy(page, row, row + lines, left, right);
      clear(top, top - lines - 1);
    }
  }

  /** Whether characters become pixels. */
  get pictured(): boolean {
    return this.display.picture !== undefined;
  }
  private get cells(): Cells {
    return this.pictured ? this.pixels : this.text;
  }
}

/** Text memory. */
class TextCells implements Cells {
  constructor(private readonly memory: PhysicalMemory) {}

  put(page: number, row: number, column: number, character: number, attribute: number | undefined): void {
    const at = this.at(page, row, column);
    this.memory.store(at, 1, character);
    if (attribute !== undefined) this.memory.store(at + 1, 1, attribute);
  }
  read(page: number, row: number, column: number): number {
    return this.memory.load(this.at(page, row, column), 2);
  }
  fill(page: number, row: number, column: number, length: number, character: number, attribute: number | undefined): void {
    const at = this.at(page, row, column);
    const line = attribute === undefined ? this.memory.readBytes(at, length * 2) : new Uint8Array(length * 2).fill(attribute);
    for (let i = 0; i < line.length; i += 2) line[i] = character;
    this.memory.writeBytes(at, line);
  }
  clear(page: number, row: number, left: number, right: number, attribute: number): void {
    this.fill(page, row, left, right - left + 1, BLANK, attribute);
  }
  copy(page: number, to: number, from: number, left: number, right: number): void {
    this.memory.writeBytes(this.at(page, to, left), this.memory.readBytes(this.at(page, from, left), (right - left + 1) * 2));
  }

  private at(page: number, row: number, column: number): number {
    const columns = this.memory.load(Bda.COLUMNS, 1) || 80;
    return TEXT_MEMORY + ((page * this.memory.load(Bda.PAGE_SIZE, 2) + (row * columns + column) * 2) % (TEXT_MEMORY_END - TEXT_MEMORY));
  }
}
