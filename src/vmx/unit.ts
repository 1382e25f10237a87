/** One processor's VMX: ties the parts together and shows them to the processor (Intercepts, SecondLevel) and to the debugger (VmxInspection). */
import type { Instruction } from '../cpu/decode/instruction';
import type { Fault } from '../cpu/fault';
import type { Intercepts, SecondLevel } from '../cpu/intercepts';
import type { Processor } from '../cpu/processor';
import { apicAccess, ApicAccess, exitForApicAccess } from './apicAccess';
import { Ept } from './ept';
import { Held } from './held';
import { VMX_INSTRUCTIONS } from './instructions';
import * as events from './interceptEvents';
import { instructionDisabled, interceptInstruction, interceptMemoryOperand } from './interceptInstructions';
import { interceptIo, interceptRdmsr, interceptWrmsr } from './interceptIo';
import * as registers from './interceptRegisters';
import type { ExitRecord, FieldWriter, VmxInspection } from './observe';
import { Private, VmxMode } from './privateState';
import { exitRecord } from './record';
import { Pin, Primary, Secondary } from './tables/controls';
import { VMCS_REVISION } from './tables/capabilities';
import { FIELDS, slotOf } from './tables/fields';
import { Region, truncated } from './vmcs';
import { Vmx } from './vmx';
import { readApicMsr, writeApicMsr } from './x2apicMsrs';

/** 32-bit words of the general-purpose registers. */
const GPR_WORDS = 32;

/**
 * Construct it with a processor, then assign it to the processor's `intercepts` and `secondLevel`. Everything
 * architectural is in the processor's state; after a restore nothing has to be done here.
 */
export class VmxUnit extends Vmx implements Intercepts, SecondLevel, VmxInspection {
  readonly exitRegisters: Uint32Array;
  readonly registersBefore: Uint32Array;
  private readonly ept: Ept;

  constructor(cpu: Processor) {
    super(cpu);
    this.ept = new Ept(this);
    const registersAt = (offset: number): Uint32Array => cpu.views.u32.subarray((cpu.state.base + offset) >>> 2, ((cpu.state.base + offset) >>> 2) + GPR_WORDS);
    this.exitRegisters = registersAt(Private.EXIT_GPR);
    this.registersBefore = registersAt(Held.BEFORE_GPR);
  }

  get inVmx(): boolean {
    return this.mode !== VmxMode.OFF;
  }

  // Intercepts: the guest's instructions and events.

  instruction(mnemonic: string, insn: Instruction): boolean {
    return this.nonRoot && interceptInstruction(this, mnemonic, insn);
  }
  disabled(mnemonic: string): boolean {
    return this.nonRoot && instructionDisabled(this, mnemonic);
  }
  readControlRegister(cr: number, value: bigint, insn: Instruction): bigint {
    return this.nonRoot ? registers.readControlRegister(this, cr, value, insn) : value;
  }
  writeControlRegister(cr: number, value: bigint, insn: Instruction): bigint {
    return this.nonRoot ? registers.writeControlRegister(this, cr, value, insn) : value;
  }
  clts(insn: Instruction): boolean {
    return this.nonRoot ? registers.clts(this, insn) : true;
  }
  lmsw(source: number, linear: bigint | undefined, insn: Instruction): number {
    return this.nonRoot ? registers.lmsw(this, source, linear, insn) : (source & 0xf) | (this.state.cr0 & 1);
  }
  movDebugRegister(dr: number, write: boolean, gpr: number, insn: Instruction): void {
    if (this.nonRoot) registers.movDebugRegister(this, dr, write, gpr, insn);
  }
  io(port: number, size: number, input: boolean, insn: Instruction, linear: bigint | undefined): boolean {
    return this.nonRoot && interceptIo(this, port, size, input, insn, linear);
  }
  rdmsr(index: number, insn: Instruction): boolean {
    return this.nonRoot && interceptRdmsr(this, index, insn);
  }
  wrmsr(index: number, _value: bigint, insn: Instruction): boolean {
    return this.nonRoot && interceptWrmsr(this, index, insn);
  }
  writeTaskPriority(value: bigint): boolean {
    return this.nonRoot && registers.writeTaskPriority(this, value);
  }
  readApicMsr(index: number): bigint | undefined {
    return this.nonRoot ? readApicMsr(this, index) : undefined;
  }
  writeApicMsr(index: number, value: bigint): boolean {
    return this.nonRoot && writeApicMsr(this, index, value);
  }
  apicAccess(offset: number, size: number, whole: boolean, access: number, fault: Fault): number {
    return apicAccess(this, offset, size, whole, access, fault);
  }
  nmiUnblocked(): void {
    if (this.nonRoot) this.setF64(Private.IRET_UNBLOCKED, this.state.icount);
  }
  timestamp(tsc: bigint): bigint {
    return this.nonRoot ? events.guestTimestamp(this, tsc) : tsc;
  }
  plainTimestamps(): number {
    return events.plainTimestamps(this);
  }
  memoryOperand(mnemonic: string, linear: bigint, insn: Instruction): void {
    if (this.nonRoot) interceptMemoryOperand(this, mnemonic, linear, insn);
  }
  event(type: number, vector: number, fault: Fault | undefined, instructionLength: number): void {
    if (this.nonRoot) events.interceptEvent(this, type, vector, fault, instructionLength);
  }
  externalInterrupt(): boolean {
    return this.nonRoot && events.interceptExternalInterrupt(this);
  }
  boundary(): boolean {
    return this.nonRoot && events.atBoundary(this);
  }
  quiet(interruptMayWait: boolean): boolean {
    return events.nothingDue(this) && !(interruptMayWait && this.pin(Pin.EXTERNAL_INTERRUPT_EXITING));
  }
  iretUnblocksNmi(): boolean {
    // With NMI exiting but without virtual NMIs, blocking is the VMM's business alone.
    return !this.nonRoot || !this.pin(Pin.NMI_EXITING) || this.pin(Pin.VIRTUAL_NMIS);
  }
  stepsInstructions(): boolean {
    return this.primary(Primary.MONITOR_TRAP_FLAG);
  }
  awaitsInterruptFlag(): boolean {
    return this.primary(Primary.INTERRUPT_WINDOW_EXITING) || this.secondary(Secondary.VIRTUAL_INTERRUPT_DELIVERY);
  }
  ticksToBoundary(): number {
    return this.nonRoot ? events.ticksToBoundary(this) : Infinity;
  }
  /** Clock at which the preemption timer of the guest expires; Infinity when there is none. */
  get timerDeadline(): number {
    return this.nonRoot ? this.f64(Private.TIMER_DEADLINE) : Infinity;
  }
  taskSwitch(selector: number, source: number): void {
    if (this.nonRoot) events.interceptTaskSwitch(this, selector, source);
  }
  tripleFault(): void {
    if (this.nonRoot) events.interceptTripleFault(this);
  }
  secondLevelFault(fault: Fault): void {
    if (fault.detail instanceof ApicAccess) exitForApicAccess(this, fault.detail);
    else events.exitForEpt(this, fault);
  }
  delivering(event: { type: number; vector: number; errorCode: number | undefined; length: number } | undefined): void {
    if (event) this.observer?.delivering?.(event.type, event.vector, event.errorCode, event.length);
    if (this.nonRoot) events.noteDelivery(this, event);
  }
  execute(mnemonic: string, insn: Instruction): boolean {
    const instruction = VMX_INSTRUCTIONS[mnemonic];
    if (!instruction) throw new Error(`"${mnemonic}" is not a VMX instruction that is implemented.`);
    return instruction(this, insn) === true;
  }
  readMsr(index: number): bigint | undefined {
    return this.cpu.features.has('vmx') ? this.capabilities.read(index) : undefined;
  }
  controlRegisterAllowed(cr: 0 | 4, value: bigint): boolean {
    return !this.inVmx || registers.controlRegisterAllowed(this, cr, value, this.nonRoot && this.secondary(Secondary.UNRESTRICTED_GUEST));
  }

  initSignal(): 'blocked' | 'exit' | 'reset' {
    if (!this.inVmx) return 'reset';
    return this.nonRoot ? events.interceptInit(this) : 'blocked';
  }
  startUp(vector: number): boolean {
    return this.nonRoot && events.interceptStartUp(this, vector);
  }
  /** The processor waited for its turn from one clock to another: what is measured by instructions has not moved. */
  clockCarried(from: number, to: number): void {
    if (this.f64(Private.ENTRY_CLOCK) === from) this.setF64(Private.ENTRY_CLOCK, to);
    this.setF64(Private.PAUSE_LAST, this.f64(Private.PAUSE_LAST) + to - from);
  }

  // SecondLevel: EPT.

  get active(): boolean {
    return this.ept.active;
  }
  get rights(): number {
    return this.ept.rights;
  }
  translate(gpaPage: number, access: number, offset: number, linearValid: boolean, walk: boolean, fault: Fault, guestPage = 0): number {
    return this.ept.translate(gpaPage, access, offset, linearValid, walk, fault, guestPage);
  }
  peek(gpaPage: number): number {
    return this.ept.peek(gpaPage);
  }

  // VmxInspection: the debugger.

  get exits(): number {
    return this.f64(Private.EXITS);
  }
  get entries(): number {
    return this.f64(Private.ENTRIES);
  }
  get currentVmcs(): number | undefined {
    const pointer = this.vmcs.pointer;
    return pointer < 0 ? undefined : pointer;
  }
  get exitChanges(): number {
    return this.state.get32(Private.EXIT_CHANGES);
  }
  get entryChanges(): number {
    return this.state.get32(Private.ENTRY_CHANGES);
  }
  get lastExit(): ExitRecord | undefined {
    return this.exits === 0 ? undefined : exitRecord(this);
  }
  readField(encoding: number): bigint | undefined {
    const slot = this.slotFor(encoding);
    if (slot < 0) return undefined;
    const value = this.vmcs.get(slot);
    return encoding & 1 ? value >> 32n : value;
  }
  fieldWord(encoding: number): number {
    const slot = this.slotFor(encoding);
    if (slot < 0) return 0;
    return encoding & 1 ? this.vmcs.high(slot) : this.vmcs.low(slot);
  }
  readFieldOf(address: number, encoding: number): bigint | undefined {
    if (address === this.currentVmcs) return this.readField(encoding);
    const slot = slotOf(encoding);
    if (slot < 0 || this.fieldExists[slot] !== 1 || !this.isVmcs(address)) return undefined;
    const value = this.cpu.readPhysical(address + Region.FIELDS + slot * Region.STRIDE, 8);
    return encoding & 1 ? value >> 32n : value;
  }
  writeFieldOf(address: number, encoding: number, value: bigint): boolean {
    if (address === this.currentVmcs) return this.writeField(encoding, value);
    const old = this.readFieldOf(address, encoding & ~1);
    if (old === undefined) return false;
    const at = address + Region.FIELDS + slotOf(encoding) * Region.STRIDE;
    const whole = encoding & 1 ? (old & 0xffff_ffffn) | ((value & 0xffff_ffffn) << 32n) : truncated(FIELDS[slotOf(encoding)]!, value);
    this.cpu.writePhysical(at, 8, whole);
    // Behind the value stands who wrote it: no VMWRITE.
    for (let word = 8; word < Region.STRIDE; word += 4) this.cpu.writePhysical(at + word, 4, 0n);
    this.cpu.memoryChanged(Math.floor(address / 0x1000));
    return true;
  }
  launched(address: number): boolean | undefined {
    if (address === this.currentVmcs) return this.state.get32(Private.LAUNCHED) !== 0;
    return this.isVmcs(address) ? this.physical32(address + Region.LAUNCH_STATE) === 1 : undefined;
  }
  private isVmcs(address: number): boolean {
    return ((this.physical32(address) ?? 0) & 0x7fff_ffff) === VMCS_REVISION;
  }
  writeField(encoding: number, value: bigint): boolean {
    const slot = this.slotFor(encoding);
    if (slot < 0) return false;
    if (encoding & 1) this.vmcs.set(slot, (this.vmcs.get(slot) & 0xffff_ffffn) | ((value & 0xffff_ffffn) << 32n));
    else this.vmcs.setField(FIELDS[slot]!, value);
    this.vmcs.forgetWriter(slot);
    this.cpu.stateChanged(); // generated code works with what follows from controls
    return true;
  }
  fieldWriter(encoding: number): FieldWriter | undefined {
    const slot = this.slotFor(encoding);
    return slot < 0 ? undefined : this.vmcs.writer(slot);
  }
  peekGpa(gpa: number): number | undefined {
    if (this.currentVmcs === undefined || !this.secondary(Secondary.EPT)) return gpa;
    const page = this.ept.peek(Math.floor(gpa / 0x1000));
    return page < 0 ? undefined : page * 0x1000 + (gpa % 0x1000);
  }
  /** Slot of an existing field of the current VMCS, or -1. */
  private slotFor(encoding: number): number {
    const slot = slotOf(encoding);
    return slot >= 0 && this.fieldExists[slot] === 1 && this.currentVmcs !== undefined ? slot : -1;
  }
}
