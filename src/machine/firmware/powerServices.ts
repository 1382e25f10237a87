/**
 * INT 15h AH=53h: Advanced Power Management 1.2, by which kernels before ACPI switch a PC off. A PC on the mains that never asks
 * for anything: it can be connected to in all three ways, idles, and switches itself off.
 */
import { Gpr } from '../../cpu/state';
import { APM_ENTRY_16, APM_ENTRY_32, BIOS_SEGMENT } from './rom';
import type { CallFrame } from './callFrame';
import type { FirmwareParts } from './services';
import { BIOS_SIZE } from '../memory/addressMap';

const VERSION = 0x0102;
const SIGNATURE = 0x504d; // 'PM'
/** Flags: entries for protected mode of 16 and of 32 bits. */
const HAS_PROTECTED_ENTRIES = 0x0003;
/** The device number of everything that there is, and the state that is off. */
const ALL_DEVICES = 0x0001;
const STATE_OFF = 3;
/** On the mains, nothing known of a battery, which is not there; no time left. */
const ON_MAINS = 0x01ff;
const NO_BATTERY = 0x80ff;
const TIME_UNKNOWN = 0xffff;
const Failure = { UNRECOGNIZED_DEVICE: 0x09, UNSUPPORTED: 0x0c, NO_EVENTS: 0x80 } as const;
const SEGMENT_LIMIT = BIOS_SIZE - 1;

/** What there is nothing to do for. */
const NOTHING = [0x01, 0x04, 0x06, 0x08, 0x0d, 0x0f];

export function powerService(call: CallFrame, parts: FirmwareParts): void {
  call.carry = false;
  if (NOTHING.includes(call.al)) return;
  switch (call.al) {
    case 0x00:
      call.ax = VERSION;
      call.bx = SIGNATURE;
      call.cx = HAS_PROTECTED_ENTRIES;
      return;
    case 0x02: // code's segment and entry, data's segment, their lengths
      call.ax = BIOS_SEGMENT;
      call.bx = APM_ENTRY_16;
      call.cx = BIOS_SEGMENT;
      call.set16(Gpr.RSI, SEGMENT_LIMIT);
      call.set16(Gpr.RDI, SEGMENT_LIMIT);
      return;
    case 0x03: // the same with code of 32 bits before that of 16
      call.ax = BIOS_SEGMENT;
      call.set32(Gpr.RBX, APM_ENTRY_32);
      call.cx = BIOS_SEGMENT;
      call.dx = BIOS_SEGMENT;
      call.set32(Gpr.RSI, SEGMENT_LIMIT * 0x1_0000 + SEGMENT_LIMIT);
      call.set16(Gpr.RDI, SEGMENT_LIMIT);
      return;
    case 0x05: // idle
      return parts.polled();
    case 0x07:
      if (call.bx !== ALL_DEVICES) return call.fail(Failure.UNRECOGNIZED_DEVICE);
      if (call.cx === STATE_OFF) parts.board.powerOff();
      return;
    case 0x0a:
      if (call.bx !== ALL_DEVICES) return call.fail(Failure.UNRECOGNIZED_DEVICE);
      call.bx = ON_MAINS;
      call.cx = NO_BATTERY;
      call.dx = TIME_UNKNOWN;
      return;
    case 0x0b:
      return call.fail(Failure.NO_EVENTS);
    case 0x0e:
      call.ax = VERSION;
      return;
    case 0x10: // no batteries, and nothing that it could do
      call.bx = 0;
      call.cx = 0;
      return;
    default:
      call.fail(Failure.UNSUPPORTED);
  }
}
