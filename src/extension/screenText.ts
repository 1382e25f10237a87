/** A VGA text screen as a terminal shows it: code page 437 as Unicode, attributes as colours, only what has changed. */
import type { PictureMode, ScreenResponse } from '../adapter/messages';
import { HIGH_CHARACTERS } from '../base/codePage';
import { pictureWords } from './pictureChannel';

/** The sixteen colours of a VGA, by attribute. */
const COLOURS = ['0;0;0', '0;0;170', '0;170;0', '0;170;170', '170;0;0', '170;0;170', '170;85;0', '170;170;170', '85;85;85', '85;85;255', '85;255;85', '85;255;255', '255;85;85', '255;85;255', '255;255;85', '255;255;255'];

/** Code page 437 below 0x20, where the display shows pictures. */
const LOW_CHARACTERS = ' \u263a\u263b\u2665\u2666\u2663\u2660\u2022\u25d8\u25cb\u25d9\u2642\u2640\u266a\u266b\u263c\u25ba\u25c4\u2195\u203c\u00b6\u00a7\u25ac\u21a8\u2191\u2193\u2192\u2190\u221f\u2194\u25b2\u25bc';

const character = (code: number): string => (code >= 0x80 ? HIGH_CHARACTERS[code - 0x80]! : code < 0x20 ? LOW_CHARACTERS[code]! : code === 0x7f ? '\u2302' : String.fromCharCode(code));

function colours(attribute: number, blinks: boolean): string {
  const background = blinks ? (attribute >> 4) & 7 : attribute >> 4;
  return `\x1b[0;${blinks && attribute & 0x80 ? '5;' : ''}38;2;${COLOURS[attribute & 15]};48;2;${COLOURS[background]}m`;
}

/** One row with its colours. */
function rowText(cells: Uint8Array, row: number, columns: number, blinks: boolean): string {
  let text = '';
  let last = -1;
  for (let column = 0; column < columns; column++) {
    const at = (row * columns + column) * 2;
    if (cells[at + 1] !== last) text += colours((last = cells[at + 1]!), blinks);
    text += character(cells[at]!);
  }
  return `${text}\x1b[0m`;
}

export const cellsOf = ({ cells }: ScreenResponse): Uint8Array => Uint8Array.from(atob(cells), (c) => c.charCodeAt(0));

/** Whether anything is to be read on the screen. */
export const hasText = (screen: ScreenResponse): boolean => cellsOf(screen).some((code, i) => i % 2 === 0 && code !== 0 && code !== 0x20);

/** Rows that are visible in a terminal of so many: all, or those that end with the cursor's. */
export function visibleRows({ rows, cursor }: ScreenResponse, height: number): { first: number; count: number } {
  const count = Math.min(rows, Math.max(1, height));
  const last = cursor ? Math.max(cursor.row, count - 1) : rows - 1;
  return { first: Math.min(last - count + 1, rows - count), count };
}

/**
 * What to write to a terminal that shows `before` so that it shows `now`; everything when there is no `before`. `window`
 * says which rows there is room for.
 */
export function screenUpdate(now: ScreenResponse, before: ScreenResponse | undefined, window = { first: 0, count: now.rows }): string {
  const cells = cellsOf(now);
  const old = before && before.blinks === now.blinks ? cellsOf(before) : undefined;
  const width = now.columns * 2;
  let text = old ? '' : '\x1b[2J';
  for (let row = window.first; row < window.first + window.count; row++) {
    const same = old && cells.subarray(row * width, (row + 1) * width).every((c, i) => c === old[row * width + i]);
    if (!same) text += `\x1b[${row - window.first + 1};1H${rowText(cells, row, now.columns, now.blinks)}`;
  }
  return text + (now.cursor ? `\x1b[${now.cursor.row - window.first + 1};${now.cursor.column + 1}H\x1b[?25h` : '\x1b[?25l');
}

/** What to write to a terminal while the display shows a picture, which a terminal cannot. */
export const pictureNote = (mode: PictureMode): string => `\x1b[0m\x1b[2J\x1b[1;1H\x1b[?25lThe guest shows a picture of ${pictureWords(mode)}: it is in the editor "VGA picture".\r\n`;
