/** A VGA's modes as the BIOS sets them, and what the data area says of them. */
import { PAGE_SIZE } from '../../base/address';
import { Register } from '../devices/display';
import { TEXT_MODE, VGA_MODES, type VgaMode } from '../devices/vgaModes';
import { VGA_MEMORY, VIDEO_MEMORY } from '../memory/addressMap';
import { Bda } from './biosData';
import { FONT_VECTOR } from './graphicsText';
import { BIOS_SEGMENT, FONTS } from './rom';
import type { FirmwareParts } from './services';

/** In the data area and in what AH=0Fh yields: the mode that was set last has left its memory as it was. */
export const KEPT = 0x80;
/** Text in one colour is shown as text in sixteen. */
const MONOCHROME_TEXT = 7;
const graphics = (mode: VgaMode): boolean => (mode.graphics[6]! & 1) !== 0;

/** Sets a mode by its number; `keep` leaves what is in its memory. Yields it, or undefined where there is none of that number. */
export function setVgaMode(parts: FirmwareParts, number: number, keep: boolean): VgaMode | undefined {
  const mode = number === MONOCHROME_TEXT ? TEXT_MODE : VGA_MODES.find((m) => m.number === number);
  if (!mode) return undefined;
  const { board: { display, vga }, memory, screen } = parts;
  display.set(Register.ENABLE, 0);
  vga.setMode(mode);
  memory.store(Bda.VIDEO_MODE, 1, mode.number);
  memory.store(Bda.COLUMNS, 2, mode.columns);
  memory.store(Bda.PAGE_SIZE, 2, mode.pageSize);
  describeFont(parts, mode.rows, mode.characterHeight);
  screen.home();
  memory.store(Bda.VIDEO_CONTROL, 1, (memory.load(Bda.VIDEO_CONTROL, 1) & ~KEPT) | (keep ? KEPT : 0));
  if (keep) return mode;
  if (!graphics(mode)) screen.clear();
  else if (mode.cgaMemory) screen.clearPixels();
  else memory.clear(VIDEO_MEMORY, VGA_MEMORY / PAGE_SIZE);
  return mode;
}

/** What the data area says of characters: rows on the screen, lines of each; and where their font is. */
export function describeFont({ memory }: FirmwareParts, rows: number, height: number): void {
  memory.store(Bda.LAST_ROW, 1, rows - 1);
  memory.store(Bda.CHARACTER_HEIGHT, 2, height);
  if (height in FONTS) memory.store(4 * FONT_VECTOR, 4, BIOS_SEGMENT * 0x1_0000 + FONTS[height as keyof typeof FONTS]);
}
