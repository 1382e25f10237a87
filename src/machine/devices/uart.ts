/**
 * A 16550A serial port. Transmission takes no time whatever the divisor says: a guest that waits for the line would
 * only cost time. What is typed waits in a queue of any length.
 */
import { bit } from '../../base/bits';
import { type Device, type DeviceHost, NEVER, type PortDevice } from '../device';

/** Line status: data ready, overrun, transmitter holding register empty and idle. */
const DATA_READY = 0x01;
const TRANSMITTER_READY = 0x60;
/** Interrupt identification, in priority order. */
const IIR_NONE = 0x01;
const IIR_TRANSMIT = 0x02;
const IIR_RECEIVE = 0x04;
const IIR_FIFO = 0xc0;
/** Modem status: carrier, data set ready, clear to send; a null modem's other end is always there. */
const MODEM_READY = 0xb0;
/** Modem control bits. */
const OUT2 = 0x08;
const LOOPBACK = 0x10;

const powerOn = () => ({
  interruptEnable: 0,
  lineControl: 0,
  modemControl: 0,
  fifoControl: 0,
  scratch: 0,
  divisor: 12,
  /** A transmit interrupt that was not yet identified. */
  transmitInterrupt: false,
  received: [] as number[],
});

export class Uart implements Device, PortDevice {
  state = powerOn();
  /** Told each byte that leaves. */
  transmit: (byte: number) => void = () => {};

  constructor(
    readonly name: string,
    private readonly host: DeviceHost,
    private readonly setIrq: (level: boolean) => void,
  ) {}

  reset(): void {
    this.state = powerOn();
  }
  nextDeadline(): number {
    return NEVER;
  }
  advance(): void {}

  /** A byte arrives from outside. */
  receive(byte: number): void {
    this.state.received.push(byte & 0xff);
    this.update();
  }

  readPort(port: number): number {
    const s = this.state;
    switch (port & 7) {
      case 0: {
        if (bit(s.lineControl, 7)) return s.divisor & 0xff;
        const byte = s.received.shift() ?? 0;
        this.update();
        return byte;
      }
      case 1:
        return bit(s.lineControl, 7) ? s.divisor >> 8 : s.interruptEnable;
      case 2: {
        const fifo = bit(s.fifoControl, 0) ? IIR_FIFO : 0;
        const source = this.source();
        if (source === IIR_TRANSMIT) s.transmitInterrupt = false; // reading it is what clears it
        this.update();
        return fifo | source;
      }
      case 3:
        return s.lineControl;
      case 4:
        return s.modemControl;
      case 5:
        return TRANSMITTER_READY | (s.received.length > 0 ? DATA_READY : 0);
      case 6:
        return bit(s.modemControl, 4) ? loopedModemStatus(s.modemControl) : MODEM_READY;
      default:
        return s.scratch;
    }
  }

  writePort(port: number, value: number): void {
    const s = this.state;
    switch (port & 7) {
      case 0:
        if (bit(s.lineControl, 7)) s.divisor = (s.divisor & 0xff00) | value;
        else {
          if (s.modemControl & LOOPBACK) s.received.push(value);
          else this.transmit(value);
          s.transmitInterrupt = true;
        }
        break;
      case 1:
        if (bit(s.lineControl, 7)) s.divisor = (s.divisor & 0x00ff) | (value << 8);
        else {
          if (bit(value, 1) && !bit(s.interruptEnable, 1)) s.transmitInterrupt = true;
          s.interruptEnable = value & 0x0f;
        }
        break;
      case 2:
        s.fifoControl = value;
        if (bit(value, 1)) s.received = [];
        break;
      case 3:
        s.lineControl = value;
        break;
      case 4:
        s.modemControl = value & 0x1f;
        break;
      case 7:
        s.scratch = value;
        break;
      default: // line and modem status are read-only
    }
    this.update();
  }

  private source(): number {
    const s = this.state;
    if (bit(s.interruptEnable, 0) && s.received.length > 0) return IIR_RECEIVE;
    if (bit(s.interruptEnable, 1) && s.transmitInterrupt) return IIR_TRANSMIT;
    return IIR_NONE;
  }

  /** Whether it asks for an interrupt; on a PC the line goes through OUT2. */
  get raised(): boolean {
    return this.source() !== IIR_NONE && (this.state.modemControl & OUT2) !== 0;
  }

  private update(): void {
    const level = this.raised;
    this.setIrq(level);
    if (level) this.host.attention();
  }
}

/** In loopback the modem outputs DTR, RTS, OUT1, OUT2 come back as DSR, CTS, RI, DCD. */
function loopedModemStatus(control: number): number {
  return (bit(control, 1) ? 0x10 : 0) | (bit(control, 0) ? 0x20 : 0) | (bit(control, 2) ? 0x40 : 0) | (bit(control, 3) ? 0x80 : 0);
}
