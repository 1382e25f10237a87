/** INT 1Ah, the time, and INT 08h, the timer's interrupt. */
import { Bda } from './biosData';
import { pciBios } from './pciBios';
import type { Service } from './services';
import { unsupported } from './services';

const VECTOR = 0x1a;
/** Timer interrupts per day: 1193182 / 65536 Hz. */
const TICKS_PER_DAY = 0x1800b0;
const PCI_BIOS = 0xb1;
const TCG_BIOS = 0xbb;

export const int1a: Service = (call, parts) => {
  const { memory, board } = parts;
  const rtc = (register: number): number => board.cmos.readRegister(register);
  const setRtc = (register: number, value: number): void => {
    board.cmos.writePort(0x70, register);
    board.cmos.writePort(0x71, value);
  };
  switch (call.ah) {
    case 0x00: {
      const ticks = memory.load(Bda.TICKS, 4);
      call.cx = ticks >>> 16;
      call.dx = ticks & 0xffff;
      call.al = memory.load(Bda.MIDNIGHT, 1);
      memory.store(Bda.MIDNIGHT, 1, 0);
      parts.polled();
      return;
    }
    case 0x01:
      memory.store(Bda.TICKS, 4, ((call.cx << 16) | call.dx) >>> 0);
      memory.store(Bda.MIDNIGHT, 1, 0);
      return call.succeed();
    case 0x02:
      call.cx = (rtc(4) << 8) | rtc(2);
      call.dx = rtc(0) << 8;
      call.succeed();
      return;
    case 0x04:
      call.cx = (rtc(0x32) << 8) | rtc(9);
      call.dx = (rtc(8) << 8) | rtc(7);
      call.succeed();
      return;
    case 0x03:
      [[4, call.cx >> 8], [2, call.cx], [0, call.dx >> 8]].forEach(([register, value]) => setRtc(register!, value! & 0xff));
      return call.succeed();
    case 0x05:
      [[0x32, call.cx >> 8], [9, call.cx], [8, call.dx >> 8], [7, call.dx]].forEach(([register, value]) => setRtc(register!, value! & 0xff));
      return call.succeed();
    case 0x07: // no alarm has been set by this BIOS
      return call.succeed();
    case PCI_BIOS:
      return pciBios(call, parts);
    case TCG_BIOS:
      call.carry = true;
      return;
  }
  return unsupported(call, parts, VECTOR);
};

/** IRQ 0: counts. */
export const int08: Service = (_call, { memory }) => {
  const ticks = memory.load(Bda.TICKS, 4) + 1;
  memory.store(Bda.TICKS, 4, ticks >= TICKS_PER_DAY ? 0 : ticks);
  if (ticks >= TICKS_PER_DAY) memory.store(Bda.MIDNIGHT, 1, 1);
};
