/** The whole PC: processor, memory, devices, firmware, and the loop that gives them their time. */
import { UserError } from '../base/errors';
import { hex } from '../base/bits';
import type { Cpu } from '../cpu/engine/cpu';
import { createEngine } from '../cpu/engine/engine';
import { resetProcessor } from '../cpu/engine/reset';
import { interruptsEnabled } from '../cpu/flags';
import type { Processor } from '../cpu/processor';
import { Offset } from '../cpu/state';
import { SIGNATURE } from '../cpu/system/cpuid';
import { CpuFeatures } from '../cpu/system/features';
import type { VmxInspection } from '../vmx/observe';
import { VmxUnit } from '../vmx/unit';
import { bootLinux } from './boot/linux';
import { bootMultiboot } from './boot/multiboot';
import { Bus } from './bus';
import { Board, TIMER_INPUT } from './devices/board';
import type { Drive } from './disk/drive';
import { Bios, romImage } from './firmware/bios';
import type { MpOptions } from './firmware/mpTable';
import { RESULT_PORT, SERVICE_PORT } from './firmware/rom';
import { screenText } from './screen';
import { TextScreen } from './firmware/textScreen';
import { type InputEvent, InputLog } from './inputLog';
import type { E820Entry, Machine, MachineOptions, MachineStop, Snapshot } from './machineInterface';
import { AddressMap } from './memory/addressMap';
import { PhysicalMemory } from './memory/physicalMemory';
import { checkOptions } from './options';
import { MachineSnapshot } from './snapshot';

const WAIT_FOR_SIPI = 3;

class Pc implements Machine {
  readonly cpu: Cpu;
  readonly cpus: readonly Processor[];
  readonly unit: VmxUnit;
  readonly vmx: readonly VmxInspection[];
  readonly memory: PhysicalMemory;
  readonly bus: Bus;
  readonly board: Board;
  readonly bios: Bios;
  readonly drives: readonly Drive[];
  readonly input = new InputLog();

  ended: MachineStop | undefined = undefined;
  debugExit: number | undefined = undefined;
  onSerial: (byte: number) => void = () => {};
  onWarning: (sentence: string) => void = () => {};

  private running = false;
  private stopRequested = false;
  private resetRequested = false;
  private readonly warned = new Set<string>();
  /** Warnings from before the first run, when nobody listens yet. */
  private early: string[] | undefined = [];

  constructor(readonly options: MachineOptions) {
    this.drives = checkOptions(options);
    const features = new CpuFeatures(options.without);
    const memory = options.memory - (options.memory % 0x1000);
    const engine = createEngine({ ramBytes: memory, cpus: options.cpus });
    const dropTranslations = (): void => (this.cpu as Cpu | undefined)?.flushTlb();
    this.memory = new PhysicalMemory(engine.views, engine.frameBase, engine.frameLimit, new AddressMap(memory), {
      pageChanged: (page) => (this.cpu as Cpu | undefined)?.memoryChanged(page),
      written: (address, length) => {
        if (this.running) this.cpu.deviceWrote(address, length);
      },
      dropTranslations,
    });
    const warn = (sentence: string): void => this.warn(sentence);
    this.bus = new Bus(this.memory, warn);
    const now = (): number => this.cpu.state.icount;
    const host = { now, attention: () => this.cpu.requestAttention(), reschedule: () => this.interruptSlice(), warn };
    this.board = new Board(this.bus, memory, this.drives, {
      ...host,
      resetMachine: () => this.requestReset(),
      powerOff: () => this.end('power-off'),
      debugExit: (value) => {
        this.debugExit = value;
        this.end('debug-exit');
      },
      nonMaskable: () => {
        this.cpu.state.set32(Offset.NMI_PENDING, 1);
        this.cpu.requestAttention();
      },
      hasFeature: (name) => features.has(name),
      tscOffset: () => this.cpu.state.get64(Offset.TSC_ADJUST),
      dropTranslations,
      cpus: options.cpus,
    });
    this.cpu = engine.createProcessor(0, { bus: this.bus, interrupts: this.board.localApic, deviceMsrs: this.board.localApic, features });
    this.cpus = [this.cpu];
    this.unit = new VmxUnit(this.cpu);
    this.cpu.intercepts = this.unit;
    this.cpu.secondLevel = this.unit;
    this.vmx = [this.unit];
    this.cpu.onGap = warn;
    this.cpu.onUnimplemented = (mnemonic, rip) => warn(`The guest executed ${mnemonic} at ${hex(rip)}, which Hyperstep's processor does not have; it got #UD.`);
    this.board.onConsole = (byte) => this.onSerial(byte);

    resetProcessor(this.cpu);
    const mp: MpOptions = { cpus: options.cpus, signature: SIGNATURE, features: MP_FEATURES, ioApicInput: (irq) => (irq === 0 ? TIMER_INPUT : irq) };
    this.memory.loadRom(romImage(mp));
    const screen = new TextScreen(this.memory, this.board.vga);
    this.bios = new Bios(() => this.cpu, { memory: this.memory, board: this.board, drives: this.board.cabling.disks, cds: this.board.cabling.cds, bootsCd: options.boot.kind === 'cdrom' || this.board.cabling.disks.length === 0, screen, host }, mp);
    this.bus.claimPorts(SERVICE_PORT, 1, this.bios);
    this.bus.claimPorts(RESULT_PORT, 1, this.bios);
    for (const drive of this.drives) if (drive.padded) warn(`${drive.name} is not a multiple of 512 bytes long; its last sector is read as if zeros followed.`);
    this.boot();
  }

  /** A kernel that is loaded directly starts where its specification says; a disk or CD starts at the reset vector. */
  private boot(): void {
    const { boot } = this.options;
    if (boot.kind === 'disk' || boot.kind === 'cdrom') return;
    this.bios.initialise();
    if (boot.kind === 'multiboot') bootMultiboot(boot, this.cpu, this.memory);
    else bootLinux(boot, this.cpu, this.memory);
  }

  get icount(): number {
    return this.cpu.state.icount;
  }
  get instructions(): number {
    return this.cpu.state.icount - this.cpu.state.idle;
  }

  run(budget: number): MachineStop {
    for (const sentence of this.early ?? []) this.onWarning(sentence);
    this.early = undefined;
    this.stopRequested = false;
    this.running = true;
    try {
      return this.runTo(this.icount + budget);
    } catch (thrown) {
      // An instruction was cut off in its middle: the machine's state is not to be relied on any more.
      this.ended = 'shutdown';
      throw thrown;
    } finally {
      this.running = false;
    }
  }

  private runTo(end: number): MachineStop {
    for (;;) {
      if (this.resetRequested) this.reset();
      if (this.ended) return this.ended;
      const now = this.icount;
      this.input.deliver(now, (event) => this.arrive(event));
      this.board.advance(now);
      if (this.stopRequested) return 'request';
      if (now >= end) return 'budget';
      const reason = this.cpu.run(Math.min(end, this.board.nextDeadline(), this.input.nextDeadline) - now);
      if (reason === 'breakpoint' || reason === 'watch') return reason;
      if (reason === 'shutdown' && !this.resetRequested) this.end('shutdown');
      if (reason === 'halt' && !this.idle(end)) return 'halt';
    }
  }

  /** The processor waits: skips to the next thing that happens. False when nothing can ever wake it. */
  private idle(end: number): boolean {
    if (this.resetRequested || this.ended || this.stopRequested) return true;
    const s = this.cpu.state;
    if (s.get32(Offset.ACTIVITY) === WAIT_FOR_SIPI) return false;
    const { nonRoot } = this.unit;
    const boundary = nonRoot ? s.icount + this.unit.ticksToBoundary() : Infinity;
    const interrupt = nonRoot || interruptsEnabled(s) ? this.board.deadlineThatWakes() : Infinity;
    const wake = Math.min(boundary, interrupt, this.input.nextDeadline);
    if (wake === Infinity) return false;
    const skipped = Math.min(end, wake, this.board.nextDeadline()) - s.icount;
    if (skipped > 0) {
      s.icount += skipped;
      s.idle += skipped;
    }
    return true;
  }

  requestStop(): void {
    this.stopRequested = true;
    this.cpu.requestStop();
  }

  /** A device changed its deadline: `runTo` computes the slice anew. */
  private interruptSlice(): void {
    if (this.running) this.cpu.requestStop();
  }

  private end(reason: MachineStop): void {
    this.ended = reason;
    this.interruptSlice();
  }

  private requestReset(): void {
    this.resetRequested = true;
    this.interruptSlice();
  }

  /** The reset line: processor and devices start again; RAM, disks and CMOS keep what they hold, and time goes on. */
  private reset(): void {
    this.resetRequested = false;
    const { icount, idle } = this.cpu.state;
    resetProcessor(this.cpu);
    this.cpu.state.icount = icount;
    this.cpu.state.idle = idle;
    this.board.reset();
    this.bios.reset();
    this.boot();
  }

  // Input and output.

  get recordedInput(): readonly InputEvent[] {
    return this.input.all;
  }

  typeSerial(bytes: Uint8Array): void {
    this.type('serial', bytes);
  }
  typeKeyboard(text: string): void {
    this.type('keyboard', new TextEncoder().encode(text));
  }

  /** While an instruction is executing, input arrives at the next boundary, also when the run is repeated. */
  private type(device: InputEvent['device'], bytes: Uint8Array): void {
    const icount = this.running ? this.icount + 1 : this.icount;
    for (const byte of bytes) this.input.add({ icount, device, byte });
    this.interruptSlice();
  }

  private arrive({ device, byte }: InputEvent): void {
    if (device === 'serial') this.board.typeConsole(byte);
    else this.board.keyboard.type(String.fromCharCode(byte));
  }

  private warn(sentence: string): void {
    if (this.warned.has(sentence)) return;
    this.warned.add(sentence);
    if (this.early) this.early.push(sentence);
    else this.onWarning(sentence);
  }

  screenText(): string[] {
    return screenText(this.memory, this.board.vga);
  }
  e820(): E820Entry[] {
    return this.memory.map.e820();
  }
  readMemory(hpa: number, length: number): Uint8Array | undefined {
    return this.memory.peek(hpa, length);
  }
  writeMemory(hpa: number, bytes: Uint8Array): boolean {
    return this.memory.writeBytes(hpa, bytes);
  }

  // Snapshots.

  snapshot(): Snapshot {
    return new MachineSnapshot(this);
  }
  restore(snapshot: Snapshot, input?: readonly InputEvent[]): void {
    this.resetRequested = false;
    this.stopRequested = false;
    (snapshot as MachineSnapshot).restore(this, input);
  }
  release(snapshot: Snapshot): void {
    (snapshot as MachineSnapshot).release(this);
  }
}

export type { Pc };

/** CPUID.1:EDX as the MP table's processor entries give it: FPU, TSC, MSR, CX8, APIC. */
const MP_FEATURES = 0x0000_0331;

/** Makes a machine, powered on and about to execute its first instruction. Throws a UserError for options that cannot be. */
export function createMachine(options: MachineOptions): Machine {
  return new Pc(options);
}

/** The drives of a machine, for writing back what the guest wrote (`persistDrives`): name and whole contents of those that changed. */
export function changedDrives(machine: Machine): { name: string; bytes: Uint8Array }[] {
  if (!(machine instanceof Pc)) throw new UserError('machine.foreign', 'This machine was not made by createMachine.');
  return machine.drives.filter((drive) => !drive.overlay.entries().next().done).map((drive) => ({ name: drive.name, bytes: drive.merged() }));
}
