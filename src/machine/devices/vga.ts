/** A VGA adapter's registers. The characters of text are RAM at 0xB8000; what graphics have at 0xA0000 is in videoWindow.ts. */
import { type Device, type DeviceHost, NEVER, type PortDevice } from '../device';
import { cgaPalette, colours256, egaPalette, TEXT_MODE, type VgaMode } from './vgaModes';

/** The largest text that is shown. */
const MOST_COLUMNS = 132;
const MOST_ROWS = 60;
const CRTC_START = 0x0c;
const CRTC_CURSOR = 0x0e;
/** A frame of 70 Hz in ticks, and the share of it that is vertical retrace. */
const FRAME_TICKS = 14_285_714;
const RETRACE_TICKS = 1_000_000;

/** Sequencer: which planes are written; memory mode, whose bit 3 chains the four planes to one piece. */
const MAP_MASK = 2;
const MEMORY_MODE = 4;
const CHAINED = 0x08;
/** Graphics controller: mode, whose bit 6 means 256 colours; miscellaneous: graphics, and what the memory is seen at. */
const MODE = 5;
const COLOURS_256 = 0x40;
const MISCELLANEOUS = 6;
const GRAPHICS = 0x01;
const MEMORY_AT_B0000 = 0x08;
/** Mode: four colours from pairs of bits. */
const COLOURS_4 = 0x20;
/** CRT controller: ends of a line and of the picture, the latter's upper bits, lines per row, length of a line; mode control. */
const Crtc = { LINE_END: 0x01, OVERFLOW: 0x07, ROW_LINES: 0x09, PICTURE_END: 0x12, OFFSET: 0x13, MODE: 0x17 } as const;
/** Mode control: odd lines are in memory like even ones; addresses count bytes, not words. */
const LINES_ALIKE = 0x01;
const BYTES = 0x40;
/** Attribute controller: planes that count, upper bits of colours. */
const PLANES_SHOWN = 0x12;
const COLOUR_SELECT = 0x14;

/** A register file that begins with values. */
const file = (length: number, values: readonly number[]): Uint8Array => {
  const registers = new Uint8Array(length);
  registers.set(values);
  return registers;
};

/** As the adapter's own firmware leaves it. */
const powerOn = () => ({
  crtcIndex: 0,
  crtc: file(256, TEXT_MODE.crtc),
  sequencerIndex: 0,
  sequencer: file(256, TEXT_MODE.sequencer),
  graphicsIndex: 0,
  graphics: file(256, TEXT_MODE.graphics),
  /** What the last read of planes has left: one byte of each. */
  latches: new Uint8Array(4),
  attributeIndex: 0,
  /** Whether the next write to 0x3C0 is data. */
  attributeData: false,
  attribute: file(32, TEXT_MODE.attribute),
  /** Colour-look-up table: 256 x (red, green, blue), and where the next access goes. */
  palette: file(768, egaPalette()),
  paletteRead: 0,
  paletteWrite: 0,
  paletteMask: 0xff,
  /** Bits that a primary colour has. */
  colourMask: 0x3f,
  miscellaneous: TEXT_MODE.miscellaneous,
});

/** With two and four colours, odd lines are so many bytes behind even ones. */
export const CGA_ODD_LINES = 0x2000;

/** What is shown of the memory. Sizes in pixels, places in bytes, of the four planes together. */
export interface VgaPicture {
  width: number;
  height: number;
  /** With 2 and 4, CGA's, it is in text memory, with odd lines apart from even ones (CGA_ODD_LINES). */
  colours: 2 | 4 | 16 | 256;
  first: number;
  /** From one line to the next: with 2 and 4 colours to the next but one. */
  line: number;
}

/** The text that is shown. */
export interface TextSize {
  columns: number;
  rows: number;
  /** Cells from one row to the next. */
  line: number;
}

export class Vga implements Device, PortDevice {
  readonly name = 'VGA';
  state = powerOn();
  /** Called when the memory may be seen elsewhere, or in another way. */
  changed: () => void = () => undefined;

  constructor(private readonly host: DeviceHost) {}

  reset(): void {
    this.state = powerOn();
    this.changed();
  }

  /** Sets all registers to a mode's, and the colours to those that its software expects. */
  setMode(mode: VgaMode): void {
    const s = this.state;
    s.miscellaneous = mode.miscellaneous;
    s.sequencer.set(mode.sequencer);
    s.crtc.set(mode.crtc);
    s.graphics.set(mode.graphics);
    s.attribute.set(mode.attribute);
    s.attributeData = false;
    this.loadColours(mode.graphics[MODE]! & COLOURS_256 ? colours256() : mode.cgaColours ? cgaPalette() : egaPalette());
    this.changed();
  }
  loadColours(colours: readonly number[]): void {
    this.state.palette.set(colours);
    this.state.paletteMask = 0xff;
  }

  /** How the memory is seen at 0xA0000: as one piece, by planes, or not at all. */
  get window(): 'linear' | 'planes' | 'nothing' {
    const { graphics, sequencer } = this.state;
    if (graphics[MISCELLANEOUS]! & MEMORY_AT_B0000) return 'nothing';
    return sequencer[MEMORY_MODE]! & CHAINED ? 'linear' : 'planes';
  }

  /** Undefined in text mode. */
  get picture(): VgaPicture | undefined {
    const { crtc, graphics } = this.state;
    if (!(graphics[MISCELLANEOUS]! & GRAPHICS)) return undefined;
    const cells = crtc[Crtc.LINE_END]! + 1;
    if (this.window === 'nothing') {
      if (crtc[Crtc.MODE]! & LINES_ALIKE) return undefined;
      const line = crtc[Crtc.OFFSET]! * (crtc[Crtc.MODE]! & BYTES ? 2 : 4);
      return { width: cells * 8, height: this.lines >> (crtc[Crtc.ROW_LINES]! >> 7), colours: graphics[MODE]! & COLOURS_4 ? 4 : 2, first: (this.start * 2) % CGA_ODD_LINES, line };
    }
    const colours = graphics[MODE]! & COLOURS_256 ? 256 : 16;
    return { width: cells * (colours === 256 ? 4 : 8), height: Math.floor(this.lines / this.linesPerRow), colours, first: this.start * 4, line: crtc[Crtc.OFFSET]! * 8 };
  }

  /** Size of the text; it means something in text mode. */
  get text(): TextSize {
    const { crtc } = this.state;
    const columns = Math.min(MOST_COLUMNS, crtc[Crtc.LINE_END]! + 1);
    const rows = Math.min(MOST_ROWS, Math.max(1, Math.floor(this.lines / this.linesPerRow)));
    return { columns, rows, line: crtc[Crtc.OFFSET]! * 2 || columns };
  }

  /** Makes the rows of the text so many lines high; yields how many rows there are. */
  setRowLines(lines: number): number {
    const { crtc } = this.state;
    crtc[Crtc.ROW_LINES] = (crtc[Crtc.ROW_LINES]! & 0xe0) | (lines - 1);
    return this.text.rows;
  }

  /** Lines of the whole picture. */
  private get lines(): number {
    const { crtc } = this.state;
    return (crtc[Crtc.PICTURE_END]! | ((crtc[Crtc.OVERFLOW]! & 0x02) << 7) | ((crtc[Crtc.OVERFLOW]! & 0x40) << 3)) + 1;
  }
  /** Lines that show the same row of memory, or of characters. */
  private get linesPerRow(): number {
    const register = this.state.crtc[Crtc.ROW_LINES]!;
    return ((register & 0x1f) + 1) * (register & 0x80 ? 2 : 1);
  }

  /** The colour of each of the sixteen that planes can name. */
  get sixteenColours(): number[] {
    const { attribute } = this.state;
    return Array.from({ length: 16 }, (_, n) => attribute[n & attribute[PLANES_SHOWN]! & 15]! | ((attribute[COLOUR_SELECT]! & 0x0c) << 4));
  }

  /** Register of the sequencer: the planes that are written. */
  get planesWritten(): number {
    return this.state.sequencer[MAP_MASK]! & 15;
  }
  nextDeadline(): number {
    return NEVER;
  }
  advance(): void {}

  /** Character cell at the top left of the screen. */
  get start(): number {
    return (this.state.crtc[CRTC_START]! << 8) | this.state.crtc[CRTC_START + 1]!;
  }
  set start(cell: number) {
    this.state.crtc[CRTC_START] = cell >> 8;
    this.state.crtc[CRTC_START + 1] = cell;
  }
  /** Character cell of the cursor. */
  get cursor(): number {
    return (this.state.crtc[CRTC_CURSOR]! << 8) | this.state.crtc[CRTC_CURSOR + 1]!;
  }
  set cursor(cell: number) {
    this.state.crtc[CRTC_CURSOR] = cell >> 8;
    this.state.crtc[CRTC_CURSOR + 1] = cell;
  }

  readPort(port: number): number {
    const s = this.state;
    switch (port) {
      case 0x3c0:
        return s.attributeIndex;
      case 0x3c1:
        return s.attribute[s.attributeIndex & 31]!;
      case 0x3c2:
        return 0x10; // a colour monitor is there
      case 0x3c4:
        return s.sequencerIndex;
      case 0x3c5:
        return s.sequencer[s.sequencerIndex]!;
      case 0x3c6:
        return s.paletteMask;
      case 0x3c7:
        return 0;
      case 0x3c8:
        return Math.floor(s.paletteWrite / 3) & 0xff;
      case 0x3c9: {
        const value = s.palette[s.paletteRead]!;
        s.paletteRead = (s.paletteRead + 1) % 768;
        return value;
      }
      case 0x3cc:
        return s.miscellaneous;
      case 0x3ce:
        return s.graphicsIndex;
      case 0x3cf:
        return s.graphics[s.graphicsIndex]!;
      case 0x3d4:
        return s.crtcIndex;
      case 0x3d5:
        return s.crtc[s.crtcIndex]!;
      case 0x3da:
        s.attributeData = false;
        return this.host.now() % FRAME_TICKS < RETRACE_TICKS ? 0x09 : 0x00;
      default:
        return 0xff;
    }
  }

  writePort(port: number, value: number): void {
    const s = this.state;
    switch (port) {
      case 0x3c0:
        if (s.attributeData) s.attribute[s.attributeIndex & 31] = value;
        else s.attributeIndex = value;
        s.attributeData = !s.attributeData;
        break;
      case 0x3c2:
        s.miscellaneous = value;
        break;
      case 0x3c4:
        s.sequencerIndex = value;
        break;
      case 0x3c5:
        s.sequencer[s.sequencerIndex] = value;
        if (s.sequencerIndex === MEMORY_MODE) this.changed();
        break;
      case 0x3c6:
        s.paletteMask = value;
        break;
      case 0x3c7:
        s.paletteRead = value * 3;
        break;
      case 0x3c8:
        s.paletteWrite = value * 3;
        break;
      case 0x3c9:
        s.palette[s.paletteWrite] = value & s.colourMask;
        s.paletteWrite = (s.paletteWrite + 1) % 768;
        break;
      case 0x3ce:
        s.graphicsIndex = value;
        break;
      case 0x3cf:
        s.graphics[s.graphicsIndex] = value;
        if (s.graphicsIndex === MODE || s.graphicsIndex === MISCELLANEOUS) this.changed();
        break;
      case 0x3d4:
        s.crtcIndex = value;
        break;
      case 0x3d5:
        s.crtc[s.crtcIndex] = value;
        break;
      default: // feature control and read-only registers
    }
  }
}
