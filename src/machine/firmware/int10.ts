/** INT 10h: the screen, as text and as pictures of a VGA. */
import { type Linear, PAGE_SIZE } from '../../base/address';
import { Gpr, Seg } from '../../cpu/state';
import { Register } from '../devices/display';
import { COLUMNS } from '../devices/vga';
import { TEXT_MODE, VGA_MODES, type VgaMode } from '../devices/vgaModes';
import { VGA_MEMORY, VIDEO_MEMORY } from '../memory/addressMap';
import { Bda } from './biosData';
import type { CallFrame } from './callFrame';
import type { FirmwareParts, Service } from './services';
import { changePixel, drawCharacter, drawGlyph } from './graphicsText';
import { missingService } from './services';
import { BIOS_SEGMENT, FONTS } from './rom';
import { textMode, vbe } from './vbe';

const VECTOR = 0x10;
const TEXT_MODES = [0, 1, 2, 3, 7];
/** Functions of AH=12h, in BL, that choose how later modes look: lines, colours, cursor, the display off. */
const SETTINGS = [0x30, 0x31, 0x32, 0x33, 0x34, 0x36];
/** What boot loaders and programs for DOS ask for, to see whether other adapters or multitaskers are there: an adapter that is none of them does nothing. */
const PROBES = [0x6f, 0xbf, 0xef, 0xf0, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xfa, 0xfe, 0xff];

const functions: Record<number, Service> = {
  0x00: (call, parts) => {
    const mode = call.al & 0x7f;
    const graphics = VGA_MODES.find((m) => m.number === mode && m !== TEXT_MODE);
    if (graphics) return showPicture(call, parts, graphics);
    if (!TEXT_MODES.includes(mode)) return unknown(call, parts);
    textMode(parts);
    describeMode(parts, TEXT_MODE);
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
    if (call.al !== 0) unknown(call, parts);
  },
  0x04: (call) => {
    call.ah = 0; // no light pen
  },
  0x06: (call, parts) => scroll(call, parts, 1),
  0x07: (call, parts) => scroll(call, parts, -1),
  0x08: (call, { screen }) => {
    call.ax = screen.cell(screen.row, screen.column);
  },
  0x09: (call, parts) => repeat(call, parts, call.bx & 0xff),
  0x0a: (call, parts) => repeat(call, parts, parts.board.display.picture ? call.bx & 0xff : undefined),
  0x0b: () => {}, // border colour: the screen has no border
  0x0c: (call, parts) => {
    const { al } = call;
    pixel(call, parts, (before) => (al & 0x80 ? before ^ (al & 0x7f) : al));
  },
  0x0d: (call, parts) => {
    call.al = pixel(call, parts, undefined);
  },
  0x0e: (call, parts) => {
    if (parts.board.display.picture) drawCharacter(parts, call.al, call.bx & 0xff);
    else parts.screen.teletype(call.al);
  },
  0x0f: (call, { memory }) => {
    call.ax = (memory.load(Bda.COLUMNS, 1) << 8) | memory.load(Bda.VIDEO_MODE, 1);
    call.bx &= 0x00ff;
  },
  0x10: colours,
  0x11: (call, parts) => {
    if (call.al !== 0x30) return; // fonts: the text screen is shown in the viewer's
    call.cx = parts.memory.load(Bda.CHARACTER_HEIGHT, 2);
    call.dx = (call.dx & 0xff00) | parts.memory.load(Bda.LAST_ROW, 1);
    const which = call.bx >> 8;
    // 0 and 1 ask for what interrupt vectors 1Fh and 43h point to.
    if (which < 2) lendFont(call, parts.memory.load(4 * FONT_VECTORS[which]! + 2, 2), parts.memory.load(4 * FONT_VECTORS[which]!, 2));
    else if (FONT_OFFSETS[which] !== undefined) lendFont(call, BIOS_SEGMENT, FONT_OFFSETS[which]!);
  },
  0x12: (call) => {
    if (SETTINGS.includes(call.bx & 0xff)) call.al = 0x12; // understood
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
  if (!PROBES.includes(call.ah)) unknown(call, parts);
};

/** A function that this adapter lacks leaves all registers as they are, as such do. */
const unknown = (call: CallFrame, { host }: FirmwareParts): void => host.warn(missingService(VECTOR, call));

/** Of AX=1130h, by BH: 8 by 14, 8 by 8, its upper half, 9 by 14, 8 by 16, 9 by 16. */
const FONT_OFFSETS: Readonly<Record<number, number>> = { 2: FONTS[14], 3: FONTS[8], 4: FONTS[8] + 128 * 8, 5: FONTS[14], 6: FONTS[16], 7: FONTS[16] };
const FONT_VECTORS = [0x1f, 0x43] as const;

function lendFont(call: CallFrame, segment: number, offset: number): void {
  call.setSegment(Seg.ES, segment);
  call.set16(Gpr.RBP, offset);
}

/** What the data area says of a mode. */
function describeMode({ memory }: FirmwareParts, mode: VgaMode): void {
  memory.store(Bda.VIDEO_MODE, 1, mode.number);
  memory.store(Bda.COLUMNS, 2, mode.columns);
  memory.store(Bda.PAGE_SIZE, 2, mode.pageSize);
  memory.store(Bda.LAST_ROW, 1, mode.rows - 1);
  memory.store(Bda.CHARACTER_HEIGHT, 2, mode.characterHeight);
  memory.store(4 * FONT_VECTORS[1], 4, BIOS_SEGMENT * 0x1_0000 + FONTS[mode.characterHeight as keyof typeof FONTS]);
}

/** Sets one of a VGA's graphics modes. */
function showPicture(call: CallFrame, parts: FirmwareParts, mode: VgaMode): void {
  const { display, vga } = parts.board;
  display.set(Register.ENABLE, 0);
  vga.setMode(mode);
  describeMode(parts, mode);
  if (!(call.al & 0x80)) parts.memory.clear(VIDEO_MEMORY, VGA_MEMORY / PAGE_SIZE);
  parts.memory.store(Bda.CURSOR, 2, 0);
  call.al = 0x20;
}

/** AH=10h: single registers of the attribute controller, and colours, alone (BX) and in blocks (from BX on, CX of them at ES:DX). */
function colours(call: CallFrame, { board: { vga } }: FirmwareParts): void {
  const { attribute, palette } = vga.state;
  const BORDER = 0x11;
  const [bl, bh] = [call.bx & 0xff, call.bx >> 8];
  const block = (): Linear => call.linear(Seg.ES, call.dx);
  switch (call.al) {
    case 0x00:
      if (bl <= 0x14) attribute[bl] = bh;
      return;
    case 0x01:
      attribute[BORDER] = bh;
      return;
    case 0x02:
      call.read(block(), BORDER + 1).forEach((value, n) => (attribute[n] = value));
      return;
    case 0x03:
      attribute[0x10] = (attribute[0x10]! & ~0x08) | (bl & 1 ? 0x08 : 0);
      return;
    case 0x07:
      call.bx = (attribute[bl & 0x1f]! << 8) | bl;
      return;
    case 0x08:
      call.bx = (attribute[BORDER]! << 8) | bl;
      return;
    case 0x09:
      call.write(block(), attribute.slice(0, BORDER + 1));
      return;
    case 0x10:
      palette.set([call.dx >> 8, call.cx >> 8, call.cx & 0xff].map((value) => value & vga.state.colourMask), 3 * bl);
      return;
    case 0x12:
      call.read(block(), 3 * call.cx).forEach((value, n) => (palette[3 * call.bx + n] = value & vga.state.colourMask));
      return;
    case 0x15:
      call.dx = (palette[3 * bl]! << 8) | (call.dx & 0xff);
      call.cx = (palette[3 * bl + 1]! << 8) | palette[3 * bl + 2]!;
      return;
    case 0x17:
      call.write(block(), palette.slice(3 * call.bx, 3 * (call.bx + call.cx)));
      return;
  }
}

/** The pixel at column CX of line DX as it was, with `change` applied; 0 where no picture has one. */
function pixel(call: CallFrame, parts: FirmwareParts, change: ((before: number) => number) | undefined): number {
  return changePixel(parts, call.cx, call.dx, change);
}

function scroll(call: CallFrame, { screen }: FirmwareParts, direction: number): void {
  screen.scroll(call.cx >> 8, call.cx & 0xff, call.dx >> 8, call.dx & 0xff, call.al * direction, call.bx >> 8);
}

function repeat(call: CallFrame, parts: FirmwareParts, attribute: number | undefined): void {
  const { screen } = parts;
  if (parts.board.display.picture) {
    for (let n = 0; n < call.cx; n++) drawGlyph(parts, screen.row, screen.column + n, call.al, attribute ?? 7);
    return;
  }
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
