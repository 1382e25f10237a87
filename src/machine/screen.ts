/** The VGA text screen as lines of characters. */
import { HIGH_CHARACTERS } from '../base/codePage';
import type { PictureMode } from './devices/display';
import type { Vga } from './devices/vga';
import { TEXT_MEMORY, TEXT_MEMORY_END } from './memory/addressMap';
import type { PhysicalMemory } from './memory/physicalMemory';

/** The screen as it is shown: characters with their colours, and the cursor. */
export interface Screen {
  columns: number;
  rows: number;
  /** For each cell the code-page-437 character and its attribute byte. */
  cells: Uint8Array;
  /** Row and column of the cursor; undefined when it is hidden or off the screen. */
  cursor: { row: number; column: number } | undefined;
  /** Bit 7 of an attribute blinks; otherwise it brightens the background. */
  blinks: boolean;
  /** A picture is shown in place of the text. */
  picture?: PictureMode;
}

/** CRT controller: cursor start, whose bit 5 hides the cursor. Attribute controller: mode, whose bit 3 makes bit 7 blink. */
const CRTC_CURSOR_START = 0x0a;
const CURSOR_OFF = 0x20;
const ATTRIBUTE_MODE = 0x10;
const BLINK = 0x08;

/** What the display shows now, from where it starts. */
export function screen(memory: PhysicalMemory, vga: Vga): Screen {
  const { columns, rows, line } = vga.text;
  const cells = new Uint8Array(rows * columns * 2);
  const cellAt = cellsOf(memory, vga);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) cells.set(cellAt(row, column), (row * columns + column) * 2);
  }
  // The firmware leaves the register alone; a BIOS would switch blinking on.
  const mode = vga.state.attribute[ATTRIBUTE_MODE];
  const at = vga.cursor - vga.start;
  const cursor = { row: Math.floor(at / line), column: at % line };
  const shown = (vga.state.crtc[CRTC_CURSOR_START]! & CURSOR_OFF) === 0 && at >= 0 && cursor.row < rows && cursor.column < columns;
  return { columns, rows, cells, cursor: shown ? cursor : undefined, blinks: mode === undefined || mode === 0 || (mode & BLINK) !== 0 };
}

/** The rows without their trailing spaces, from where the display starts. */
export function screenText(memory: PhysicalMemory, vga: Vga): string[] {
  const { columns, rows } = vga.text;
  const cellAt = cellsOf(memory, vga);
  const character = (row: number, column: number): string => {
    const [code] = cellAt(row, column) as [number, number];
    return code >= 0x80 ? HIGH_CHARACTERS[code - 0x80]! : code < 0x20 || code === 0x7f ? ' ' : String.fromCharCode(code);
  };
  return Array.from({ length: rows }, (_, row) => Array.from({ length: columns }, (__, column) => character(row, column)).join('').trimEnd());
}

/** Character and attribute of a place on the screen. */
function cellsOf(memory: PhysicalMemory, vga: Vga): (row: number, column: number) => readonly [number, number] {
  const { start, text: { line } } = vga;
  const text = memory.peek(TEXT_MEMORY, TEXT_MEMORY_END - TEXT_MEMORY)!;
  return (row, column) => {
    const at = ((start + row * line + column) * 2) % text.length;
    return [text[at]!, text[at + 1]!];
  };
}
