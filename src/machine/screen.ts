/** The VGA text screen as lines of characters. */
import { COLUMNS, ROWS, type Vga } from './devices/vga';
import { TEXT_MEMORY, TEXT_MEMORY_END } from './memory/addressMap';
import type { PhysicalMemory } from './memory/physicalMemory';

/** Code page 437 above 0x7F; below, control characters show as spaces. */
const HIGH = 'ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0';

/** 25 lines without their trailing spaces, from where the display starts. */
export function screenText(memory: PhysicalMemory, vga: Vga): string[] {
  const size = TEXT_MEMORY_END - TEXT_MEMORY;
  const text = memory.peek(TEXT_MEMORY, size)!;
  const character = (cell: number): string => {
    const code = text[(cell * 2) % size]!;
    return code >= 0x80 ? HIGH[code - 0x80]! : code < 0x20 || code === 0x7f ? ' ' : String.fromCharCode(code);
  };
  return Array.from({ length: ROWS }, (_, row) => Array.from({ length: COLUMNS }, (_, column) => character(vga.start + row * COLUMNS + column)).join('').trimEnd());
}
