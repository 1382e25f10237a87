/** The graphics modes that the BIOS offers (VBE Core Functions Standard 3.0; those from 0x140 on are this adapter's own), and what it says of them. */
import { bytesPerPixel, type Display, Enable, Register } from '../devices/display';
import { VIDEO_MEMORY, VIDEO_MEMORY_SIZE } from '../memory/addressMap';
import { BIOS_SEGMENT, SET_BANK } from './rom';

export interface VideoMode {
  number: number;
  width: number;
  height: number;
  bits: number;
}

const of = (bits: number, modes: readonly (readonly [number: number, width: number, height: number])[]): VideoMode[] => modes.map(([number, width, height]) => ({ number, width, height, bits }));

export const VIDEO_MODES: readonly VideoMode[] = [
  ...of(8, [[0x100, 640, 400], [0x101, 640, 480], [0x103, 800, 600], [0x105, 1024, 768], [0x107, 1280, 1024]]),
  ...of(15, [[0x110, 640, 480], [0x113, 800, 600], [0x116, 1024, 768], [0x119, 1280, 1024]]),
  ...of(16, [[0x111, 640, 480], [0x114, 800, 600], [0x117, 1024, 768], [0x11a, 1280, 1024]]),
  ...of(24, [[0x112, 640, 480], [0x115, 800, 600], [0x118, 1024, 768], [0x11b, 1280, 1024]]),
  ...of(32, [[0x140, 320, 200], [0x141, 640, 400], [0x142, 640, 480], [0x143, 800, 600], [0x144, 1024, 768], [0x145, 1280, 1024], [0x175, 1280, 720], [0x18d, 1280, 800], [0x190, 1920, 1080]]),
];

/** Bits and first bit of red, green, blue and what is left over. */
const COLOURS: Readonly<Record<number, readonly number[]>> = {
  8: [0, 0, 0, 0, 0, 0, 0, 0],
  15: [5, 10, 5, 5, 5, 0, 1, 15],
  16: [5, 11, 6, 5, 5, 0, 0, 0],
  24: [8, 16, 8, 8, 8, 0, 0, 0],
  32: [8, 16, 8, 8, 8, 0, 8, 24],
};
export const colourFields = (bits: number): readonly number[] => COLOURS[bits]!;

/** Mode attributes: supported, complete, in colour, graphics, no VGA, one piece of memory beside the window at 0xA0000. */
const ATTRIBUTES = 0xbb;
/** That window: it is there, read and written; in KiB its steps and size; its segment. */
const WINDOW = { attributes: 7, kib: 64, segment: 0xa000 } as const;
const PACKED_PIXELS = 4;
const DIRECT_COLOUR = 6;
const CHARACTER = { width: 8, height: 16 } as const;
const PIXEL_CLOCK = 400_000_000;
const INFORMATION_SIZE = 256;

/** Sets a mode; `keep` leaves the pixels as they are. */
export function showMode(display: Display, { width, height, bits }: Omit<VideoMode, 'number'>, keep: boolean): void {
  display.set(Register.ENABLE, 0);
  display.set(Register.WIDTH, width);
  display.set(Register.HEIGHT, height);
  display.set(Register.BITS, bits);
  display.set(Register.ENABLE, Enable.ON | Enable.LINEAR | (keep ? Enable.KEEP : 0));
}

/** The block that VBE function 1 fills. */
export function modeInformation({ width, height, bits }: VideoMode): Uint8Array {
  const block = new Uint8Array(INFORMATION_SIZE);
  const data = new DataView(block.buffer);
  const line = width * bytesPerPixel(bits);
  const pages = Math.min(0xff, Math.floor(VIDEO_MEMORY_SIZE / (line * height)) - 1);
  data.setUint16(0x00, ATTRIBUTES, true);
  data.setUint8(0x02, WINDOW.attributes);
  data.setUint16(0x04, WINDOW.kib, true);
  data.setUint16(0x06, WINDOW.kib, true);
  data.setUint16(0x08, WINDOW.segment, true);
  data.setUint32(0x0c, BIOS_SEGMENT * 0x1_0000 + SET_BANK, true);
  data.setUint16(0x10, line, true);
  data.setUint16(0x12, width, true);
  data.setUint16(0x14, height, true);
  block.set([CHARACTER.width, CHARACTER.height, 1, bits, 1, bits === 8 ? PACKED_PIXELS : DIRECT_COLOUR, 0, pages, 1, ...COLOURS[bits]!, bits === 32 ? 2 : 0], 0x16);
  data.setUint32(0x28, VIDEO_MEMORY, true);
  // The same once more for memory in one piece.
  data.setUint16(0x32, line, true);
  block.set([pages, pages, ...COLOURS[bits]!], 0x34);
  data.setUint32(0x3e, PIXEL_CLOCK, true);
  return block;
}
