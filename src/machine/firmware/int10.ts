/** INT 10h: the screen, in text mode. */
import { Gpr, Seg } from '../../cpu/state';
import { COLUMNS } from '../devices/vga';
import { Bda } from './biosData';
import type { CallFrame } from './callFrame';
import type { FirmwareParts, Service } from './services';
import { unsupported } from './services';
import { textMode, vbe } from './vbe';

const VECTOR = 0x10;
const TEXT_MODES = [0, 1, 2, 3, 7];

const functions: Record<number, Service> = {
  0x00: (call, parts) => {
    const mode = call.al & 0x7f;
    if (!TEXT_MODES.includes(mode)) return unsupported(call, parts, VECTOR);
    textMode(parts);
    parts.memory.store(Bda.VIDEO_MODE, 1, 3);
    if (!(call.al & 0x80)) parts.screen.clear();
    call.al = 0x30;
  },
  0x01: (call, { memory }) => memory.store(Bda.CURSOR_SHAPE, 2, call.cx),
  0x02: (call, { screen }) => screen.moveCursor(call.dx >> 8, call.dx & 0xff),
  0x03: (call, { memory }) => {
    call.cx = memory.load(Bda.CURSOR_SHAPE, 2);
    call.dx = memory.load(Bda.CURSOR, 2);
  },
  0x05: (call, parts) => {
    if (call.al !== 0) unsupported(call, parts, VECTOR);
  },
  0x06: (call, parts) => scroll(call, parts, 1),
  0x07: (call, parts) => scroll(call, parts, -1),
  0x08: (call, { screen }) => {
    call.ax = screen.cell(screen.row, screen.column);
  },
  0x09: (call, parts) => repeat(call, parts, call.bx & 0xff),
  0x0a: (call, parts) => repeat(call, parts, undefined),
  0x0b: () => {}, // border colour: the screen has no border
  0x0e: (call, { screen }) => screen.teletype(call.al),
  0x0f: (call, { memory }) => {
    call.ax = (COLUMNS << 8) | memory.load(Bda.VIDEO_MODE, 1);
    call.bx &= 0x00ff;
  },
  0x10: () => {}, // palette: the text screen is shown in the standard colours
  0x11: (call, parts) => {
    if (call.al !== 0x30) return; // fonts: the text screen is shown in the viewer's
    call.cx = 16;
    call.dx = (call.dx & 0xff00) | parts.memory.load(Bda.LAST_ROW, 1);
  },
  0x12: (call) => {
    if ((call.bx & 0xff) !== 0x10) return;
    call.bx = 0x0003; // colour, 256 KiB
    call.cx = 0x0009;
  },
  0x13: writeString,
  0x1a: (call) => {
    if (call.al !== 0) return;
    call.al = 0x1a;
    call.bx = 0x0008; // VGA with a colour monitor
  },
  0x4f: vbe,
};

export const int10: Service = (call, parts) => {
  const f = functions[call.ah];
  if (f) return f(call, parts);
  return unsupported(call, parts, VECTOR);
};

function scroll(call: CallFrame, { screen }: FirmwareParts, direction: number): void {
  screen.scroll(call.cx >> 8, call.cx & 0xff, call.dx >> 8, call.dx & 0xff, call.al * direction, call.bx >> 8);
}

function repeat(call: CallFrame, { screen }: FirmwareParts, attribute: number | undefined): void {
  let place = screen.row * COLUMNS + screen.column;
  for (let n = call.cx; n > 0; n--, place++) screen.put(Math.floor(place / COLUMNS), place % COLUMNS, call.al, attribute);
}

function writeString(call: CallFrame, { screen }: FirmwareParts): void {
  const [row, column] = [screen.row, screen.column];
  const withAttributes = (call.al & 2) !== 0;
  const bytes = call.read(call.linear(Seg.ES, call.get16(Gpr.RBP)), call.cx * (withAttributes ? 2 : 1));
  screen.moveCursor(call.dx >> 8, call.dx & 0xff);
  for (let i = 0; i < call.cx; i++) screen.teletype(bytes[withAttributes ? 2 * i : i]!, withAttributes ? bytes[2 * i + 1]! : call.bx & 0xff);
  if (!(call.al & 1)) screen.moveCursor(row, column);
}
