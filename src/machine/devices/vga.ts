/** A VGA adapter's registers, in text mode 80 by 25. The characters themselves are RAM at 0xB8000. */
import { type Device, type DeviceHost, NEVER, type PortDevice } from '../device';

export const COLUMNS = 80;
export const ROWS = 25;
const CRTC_START = 0x0c;
const CRTC_CURSOR = 0x0e;
/** A frame of 70 Hz in ticks, and the share of it that is vertical retrace. */
const FRAME_TICKS = 14_285_714;
const RETRACE_TICKS = 1_000_000;

const powerOn = () => ({
  crtcIndex: 0,
  crtc: new Uint8Array(256),
  sequencerIndex: 0,
  sequencer: new Uint8Array(256),
  graphicsIndex: 0,
  graphics: new Uint8Array(256),
  attributeIndex: 0,
  /** Whether the next write to 0x3C0 is data. */
  attributeData: false,
  attribute: new Uint8Array(32),
  /** Colour-look-up table: 256 x (red, green, blue), and where the next access goes. */
  palette: new Uint8Array(768),
  paletteRead: 0,
  paletteWrite: 0,
  paletteMask: 0xff,
  /** Bits that a primary colour has. */
  colourMask: 0x3f,
  miscellaneous: 0x67,
});

export class Vga implements Device, PortDevice {
  readonly name = 'VGA';
  state = powerOn();

  constructor(private readonly host: DeviceHost) {}

  reset(): void {
    this.state = powerOn();
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
