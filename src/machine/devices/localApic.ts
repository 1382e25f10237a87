/**
 * The local APIC, with the 8259s behind its LINT0 pin (SDM volume 3, "Advanced Programmable Interrupt Controller").
 * It is also what the processor sees as its interrupt controller. x2APIC mode reaches the same registers as MSRs.
 */
import type { DeviceMsrs, InterruptController } from '../../cpu/bus';
import type { Device, DeviceHost, MemoryDevice } from '../device';
import { ApicError, DeliveryMode, Icr, Lvt, LVT_WRITABLE, MASKED, Reg, REGISTERS, Shorthand, SOFTWARE_ENABLE, VERSION } from './apicRegisters';
import { apicAtReset, type ApicState, arbitrationPriority, enabledBySoftware, isFor, processorPriority, requestedVector, x2apicLogical } from './apicState';
import { ApicTimer, TSC_DEADLINE_MSR } from './apicTimer';
import type { InterruptMessage } from './interruptBus';
import { addVector, hasVector, highestVector, removeVector } from './priorityVector';

const BASE_ENABLE = 1 << 11;
const BASE_X2APIC = 1 << 10;
const X2APIC_FIRST = 0x800;
const X2APIC_LAST = 0x8ff;
/** Vectors below are the processor's own. */
const FIRST_VECTOR = 16;

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
  state: ApicState;
  private readonly timer: ApicTimer;

  constructor(
    private readonly index: number,
    private readonly host: DeviceHost,
    private readonly wiring: ApicWiring,
  ) {
    this.name = `local APIC ${index}`;
    this.state = apicAtReset(index);
    this.timer = new ApicTimer(() => this.state, host, () => wiring.tscOffset(), (vector) => this.request(vector, false));
  }

  reset(): void {
    this.state = apicAtReset(this.index);
    this.wiring.moved();
  }

  /** INIT reached the processor: everything as after reset but the identifier and where the registers are (SDM volume 3, "Local APIC State After It Receives an INIT-Deassert IPI" and "x2APIC State Transitions"). */
  init(): void {
    const { id, page, enabled, x2apic } = this.state;
    this.state = { ...apicAtReset(this.index), id, page, enabled, x2apic };
    if (x2apic) this.state.logicalDestination = x2apicLogical(id);
    this.host.reschedule();
  }

  nextDeadline(): number {
    return this.state.expiry;
  }
  advance(now: number): void {
    this.timer.advance(now);
  }

  // Interrupts.

  /** Whether messages can reach this processor at all. */
  get listening(): boolean {
    return this.state.enabled;
  }
  get softwareEnabled(): boolean {
    return enabledBySoftware(this.state);
  }
  /** What lowest-priority arbitration compares. */
  get arbitrationPriority(): number {
    return arbitrationPriority(this.state);
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
  accepts(message: InterruptMessage): boolean {
    return isFor(this.state, message);
  }

  pending(): boolean {
    return requestedVector(this.state) >= 0 || this.externalInterrupt();
  }

  acknowledge(): number {
    const s = this.state;
    const vector = requestedVector(this.state);
    if (vector >= 0) {
      removeVector(s.irr, vector);
      addVector(s.isr, vector);
      return vector;
    }
    if (!this.externalInterrupt()) return s.spurious & 0xff;
    s.external = false;
    return this.wiring.picAcknowledge();
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
    if (disabled) this.state = { ...apicAtReset(this.index), page: s.page, enabled: false };
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
    if (requestedVector(this.state) >= 0) this.host.attention(); // one that waited for this
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
        return processorPriority(s);
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
        return this.timer.count;
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
        this.timer.start(value);
        break;
      case Reg.DIVIDE:
        this.timer.divide(value);
        break;
      default: // read-only or not there
    }
  }

  private writeLvt(entry: number, value: number): void {
    if (entry >= Lvt.COUNT) return;
    const s = this.state;
    const kept = (value & LVT_WRITABLE[entry]!) | (s.spurious & SOFTWARE_ENABLE ? 0 : MASKED);
    if (entry === Lvt.TIMER) this.timer.setEntry(kept);
    else s.lvt[entry] = kept;
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
      this.timer.setDeadline(value);
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

  /** As firmware leaves it: enabled by software, the 8259s on LINT0, NMI on LINT1. */
  initialise(): void {
    const s = this.state;
    s.spurious = SOFTWARE_ENABLE | 0xff;
    s.lvt[Lvt.LINT0] = DeliveryMode.EXTINT << 8;
    s.lvt[Lvt.LINT1] = DeliveryMode.NMI << 8;
  }
}
