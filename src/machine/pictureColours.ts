/** The picture that the display shows, as red, green and blue of each pixel. */
import { bytesPerPixel, type Display } from './devices/display';
import type { Vga } from './devices/vga';
import { colourFields } from './firmware/videoModes';
import type { PhysicalMemory } from './memory/physicalMemory';

export interface ShownPicture {
  width: number;
  height: number;
  /** Three bytes for each pixel, line by line from the top. */
  rgb: Uint8Array;
}

/** Undefined while the display shows text. */
export function shownPicture(memory: PhysicalMemory, display: Display, vga: Vga): ShownPicture | undefined {
  const shown = display.picture;
  if (!shown) return undefined;
  const { width, height, bitsPerPixel, address, bytesPerLine } = shown;
  const rgb = new Uint8Array(width * height * 3);
  if (shown.planes) {
    const colours = fromPalette(vga);
    const sixteen = vga.sixteenColours.map((n) => colours(n & vga.state.paletteMask));
    for (let y = 0; y < height; y++) {
      const line = memory.readBytes(address + y * bytesPerLine, width / 2);
      for (let x = 0; x < width; x++) {
        const colour = [0, 1, 2, 3].reduce((n, plane) => n | (((line[(x >> 3) * 4 + plane]! >> (7 - (x & 7))) & 1) << plane), 0);
        rgb.set(sixteen[colour]!, 3 * (y * width + x));
      }
    }
    return { width, height, rgb };
  }
  const size = bytesPerPixel(bitsPerPixel);
  const colours = bitsPerPixel === 8 ? fromPalette(vga) : fromFields(bitsPerPixel);
  for (let y = 0; y < height; y++) {
    const line = memory.readBytes(address + y * bytesPerLine, width * size);
    for (let x = 0; x < width; x++) {
      let pixel = 0;
      for (let i = size - 1; i >= 0; i--) pixel = pixel * 256 + line[x * size + i]!;
      rgb.set(colours(pixel), 3 * (y * width + x));
    }
  }
  return { width, height, rgb };
}

type Colours = (pixel: number) => readonly number[];

/** Every primary colour of `bits` bits at `at`, stretched to 8. */
function fromFields(bits: number): Colours {
  const [red, redAt, green, greenAt, blue, blueAt] = colourFields(bits) as [number, number, number, number, number, number];
  const primary = (pixel: number, size: number, at: number): number => Math.round((((pixel >>> at) & ((1 << size) - 1)) * 255) / ((1 << size) - 1));
  return (pixel) => [primary(pixel, red, redAt), primary(pixel, green, greenAt), primary(pixel, blue, blueAt)];
}

function fromPalette({ state: { palette, colourMask } }: Vga): Colours {
  return (pixel) => [0, 1, 2].map((n) => Math.round((palette[3 * pixel + n]! * 255) / colourMask));
}
