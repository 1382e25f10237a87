/** The two 8259A interrupt controllers, the second cascaded into line 2 of the first (Intel 8259A data sheet). */
import { bit } from '../../base/bits';
import { type Device, type DeviceHost, NEVER, type PortDevice } from '../device';

const CASCADE = 2;
/** The line that a request which vanished before its acknowledgement is reported as. */
const SPURIOUS = 7;
/** Lines that cannot be level-triggered: timer, keyboard, cascade, clock, coprocessor. */
const EDGE_ONLY = [0b0000_0111, 0b0010_0001];

function chip() {
  return {
    /** Requests, in service, masked, and the levels of the input lines; bit n is line n. */
    irr: 0,
    isr: 0,
    imr: 0xff,
    lines: 0,
    /** Edge/level control register: set bits are level-triggered. */
    elcr: 0,
    /** Next initialisation command word that port 1 expects, 0 when initialised. */
    nextIcw: 0,
    needsIcw4: false,
    single: false,
    vectorBase: 0,
    autoEoi: false,
    rotateOnAutoEoi: false,
    specialFullyNested: false,
    specialMask: false,
    readIsr: false,
    poll: false,
    /** Line of the highest priority. */
    highest: 0,
  };
}
type Chip = ReturnType<typeof chip>;

export class Pic implements Device, PortDevice {
  readonly name = 'pic';
  state = { chips: [chip(), chip()] };

  constructor(private readonly host: DeviceHost) {}

  reset(): void {
    this.state = { chips: [chip(), chip()] };
  }
  nextDeadline(): number {
    return NEVER;
  }
  advance(): void {}

  /** Sets the level of line 0 to 15. */
  setLine(irq: number, level: boolean): void {
    const c = this.state.chips[irq >> 3]!;
    const mask = 1 << (irq & 7);
    const was = c.lines & mask;
    c.lines = level ? c.lines | mask : c.lines & ~mask;
    if (c.elcr & mask) c.irr = level ? c.irr | mask : c.irr & ~mask;
    else if (level && !was) c.irr |= mask;
    if (level) this.host.attention();
  }

  /** Whether the INT output to the processor is raised. */
  get output(): boolean {
    this.cascade();
    return this.winner(0) >= 0;
  }

  /** Whether a line would ever get through to the output. */
  masked(irq: number): boolean {
    const [master, slave] = this.state.chips as [Chip, Chip];
    return irq < 8 ? bit(master.imr, irq) : bit(slave.imr, irq & 7) || bit(master.imr, CASCADE);
  }

  /** Whether a line is in service. */
  inService(irq: number): boolean {
    return bit(this.state.chips[irq >> 3]!.isr, irq & 7);
  }

  /** The processor's INTA cycle: yields the vector. */
  acknowledge(): number {
    this.cascade();
    const [master, slave] = this.state.chips as [Chip, Chip];
    const line = this.winner(0);
    if (line < 0) return master.vectorBase + SPURIOUS;
    this.accept(master, line);
    if (line !== CASCADE) return master.vectorBase + line;
    const second = this.winner(1);
    if (second < 0) return slave.vectorBase + SPURIOUS;
    this.accept(slave, second);
    this.cascade();
    return slave.vectorBase + second;
  }

  readPort(port: number): number {
    if (port >= 0x4d0) return this.state.chips[port & 1]!.elcr;
    const n = port >= 0xa0 ? 1 : 0;
    const c = this.state.chips[n]!;
    if (c.poll) {
      c.poll = false;
      const line = this.winner(n);
      if (line < 0) return 0;
      this.accept(c, line);
      return 0x80 | line;
    }
    if (port & 1) return c.imr;
    if (n === 0) this.cascade();
    return c.readIsr ? c.isr : c.irr;
  }

  writePort(port: number, value: number): void {
    if (port >= 0x4d0) {
      this.state.chips[port & 1]!.elcr = value & ~EDGE_ONLY[port & 1]!;
      return;
    }
    const c = this.state.chips[port >= 0xa0 ? 1 : 0]!;
    if (port & 1) this.writeData(c, value);
    else if (value & 0x10) this.initialise(c, value);
    else if (value & 0x08) this.writeOcw3(c, value);
    else this.writeOcw2(c, value);
    this.host.attention();
  }

  /** ICW1. */
  private initialise(c: Chip, value: number): void {
    const { lines, elcr } = c;
    Object.assign(c, chip(), { lines, elcr, imr: 0, irr: lines & elcr, nextIcw: 2, needsIcw4: bit(value, 0), single: bit(value, 1) });
  }

  /** ICW2 to ICW4, or OCW1: the mask. */
  private writeData(c: Chip, value: number): void {
    switch (c.nextIcw) {
      case 2:
        c.vectorBase = value & 0xf8;
        c.nextIcw = !c.single ? 3 : c.needsIcw4 ? 4 : 0;
        return;
      case 3:
        c.nextIcw = c.needsIcw4 ? 4 : 0;
        return;
      case 4:
        c.autoEoi = bit(value, 1);
        c.specialFullyNested = bit(value, 4);
        c.nextIcw = 0;
        return;
      default:
        c.imr = value;
    }
  }

  /** OCW2: end of interrupt and rotation. */
  private writeOcw2(c: Chip, value: number): void {
    const line = value & 7;
    const [rotate, specific, eoi] = [bit(value, 7), bit(value, 6), bit(value, 5)];
    if (eoi) {
      const ended = specific ? line : this.highestOf(c, c.isr);
      if (ended < 0) return;
      c.isr &= ~(1 << ended);
      if (rotate) c.highest = (ended + 1) & 7;
    } else if (specific) {
      if (rotate) c.highest = (line + 1) & 7; // set priority; without rotate it is no operation
    } else c.rotateOnAutoEoi = rotate;
  }

  /** OCW3: which register port 0 reads, poll, special mask. */
  private writeOcw3(c: Chip, value: number): void {
    if (value & 4) c.poll = true;
    if (value & 2) c.readIsr = bit(value, 0);
    if (value & 0x40) c.specialMask = bit(value, 5);
  }

  /** Line 2 of the first controller follows the second's output. */
  private cascade(): void {
    const master = this.state.chips[0]!;
    if (this.winner(1) >= 0) master.irr |= 1 << CASCADE;
    else master.irr &= ~(1 << CASCADE);
  }

  /** Line whose request gets through, or -1. */
  private winner(n: number): number {
    const c = this.state.chips[n]!;
    const requests = c.irr & ~c.imr;
    if (requests === 0) return -1;
    const line = this.highestOf(c, requests);
    let blocking = c.specialMask ? c.isr & ~c.imr : c.isr;
    if (c.specialFullyNested && line === CASCADE) blocking &= ~(1 << CASCADE);
    const served = this.highestOf(c, blocking);
    if (served < 0) return line;
    return this.rank(c, line) < this.rank(c, served) ? line : -1;
  }

  private rank(c: Chip, line: number): number {
    return (line - c.highest) & 7;
  }

  private highestOf(c: Chip, lines: number): number {
    if (lines === 0) return -1;
    for (let i = 0; i < 8; i++) {
      const line = (c.highest + i) & 7;
      if (bit(lines, line)) return line;
    }
    return -1;
  }

  private accept(c: Chip, line: number): void {
    if (!bit(c.elcr, line)) c.irr &= ~(1 << line);
    if (!c.autoEoi) c.isr |= 1 << line;
    else if (c.rotateOnAutoEoi) c.highest = (line + 1) & 7;
  }
}
