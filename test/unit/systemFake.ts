/** A processor without an engine, for tests of the parts that are plain TypeScript: RAM from 0, one device page, no VMX. */
import { PAGE_SIZE } from '../../src/base/address';
import type { CoprocessorPins, DeviceMsrs, InterruptController, PhysicalBus } from '../../src/cpu/bus';
import type { Instruction } from '../../src/cpu/decode/instruction';
import { Fault, STATE_REPLACED } from '../../src/cpu/fault';
import { writeFlags } from '../../src/cpu/flags';
import type { Intercepts, SecondLevel } from '../../src/cpu/intercepts';
import type { CodePages } from '../../src/cpu/mmu/codePages';
import { peekTranslate, readLinear, writeLinear } from '../../src/cpu/mmu/linear';
import { Watches } from '../../src/cpu/mmu/watch';
import type { Features, Processor, StopReason } from '../../src/cpu/processor';
import { CpuState, CPU_BLOCK_SIZE, MemoryViews, Offset, Seg } from '../../src/cpu/state';

export const CPU_BASE = 0x1000;
const RAM_BASE = Math.ceil((CPU_BASE + CPU_BLOCK_SIZE) / 0x10000) * 0x10000;
export const RAM_SIZE = 0x40_0000;
export const DEVICE_PAGE = 0xfee00;

export class FakeBus implements PhysicalBus {
  readonly deviceWrites: { address: number; size: number; value: number }[] = [];
  readonly deviceValues = new Map<number, number>();
  readonly ports: string[] = [];
  portValue = 0;
  framesForWrite = 0;
  frameForRead(page: number): number {
    return page < RAM_SIZE / PAGE_SIZE ? RAM_BASE + page * PAGE_SIZE : 0;
  }
  frameForWrite(page: number): number {
    this.framesForWrite++;
    return this.frameForRead(page);
  }
  read(address: number, size: number): number {
    return this.deviceValues.get(address) ?? (size === 4 ? 0xffff_ffff : 2 ** (size * 8) - 1);
  }
  write(address: number, size: number, value: number): void {
    this.deviceWrites.push({ address, size, value });
  }
  in(port: number, size: number): number {
    this.ports.push(`in ${port.toString(16)} ${size}`);
    return this.portValue;
  }
  out(port: number, size: number, value: number): void {
    this.ports.push(`out ${port.toString(16)} ${size} ${value.toString(16)}`);
  }
}

export class FakeIntercepts implements Intercepts {
  nonRoot = false;
  inVmx = false;
  tripleFaults = 0;
  readonly executed: string[] = [];
  instruction(): boolean {
    return false;
  }
  readControlRegister(_cr: number, value: bigint): bigint {
    return value;
  }
  writeControlRegister(_cr: number, value: bigint): bigint {
    return value;
  }
  clts(): boolean {
    return true;
  }
  lmsw(source: number): number {
    return source & 15;
  }
  movDebugRegister(): void {}
  io(): boolean {
    return false;
  }
  rdmsr(): boolean {
    return false;
  }
  wrmsr(): boolean {
    return false;
  }
  timestamp(tsc: bigint): bigint {
    return tsc;
  }
  memoryOperand(): void {}
  event(): void {}
  externalInterrupt(): boolean {
    return false;
  }
  boundary(): boolean {
    return false;
  }
  iretUnblocksNmi(): boolean {
    return true;
  }
  ticksToBoundary(): number {
    return Infinity;
  }
  taskSwitch(): void {}
  tripleFault(): void {
    this.tripleFaults++;
  }
  secondLevelFault(): void {
    throw STATE_REPLACED;
  }
  delivering(): void {}
  execute(mnemonic: string): boolean {
    this.executed.push(mnemonic);
    return false;
  }
  readMsr(): bigint | undefined {
    return undefined;
  }
  controlRegisterAllowed(): boolean {
    return true;
  }
}

export class FakeCodePages implements CodePages {
  readonly pages = new Set<number>();
  readonly writes: { page: number; offset: number; length: number }[] = [];
  has(page: number): boolean {
    return this.pages.has(page);
  }
  written(page: number, offset: number, length: number): boolean {
    this.writes.push({ page, offset, length });
    return this.pages.has(page);
  }
  marked(page: number, offset: number): void {
    this.writes.push({ page, offset, length: 4 });
  }
  readonly tables = new Set<number>();
  tableUsed(page: number): void {
    this.tables.add(page);
  }
  readonly tableWrites = 0;
}

export class FakeProcessor implements Processor {
  readonly memory = new WebAssembly.Memory({ initial: (RAM_BASE + RAM_SIZE) / 0x10000, maximum: (RAM_BASE + RAM_SIZE) / 0x10000 });
  readonly views = new MemoryViews(this.memory);
  readonly state = new CpuState(this.views, CPU_BASE);
  readonly index = 0;
  readonly bus = new FakeBus();
  readonly codePages = new FakeCodePages();
  tracksTables = false;
  coprocessor: CoprocessorPins | undefined = undefined;
  taskPriority = 0;
  readonly interrupts: InterruptController = {
    pending: () => false,
    acknowledge: () => 0,
    getTaskPriority: () => this.taskPriority,
    setTaskPriority: (v) => {
      this.taskPriority = v;
    },
    setBase: () => {},
  };
  readonly deviceMsrs: DeviceMsrs = { read: () => undefined, write: () => false };
  readonly withheld = new Set<string>();
  features: Features = { has: (name) => !this.withheld.has(name) };
  readonly fakeIntercepts = new FakeIntercepts();
  intercepts: Intercepts = this.fakeIntercepts;
  secondLevel: SecondLevel = { active: false, rights: 7, translate: (page) => page, peek: (page) => page };
  readonly fault = new Fault();
  readonly watches = new Watches();
  readonly watchHits = [];
  instructionRip = 0n;
  flushes = 0;
  changes = 0;

  constructor() {
    const s = this.state;
    writeFlags(s, 2);
    s.set32(Offset.CR0, 0x10);
    s.set64(Offset.DR6, 0xffff_0ff0n);
    s.set64(Offset.DR7, 0x400n);
    s.set32(Offset.TLB_BASE, CPU_BASE + 0x4000);
    s.set64(Offset.GENERATION, 1n);
    s.set64(Offset.SP_MASK, 0xffffn);
    s.set32(Offset.IDTR_LIMIT, 0xffff);
    s.set32(Offset.GDTR_LIMIT, 0xffff);
    for (let seg = 0; seg < 6; seg++) {
      s.setAccess(seg, 0x93);
      s.setLimit(seg, 0xffff);
    }
    s.setAccess(Seg.LDTR, 0x82);
    s.setAccess(Seg.TR, 0x8b);
  }
  run(): StopReason {
    throw new Error('no engine here');
  }
  requestStop(): void {}
  requestAttention(): void {}
  flushTlb(): void {
    this.flushes++;
    this.state.set64(Offset.GENERATION, (this.state.get64(Offset.GENERATION) + 1n) & 0xfffn);
  }
  flushOperation(): void {
    this.flushTlb();
  }
  switchContext(): void {
    this.flushTlb();
  }
  dropContext(): void {
    this.flushTlb();
  }
  translationKept(): void {}
  flushPage(): void {
    this.flushTlb();
  }
  /** What the engine derives and these tests need. */
  worldChanged(): void {
    this.stateChanged();
  }
  stateChanged(): void {
    this.changes++;
    const s = this.state;
    const long = (s.efer & 0x400) !== 0 && (s.access(Seg.CS) & 0x2000) !== 0;
    s.set64(Offset.SP_MASK, long ? 0xffff_ffff_ffff_ffffn : s.access(Seg.SS) & 0x4000 ? 0xffff_ffffn : 0xffffn);
  }
  readLinear(linear: bigint, size: number, supervisor = false): bigint {
    return readLinear(this, linear, size, supervisor);
  }
  writeLinear(linear: bigint, size: number, value: bigint, supervisor = false): void {
    writeLinear(this, linear, size, value, supervisor);
  }
  readPhysical(address: number, size: number): bigint {
    let value = 0n;
    for (let i = size - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.views.u8[RAM_BASE + address + i]!);
    return value;
  }
  writePhysical(address: number, size: number, value: bigint): void {
    for (let i = 0; i < size; i++, value >>= 8n) this.views.u8[RAM_BASE + address + i] = Number(value & 0xffn);
  }
  peekTranslate(linear: bigint): number {
    return peekTranslate(this, linear);
  }
  memoryChanged(): void {}
  setBreakpoints(): void {}
  setWatches(): void {}
  readonly stepping = false;
  breaksOnPort(): boolean {
    return false;
  }
  portAccessed(): void {}
  decideSingleStep(): void {}
  deviceWrote(): void {}
  skipBreakpointOnce(): void {}

  /** Runs an action that must fault; yields the exception in words. */
  faultOf(action: () => unknown): string {
    try {
      action();
    } catch (e) {
      if (e !== this.fault) throw e;
      return describeFault(this.fault);
    }
    return 'no fault';
  }
}

const NAMES: Record<number, string> = { 0: 'DE', 1: 'DB', 3: 'BP', 4: 'OF', 5: 'BR', 6: 'UD', 7: 'NM', 8: 'DF', 10: 'TS', 11: 'NP', 12: 'SS', 13: 'GP', 14: 'PF', 17: 'AC' };

export function describeFault(fault: Fault): string {
  if (fault.kind !== 'exception') return fault.kind;
  const name = `#${NAMES[fault.vector] ?? fault.vector}`;
  const code = fault.hasErrorCode ? `(${fault.errorCode.toString(16)})` : '';
  return fault.vector === 14 ? `${name}${code} at ${fault.address.toString(16)}` : name + code;
}

/** A decoded instruction from its parts; the fields that a test does not name keep the decoder's defaults. */
export type { Instruction };
