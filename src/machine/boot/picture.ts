/**
 * The picture that a kernel asks for in its multiboot header. Who can do without one stays with text, which can be
 * read, copied and searched.
 */
import type { Display, Picture } from '../devices/display';
import { colourFields, showMode, VIDEO_MODES } from '../firmware/videoModes';
import { TEXT_MEMORY } from '../memory/addressMap';
import type { Layout } from './placement';

/** In pixels and bits; 0 where any will do. */
export interface WantedPicture {
  width: number;
  height: number;
  bits: number;
}

/** Where nothing is said, and what is shown when there is no such mode. */
const USUAL: WantedPicture = { width: 1024, height: 768, bits: 32 };
/** framebuffer_type: palette, colours in each pixel, text. */
const Type = { INDEXED: 0, DIRECT: 1, TEXT: 2 } as const;
const TEXT = { bytesPerLine: 160, columns: 80, rows: 25, bits: 16 } as const;

/** Shows it as nearly as a mode can: its size with its bits, else its size, else what is usual. */
export function showPicture(display: Display, wanted: WantedPicture): Picture {
  const width = wanted.width || USUAL.width;
  const height = wanted.height || USUAL.height;
  const sized = VIDEO_MODES.filter((mode) => mode.width === width && mode.height === height);
  const usual = (bits: number) => (mode: WantedPicture): boolean => mode.bits === bits;
  const mode = sized.find(usual(wanted.bits || USUAL.bits)) ?? sized.find(usual(USUAL.bits)) ?? VIDEO_MODES.find((m) => m.width === USUAL.width && m.height === USUAL.height && m.bits === USUAL.bits)!;
  showMode(display, mode, false);
  return display.picture!;
}

/** The fields framebuffer_addr to framebuffer_type, which both versions have alike. */
export function frameBufferFields(out: Layout, picture: Picture | undefined): Layout {
  if (!picture) return out.u64(TEXT_MEMORY).u32(TEXT.bytesPerLine).u32(TEXT.columns).u32(TEXT.rows).u8(TEXT.bits).u8(Type.TEXT);
  const { address, bytesPerLine, width, height, bitsPerPixel } = picture;
  return out.u64(address).u32(bytesPerLine).u32(width).u32(height).u8(bitsPerPixel).u8(bitsPerPixel === 8 ? Type.INDEXED : Type.DIRECT);
}

/** color_info: for red, green and blue the first bit and how many; a palette is the kernel's to set. */
export function colourInformation(out: Layout, { bitsPerPixel }: Picture): Layout {
  const [red, redAt, green, greenAt, blue, blueAt] = colourFields(bitsPerPixel) as [number, number, number, number, number, number];
  return out.raw(bitsPerPixel === 8 ? [0, 0, 0, 0, 0, 0] : [redAt, red, greenAt, green, blueAt, blue]);
}
