/** A VGA adapter's registers. The characters of text are RAM at 0xB8000; what graphics have at 0xA0000 is in videoWindow.ts. */
import { type Device, type DeviceHost, NEVER, type PortDevice } from '../device';
import { colours256, egaPalette, TEXT_MODE, type VgaMode } from './vgaModes';

export const COLUMNS = 80;
export const ROWS = 25;
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
/** CRT controller: ends of a line and of the picture, the latter's upper bits, lines per row, length of a line. */
const Crtc = { LINE_END: 0x01, OVERFLOW: 0x07, ROW_LINES: 0x09, PICTURE_END: 0x12, OFFSET: 0x13 } as const;
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
    this.loadColours(mode.graphics[MODE]! & COLOURS_256 ? colours256() : egaPalette());
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

  /** What is shown of that memory; undefined in text mode. Sizes in pixels; `line` in bytes from one line to the next, four planes together. */
  get picture(): { width: number; height: number; colours: 16 | 256; first: number; line: number } | undefined {
    const { crtc, graphics } = this.state;
    if (!(graphics[MISCELLANEOUS]! & GRAPHICS) || this.window === 'nothing') return undefined;
    const colours = graphics[MODE]! & COLOURS_256 ? 256 : 16;
    const lines = (crtc[Crtc.PICTURE_END]! | ((crtc[Crtc.OVERFLOW]! & 0x02) << 7) | ((crtc[Crtc.OVERFLOW]! & 0x40) << 3)) + 1;
    const perRow = ((crtc[Crtc.ROW_LINES]! & 0x1f) + 1) * (crtc[Crtc.ROW_LINES]! & 0x80 ? 2 : 1);
    return { width: (crtc[Crtc.LINE_END]! + 1) * (colours === 256 ? 4 : 8), height: Math.floor(lines / perRow), colours, first: this.start * 4, line: crtc[Crtc.OFFSET]! * 8 };
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
