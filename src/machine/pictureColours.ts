/** The picture that the display shows, as red, green and blue of each pixel. */
import { bytesPerPixel, type Display, type PictureMode } from './devices/display';
import { CGA_ODD_LINES, type Vga } from './devices/vga';
import { colourFields } from './firmware/videoModes';
import type { PhysicalMemory } from './memory/physicalMemory';

export interface ShownPicture extends PictureMode {
  /** Three bytes for each pixel, line by line from the top. */
  rgb: Uint8Array;
}

/** Paints a line, whose bytes are as in the display's memory, into `rgb` from `at` on. */
type PaintLine = (line: Uint8Array, rgb: Uint8Array, at: number) => void;

/** Undefined while the display shows text. */
export function shownPicture(memory: PhysicalMemory, display: Display, vga: Vga): ShownPicture | undefined {
  const shown = display.picture;
  if (!shown) return undefined;
  const { width, height, bitsPerPixel, address, bytesPerLine, oddLinesApart } = shown;
  const rgb = new Uint8Array(width * height * 3);
  const paint = shown.planes ? fromPlanes(vga, width) : bitsPerPixel < 8 ? fromPacked(vga, width, bitsPerPixel) : bitsPerPixel === 8 ? fromPalette(vga, width) : fromFields(bitsPerPixel, width);
  const length = bitsPerPixel < 8 ? (width * bitsPerPixel) / 8 : width * bytesPerPixel(bitsPerPixel);
  const lineAt = (y: number): number => (oddLinesApart ? (y & 1) * CGA_ODD_LINES + (y >> 1) * bytesPerLine : y * bytesPerLine);
  for (let y = 0; y < height; y++) paint(memory.readBytes(address + lineAt(y), length), rgb, 3 * y * width);
  return { ...display.mode!, rgb };
}

/** Every primary colour of `bits` bits at `at`, stretched to 8. */
function fromFields(bits: number, width: number): PaintLine {
  const [red, redAt, green, greenAt, blue, blueAt] = colourFields(bits) as [number, number, number, number, number, number];
  const size = bytesPerPixel(bits);
  const stretched = (length: number): Uint8Array => Uint8Array.from({ length: 1 << length }, (_, n) => Math.round((n * 255) / ((1 << length) - 1)));
  const [reds, greens, blues] = [stretched(red), stretched(green), stretched(blue)];
  return (line, rgb, at) => {
    for (let x = 0, from = 0; x < width; x++) {
      let pixel = 0;
      for (let i = 0; i < size; i++) pixel |= line[from++]! << (8 * i);
      rgb[at++] = reds[(pixel >>> redAt) & (reds.length - 1)]!;
      rgb[at++] = greens[(pixel >>> greenAt) & (greens.length - 1)]!;
      rgb[at++] = blues[(pixel >>> blueAt) & (blues.length - 1)]!;
    }
  };
}

/** The 256 colours, three bytes each. */
const paletteOf = ({ state: { palette, colourMask } }: Vga): Uint8Array => Uint8Array.from(palette, (primary) => Math.round((primary * 255) / colourMask));

function fromPalette(vga: Vga, width: number): PaintLine {
  const colours = paletteOf(vga);
  return (line, rgb, at) => {
    for (let x = 0; x < width; x++) for (let n = 0; n < 3; n++) rgb[at++] = colours[3 * line[x]! + n]!;
  };
}

/** Several pixels in a byte, the leftmost in its upper bits. */
function fromPacked(vga: Vga, width: number, bits: number): PaintLine {
  const colours = paletteOf(vga);
  const sixteen = vga.sixteenColours.map((n) => 3 * (n & vga.state.paletteMask));
  return (line, rgb, at) => {
    for (let x = 0; x < width * bits; x += bits) {
      const colour = (line[x >> 3]! >> (8 - bits - (x & 7))) & ((1 << bits) - 1);
      for (let n = 0; n < 3; n++) rgb[at++] = colours[sixteen[colour]! + n]!;
    }
  };
}

/** Eight pixels have a byte in each of four planes. */
function fromPlanes(vga: Vga, width: number): PaintLine {
  const colours = paletteOf(vga);
  const sixteen = vga.sixteenColours.map((n) => 3 * (n & vga.state.paletteMask));
  return (line, rgb, at) => {
    for (let x = 0; x < width; x++) {
      let colour = 0;
      for (let plane = 0; plane < 4; plane++) colour |= ((line[(x >> 3) * 4 + plane]! >> (7 - (x & 7))) & 1) << plane;
      for (let n = 0; n < 3; n++) rgb[at++] = colours[sixteen[colour]! + n]!;
    }
  };
}
