/** INT 14h, the serial port, and INT 17h, the parallel one; DX is the port's number, and there is one of each. */
import type { Service } from './services';

const COM1 = 0x3f8;
const Uart = { DATA: 0, DIVISOR_HIGH: 1, LINE_CONTROL: 3, MODEM_CONTROL: 4, LINE_STATUS: 5, MODEM_STATUS: 6 } as const;
const DIVISOR_ACCESS = 0x80;
const DATA_READY = 0x01;
/** Data terminal ready, request to send. */
const TERMINAL_READY = 0x03;
/** In AH: nothing came, or went, for a long time. */
const TIMED_OUT = 0x80;
/** By bits 7:5 of AL: 110 baud to 9600. */
const DIVISORS = [1047, 768, 384, 192, 96, 48, 24, 12] as const;
const FRAME = 0x1f;

export const int14: Service = (call, parts) => {
  const { com1 } = parts.board;
  const read = (register: number): number => com1.readPort(COM1 + register);
  const write = (register: number, value: number): void => com1.writePort(COM1 + register, value);
  if (call.dx !== 0) return; // no such port: nothing changes
  switch (call.ah) {
    case 0x00: {
      const divisor = DIVISORS[call.al >> 5]!;
      write(Uart.LINE_CONTROL, DIVISOR_ACCESS);
      write(Uart.DATA, divisor & 0xff);
      write(Uart.DIVISOR_HIGH, divisor >> 8);
      write(Uart.LINE_CONTROL, call.al & FRAME);
      write(Uart.MODEM_CONTROL, TERMINAL_READY);
      call.ax = (read(Uart.LINE_STATUS) << 8) | read(Uart.MODEM_STATUS);
      return;
    }
    case 0x01:
      write(Uart.DATA, call.al);
      call.ah = read(Uart.LINE_STATUS);
      return;
    case 0x02: {
      const status = read(Uart.LINE_STATUS);
      if (status & DATA_READY) call.ax = ((status & 0x1e) << 8) | read(Uart.DATA);
      else {
        call.ah = status | TIMED_OUT;
        parts.polled();
      }
      return;
    }
    case 0x03:
      call.ax = (read(Uart.LINE_STATUS) << 8) | read(Uart.MODEM_STATUS);
      return;
  }
};

/** In AH: not busy, acknowledged, chosen. */
const PRINTER_READY = 0x90;
const PRINTED = 0xd0;

/** Nobody reads what is printed. */
export const int17: Service = (call) => {
  if (call.dx === 0 && call.ah <= 2) call.ah = call.ah === 0 ? PRINTED : PRINTER_READY;
};
