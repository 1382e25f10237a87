/** INT 10h AH=0Bh and 10h: CGA's two palettes, the attribute controller's registers, and the colours themselves. */
import type { Linear } from '../../base/address';
import { Seg } from '../../cpu/state';
import type { CallFrame } from './callFrame';
import type { FirmwareParts } from './services';

/** Registers of the attribute controller: mode, border, colour select. */
const MODE = 0x10;
const BORDER = 0x11;
const SELECT = 0x14;
const BLINKS = 0x08;
/** Mode: colours are taken in pages of 16, of which SELECT tells the number, not of 64. */
const PAGES_OF_16 = 0x80;
/** CGA's bright colours. */
const BRIGHT = 0x10;

/** BH=0: the background, and the border; BH=1: which of the two palettes the other three colours are from. */
export function cgaColours(call: CallFrame, { board: { vga } }: FirmwareParts): void {
  const { attribute } = vga.state;
  const [bl, bh] = [call.bx & 0xff, call.bx >> 8];
  if (bh === 0) {
    attribute[BORDER] = (bl & 0x07) | (bl & 0x08 ? BRIGHT : 0);
    if (!vga.picture) return;
    attribute[0] = attribute[BORDER]!;
    for (let n = 1; n < 4; n++) attribute[n] = (attribute[n]! & ~BRIGHT) | (bl & BRIGHT);
  } else if (bh === 1) for (let n = 1; n < 4; n++) attribute[n] = (attribute[n]! & ~1) | (bl & 1);
}

/** Single registers of the attribute controller, and colours, alone (BX) and in blocks (from BX on, CX of them at ES:DX). */
export function colours(call: CallFrame, { board: { vga } }: FirmwareParts): void {
  const { attribute, palette } = vga.state;
  const [bl, bh] = [call.bx & 0xff, call.bx >> 8];
  const block = (): Linear => call.linear(Seg.ES, call.dx);
  switch (call.al) {
    case 0x00:
      if (bl <= SELECT) attribute[bl] = bh;
      return;
    case 0x01:
      attribute[BORDER] = bh;
      return;
    case 0x02:
      call.read(block(), BORDER).forEach((value, n) => (attribute[n < MODE ? n : BORDER] = value));
      return;
    case 0x03:
      attribute[MODE] = (attribute[MODE]! & ~BLINKS) | (bl & 1 ? BLINKS : 0);
      return;
    case 0x07:
      call.bx = (attribute[bl & 0x1f]! << 8) | bl;
      return;
    case 0x08:
      call.bx = (attribute[BORDER]! << 8) | bl;
      return;
    case 0x09:
      call.write(block(), Uint8Array.of(...attribute.subarray(0, MODE), attribute[BORDER]!));
      return;
    case 0x10:
      palette.set([call.dx >> 8, call.cx >> 8, call.cx & 0xff].map((value) => value & vga.state.colourMask), 3 * bl);
      return;
    case 0x12:
      call.read(block(), 3 * call.cx).forEach((value, n) => (palette[3 * call.bx + n] = value & vga.state.colourMask));
      return;
    case 0x13:
      if (bl === 0) attribute[MODE] = (attribute[MODE]! & ~PAGES_OF_16) | (bh & 1 ? PAGES_OF_16 : 0);
      else if (bl === 1) attribute[SELECT] = attribute[MODE]! & PAGES_OF_16 ? bh & 15 : (bh & 3) << 2;
      return;
    case 0x15:
      call.dx = (palette[3 * bl]! << 8) | (call.dx & 0xff);
      call.cx = (palette[3 * bl + 1]! << 8) | palette[3 * bl + 2]!;
      return;
    case 0x17:
      call.write(block(), palette.slice(3 * call.bx, 3 * (call.bx + call.cx)));
      return;
    case 0x18:
      vga.state.paletteMask = bl;
      return;
    case 0x19:
      call.bx = (call.bx & 0xff00) | vga.state.paletteMask;
      return;
    case 0x1a: {
      const of16 = (attribute[MODE]! & PAGES_OF_16) !== 0;
      call.bx = ((of16 ? attribute[SELECT]! : attribute[SELECT]! >> 2) << 8) | (of16 ? 1 : 0);
      return;
    }
    case 0x1b: // as greys: the usual weights of red, green and blue
      for (let n = call.bx; n < Math.min(256, call.bx + call.cx); n++) {
        const [red, green, blue] = palette.subarray(3 * n, 3 * n + 3) as unknown as [number, number, number];
        palette.fill(Math.min(vga.state.colourMask, Math.round(0.3 * red + 0.59 * green + 0.11 * blue)), 3 * n, 3 * n + 3);
      }
      return;
  }
}
