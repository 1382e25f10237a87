/**
 * The register values of a VGA's modes as its BIOS sets them, and the colours that it loads: for software that reads
 * registers back, and for what the adapter shows.
 */

export interface VgaMode {
  /** Of INT 10h AH=00h. */
  number: number;
  /** Columns and rows of characters, and lines of each. */
  columns: number;
  rows: number;
  characterHeight: number;
  /** BIOS data area: bytes of a page. */
  pageSize: number;
  miscellaneous: number;
  sequencer: readonly number[];
  crtc: readonly number[];
  graphics: readonly number[];
  attribute: readonly number[];
}

const EGA_COLOURS = [0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14, 0x07, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f];
const CGA_COLOURS = [0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17];
const LINES_200 = [0xc0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x9c, 0x8e, 0x8f];
/** Planes with an address of their own each: what the graphics controller has in every such mode. */
const PLANES = [0, 0, 0, 0, 0, 0x00, 0x05, 0x0f, 0xff];

export const TEXT_MODE: VgaMode = {
  number: 0x03, columns: 80, rows: 25, characterHeight: 16, pageSize: 0x1000,
  miscellaneous: 0x67,
  sequencer: [0x03, 0x00, 0x03, 0x00, 0x02],
  crtc: [0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e, 0x00, 0x00, 0x00, 0x00, 0x9c, 0x8e, 0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff],
  graphics: [0, 0, 0, 0, 0, 0x10, 0x0e, 0x00, 0xff],
  attribute: [...EGA_COLOURS, 0x0c, 0x00, 0x0f, 0x08, 0x00],
};

export const VGA_MODES: readonly VgaMode[] = [
  TEXT_MODE,
  {
    number: 0x0d, columns: 40, rows: 25, characterHeight: 8, pageSize: 0x2000,
    miscellaneous: 0x63,
    sequencer: [0x03, 0x09, 0x0f, 0x00, 0x06],
    crtc: [0x2d, 0x27, 0x28, 0x90, 0x2b, 0x80, 0xbf, 0x1f, 0x00, ...LINES_200, 0x14, 0x00, 0x96, 0xb9, 0xe3, 0xff],
    graphics: PLANES,
    attribute: [...CGA_COLOURS, 0x01, 0x00, 0x0f, 0x00, 0x00],
  },
  {
    number: 0x0e, columns: 80, rows: 25, characterHeight: 8, pageSize: 0x4000,
    miscellaneous: 0x63,
    sequencer: [0x03, 0x01, 0x0f, 0x00, 0x06],
    crtc: [0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0xbf, 0x1f, 0x00, ...LINES_200, 0x28, 0x00, 0x96, 0xb9, 0xe3, 0xff],
    graphics: PLANES,
    attribute: [...CGA_COLOURS, 0x01, 0x00, 0x0f, 0x00, 0x00],
  },
  {
    number: 0x10, columns: 80, rows: 25, characterHeight: 14, pageSize: 0x8000,
    miscellaneous: 0xa3,
    sequencer: [0x03, 0x01, 0x0f, 0x00, 0x06],
    crtc: [0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0xbf, 0x1f, 0x00, 0x40, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x83, 0x85, 0x5d, 0x28, 0x0f, 0x63, 0xba, 0xe3, 0xff],
    graphics: PLANES,
    attribute: [...EGA_COLOURS, 0x01, 0x00, 0x0f, 0x00, 0x00],
  },
  {
    number: 0x12, columns: 80, rows: 30, characterHeight: 16, pageSize: 0xa000,
    miscellaneous: 0xe3,
    sequencer: [0x03, 0x01, 0x0f, 0x00, 0x06],
    crtc: [0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0x0b, 0x3e, 0x00, 0x40, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xea, 0x8c, 0xdf, 0x28, 0x00, 0xe7, 0x04, 0xe3, 0xff],
    graphics: PLANES,
    attribute: [...EGA_COLOURS, 0x01, 0x00, 0x0f, 0x00, 0x00],
  },
  {
    number: 0x13, columns: 40, rows: 25, characterHeight: 8, pageSize: 0x2000,
    miscellaneous: 0x63,
    sequencer: [0x03, 0x01, 0x0f, 0x00, 0x0e],
    crtc: [0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0xbf, 0x1f, 0x00, 0x41, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x9c, 0x8e, 0x8f, 0x28, 0x40, 0x96, 0xb9, 0xa3, 0xff],
    graphics: [0, 0, 0, 0, 0, 0x40, 0x05, 0x0f, 0xff],
    attribute: [...Array(16).keys(), 0x41, 0x00, 0x0f, 0x00, 0x00],
  },
];

/** Primary colours have 6 bits. An EGA's number has two bits for each: two thirds, and behind these one third. */
const egaColour = (n: number): number[] => [2, 1, 0].map((shift) => ((n >> shift) & 1) * 42 + ((n >> (shift + 3)) & 1) * 21);

/** The 64 colours of an EGA, as text and 16-colour modes load them. */
export const egaPalette = (): number[] => Array.from({ length: 64 }, (_, n) => egaColour(n)).flat();

const GREYS = [0, 5, 8, 11, 14, 17, 20, 24, 28, 32, 36, 40, 45, 50, 56, 63];
/** By intensity and then saturation: from the weakest primary colour to the strongest. */
const RAMPS = [
  [0, 16, 31, 47, 63], [31, 39, 47, 55, 63], [45, 49, 54, 58, 63],
  [0, 7, 14, 21, 28], [14, 17, 21, 24, 28], [20, 22, 24, 26, 28],
  [0, 4, 8, 12, 16], [8, 10, 12, 14, 16], [11, 12, 13, 15, 16],
] as const;
const HUES = 24;
/** How far along its ramp a primary colour is at a hue: it rises in four steps, stays for eight, falls, and stays. */
const alongRamp = (hue: number): number => {
  const at = (hue + HUES) % HUES;
  if (at <= 8) return 4;
  if (at < 12) return 12 - at;
  return at <= 20 ? 0 : at - 20;
};

/** The 256 colours that mode 13h loads: an EGA's sixteen, greys, and nine circles of 24 hues from blue over red and green. */
export function colours256(): number[] {
  const circle = (ramp: readonly number[]): number[] => Array.from({ length: HUES }, (_, hue) => [alongRamp(hue - 4), alongRamp(hue - 12), alongRamp(hue + 4)].map((step) => ramp[step]!)).flat();
  const colours = [...EGA_COLOURS.flatMap(egaColour), ...GREYS.flatMap((grey) => [grey, grey, grey]), ...RAMPS.flatMap(circle)];
  return [...colours, ...Array<number>(768 - colours.length).fill(0)];
}
