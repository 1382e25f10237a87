/**
 * The local APIC, with the 8259s behind its LINT0 pin (SDM volume 3, "Advanced Programmable Interrupt Controller").
 * It is also what the processor sees as its interrupt controller. x2APIC mode reaches the same registers as MSRs.
 */
import { bit } from '../../base/bits';
import type { DeviceMsrs, InterruptController } from '../../cpu/bus';
import { APIC_TIMER_TICKS } from '../clock';
import type { Device, DeviceHost, MemoryDevice } from '../device';
import { ApicError, DeliveryMode, Icr, Lvt, LVT_WRITABLE, MASKED, Reg, REGISTERS, Shorthand, SOFTWARE_ENABLE, TimerMode, VERSION } from './apicRegisters';
import type { InterruptMessage } from './interruptBus';
import { addVector, emptySet, hasVector, highestVector, removeVector } from './priorityVector';

const BASE_ENABLE = 1 << 11;
const BASE_X2APIC = 1 << 10;
const X2APIC_FIRST = 0x800;
const X2APIC_LAST = 0x8ff;
const TSC_DEADLINE_MSR = 0x6e0;
/** Vectors below are the processor's own. */
const FIRST_VECTOR = 16;

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
    /** An ExtINT message asked for an interrupt of the 8259s. */
    external: false,
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

/** The logical identifier in x2APIC mode: cluster, and the processor's bit in it. */
const x2apicLogical = (id: number): number => (((id >> 4) << 16) | (1 << (id & 15))) >>> 0;

/** What the local APIC needs from the board. */
export interface ApicWiring {
  /** The 8259s' output and their acknowledge cycle. */
  picOutput(): boolean;
  picAcknowledge(): number;
  /** Told the vector of a level-triggered interrupt that has ended. */
  endOfInterrupt(vector: number): void;
  /** NMI, INIT and start-up messages for the processor. */
  nonMaskable(): void;
  initialise(): void;
  startUp(vector: number): void;
  /** Sends an interprocessor interrupt; `shorthand` is one of Shorthand. */
  send(message: InterruptMessage, shorthand: number): void;
  /** The registers moved to another page, appeared or disappeared. */
  moved(): void;
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
    this.state = powerOn(this.index);
    this.wiring.moved();
  }

  /** INIT reached the processor: everything as after reset but the identifier and where the registers are (SDM volume 3, "Local APIC State After It Receives an INIT-Deassert IPI" and "x2APIC State Transitions"). */
  init(): void {
    const { id, page, enabled, x2apic } = this.state;
    this.state = { ...powerOn(this.index), id, page, enabled, x2apic };
    if (x2apic) this.state.logicalDestination = x2apicLogical(id);
    this.host.reschedule();
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
      if (mode === TimerMode.PERIODIC && s.initialCount > 0) {
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
    if (s.expiry === Infinity || this.timerMode() === TimerMode.TSC_DEADLINE) return 0;
    return Math.max(0, Math.ceil((s.expiry - this.host.now()) / this.ticksPerCount()));
  }

  private timerMode(): number {
    return (this.state.lvt[Lvt.TIMER]! >> 17) & 3;
  }

  private startTimer(count: number): void {
    const s = this.state;
    s.initialCount = count;
    if (this.timerMode() === TimerMode.TSC_DEADLINE) return;
    s.start = this.host.now();
    s.expiry = count === 0 ? Infinity : s.start + this.period();
    this.host.reschedule();
  }

  // Interrupts.

  /** Whether messages can reach this processor at all. */
  get listening(): boolean {
    return this.state.enabled;
  }
  get softwareEnabled(): boolean {
    return this.state.enabled && (this.state.spurious & SOFTWARE_ENABLE) !== 0;
  }
  /** What lowest-priority arbitration compares: the greater of task priority and what is requested or served. */
  get arbitrationPriority(): number {
    const { irr, isr, tpr } = this.state;
    return Math.max(tpr, Math.max(highestVector(irr), highestVector(isr), 0) & 0xf0);
  }

  /** Takes a message that is for this processor. */
  receive({ mode, vector, level }: InterruptMessage): void {
    switch (mode) {
      case DeliveryMode.FIXED:
      case DeliveryMode.LOWEST:
        // Disabled by software, it answers to all messages but these.
        if (this.softwareEnabled) this.request(vector, level);
        return;
      case DeliveryMode.NMI:
        return this.wiring.nonMaskable();
      case DeliveryMode.INIT:
        return this.wiring.initialise();
      case DeliveryMode.STARTUP:
        return this.wiring.startUp(vector);
      case DeliveryMode.EXTINT:
        this.state.external = true;
        return this.host.attention();
      default:
        this.host.warn(`The guest sent a message of delivery mode ${mode}${mode === DeliveryMode.SMI ? ' (SMI)' : ''}, which Hyperstep's processors do not take.`);
    }
  }

  /** A maskable interrupt for this processor: sets the vector's IRR bit. */
  request(vector: number, level: boolean): void {
    const s = this.state;
    if (!s.enabled) return;
    if (vector < FIRST_VECTOR) return this.error(ApicError.RECEIVE_ILLEGAL_VECTOR);
    addVector(s.irr, vector);
    if (level) addVector(s.tmr, vector);
    else removeVector(s.tmr, vector);
    this.host.attention();
  }

  /** Notes an error, and interrupts when the local vector table says so. */
  private error(bits: number): void {
    const s = this.state;
    s.errors |= bits;
    const entry = s.lvt[Lvt.ERROR]!;
    // An illegal vector in the entry for errors would lead here again.
    if (!(entry & MASKED) && (entry & 0xff) >= FIRST_VECTOR) this.request(entry & 0xff, false);
  }

  /** Whether a message is for this processor. */
  accepts({ destination, logical, broadcast }: InterruptMessage): boolean {
    const s = this.state;
    if (!s.enabled) return false;
    if (broadcast) return true;
    if (!logical) return destination === s.id;
    if (s.x2apic) return destination >>> 16 === s.id >> 4 && bit(destination, s.id & 15);
    const mine = s.logicalDestination >>> 24;
    if (s.destinationFormat >>> 28 === 0xf) return (mine & destination) !== 0;
    return mine >> 4 === (destination & 0xff) >> 4 && (mine & destination & 15) !== 0;
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
    if (!this.externalInterrupt()) return s.spurious & 0xff;
    s.external = false;
    return this.wiring.picAcknowledge();
  }

  /** Vector of a request above the processor priority, or -1. */
  private requested(): number {
    const s = this.state;
    if (!this.softwareEnabled) return -1;
    const vector = highestVector(s.irr);
    return vector >= 0 && vector >> 4 > this.processorPriority() >> 4 ? vector : -1;
  }

  /** Whether the 8259s get through: LINT0 in ExtINT mode, or no local APIC at all. */
  private externalInterrupt(): boolean {
    return (this.state.external || this.external) && this.wiring.picOutput();
  }

  /** Whether the 8259s could interrupt this processor at all by its LINT0 pin: without a local APIC that is INTR, of the first processor alone. */
  get external(): boolean {
    const lint0 = this.state.lvt[Lvt.LINT0]!;
    if (!this.state.enabled) return this.index === 0;
    return !(lint0 & MASKED) && ((lint0 >> 8) & 7) === DeliveryMode.EXTINT;
  }

  /** Whether the timer's expiry could interrupt this processor. */
  get timerWakes(): boolean {
    return this.softwareEnabled && !(this.state.lvt[Lvt.TIMER]! & MASKED);
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
    const flags = Number(value & 0xfffn);
    const disabled = s.enabled && !(flags & BASE_ENABLE);
    s.page = Number(value >> 12n);
    s.enabled = (flags & BASE_ENABLE) !== 0;
    s.x2apic = s.enabled && (flags & BASE_X2APIC) !== 0;
    if (disabled) this.state = { ...powerOn(this.index), page: s.page, enabled: false };
    if (s.x2apic) {
      s.id = this.index; // what software wrote in xAPIC mode is not the x2APIC identifier
      s.logicalDestination = x2apicLogical(s.id);
    }
    this.wiring.moved();
    this.host.reschedule();
    this.host.attention();
  }

  endOfInterrupt(): void {
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
    const level = (s.icrLow & Icr.LEVEL) !== 0;
    if ((mode === DeliveryMode.FIXED || mode === DeliveryMode.LOWEST) && vector < FIRST_VECTOR) return this.error(ApicError.SEND_ILLEGAL_VECTOR);
    // De-asserting INIT once meant to synchronise arbitration; today's processors ignore it.
    if (mode === DeliveryMode.INIT && level && !(s.icrLow & Icr.ASSERT)) return;
    const destination = s.x2apic ? s.icrHigh : s.icrHigh >>> 24;
    const broadcast = destination === (s.x2apic ? 0xffff_ffff : 0xff);
    this.wiring.send({ vector, mode, level: false, destination, logical: (s.icrLow & Icr.LOGICAL) !== 0, broadcast }, (s.icrLow >> 18) & 3);
  }

  sendInterrupt(vector: number, notified: number): void {
    const { x2apic } = this.state;
    const destination = x2apic ? notified : (notified >>> 8) & 0xff;
    this.wiring.send({ vector, mode: DeliveryMode.FIXED, level: false, destination, logical: false, broadcast: destination === (x2apic ? 0xffff_ffff : 0xff) }, Shorthand.NONE);
  }

  // Registers.

  readRegister(offset: number, size: number): number {
    if (!REGISTERS[offset >> 4]?.memory) this.error(ApicError.ILLEGAL_REGISTER);
    const value = this.readWord(offset & 0xff0) >>> ((offset & 3) * 8);
    return size === 4 ? value >>> 0 : value & ((1 << (size * 8)) - 1);
  }

  writeRegister(offset: number, size: number, value: number): void {
    // Only aligned 32-bit accesses are defined; others reach the register as they are.
    if (size !== 4 || (offset & 15) !== 0) return;
    if (REGISTERS[offset >> 4]?.memory) this.writeWord(offset & 0xff0, value);
    else this.error(ApicError.ILLEGAL_REGISTER);
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
      case Reg.APR:
        return this.arbitrationPriority;
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
        s.icrLow = value & Icr.WRITABLE;
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
    if (entry === Lvt.TIMER && (before === TimerMode.TSC_DEADLINE) !== (this.timerMode() === TimerMode.TSC_DEADLINE)) {
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
    if (!REGISTERS[register >> 4]?.read) return undefined;
    const low = BigInt(this.readWord(register) >>> 0);
    return register === Reg.ICR_LOW ? low | (BigInt(s.icrHigh >>> 0) << 32n) : low;
  }

  write(index: number, value: bigint): boolean {
    const s = this.state;
    const low = Number(value & 0xffff_ffffn);
    const high = Number((value >> 32n) & 0xffff_ffffn);
    if (index === TSC_DEADLINE_MSR) {
      if (!this.wiring.hasFeature('tsc-deadline')) return false;
      if (this.timerMode() !== TimerMode.TSC_DEADLINE) return true; // ignored in the other modes
      s.tscDeadline = value;
      s.expiry = value === 0n ? Infinity : this.tickOf(value);
      this.host.reschedule();
      return true;
    }
    if (!s.x2apic || index < X2APIC_FIRST || index > X2APIC_LAST) return false;
    const register = (index - X2APIC_FIRST) << 4;
    const accepted = REGISTERS[register >> 4]?.write;
    if (accepted === undefined || (low & ~accepted) !== 0 || (high !== 0 && register !== Reg.ICR_LOW)) return false;
    if (register === Reg.ICR_LOW) s.icrHigh = high;
    if (register === Reg.SELF_IPI) {
      if (low < FIRST_VECTOR) this.error(ApicError.SEND_ILLEGAL_VECTOR);
      else this.wiring.send({ vector: low, mode: DeliveryMode.FIXED, level: false, destination: s.id, logical: false, broadcast: false }, Shorthand.SELF);
    } else this.writeWord(register, low);
    return true;
  }

  /** Tick at which the TSC reaches a value: now when it is there already. */
  private tickOf(tsc: bigint): number {
    const now = this.host.now();
    const present = BigInt.asUintN(64, BigInt(now) + this.wiring.tscOffset());
    return tsc <= present ? now : now + Number(tsc - present);
  }

  /** As firmware leaves it: enabled by software, the 8259s on LINT0, NMI on LINT1. */
  initialise(): void {
    const s = this.state;
    s.spurious = SOFTWARE_ENABLE | 0xff;
    s.lvt[Lvt.LINT0] = DeliveryMode.EXTINT << 8;
    s.lvt[Lvt.LINT1] = DeliveryMode.NMI << 8;
  }
}
