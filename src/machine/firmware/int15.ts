/** INT 15h: memory sizes and maps, the A20 gate, block moves, waiting, power, the mouse. */
import { type Linear, linearOf } from '../../base/address';
import { Gpr, Seg } from '../../cpu/state';
import { BIOS_SEGMENT, CONFIGURATION, SLEEP } from './rom';
import { TICKS_PER_SECOND } from '../clock';
import { Bda } from './biosData';
import type { CallFrame } from './callFrame';
import { pointingDevice } from './pointingDevice';
import { powerService } from './powerServices';
import type { FirmwareParts, Service } from './services';
import { unsupported } from './services';
import { EBDA, EXTENDED_RAM } from '../memory/addressMap';

const VECTOR = 0x15;
const SMAP = 0x534d4150;
const BAD_COMMAND = 0x86;
const MEBIBYTE = 0x10_0000;

export const int15: Service = (call, parts) => {
  switch (call.ah) {
    case 0x24:
      return a20(call, parts);
    case 0x4f: // keyboard intercept: let the key pass
      call.carry = true;
      return;
    case 0x41: // wait for an event: not there, and everybody asks
      return call.fail(BAD_COMMAND);
    case 0x53:
      return powerService(call, parts);
    case 0xc2:
      return pointingDevice(call, parts);
    case 0x86:
      return wait(call, parts);
    case 0x87:
      return blockMove(call);
    case 0x88:
      call.ax = Math.min(0xfc00, extendedKib(parts));
      call.carry = false;
      return;
    case 0xc0:
      return configuration(call);
    case 0x90: // a device is waited for, or ready: for multitaskers to take over
    case 0x91:
      call.carry = false;
      return;
    case 0xc1: // the extended data area
      call.setSegment(Seg.ES, EBDA >> 4);
      call.carry = false;
      return;
    case 0xe8:
      if (call.al === 0x20) return e820(call, parts);
      if (call.al === 0x01) return e801(call, parts);
      break;
    case 0xe9: // SpeedStep: Linux asks for it
      return call.fail(BAD_COMMAND);
    case 0xec: // the modes that the caller will use: nothing depends on it here
      call.ah = 0;
      call.carry = false;
      return;
  }
  return unsupported(call, parts, VECTOR);
};

/** CMOS clock: register B with its periodic interrupt, register A with the rate of 1024 a second. */
const CLOCK_A = 0x0a;
const CLOCK_B = 0x0b;
const PERIODIC = 0x40;
const TICKS_PER_MICROSECOND = TICKS_PER_SECOND / 1_000_000;

/** Waits CX:DX microseconds: asleep, woken by the clock's periodic interrupt, as PCs do it. */
function wait(call: CallFrame, { board, memory, host }: FirmwareParts): void {
  const clock = (index: number, value?: number): number => {
    board.cmos.writePort(0x70, index);
    if (value !== undefined) board.cmos.writePort(0x71, value);
    return board.cmos.readPort(0x71);
  };
  const until = memory.load(Bda.WAIT_UNTIL, 4) + memory.load(Bda.WAIT_UNTIL + 4, 4) * 0x1_0000_0000;
  const setUntil = (tick: number): void => {
    memory.store(Bda.WAIT_UNTIL, 4, tick % 0x1_0000_0000);
    memory.store(Bda.WAIT_UNTIL + 4, 4, Math.floor(tick / 0x1_0000_0000));
  };
  if (until === 0) {
    setUntil(host.now() + ((call.cx << 16) >>> 0) * TICKS_PER_MICROSECOND + call.dx * TICKS_PER_MICROSECOND + 1);
    clock(CLOCK_A, 0x26);
    clock(CLOCK_B, clock(CLOCK_B) | PERIODIC);
    return call.detour(BIOS_SEGMENT, SLEEP);
  }
  if (host.now() < until) return call.detour(BIOS_SEGMENT, SLEEP);
  setUntil(0);
  clock(CLOCK_B, clock(CLOCK_B) & ~PERIODIC);
  call.succeed();
}

/** KiB of RAM from 1 MiB up to the first hole. */
const extendedKib = ({ memory }: FirmwareParts): number => Math.max(0, memory.map.lowEnd - EXTENDED_RAM) / 1024;

/** EBX is the number of the entry, and of the next one on return, 0 at the end. */
function e820(call: CallFrame, { memory }: FirmwareParts): void {
  const map = memory.map.e820();
  const index = call.get32(Gpr.RBX);
  const room = call.get32(Gpr.RCX);
  const entry = map[index];
  if (call.get32(Gpr.RDX) !== SMAP || room < 20 || !entry) return call.fail(BAD_COMMAND);
  const extended = room >= 24;
  const bytes = new DataView(new ArrayBuffer(extended ? 24 : 20));
  bytes.setBigUint64(0, entry.base, true);
  bytes.setBigUint64(8, entry.length, true);
  bytes.setUint32(16, entry.type, true);
  if (extended) bytes.setUint32(20, 1, true); // ACPI 3 attributes: enabled
  call.write(call.linear(Seg.ES, call.get16(Gpr.RDI)), new Uint8Array(bytes.buffer));
  call.set32(Gpr.RAX, SMAP);
  call.set32(Gpr.RBX, index + 1 < map.length ? index + 1 : 0);
  call.set32(Gpr.RCX, bytes.byteLength);
  call.carry = false;
}

/** KiB between 1 and 16 MiB, 64-KiB blocks above 16 MiB. */
function e801(call: CallFrame, { memory }: FirmwareParts): void {
  const below = Math.min(15 * 1024, Math.max(0, memory.map.lowEnd - MEBIBYTE) / 1024);
  const above = Math.floor(Math.max(0, memory.map.lowEnd - 16 * MEBIBYTE) / 0x1_0000);
  call.ax = below;
  call.bx = above;
  call.cx = below;
  call.dx = above;
  call.carry = false;
}

function a20(call: CallFrame, { board }: FirmwareParts): void {
  switch (call.al) {
    case 0x00:
    case 0x01:
      board.a20.set(call.al === 0x01);
      return call.succeed();
    case 0x02:
      call.succeed();
      call.al = board.a20.enabled ? 1 : 0;
      return;
    case 0x03:
      call.succeed();
      call.bx = 0x0003; // by the keyboard controller and by port 0x92
      return;
    default:
      call.fail(BAD_COMMAND);
  }
}

/** Copies CX words by the source and destination descriptors of the table at ES:SI. */
function blockMove(call: CallFrame): void {
  const table = new DataView(call.read(call.linear(Seg.ES, call.get16(Gpr.RSI)), 48).buffer);
  const base = (at: number): Linear => linearOf(BigInt((table.getUint16(at + 2, true) | (table.getUint8(at + 4) << 16)) + table.getUint8(at + 7) * 0x100_0000));
  call.write(base(24), call.read(base(16), call.cx * 2));
  call.succeed();
}

/** ES:BX is the system configuration table in the ROM. */
function configuration(call: CallFrame): void {
  call.setSegment(Seg.ES, BIOS_SEGMENT);
  call.bx = CONFIGURATION;
  call.succeed();
}
