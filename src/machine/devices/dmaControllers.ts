/**
 * The two 8237 DMA controllers of an AT and their page registers. No device of this board uses ISA DMA, so nothing is ever
 * moved; software that sets the channels up, or uses the spare page registers as a notebook, reads back what it wrote.
 */
import { type Device, type DeviceHost, NEVER, type PortDevice } from '../device';

/** The controller of 8-bit channels has a register at every port, that of 16-bit channels at every second one. */
export const FIRST_DMA = 0x00;
export const SECOND_DMA = 0xc0;
export const DMA_REGISTERS = 16;
export const PAGE_REGISTERS = 0x80;
export const PAGE_REGISTER_COUNT = 16;

/** Registers behind the eight of addresses and counts; reading the first yields the status, the sixth the temporary register, the last all masks. */
const Register = { COMMAND: 8, REQUEST: 9, MASK: 10, MODE: 11, CLEAR_POINTER: 12, MASTER_CLEAR: 13, CLEAR_MASK: 14, ALL_MASKS: 15 } as const;
const ALL_CHANNELS = 0x0f;
const CHANNEL = 0x03;
/** Request and mask registers: set the channel's bit instead of clearing it. */
const SET = 0x04;
const BUSY = 0xff;

const controller = () => ({
  /** Base registers, address and count of each channel in turn, and what counts down from them. */
  base: new Uint16Array(8),
  current: new Uint16Array(8),
  mode: new Uint8Array(4),
  command: 0,
  request: 0,
  mask: ALL_CHANNELS,
  /** The next byte of an address or a count is its upper one. */
  upper: false,
});
type Controller = ReturnType<typeof controller>;

const powerOn = () => ({ controllers: [controller(), controller()] as [Controller, Controller], pages: new Uint8Array(PAGE_REGISTER_COUNT) });

export class DmaControllers implements Device, PortDevice {
  readonly name = 'DMA controllers';
  state = powerOn();

  constructor(private readonly host: Pick<DeviceHost, 'warn'>) {}

  reset(): void {
    this.state = powerOn();
  }
  nextDeadline(): number {
    return NEVER;
  }
  advance(): void {}

  readPort(port: number): number {
    const { pages, controllers } = this.state;
    if (port >= PAGE_REGISTERS && port < PAGE_REGISTERS + PAGE_REGISTER_COUNT) return pages[port - PAGE_REGISTERS]!;
    const c = controllers[port < SECOND_DMA ? 0 : 1];
    const register = registerAt(port);
    if (register < Register.COMMAND) return byteOf(c.current[register]!, takePointer(c));
    if (register === Register.COMMAND) return c.request << 4; // no channel has come to its end
    if (register === Register.MASTER_CLEAR) return 0;
    return register === Register.ALL_MASKS ? c.mask | 0xf0 : BUSY;
  }

  writePort(port: number, value: number): void {
    const { pages, controllers } = this.state;
    if (port >= PAGE_REGISTERS && port < PAGE_REGISTERS + PAGE_REGISTER_COUNT) {
      pages[port - PAGE_REGISTERS] = value;
      return;
    }
    const n = port < SECOND_DMA ? 0 : 1;
    const c = controllers[n];
    const register = registerAt(port);
    const bit = 1 << (value & CHANNEL);
    switch (register) {
      case Register.COMMAND:
        c.command = value;
        break;
      case Register.REQUEST:
        c.request = value & SET ? c.request | bit : c.request & ~bit;
        if (value & SET) this.host.warn('The guest asked an ISA DMA controller for a transfer, and Hyperstep has no device that uses one: nothing is moved.');
        break;
      case Register.MASK:
        c.mask = value & SET ? c.mask | bit : c.mask & ~bit;
        break;
      case Register.MODE:
        c.mode[value & CHANNEL] = value;
        break;
      case Register.CLEAR_POINTER:
        c.upper = false;
        break;
      case Register.MASTER_CLEAR:
        Object.assign(c, { command: 0, request: 0, mask: ALL_CHANNELS, upper: false });
        break;
      case Register.CLEAR_MASK:
        c.mask = 0;
        break;
      case Register.ALL_MASKS:
        c.mask = value & ALL_CHANNELS;
        break;
      default: {
        const upper = takePointer(c);
        c.base[register] = upper ? (c.base[register]! & 0x00ff) | (value << 8) : (c.base[register]! & 0xff00) | value;
        c.current[register] = c.base[register]!;
      }
    }
  }
}

const registerAt = (port: number): number => (port < SECOND_DMA ? port - FIRST_DMA : (port - SECOND_DMA) >> 1);
const byteOf = (word: number, upper: boolean): number => (upper ? word >> 8 : word & 0xff);

/** Whether the upper byte is meant; the other one is next. */
function takePointer(c: Controller): boolean {
  c.upper = !c.upper;
  return !c.upper;
}
