/** The 80 by 25 text screen as the BIOS writes it. */
import type { Vga } from '../devices/vga';
import { COLUMNS, ROWS } from '../devices/vga';
import { TEXT_MEMORY } from '../memory/addressMap';
import type { PhysicalMemory } from '../memory/physicalMemory';
import { Bda } from './biosData';

/** Light grey on black. */
export const NORMAL = 0x07;
const BLANK = 0x20;
/** First and last line of the cursor, as software of eight lines a character knows them. */
const CURSOR_SHAPE_LINES = 0x0607;

export class TextScreen {
  constructor(
    private readonly memory: PhysicalMemory,
    private readonly vga: Vga,
  ) {}

  clear(attribute = NORMAL): void {
    this.fill(0, 0, ROWS - 1, COLUMNS - 1, attribute);
    this.moveCursor(0, 0);
    this.memory.store(Bda.CURSOR_SHAPE, 2, CURSOR_SHAPE_LINES);
  }

  get row(): number {
    return this.memory.load(Bda.CURSOR + 1, 1);
  }
  get column(): number {
    return this.memory.load(Bda.CURSOR, 1);
  }

  moveCursor(row: number, column: number): void {
    this.memory.store(Bda.CURSOR, 2, (row << 8) | column);
    this.vga.cursor = row * COLUMNS + column;
  }

  /** Character and attribute at a place, as one word. */
  cell(row: number, column: number): number {
    return this.memory.load(address(row, column), 2);
  }
  put(row: number, column: number, character: number, attribute: number | undefined): void {
    if (row >= ROWS || column >= COLUMNS) return;
    this.memory.store(address(row, column), 1, character);
    if (attribute !== undefined) this.memory.store(address(row, column) + 1, 1, attribute);
  }

  /** Writes a character at the cursor and moves it on, with bell, backspace, line feed and carriage return. */
  teletype(character: number, attribute?: number): void {
    let { row, column } = this;
    if (character === 0x07) return;
    if (character === 0x08) column = Math.max(0, column - 1);
    else if (character === 0x0a) row++;
    else if (character === 0x0d) column = 0;
    else {
      this.put(row, column, character, attribute);
      if (++column === COLUMNS) {
        column = 0;
        row++;
      }
    }
    if (row >= ROWS) {
      row = ROWS - 1;
      this.scroll(0, 0, ROWS - 1, COLUMNS - 1, 1, NORMAL);
    }
    this.moveCursor(row, column);
  }

  /** Scrolls a window by `lines` (up when positive); 0, or more than it has, clears it. */
  scroll(top: number, left: number, bottom: number, right: number, lines: number, attribute: number): void {
    bottom = Math.min(bottom, ROWS - 1);
    right = Math.min(right, COLUMNS - 1);
    const height = bottom - top + 1;
    if (height <= 0 || right < left) return;
    if (lines === 0 || Math.abs(lines) >= height) return this.fill(top, left, bottom, right, attribute);
    const width = (right - left + 1) * 2;
    const move = (to: number, from: number): unknown => this.memory.writeBytes(address(to, left), this.memory.readBytes(address(from, left), width));
    if (lines > 0) {
      for (let row = top; row + lines <= bottom; row++) move(row, row + lines);
      this.fill(bottom - lines + 1, left, bottom, right, attribute);
    } else {
      for (let row = bottom; row + lines >= top; row--) move(row, row + lines);
      this.fill(top, left, top - lines - 1, right, attribute);
    }
  }

  private fill(top: number, left: number, bottom: number, right: number, attribute: number): void {
    const line = new Uint8Array((right - left + 1) * 2);
    for (let i = 0; i < line.length; i += 2) {
      line[i] = BLANK;
      line[i + 1] = attribute;
    }
    for (let row = top; row <= bottom; row++) this.memory.writeBytes(address(row, left), line);
  }
}

const address = (row: number, column: number): number => TEXT_MEMORY + (row * COLUMNS + column) * 2;
