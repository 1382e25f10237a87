/**
 * The local APIC, with the 8259s behind its LINT0 pin (SDM volume 3, "Advanced Programmable Interrupt Controller").
 * It is also what the processor sees as its interrupt controller. x2APIC mode reaches the same registers as MSRs.
 */
import { bit } from '../../base/bits';
import type { DeviceMsrs, InterruptController } from '../../cpu/bus';
import { APIC_TIMER_TICKS } from '../clock';
import type { Device, DeviceHost, MemoryDevice } from '../device';
import { addVector, emptySet, hasVector, highestVector, removeVector } from './priorityVector';

/** Register offsets. */
const Reg = { ID: 0x20, VERSION: 0x30, TPR: 0x80, APR: 0x90, PPR: 0xa0, EOI: 0xb0, LDR: 0xd0, DFR: 0xe0, SVR: 0xf0, ISR: 0x100, TMR: 0x180, IRR: 0x200, ESR: 0x280, ICR_LOW: 0x300, ICR_HIGH: 0x310, LVT: 0x320, INITIAL: 0x380, CURRENT: 0x390, DIVIDE: 0x3e0, SELF_IPI: 0x3f0 } as const;
/** The local vector table: timer, thermal sensor, performance counters, LINT0, LINT1, error. */
const Lvt = { TIMER: 0, LINT0: 3, LINT1: 4, COUNT: 6 } as const;
/** Which bits of each table entry can be written. */
const LVT_WRITABLE = [0x700ff, 0x107ff, 0x107ff, 0x1a7ff, 0x1a7ff, 0x100ff];
const MASKED = 1 << 16;
/** Version 0x14, highest table entry 5. */
const VERSION = 0x0005_0014;
const SOFTWARE_ENABLE = 0x100;
/** Delivery modes. */
const Mode = { FIXED: 0, LOWEST: 1, SMI: 2, NMI: 4, INIT: 5, STARTUP: 6, EXTINT: 7 } as const;
/** Timer modes, bits 18:17 of its table entry. */
const Timer = { ONE_SHOT: 0, PERIODIC: 1, TSC_DEADLINE: 2 } as const;

const BASE_ENABLE = 1 << 11;
const BASE_X2APIC = 1 << 10;
const X2APIC_FIRST = 0x800;
const X2APIC_LAST = 0x8ff;
const TSC_DEADLINE_MSR = 0x6e0;
/** Error status: a vector below 16 was sent, or received. */
const SEND_ILLEGAL = 0x20;
const RECEIVE_ILLEGAL = 0x40;

function powerOn(id: number) {
  return {
    id,
    /** Physical page of the registers, enabled, x2APIC: from IA32_APIC_BASE. */
    page: 0xfee00,
    enabled: true,
    x2apic: false,
    tpr: 0,
    logicalDestination: 0,
    destinationFormat: 0xffff_ffff,
    spurious: 0xff,
    isr: emptySet(),
    tmr: emptySet(),
    irr: emptySet(),
    errors: 0,
    errorsShown: 0,
    icrLow: 0,
    icrHigh: 0,
    lvt: new Array<number>(Lvt.COUNT).fill(MASKED),
    initialCount: 0,
    divide: 0,
    /** Tick at which the present count began, and at which it reaches 0 (Infinity when stopped). */
    start: 0,
    expiry: Infinity,
    /** IA32_TSC_DEADLINE. */
    tscDeadline: 0n,
  };
}

/** What the local APIC needs from the board. */
export interface ApicWiring {
  /** The 8259s' output and their acknowledge cycle. */
  picOutput(): boolean;
  picAcknowledge(): number;
  /** Told the vector of a level-triggered interrupt that has ended. */
  endOfInterrupt(vector: number): void;
  nonMaskable(): void;
  /** The registers moved to another page (undefined: nowhere). */
  moved(from: number, to: number | undefined): void;
  /** Whether the processor has a feature: `x2apic`, `tsc-deadline`. */
  hasFeature(name: string): boolean;
  /** IA32_TSC_ADJUST as it applies: TSC minus ticks. */
  tscOffset(): bigint;
}

export class LocalApic implements Device, MemoryDevice, InterruptController, DeviceMsrs {
  readonly name: string;
  state: ReturnType<typeof powerOn>;

  constructor(
    private readonly index: number,
    private readonly host: DeviceHost,
    private readonly wiring: ApicWiring,
  ) {
    this.name = `local APIC ${index}`;
    this.state = powerOn(index);
  }

  reset(): void {
    const from = this.state.page;
    this.state = powerOn(this.index);
    this.wiring.moved(from, this.state.page);
  }

  // Timer.

  nextDeadline(): number {
    return this.state.expiry;
  }

  advance(now: number): void {
    const s = this.state;
    while (s.expiry <= now) {
      const timer = s.lvt[Lvt.TIMER]!;
      const mode = (timer >> 17) & 3;
      if (mode === Timer.PERIODIC && s.initialCount > 0) {
        s.start = s.expiry;
        s.expiry += this.period();
      } else {
        s.expiry = Infinity;
        s.tscDeadline = 0n;
      }
      if (!(timer & MASKED)) this.request(timer & 0xff, false);
    }
  }

  /** Ticks of a whole count. */
  private period(): number {
    return this.state.initialCount * this.ticksPerCount();
  }

  private ticksPerCount(): number {
    const code = (this.state.divide & 3) | ((this.state.divide >> 1) & 4);
    return APIC_TIMER_TICKS * (code === 7 ? 1 : 2 << code);
  }

  private currentCount(): number {
    const s = this.state;
    if (s.expiry === Infinity || this.timerMode() === Timer.TSC_DEADLINE) return 0;
    return Math.max(0, Math.ceil((s.expiry - this.host.now()) / this.ticksPerCount()));
  }

  private timerMode(): number {
    return (this.state.lvt[Lvt.TIMER]! >> 17) & 3;
  }

  private startTimer(count: number): void {
    const s = this.state;
    s.initialCount = count;
    if (this.timerMode() === Timer.TSC_DEADLINE) return;
    s.start = this.host.now();
    s.expiry = count === 0 ? Infinity : s.start + this.period();
    this.host.reschedule();
  }

  // Interrupts.

  /** An interrupt message for this processor: sets the vector's IRR bit. */
  request(vector: number, level: boolean): void {
    const s = this.state;
    if (!s.enabled) return;
    if (vector < 16) {
      s.errors |= RECEIVE_ILLEGAL;
      return;
    }
    addVector(s.irr, vector);
    if (level) addVector(s.tmr, vector);
    else removeVector(s.tmr, vector);
    this.host.attention();
  }

  /** Whether a message for `destination` is for this processor. */
  accepts(destination: number, logical: boolean): boolean {
    const s = this.state;
    if (destination === (s.x2apic ? 0xffff_ffff : 0xff)) return true;
    if (!logical) return destination === s.id;
    if (s.x2apic) return destination >>> 16 === s.id >> 4 && bit(destination, s.id & 15);
    const mine = s.logicalDestination >>> 24;
    if (s.destinationFormat >>> 28 === 0xf) return (mine & destination) !== 0;
    return mine >> 4 === destination >> 4 && (mine & destination & 15) !== 0;
  }

  pending(): boolean {
    return this.requested() >= 0 || this.externalInterrupt();
  }

  acknowledge(): number {
    const s = this.state;
    const vector = this.requested();
    if (vector >= 0) {
      removeVector(s.irr, vector);
      addVector(s.isr, vector);
      return vector;
    }
    return this.externalInterrupt() ? this.wiring.picAcknowledge() : s.spurious & 0xff;
  }

  /** Vector of a request above the processor priority, or -1. */
  private requested(): number {
    const s = this.state;
    if (!s.enabled || !(s.spurious & SOFTWARE_ENABLE)) return -1;
    const vector = highestVector(s.irr);
    return vector >= 0 && vector >> 4 > this.processorPriority() >> 4 ? vector : -1;
  }

  /** Whether the 8259s get through: LINT0 in ExtINT mode, or no local APIC at all. */
  private externalInterrupt(): boolean {
    const s = this.state;
    const lint0 = s.lvt[Lvt.LINT0]!;
    if (s.enabled && (lint0 & MASKED || ((lint0 >> 8) & 7) !== Mode.EXTINT)) return false;
    return this.wiring.picOutput();
  }

  /** Whether the 8259s could interrupt this processor at all. */
  get external(): boolean {
    const lint0 = this.state.lvt[Lvt.LINT0]!;
    return !this.state.enabled || (!(lint0 & MASKED) && ((lint0 >> 8) & 7) === Mode.EXTINT);
  }

  /** Whether the timer's expiry could interrupt this processor. */
  get timerWakes(): boolean {
    return this.state.enabled && (this.state.spurious & SOFTWARE_ENABLE) !== 0 && !(this.state.lvt[Lvt.TIMER]! & MASKED);
  }

  private processorPriority(): number {
    const served = highestVector(this.state.isr);
    const servedClass = served < 0 ? 0 : served & 0xf0;
    return (this.state.tpr & 0xf0) >= servedClass ? this.state.tpr : servedClass;
  }

  getTaskPriority(): number {
    return this.state.tpr >> 4;
  }
  setTaskPriority(value: number): void {
    this.state.tpr = (value & 15) << 4;
    this.host.attention();
  }

  setBase(value: bigint): void {
    const s = this.state;
    const from = s.page;
    const flags = Number(value & 0xfffn);
    const disabled = s.enabled && !(flags & BASE_ENABLE);
    s.page = Number(value >> 12n);
    s.enabled = (flags & BASE_ENABLE) !== 0;
    s.x2apic = s.enabled && (flags & BASE_X2APIC) !== 0;
    if (disabled) this.state = { ...powerOn(this.index), page: s.page, enabled: false };
    if (s.x2apic) this.state.logicalDestination = (((s.id >> 4) << 16) | (1 << (s.id & 15))) >>> 0;
    this.wiring.moved(from, s.enabled && !s.x2apic ? s.page : undefined);
    this.host.reschedule();
    this.host.attention();
  }

  private endOfInterrupt(): void {
    const s = this.state;
    const vector = highestVector(s.isr);
    if (vector < 0) return;
    removeVector(s.isr, vector);
    if (hasVector(s.tmr, vector)) this.wiring.endOfInterrupt(vector);
    this.host.attention();
  }

  /** Sends an interprocessor interrupt. It arrives at once, so the delivery status always reads as idle. */
  private send(): void {
    const s = this.state;
    const vector = s.icrLow & 0xff;
    const mode = (s.icrLow >> 8) & 7;
    const shorthand = (s.icrLow >> 18) & 3;
    const destination = s.x2apic ? s.icrHigh : s.icrHigh >>> 24;
    const toSelf = shorthand === 1 || shorthand === 2 || (shorthand === 0 && this.accepts(destination, bit(s.icrLow, 11)));
    if (mode === Mode.FIXED || mode === Mode.LOWEST) {
      if (vector < 16) s.errors |= SEND_ILLEGAL;
      else if (toSelf) this.request(vector, false);
    } else if (mode === Mode.NMI && toSelf) this.wiring.nonMaskable();
    else if (mode === Mode.INIT && toSelf && bit(s.icrLow, 14) && shorthand === 0) this.host.warn('The guest sent INIT to the processor that it runs on; Hyperstep does not do that.');
    // A de-asserted INIT, and INIT and start-up to processors that are not there, have no effect.
  }

  // Registers.

  readRegister(offset: number, size: number): number {
    const value = this.readWord(offset & 0xff0) >>> ((offset & 3) * 8);
    return size === 4 ? value >>> 0 : value & ((1 << (size * 8)) - 1);
  }

  writeRegister(offset: number, size: number, value: number): void {
    // Only aligned 32-bit accesses are defined; others reach the register as they are.
    if (size === 4 && (offset & 15) === 0) this.writeWord(offset & 0xff0, value);
  }

  private readWord(register: number): number {
    const s = this.state;
    if (register >= Reg.ISR && register < Reg.ESR) {
      const word = (register >> 4) & 7;
      return (register < Reg.TMR ? s.isr : register < Reg.IRR ? s.tmr : s.irr)[word]!;
    }
    if (register >= Reg.LVT && register < Reg.INITIAL) return s.lvt[(register - Reg.LVT) >> 4]!;
    switch (register) {
      case Reg.ID:
        return s.x2apic ? s.id : s.id << 24;
      case Reg.VERSION:
        return VERSION;
      case Reg.TPR:
        return s.tpr;
      case Reg.PPR:
        return this.processorPriority();
      case Reg.LDR:
        return s.logicalDestination;
      case Reg.DFR:
        return s.destinationFormat;
      case Reg.SVR:
        return s.spurious;
      case Reg.ESR:
        return s.errorsShown;
      case Reg.ICR_LOW:
        return s.icrLow;
      case Reg.ICR_HIGH:
        return s.icrHigh;
      case Reg.INITIAL:
        return s.initialCount;
      case Reg.CURRENT:
        return this.currentCount();
      case Reg.DIVIDE:
        return s.divide;
      default:
        return 0;
    }
  }

  private writeWord(register: number, value: number): void {
    const s = this.state;
    if (register >= Reg.LVT && register < Reg.INITIAL) return this.writeLvt((register - Reg.LVT) >> 4, value);
    switch (register) {
      case Reg.ID:
        s.id = value >>> 24;
        break;
      case Reg.TPR:
        s.tpr = value & 0xff;
        this.host.attention();
        break;
      case Reg.EOI:
        this.endOfInterrupt();
        break;
      case Reg.LDR:
        s.logicalDestination = (value & 0xff00_0000) >>> 0;
        break;
      case Reg.DFR:
        s.destinationFormat = (value | 0x0fff_ffff) >>> 0;
        break;
      case Reg.SVR:
        s.spurious = value & 0x1ff;
        // Disabling by software masks the whole table.
        if (!(value & SOFTWARE_ENABLE)) s.lvt = s.lvt.map((entry) => entry | MASKED);
        this.host.attention();
        break;
      case Reg.ESR:
        s.errorsShown = s.errors;
        s.errors = 0;
        break;
      case Reg.ICR_LOW:
        s.icrLow = value & 0x000c_cfff;
        this.send();
        break;
      case Reg.ICR_HIGH:
        s.icrHigh = value;
        break;
      case Reg.INITIAL:
        this.startTimer(value);
        break;
      case Reg.DIVIDE: {
        const left = this.currentCount();
        s.divide = value & 0xb;
        if (left > 0) {
          s.expiry = this.host.now() + left * this.ticksPerCount();
          this.host.reschedule();
        }
        break;
      }
      default: // read-only or not there
    }
  }

  private writeLvt(entry: number, value: number): void {
    if (entry >= Lvt.COUNT) return;
    const s = this.state;
    const before = this.timerMode();
    s.lvt[entry] = (value & LVT_WRITABLE[entry]!) | (s.spurious & SOFTWARE_ENABLE ? 0 : MASKED);
    if (entry === Lvt.TIMER && (before === Timer.TSC_DEADLINE) !== (this.timerMode() === Timer.TSC_DEADLINE)) {
      s.expiry = Infinity; // changing to or from TSC-deadline mode disarms the timer
      s.tscDeadline = 0n;
      this.host.reschedule();
    }
    if (entry === Lvt.LINT0) this.host.attention();
  }

  // MSRs: x2APIC and the TSC deadline.

  read(index: number): bigint | undefined {
    const s = this.state;
    if (index === TSC_DEADLINE_MSR) return this.wiring.hasFeature('tsc-deadline') ? s.tscDeadline : undefined;
    if (!s.x2apic || index < X2APIC_FIRST || index > X2APIC_LAST) return undefined;
    const register = (index - X2APIC_FIRST) << 4;
    if (register === Reg.DFR || register === Reg.ICR_HIGH || register === Reg.EOI || register === Reg.SELF_IPI) return undefined;
    const low = BigInt(this.readWord(register) >>> 0);
    return register === Reg.ICR_LOW ? low | (BigInt(s.icrHigh >>> 0) << 32n) : low;
  }

  write(index: number, value: bigint): boolean {
    const s = this.state;
    const low = Number(value & 0xffff_ffffn);
    const high = Number((value >> 32n) & 0xffff_ffffn);
    if (index === TSC_DEADLINE_MSR) {
      if (!this.wiring.hasFeature('tsc-deadline')) return false;
      if (this.timerMode() !== Timer.TSC_DEADLINE) return true; // ignored in the other modes
      s.tscDeadline = value;
      s.expiry = value === 0n ? Infinity : Math.max(this.host.now(), Number(BigInt.asUintN(64, value - this.wiring.tscOffset())));
      this.host.reschedule();
      return true;
    }
    if (!s.x2apic || index < X2APIC_FIRST || index > X2APIC_LAST) return false;
    const register = (index - X2APIC_FIRST) << 4;
    const readOnly = register === Reg.ID || register === Reg.VERSION || register === Reg.LDR || register === Reg.DFR || register === Reg.ICR_HIGH || register === Reg.PPR || register === Reg.CURRENT || (register >= Reg.ISR && register < Reg.ESR);
    if (readOnly || (high !== 0 && register !== Reg.ICR_LOW)) return false;
    if (register === Reg.ICR_LOW) s.icrHigh = high;
    if (register === Reg.SELF_IPI) this.request(low & 0xff, false);
    else this.writeWord(register, low);
    return true;
  }

  /** As firmware leaves it: enabled by software, the 8259s on LINT0, NMI on LINT1. */
  initialise(): void {
    const s = this.state;
    s.spurious = SOFTWARE_ENABLE | 0xff;
    s.lvt[Lvt.LINT0] = Mode.EXTINT << 8;
    s.lvt[Lvt.LINT1] = Mode.NMI << 8;
  }
}
