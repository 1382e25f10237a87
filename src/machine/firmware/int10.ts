/** INT 10h: the screen, as text and as pictures of a VGA. */
import { Gpr, Seg } from '../../cpu/state';
import { Bda } from './biosData';
import type { CallFrame } from './callFrame';
import { FONT_VECTOR, PictureCells, UPPER_FONT_VECTOR } from './graphicsText';
import type { FirmwareParts, Service } from './services';
import { missingService } from './services';
import { BIOS_SEGMENT, FONTS, VIDEO_FUNCTIONS } from './rom';
import { describeFont, KEPT, setVgaMode } from './setVgaMode';
import { PAGES } from './textScreen';
import { vbe } from './vbe';
import { cgaColours, colours } from './videoColours';

const VECTOR = 0x10;
/** What AX=1A00h tells of the active display. */
const VGA_IN_COLOUR = 0x0008;
/** Of a pixel's colour: it is combined with what is there. */
const COMBINE = 0x80;
/** CRT controller: first line of the cursor, and of these what hides it. */
const CRTC_CURSOR_START = 0x0a;
const CURSOR_HIDDEN = 0x20;
/** Functions of AH=12h, in BL, that choose how later modes look: lines, colours, cursor, the display off. */
const SETTINGS = [0x30, 0x31, 0x32, 0x33, 0x34, 0x36];
/** What boot loaders and programs for DOS ask for, to see whether other adapters or multitaskers are there: an adapter that is none of them does nothing. */
const PROBES = [0x6f, 0xbf, 0xef, 0xf0, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xfa, 0xfe, 0xff];

const functions: Record<number, Service> = {
  0x00: (call, parts) => {
    const mode = setVgaMode(parts, call.al & 0x7f, (call.al & 0x80) !== 0);
    if (!mode) return unknown(call, parts);
    call.al = mode.number === 6 ? 0x3f : mode.number > 7 ? 0x20 : 0x30;
  },
  0x01: cursorShape,
  0x02: (call, { screen }) => screen.moveCursor(pageOf(call), call.dx >> 8, call.dx & 0xff),
  0x03: (call, { memory, screen }) => {
    call.cx = memory.load(Bda.CURSOR_SHAPE, 2);
    call.dx = (screen.row(pageOf(call)) << 8) | screen.column(pageOf(call));
  },
  0x04: (call) => {
    call.ah = 0; // no light pen
  },
  0x05: (call, { screen }) => {
    if (call.al < PAGES) screen.show(call.al);
  },
  0x06: (call, parts) => scroll(call, parts, 1),
  0x07: (call, parts) => scroll(call, parts, -1),
  0x08: (call, { screen }) => {
    call.ax = screen.cell(pageOf(call), screen.row(pageOf(call)), screen.column(pageOf(call)));
  },
  0x09: (call, parts) => repeat(call, parts, call.bx & 0xff),
  0x0a: (call, parts) => repeat(call, parts, parts.screen.pictured ? call.bx & 0xff : undefined),
  0x0b: cgaColours,
  0x0c: (call, parts) => {
    const { al } = call;
    const packed = parts.board.vga.picture?.colours === 256;
    pixel(call, parts, (before) => (!packed && al & COMBINE ? before ^ (al & ~COMBINE) : al));
  },
  0x0d: (call, parts) => {
    call.al = pixel(call, parts, undefined);
  },
  // On the page that is shown, whatever BH is, as VGA BIOSes do.
  0x0e: (call, { screen }) => screen.teletype(screen.page, call.al, screen.pictured ? call.bx & 0xff : undefined),
  0x0f: (call, { memory, screen }) => {
    call.ax = (memory.load(Bda.COLUMNS, 1) << 8) | memory.load(Bda.VIDEO_MODE, 1) | (memory.load(Bda.VIDEO_CONTROL, 1) & KEPT);
    call.bx = (screen.page << 8) | (call.bx & 0xff);
  },
  0x10: colours,
  0x11: fonts,
  0x12: (call) => {
    if (SETTINGS.includes(call.bx & 0xff)) call.al = 0x12; // understood
    if ((call.bx & 0xff) !== 0x10) return;
    call.bx = 0x0003; // colour, 256 KiB
    call.cx = 0x0009;
  },
  0x13: writeString,
  0x1a: (call) => {
    if (call.al === 0) call.bx = VGA_IN_COLOUR;
    if (call.al <= 1) call.al = 0x1a;
  },
  0x1b: (call, parts) => {
    if (call.bx !== 0) return;
    call.write(call.linear(Seg.ES, call.get16(Gpr.RDI)), stateInformation(parts));
    call.al = 0x1b;
  },
  0x4f: vbe,
};

export const int10: Service = (call, parts) => {
  const f = functions[call.ah];
  if (f) return f(call, parts);
  if (!PROBES.includes(call.ah)) unknown(call, parts);
};

/** A function that this adapter lacks leaves all registers as they are, as such do. */
const unknown = (call: CallFrame, { host }: FirmwareParts): void => host.warn(missingService(VECTOR, call));

/** BH, where it is the number of a page. */
const pageOf = (call: CallFrame): number => (call.bx >> 8) % PAGES;

/** Lines that the shape of a cursor is told in, whatever a character has. */
const CURSOR_LINES = 8;

/** First and last line of the cursor, which is hidden by bit 13. */
function cursorShape(call: CallFrame, { memory, board: { vga } }: FirmwareParts): void {
  memory.store(Bda.CURSOR_SHAPE, 2, call.cx);
  const height = memory.load(Bda.CHARACTER_HEIGHT, 1);
  let [first, last] = [(call.cx >> 8) & 0x3f, call.cx & 0x1f];
  if (height > CURSOR_LINES && last < CURSOR_LINES && first < CURSOR_HIDDEN) {
    const scaled = (line: number): number => Math.floor(((line + 1) * height) / CURSOR_LINES) - 1;
    first = last === first + 1 ? scaled(last) - 1 : scaled(first);
    last = scaled(last);
  }
  vga.state.crtc.set([first, last], CRTC_CURSOR_START);
}

/** Of AX=1130h, by BH: 8 by 14, 8 by 8, its upper half, 9 by 14, 8 by 16, 9 by 16. */
const FONT_OFFSETS: Readonly<Record<number, number>> = { 2: FONTS[14], 3: FONTS[8], 4: FONTS[8] + 128 * 8, 5: FONTS[14], 6: FONTS[16], 7: FONTS[16] };
/** Lines of the fonts in the ROM, by the lower half of AL; 0 is a font of the caller's, with BH lines. */
const FONT_LINES: Readonly<Record<number, number>> = { 1: 14, 2: 8, 4: 16 };
/** Pages of text begin at multiples of this. */
const PAGE_STEP = 0x100;
/** By BL, for characters in pictures: rows of the screen. */
const PICTURE_ROWS: Readonly<Record<number, number>> = { 1: 14, 2: 25, 3: 43 };

/**
 * Characters' shapes: for text (00h to 04h, and with the rows fitted to them 10h to 14h), for pictures (20h to 24h), and where they are (30h).
 * Text is shown in the viewer's font, of whatever height.
 */
function fonts(call: CallFrame, parts: FirmwareParts): void {
  const { memory, board: { vga }, screen } = parts;
  const which = call.al & 0x0f;
  switch (call.al >> 4) {
    case 0x1: {
      const lines = which === 0 ? call.bx >> 8 : FONT_LINES[which];
      if (!lines || lines > 32 || screen.pictured) return;
      const rows = vga.setRowLines(lines);
      describeFont(parts, rows, lines);
      memory.store(Bda.PAGE_SIZE, 2, (screen.columns * rows * 2 + PAGE_STEP) & ~(PAGE_STEP - 1));
      return;
    }
    case 0x2: {
      if (which === 0) return memory.store(4 * UPPER_FONT_VECTOR, 4, ((call.cpu.state.selector(Seg.ES) << 16) | call.get16(Gpr.RBP)) >>> 0);
      const lines = which === 1 ? call.cx : FONT_LINES[1 << (which - 2)];
      if (!lines) return;
      describeFont(parts, PICTURE_ROWS[call.bx & 0xff] ?? call.dx & 0xff, lines);
      if (which === 1) memory.store(4 * FONT_VECTOR, 4, ((call.cpu.state.selector(Seg.ES) << 16) | call.get16(Gpr.RBP)) >>> 0);
      return;
    }
    case 0x3:
      if (which === 0) lendFont(call, parts);
  }
}

/** Where a font is, and what the data area says of characters. 0 and 1 ask for what interrupt vectors 1Fh and 43h point to. */
function lendFont(call: CallFrame, { memory }: FirmwareParts): void {
  call.cx = memory.load(Bda.CHARACTER_HEIGHT, 2);
  call.dx = (call.dx & 0xff00) | memory.load(Bda.LAST_ROW, 1);
  const which = call.bx >> 8;
  const vector = 4 * (which === 0 ? UPPER_FONT_VECTOR : FONT_VECTOR);
  const [segment, offset] = which < 2 ? [memory.load(vector + 2, 2), memory.load(vector, 2)] : [BIOS_SEGMENT, FONT_OFFSETS[which]];
  if (offset === undefined) return;
  call.setSegment(Seg.ES, segment);
  call.set16(Gpr.RBP, offset);
}

/** The pixel at column CX of line DX as it was, with `change` applied; 0 where no picture has one. */
function pixel(call: CallFrame, { memory, board: { display, vga } }: FirmwareParts, change: ((before: number) => number) | undefined): number {
  return new PictureCells(memory, vga, display).change(pageOf(call), call.cx, call.dx, change);
}

function scroll(call: CallFrame, { screen }: FirmwareParts, direction: number): void {
  screen.scroll(screen.page, call.cx >> 8, call.cx & 0xff, call.dx >> 8, call.dx & 0xff, call.al * direction, call.bx >> 8);
}

const repeat = (call: CallFrame, { screen }: FirmwareParts, attribute: number | undefined): void => screen.repeat(pageOf(call), call.al, attribute, call.cx);

function writeString(call: CallFrame, { screen }: FirmwareParts): void {
  const page = pageOf(call);
  const [row, column] = [screen.row(page), screen.column(page)];
  const withAttributes = (call.al & 2) !== 0;
  const bytes = call.read(call.linear(Seg.ES, call.get16(Gpr.RBP)), call.cx * (withAttributes ? 2 : 1));
  screen.moveCursor(page, call.dx >> 8, call.dx & 0xff);
  for (let i = 0; i < call.cx; i++) screen.teletype(page, bytes[withAttributes ? 2 * i : i]!, withAttributes ? bytes[2 * i + 1]! : call.bx & 0xff);
  if (!(call.al & 1)) screen.moveCursor(page, row, column);
}

/** What AH=1Bh tells: the table of what there is, the data area's variables, and what is shown. */
function stateInformation({ memory }: FirmwareParts): Uint8Array {
  const SIZE = 64;
  const block = new Uint8Array(SIZE);
  const data = new DataView(block.buffer);
  data.setUint32(0, BIOS_SEGMENT * 0x1_0000 + VIDEO_FUNCTIONS, true);
  block.set(memory.readBytes(Bda.VIDEO_MODE, 30), 0x04);
  block.set(memory.readBytes(Bda.LAST_ROW, 3), 0x22);
  block.set([VGA_IN_COLOUR & 0xff, 0, 16, 0, PAGES, 2, 0, 0, 0, 3], 0x25); // colours, pages, 400 lines; 256 KiB
  return block;
}
