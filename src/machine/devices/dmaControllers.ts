/**
 * The two 8237 DMA controllers of an AT and their page registers. The floppy disk controller moves its sectors by channel 2;
 * software that sets other channels up, or uses the spare page registers as a notebook, reads back what it wrote.
 */
import { type Device, type DeviceHost, NEVER, type PortDevice } from '../device';
import type { PhysicalMemory } from '../memory/physicalMemory';

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
/** Offsets of the page registers of channels 0 to 3. */
const PAGES = [7, 3, 1, 2] as const;
/** Mode register: addresses count down; begin again at the end. */
const Mode = { DOWN: 0x20, AGAIN: 0x10 } as const;
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
  /** Channels that have come to the end of their counts since the status was read. */
  ended: 0,
  /** The next byte of an address or a count is its upper one. */
  upper: false,
});
type Controller = ReturnType<typeof controller>;

const powerOn = () => ({ controllers: [controller(), controller()] as [Controller, Controller], pages: new Uint8Array(PAGE_REGISTER_COUNT) });

export class DmaControllers implements Device, PortDevice {
  readonly name = 'DMA controllers';
  state = powerOn();

  constructor(
    private readonly host: Pick<DeviceHost, 'warn'>,
    private readonly memory: PhysicalMemory,
  ) {}

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
    if (register === Register.COMMAND) {
      const { ended } = c;
      c.ended = 0;
      return (c.request << 4) | ended;
    }
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
        if (value & SET) this.host.warn('The guest asked an ISA DMA controller for a transfer, and no device waits for one: nothing is moved.');
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
        Object.assign(c, { command: 0, request: 0, mask: ALL_CHANNELS, ended: 0, upper: false });
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

  // For devices: the 8-bit channels, 0 to 3.

  masked(channel: number): boolean {
    return ((this.state.controllers[0].mask >> channel) & 1) !== 0;
  }

  /** Moves bytes to memory, as many as the channel's count lets. Returns whether that was the last one. */
  toMemory(channel: number, bytes: Uint8Array): boolean {
    for (let done = 0; done < bytes.length; ) {
      const n = this.run(channel, bytes.length - done);
      this.memory.writeBytes(this.address(channel), bytes.subarray(done, done + n));
      done += n;
      if (this.count(channel, n)) return true;
    }
    return false;
  }

  /** The same from memory: `terminal` when the channel's count has ended. */
  fromMemory(channel: number, length: number): { bytes: Uint8Array; terminal: boolean } {
    const bytes = new Uint8Array(length);
    for (let done = 0; done < length; ) {
      const n = this.run(channel, length - done);
      bytes.set(this.memory.readBytes(this.address(channel), n), done);
      done += n;
      if (this.count(channel, n)) return { bytes: bytes.subarray(0, done), terminal: true };
    }
    return { bytes, terminal: false };
  }

  /** How many bytes, at most `wanted`, are moved in one piece: addresses stay in their 64 KiB. */
  private run(channel: number, wanted: number): number {
    const { current, mode } = this.state.controllers[0];
    const ahead = mode[channel]! & Mode.DOWN ? 1 : 0x1_0000 - current[2 * channel]!;
    return Math.min(wanted, ahead, current[2 * channel + 1]! + 1);
  }

  private address(channel: number): number {
    const { controllers, pages } = this.state;
    return pages[PAGES[channel]!]! * 0x1_0000 + controllers[0].current[2 * channel]!;
  }

  /** Bytes of one piece have been moved: true at the channel's last one, after which it is masked or begins again. */
  private count(channel: number, n: number): boolean {
    const c = this.state.controllers[0];
    const mode = c.mode[channel]!;
    c.current[2 * channel]! += mode & Mode.DOWN ? -n : n;
    const last = c.current[2 * channel + 1]! < n;
    c.current[2 * channel + 1]! -= n;
    if (!last) return false;
    c.ended |= 1 << channel;
    if (mode & Mode.AGAIN) c.current.set(c.base.subarray(2 * channel, 2 * channel + 2), 2 * channel);
    else c.mask |= 1 << channel;
    return true;
  }
}

const registerAt = (port: number): number => (port < SECOND_DMA ? port - FIRST_DMA : (port - SECOND_DMA) >> 1);
const byteOf = (word: number, upper: boolean): number => (upper ? word >> 8 : word & 0xff);

/** Whether the upper byte is meant; the other one is next. */
function takePointer(c: Controller): boolean {
  c.upper = !c.upper;
  return !c.upper;
}
