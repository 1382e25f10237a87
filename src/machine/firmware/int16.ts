/** INT 16h, the keyboard, and INT 09h, its interrupt. */
import { characterOf } from '../devices/scancodes';
import { Bda, hasRoomForKey, nextKey, pushKey } from './biosData';
import type { FirmwareParts, Service } from './services';
import { unsupported } from './services';

const VECTOR = 0x16;
/** Scan codes of the modifiers and their bits in the keyboard flags. */
const MODIFIERS: Readonly<Record<number, number>> = { 0x36: 0x01, 0x2a: 0x02, 0x1d: 0x04, 0x38: 0x08 };
/** An MF2 keyboard behind a controller that translates. */
const KEYBOARD_IDENTITY = 0x41ab;
const SHIFT = 0x03;
const CONTROL = 0x04;

export const int16: Service = (call, parts) => {
  const { memory } = parts;
  switch (call.ah) {
    case 0x00:
    case 0x10: {
      const key = nextKey(memory, true);
      if (key === undefined) return true; // the stub waits for an interrupt and asks again
      call.ax = key;
      if (memory.load(Bda.KEY_WITHHELD, 1)) takeCode(parts);
      return;
    }
    case 0x01:
    case 0x11: {
      const key = nextKey(memory, false);
      call.zero = key === undefined;
      if (key !== undefined) call.ax = key;
      else parts.polled();
      return;
    }
    case 0x02:
      call.al = memory.load(Bda.KEYBOARD_FLAGS, 1);
      return;
    case 0x12:
      call.ax = memory.load(Bda.KEYBOARD_FLAGS, 2);
      return;
    case 0x03: // repeat rate: keys do not repeat
      return;
    case 0x09: // what there is: keys of extended keyboards, the keyboard's identity
      call.al = 0x30;
      return;
    case 0x0a:
      call.bx = KEYBOARD_IDENTITY;
      return;
    case 0x92: // who asks by these two looks for AH=10h and AH=20h
      call.ah = 0x80;
      return;
    case 0xa2:
      return;
    case 0x05:
      call.al = pushKey(memory, call.cx) ? 0 : 1;
      return;
  }
  return unsupported(call, parts, VECTOR);
};

/**
 * IRQ 1: takes the scan code and puts the key into the buffer. A code for which there is no room stays in the controller until a key
 * has been taken: what is typed for a program comes faster than any typist, and is not to be lost.
 */
export const int09: Service = (_call, parts) => {
  if (hasRoomForKey(parts.memory)) takeCode(parts);
  else parts.memory.store(Bda.KEY_WITHHELD, 1, 1);
  parts.board.pic.writePort(0x20, 0x20);
};

/** The controller then interrupts for the code behind it. */
function takeCode({ memory, board }: FirmwareParts): void {
  memory.store(Bda.KEY_WITHHELD, 1, 0);
  const code = board.keyboard.readPort(0x60);
  const flags = memory.load(Bda.KEYBOARD_FLAGS, 1);
  const modifier = MODIFIERS[code & 0x7f];
  if (modifier) memory.store(Bda.KEYBOARD_FLAGS, 1, code & 0x80 ? flags & ~modifier : flags | modifier);
  else if (!(code & 0x80)) pushKey(memory, (code << 8) | characterOf(code, (flags & SHIFT) !== 0, (flags & CONTROL) !== 0));
}
