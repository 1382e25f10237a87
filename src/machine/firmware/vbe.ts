/** INT 10h AH=4Fh, graphics (VBE Core Functions Standard 3.0). */
import { Gpr, Seg } from '../../cpu/state';
import { bytesPerPixel, Enable, Register } from '../devices/display';
import { colours256 } from '../devices/vgaModes';
import { VIDEO_MEMORY_SIZE } from '../memory/addressMap';
import { Bda } from './biosData';
import type { CallFrame } from './callFrame';
import type { FirmwareParts, Service } from './services';
import { setVgaMode } from './setVgaMode';
import { modeInformation, showMode, VIDEO_MODES } from './videoModes';

/** AX of a function that is there and has succeeded, or failed. */
const DONE = 0x004f;
const FAILED = 0x014f;
/** Mode number: memory in one piece, which it always is; it is not cleared. */
const LINEAR = 0x4000;
const KEEP = 0x8000;
const MODE = 0x3fff;
/** What AH=00h sets are modes as well. */
const LAST_VGA_MODE = 0x7f;
const VERSION = 0x0300;
const MEMORY_UNIT = 0x1_0000;
/** Colours may have 8 bits instead of 6. */
const CAPABILITIES = 1;
/** The block of function 0, and where it has the list of modes and the name. */
const BLOCK = { size: 256, modes: 0x22, name: 0x80 } as const;
const NAME = 'Hyperstep\0';

/** Each yields whether it has succeeded. */
const FUNCTIONS: Readonly<Record<number, (call: CallFrame, parts: FirmwareParts) => boolean>> = {
  0x00: controller,
  0x01: (call) => {
    const mode = VIDEO_MODES.find(({ number }) => number === (call.cx & MODE));
    if (mode) call.write(call.linear(Seg.ES, call.get16(Gpr.RDI)), modeInformation(mode));
    return mode !== undefined;
  },
  0x02: setMode,
  0x03: (call, { memory, board: { display } }) => {
    const shown = display.picture;
    const mode = VIDEO_MODES.find(({ width, height, bits }) => shown?.width === width && shown.height === height && shown.bitsPerPixel === bits);
    call.bx = display.on ? (mode?.number ?? 0) | LINEAR : memory.load(Bda.VIDEO_MODE, 1);
    return true;
  },
  0x05: bank,
  0x06: lineLength,
  0x07: displayStart,
  0x08: paletteWidth,
  0x09: palette,
};

/** AL other than 0x4F tells the caller that there is no VBE. */
export const vbe: Service = (call, parts) => {
  call.ax = FUNCTIONS[call.al]?.(call, parts) ? DONE : FAILED;
};

function controller(call: CallFrame): boolean {
  const [segment, offset] = [call.cpu.state.selector(Seg.ES), call.get16(Gpr.RDI)];
  const block = new Uint8Array(BLOCK.size);
  const data = new DataView(block.buffer);
  const text = (at: number, value: string): void => block.set(new TextEncoder().encode(value), at);
  const pointer = (at: number, to: number): void => {
    data.setUint16(at, offset + to, true);
    data.setUint16(at + 2, segment, true);
  };
  text(0, 'VESA');
  data.setUint16(0x04, VERSION, true);
  for (const at of [0x06, 0x16, 0x1a, 0x1e]) pointer(at, BLOCK.name);
  data.setUint32(0x0a, CAPABILITIES, true);
  pointer(0x0e, BLOCK.modes);
  data.setUint16(0x12, VIDEO_MEMORY_SIZE / MEMORY_UNIT, true);
  data.setUint16(0x14, VERSION, true);
  [...VIDEO_MODES.map(({ number }) => number), 0xffff].forEach((number, n) => data.setUint16(BLOCK.modes + 2 * n, number, true));
  text(BLOCK.name, NAME);
  call.write(call.linear(Seg.ES, offset), block);
  return true;
}

function setMode(call: CallFrame, parts: FirmwareParts): boolean {
  const { display } = parts.board;
  const number = call.bx & MODE;
  if (number <= LAST_VGA_MODE) return setVgaMode(parts, number, (call.bx & KEEP) !== 0) !== undefined;
  const mode = VIDEO_MODES.find((m) => m.number === number);
  if (!mode) return false;
  showMode(display, mode, (call.bx & KEEP) !== 0);
  if (mode.bits === 8) parts.board.vga.loadColours(colours256());
  return true;
}

/** The 64 KiB at 0xA0000; BH: 0 sets them to number DX, 1 asks. BL is the window, of which there is one. */
function bank(call: CallFrame, { board: { display } }: FirmwareParts): boolean {
  if (!display.on || (call.bx & 0xff) !== 0 || call.bx >> 8 > 1) return false;
  if (call.bx >> 8 === 0) display.set(Register.BANK, call.dx);
  else call.dx = display.bank ?? 0;
  return call.bx >> 8 === 1 || display.bank === call.dx;
}

/** BL: 0 sets the length in pixels, 1 asks, 2 sets it in bytes, 3 asks for the largest. */
function lineLength(call: CallFrame, { board: { display } }: FirmwareParts): boolean {
  const shown = display.picture;
  if (!shown) return false;
  const bytes = bytesPerPixel(shown.bitsPerPixel);
  const which = call.bx & 0xff;
  if (which > 3) return false;
  const largest = Math.floor(VIDEO_MEMORY_SIZE / (shown.height * bytes));
  if (which === 0 || which === 2) {
    const pixels = which === 0 ? call.cx : Math.ceil(call.cx / bytes);
    if (pixels > largest || pixels < shown.width) return false;
    display.set(Register.VIRTUAL_WIDTH, pixels);
  }
  const pixels = which === 3 ? Math.min(largest, Math.floor(0xffff / bytes)) : display.state.registers[Register.VIRTUAL_WIDTH]!;
  call.bx = pixels * bytes;
  call.cx = pixels;
  call.dx = Math.min(0xffff, Math.floor(VIDEO_MEMORY_SIZE / (pixels * bytes)));
  return true;
}

/** BL: 0 sets the first pixel and line, 0x80 does so at the next retrace, 1 asks. */
function displayStart(call: CallFrame, { board: { display } }: FirmwareParts): boolean {
  const r = display.state.registers;
  if (!display.picture) return false;
  switch (call.bx & 0xff) {
    case 0x00:
    case 0x80:
      if (call.dx + display.picture.height > r[Register.VIRTUAL_HEIGHT]! || call.cx + display.picture.width > r[Register.VIRTUAL_WIDTH]!) return false;
      display.set(Register.X, call.cx);
      display.set(Register.Y, call.dx);
      return true;
    case 0x01:
      call.bx &= 0x00ff;
      call.cx = r[Register.X]!;
      call.dx = r[Register.Y]!;
      return true;
    default:
      return false;
  }
}

/** BL: 0 sets the bits of each primary colour to BH, 1 asks. */
function paletteWidth(call: CallFrame, { board: { display } }: FirmwareParts): boolean {
  if (display.picture?.bitsPerPixel !== 8 || (call.bx & 0xff) > 1) return false;
  const enabled = display.state.registers[Register.ENABLE]!;
  if ((call.bx & 0xff) === 0) display.set(Register.ENABLE, call.bx >> 8 >= 8 ? enabled | Enable.WIDE_PALETTE : enabled & ~Enable.WIDE_PALETTE);
  call.bx = ((display.state.registers[Register.ENABLE]! & Enable.WIDE_PALETTE ? 8 : 6) << 8) | (call.bx & 0xff);
  return true;
}

/** BL: 0 or 0x80 sets CX colours from DX on, 1 asks for them; blue, green, red and a byte that means nothing. */
function palette(call: CallFrame, { board: { vga } }: FirmwareParts): boolean {
  const { palette: colours } = vga.state;
  const [count, first] = [call.cx, call.dx];
  if (first + count > 256) return false;
  const at = call.linear(Seg.ES, call.get16(Gpr.RDI));
  switch (call.bx & 0xff) {
    case 0x00:
    case 0x80: {
      const entries = call.read(at, count * 4);
      for (let n = 0; n < count; n++) colours.set([entries[4 * n + 2]!, entries[4 * n + 1]!, entries[4 * n]!], 3 * (first + n));
      return true;
    }
    case 0x01: {
      const entries = new Uint8Array(count * 4);
      for (let n = 0; n < count; n++) entries.set([colours[3 * (first + n) + 2]!, colours[3 * (first + n) + 1]!, colours[3 * (first + n)]!], 4 * n);
      call.write(at, entries);
      return true;
    }
    default:
      return false;
  }
}
