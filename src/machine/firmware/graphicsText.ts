/** Pixels and characters that the BIOS draws into a VGA's picture. */
import { VIDEO_MEMORY } from '../memory/addressMap';
import { Bda } from './biosData';
import { FONTS } from './rom';
import { BIOS } from '../memory/addressMap';
import type { FirmwareParts } from './services';

/** A pixel as it was, with `change` applied; 0 where no VGA picture has one. */
export function changePixel({ memory, board: { display, vga } }: FirmwareParts, x: number, y: number, change: ((before: number) => number) | undefined): number {
  const shown = display.on ? undefined : vga.picture;
  if (!shown || x >= shown.width || y >= shown.height) return 0;
  const line = VIDEO_MEMORY + shown.first + y * shown.line;
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

/** A character in its cell, in a colour on black; bit 7 of the colour: combined with what is there. */
export function drawGlyph(parts: FirmwareParts, row: number, column: number, character: number, colour: number): void {
  const { memory } = parts;
  const height = memory.load(Bda.CHARACTER_HEIGHT, 1);
  const glyph = memory.readBytes(BIOS + (FONTS[height as keyof typeof FONTS] ?? FONTS[16]) + character * height, height);
  glyph.forEach((bits, y) => {
    for (let x = 0; x < 8; x++) {
      const ink = bits & (0x80 >> x) ? colour & 0x7f : 0;
      changePixel(parts, column * 8 + x, row * height + y, (before) => (colour & 0x80 ? before ^ ink : ink));
    }
  });
}

/** Teletype: the character at the cursor, which moves on; at the end of the picture everything moves up. */
export function drawCharacter(parts: FirmwareParts, character: number, colour: number): void {
  const { memory, board: { vga } } = parts;
  const [columns, rows] = [memory.load(Bda.COLUMNS, 2), memory.load(Bda.LAST_ROW, 1) + 1];
  let [row, column] = [memory.load(Bda.CURSOR + 1, 1), memory.load(Bda.CURSOR, 1)];
  if (character === 0x07) return;
  if (character === 0x08) column = Math.max(0, column - 1);
  else if (character === 0x0a) row++;
  else if (character === 0x0d) column = 0;
  else {
    drawGlyph(parts, row, column++, character, colour);
    if (column === columns) {
      column = 0;
      row++;
    }
  }
  const shown = vga.picture;
  if (row >= rows && shown) {
    row = rows - 1;
    const bytes = memory.load(Bda.CHARACTER_HEIGHT, 1) * shown.line;
    const first = VIDEO_MEMORY + shown.first;
    memory.program(first, memory.readBytes(first + bytes, row * bytes));
    memory.program(first + row * bytes, new Uint8Array(bytes));
  }
  memory.store(Bda.CURSOR, 2, (row << 8) | column);
}
