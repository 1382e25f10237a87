/** The I/O APIC: 24 inputs, each with a redirection entry (Intel 82093AA data sheet). Masked until software programs it. */
import { DeliveryMode } from './apicRegisters';
import type { InterruptMessage } from './interruptBus';
import { type Device, type DeviceHost, type MemoryDevice, NEVER } from '../device';

const INPUTS = 24;
const MASKED = 1 << 16;
const LEVEL = 1 << 15;
const LOGICAL = 1 << 11;
const REMOTE_IRR = 1 << 14;
/** Delivery status and remote IRR are read-only. */
const WRITABLE = ~(REMOTE_IRR | (1 << 12)) & 0x1ffff;
/** Version 0x20, highest redirection entry. */
const VERSION = ((INPUTS - 1) << 16) | 0x20;

const powerOn = (id: number) => ({ id, select: 0, lines: 0, low: new Array<number>(INPUTS).fill(MASKED), high: new Array<number>(INPUTS).fill(0) });

/** Where messages go. Returns whether any processor was addressed. */
export type SendInterrupt = (message: InterruptMessage) => boolean;

/** A destination that means every processor. */
const EVERYONE = 0xff;

export class IoApic implements Device, MemoryDevice {
  readonly name = 'I/O APIC';
  state: ReturnType<typeof powerOn>;

  constructor(
    private readonly host: DeviceHost,
    private readonly id: number,
    private readonly send: SendInterrupt,
  ) {
    this.state = powerOn(id);
  }

  reset(): void {
    this.state = powerOn(this.id);
  }
  nextDeadline(): number {
    return NEVER;
  }
  advance(): void {}

  setLine(input: number, level: boolean): void {
    const s = this.state;
    const mask = 1 << input;
    const rising = level && !(s.lines & mask);
    s.lines = level ? s.lines | mask : s.lines & ~mask;
    if (rising || (level && s.low[input]! & LEVEL)) this.deliver(input);
  }

  masked(input: number): boolean {
    return (this.state.low[input]! & MASKED) !== 0;
  }

  /** A level-triggered interrupt was served: inputs that are still raised ask again. */
  endOfInterrupt(vector: number): void {
    const s = this.state;
    for (let i = 0; i < INPUTS; i++) {
      if ((s.low[i]! & 0xff) !== vector || !(s.low[i]! & REMOTE_IRR)) continue;
      s.low[i]! &= ~REMOTE_IRR;
      if (s.lines & (1 << i)) this.deliver(i);
    }
  }

  private deliver(input: number): void {
    const s = this.state;
    const low = s.low[input]!;
    if (low & (MASKED | REMOTE_IRR)) return;
    const level = (low & LEVEL) !== 0;
    const mode = (low >> 8) & 7;
    const destination = s.high[input]! >>> 24;
    const taken = this.send({ vector: low & 0xff, mode, level, destination, logical: (low & LOGICAL) !== 0, broadcast: destination === EVERYONE });
    // Only what is acknowledged by an EOI message waits for one.
    if (taken && level && (mode === DeliveryMode.FIXED || mode === DeliveryMode.LOWEST)) s.low[input] = low | REMOTE_IRR;
  }

  readRegister(offset: number): number {
    const s = this.state;
    if (offset === 0x00) return s.select;
    if (offset !== 0x10) return 0;
    if (s.select === 0 || s.select === 2) return s.id << 24;
    if (s.select === 1) return VERSION;
    const input = (s.select - 0x10) >> 1;
    if (input < 0 || input >= INPUTS) return 0;
    return (s.select & 1 ? s.high : s.low)[input]!;
  }

  writeRegister(offset: number, _size: number, value: number): void {
    const s = this.state;
    if (offset === 0x00) s.select = value & 0xff;
    else if (offset === 0x40) this.endOfInterrupt(value & 0xff);
    if (offset !== 0x10) return;
    if (s.select === 0) s.id = (value >>> 24) & 15;
    const input = (s.select - 0x10) >> 1;
    if (s.select < 0x10 || input >= INPUTS) return;
    if (s.select & 1) s.high[input] = value;
    else {
      const low = s.low[input]!;
      s.low[input] = (value & WRITABLE) | (value & LEVEL ? low & REMOTE_IRR : 0);
      // A level input that was raised while masked is delivered now; an edge is not.
      if (value & LEVEL && s.lines & (1 << input)) this.deliver(input);
      this.host.reschedule();
    }
  }
}
