/** The VGA text screen as lines of characters. */
import { HIGH_CHARACTERS } from '../base/codePage';
import type { PictureMode } from './devices/display';
import { COLUMNS, ROWS, type Vga } from './devices/vga';
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
  const size = TEXT_MEMORY_END - TEXT_MEMORY;
  const text = memory.peek(TEXT_MEMORY, size)!;
  const cells = new Uint8Array(ROWS * COLUMNS * 2);
  for (let i = 0; i < cells.length; i++) cells[i] = text[(vga.start * 2 + i) % size]!;
  // The firmware leaves the register alone; a BIOS would switch blinking on.
  const mode = vga.state.attribute[ATTRIBUTE_MODE];
  const at = vga.cursor - vga.start;
  const shown = (vga.state.crtc[CRTC_CURSOR_START]! & CURSOR_OFF) === 0 && at >= 0 && at < ROWS * COLUMNS;
  return { columns: COLUMNS, rows: ROWS, cells, cursor: shown ? { row: Math.floor(at / COLUMNS), column: at % COLUMNS } : undefined, blinks: mode === undefined || mode === 0 || (mode & BLINK) !== 0 };
}

/** 25 lines without their trailing spaces, from where the display starts. */
export function screenText(memory: PhysicalMemory, vga: Vga): string[] {
  const size = TEXT_MEMORY_END - TEXT_MEMORY;
  const text = memory.peek(TEXT_MEMORY, size)!;
  const character = (cell: number): string => {
    const code = text[(cell * 2) % size]!;
    return code >= 0x80 ? HIGH_CHARACTERS[code - 0x80]! : code < 0x20 || code === 0x7f ? ' ' : String.fromCharCode(code);
  };
  return Array.from({ length: ROWS }, (_, row) => Array.from({ length: COLUMNS }, (_, column) => character(vga.start + row * COLUMNS + column)).join('').trimEnd());
}
