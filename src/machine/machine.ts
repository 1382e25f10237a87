/** The whole PC: processor, memory, devices, firmware, and the loop that gives them their time. */
import { UserError } from '../base/errors';
import { hex } from '../base/bits';
import type { Cpu } from '../cpu/engine/cpu';
import { waitsMonitored } from '../cpu/engine/monitoredLines';
import { createEngine } from '../cpu/engine/engine';
import { resetProcessor } from '../cpu/engine/reset';
import { signalInit, signalStartUp } from '../cpu/engine/signals';
import { Offset } from '../cpu/state';
import { SIGNATURE } from '../cpu/system/cpuid';
import { CpuFeatures } from '../cpu/system/features';
import type { VmxInspection } from '../vmx/observe';
import { VmxUnit } from '../vmx/unit';
import { bootKernel } from './boot/boot';
import { Bus } from './bus';
import { Board, TIMER_INPUT } from './devices/board';
import { keyBytes } from './devices/keySequences';
import type { Drive } from './disk/drive';
import { Bios, romImage } from './firmware/bios';
import { biosKernel, boardMap, displayRom, flashChips, flashSize, foreignFiles, kernelItems, ramMap } from './firmware/foreign';
import type { MpOptions } from './firmware/mpTable';
import { RESULT_PORT, SERVICE_PORT } from './firmware/rom';
import { type ShownPicture, shownPicture } from './pictureColours';
import { screen, screenText, type Screen } from './screen';
import { TextScreen } from './firmware/textScreen';
import { type InputEvent, InputLog } from './inputLog';
import type { E820Entry, Machine, MachineOptions, MachineStop, Snapshot } from './machineInterface';
import { AddressMap, EXTENDED_RAM, VIDEO_MEMORY_SIZE } from './memory/addressMap';
import { PhysicalMemory } from './memory/physicalMemory';
import { checkOptions } from './options';
import { MachineSnapshot } from './snapshot';
import { Turns } from './turns';
import { Waiting } from './waiting';
import { Warnings } from './warnings';

/** Ticks after which a step of one processor gives up its turn when the others have used them up. */
const LONGEST_STEP = 200_000;

class Pc implements Machine {
  /** The processor whose turn it is; its clock is the machine's. */
  cpu: Cpu;
  readonly cpus: readonly Cpu[];
  readonly units: readonly VmxUnit[];
  readonly turns: Turns;
  readonly vmx: readonly VmxInspection[];
  readonly memory: PhysicalMemory;
  readonly bus: Bus;
  readonly board: Board;
  readonly bios: Bios;
  readonly drives: readonly Drive[];
  readonly input = new InputLog();
  private readonly waiting = new Waiting(this);

  ended: MachineStop | undefined = undefined;
  debugExit: number | undefined = undefined;
  onSerial: (byte: number) => void = () => {};

  private running = false;
  private stopRequested = false;
  private resetRequested = false;
  /** The reset that was requested is the end of S3. */
  private resumes = false;
  readonly told = new Warnings();

  constructor(readonly options: MachineOptions) {
    this.drives = checkOptions(options);
    const features = new CpuFeatures(options.without);
    const memory = options.memory - (options.memory % 0x1000);
    const firmware = options.boot.kind === 'firmware' ? options.boot : undefined;
    // Behind the ROM of firmware there is RAM, too.
    const firmwareBytes = firmware ? flashSize(firmware.images) + EXTENDED_RAM : 0;
    const engine = createEngine({ ramBytes: memory + VIDEO_MEMORY_SIZE + firmwareBytes, cpus: options.cpus, translator: options.translator });
    const dropTranslations = (): void => (this.cpus as readonly Cpu[] | undefined)?.forEach((cpu) => cpu.flushTlb());
    this.memory = new PhysicalMemory(engine.views, engine.frameTable, engine.frameBase, engine.frameLimit, new AddressMap(memory, firmware ? boardMap(memory, firmware) : options.e820), {
      pageChanged: (page) => (this.cpu as Cpu | undefined)?.memoryChanged(page),
      written: (address, length) => {
        if (this.running) for (const cpu of this.cpus) cpu.deviceWrote(address, length);
      },
      dropTranslations,
    });
    const warn = (sentence: string): void => this.told.add(sentence);
    this.bus = new Bus(this.memory, warn, () => (this.cpus as readonly Cpu[] | undefined)?.forEach((cpu) => cpu.forgetPortAnswers()));
    const now = (): number => this.cpu.state.icount;
    const host = { now, reschedule: () => this.interruptSlice(), warn };
    this.turns = new Turns(options.cpus);
    const mp: MpOptions = { cpus: options.cpus, signature: SIGNATURE, features: MP_FEATURES, ioApicInput: (irq) => (irq === 0 ? TIMER_INPUT : irq) };
    this.board = new Board(this.bus, memory, this.drives, {
      ...host,
      attention: (cpu) => this.signal(cpu),
      resetMachine: () => this.requestReset(),
      powerOff: () => this.end('power-off'),
      resume: () => {
        this.resumes = true;
        this.requestReset();
      },
      debugExit: (value) => {
        this.debugExit = value;
        this.end('debug-exit');
      },
      nonMaskable: (cpu) => {
        this.cpus[cpu]!.state.set32(Offset.NMI_PENDING, 1);
        this.signal(cpu);
      },
      initialise: (cpu) => {
        signalInit(this.cpus[cpu]!.state);
        this.signal(cpu);
      },
      startUp: (cpu, vector) => {
        signalStartUp(this.cpus[cpu]!.state, vector);
        this.signal(cpu);
      },
      hasFeature: (name) => features.has(name),
      tscOffset: (cpu) => this.cpus[cpu]!.state.get64(Offset.TSC_ADJUST),
      dropTranslations,
      letPass: (ticks) => this.letPass(ticks),
      cpus: options.cpus,
      current: () => this.cpu.index,
      firmware: firmware && { displayRom: displayRom(firmware), chips: flashChips(firmware), e820: ramMap(memory), items: [...kernelItems(firmware), ...biosKernel(firmware, memory).items], files: (placed) => [...foreignFiles(mp, memory, features.has('vmx'), placed), ...biosKernel(firmware, memory).files] },
    });
    this.cpus = this.board.localApics.map((apic, n) => engine.createProcessor(n, { bus: this.bus, interrupts: apic, deviceMsrs: apic, features, processors: options.cpus }));
    engine.monitored.onWrite = (processor) => this.lineWritten(processor);
    this.cpu = this.cpus[0]!;
    this.vmx = this.units = this.cpus.map((cpu) => new VmxUnit(cpu));
    this.cpus.forEach((cpu, n) => {
      cpu.intercepts = cpu.secondLevel = this.units[n]!;
      cpu.onUnimplemented = (mnemonic, rip) => warn(`The guest executed ${mnemonic} at ${hex(rip)}, which Hyperstep's processor does not have; it got #UD.`);
      cpu.onPause = () => this.paused();
      cpu.coprocessor = this.board.coprocessor;
    });
    this.board.onConsole = (byte) => this.onSerial(byte);

    this.cpus.forEach((cpu) => this.resetProcessor(cpu));
    if (!firmware) this.memory.loadRom(romImage(mp, memory));
    const screen = new TextScreen(this.memory, this.board.vga, this.board.display);
    this.bios = new Bios(() => this.cpu, { memory: this.memory, board: this.board, drives: this.board.cabling.disks, floppies: this.board.cabling.floppies, cds: this.board.cabling.cds, bootsCd: !firmware && (options.boot.kind === 'cdrom' || this.board.cabling.disks.length + this.board.cabling.floppies.length === 0), bootsHardDisk: options.boot.kind === 'disk' && options.boot.hardDisk === true && this.board.cabling.disks.length > 0, foreign: firmware !== undefined, screen, host: { ...host, attention: () => this.cpu.requestAttention() }, restartKernel: () => this.restartKernel() }, mp);
    this.bus.claimPorts(SERVICE_PORT, 1, this.bios);
    this.bus.claimPorts(RESULT_PORT, 1, this.bios);
    for (const drive of this.drives) if (drive.padded) warn(`${drive.name} is not a multiple of 512 bytes long; its last sector is read as if zeros followed.`);
    for (const drive of this.drives) if (drive.floppy && !drive.image.attachment) warn(`${drive.name} has the size of a floppy disk and is drive A: (number 0); an image that is a sector longer is a hard disk.`);
    this.boot();
  }

  /** The built-in BIOS has permitted VMX by the time that others run; firmware of others does that itself. */
  private resetProcessor(cpu: Cpu): void {
    resetProcessor(cpu);
    if (this.options.boot.kind === 'firmware') cpu.state.set64(Offset.FEATURE_CONTROL, 0n);
  }

  private get bootsKernel(): boolean {
    const { kind } = this.options.boot;
    return kind !== 'disk' && kind !== 'cdrom' && kind !== 'firmware';
  }

  /** The reset vector was reached by INIT: a kernel that is loaded directly starts anew. False when there is none. */
  private restartKernel(): boolean {
    if (this.bootsKernel) this.requestReset();
    return this.bootsKernel;
  }

  /** A kernel that is loaded directly starts where its specification says; a disk or CD starts at the reset vector, and so does who asked to come back through 40:67. */
  private boot(): void {
    const { boot } = this.options;
    if (!this.bootsKernel || this.bios.returns) return;
    this.bios.initialise();
    bootKernel(boot, this.cpu, this.memory, this.board.display);
  }

  get icount(): number {
    return this.cpu.state.icount;
  }
  get instructions(): number {
    return this.cpu.state.icount - this.cpu.state.idle;
  }

  get current(): number {
    return this.cpu.index;
  }

  run(budget: number): MachineStop {
    return this.execute(() => this.runTo(this.icount + budget));
  }

  step(cpu: number): MachineStop | 'elsewhere' {
    return this.execute(() => this.runTo(this.icount + LONGEST_STEP, cpu));
  }

  private execute<T>(action: () => T): T {
    this.told.listen();
    this.stopRequested = false;
    this.turns.lookAgain();
    this.running = true;
    try {
      return action();
    } catch (thrown) {
      // An instruction was cut off in its middle: the machine's state is not to be relied on any more.
      this.ended = 'shutdown';
      throw thrown;
    } finally {
      this.running = false;
      this.cpus.forEach((_, n) => this.carryClock(n)); // who looks at a processor sees the present time
    }
  }

  /** With `only`, to the end of the next instruction of that processor. */
  private runTo(end: number): MachineStop;
  private runTo(end: number, only: number): MachineStop | 'elsewhere';
  private runTo(end: number, only?: number): MachineStop | 'elsewhere' {
    for (;;) {
      if (this.resetRequested) this.reset();
      if (this.ended) return this.ended;
      const now = this.icount;
      this.input.deliver(now, (event) => this.arrive(event));
      this.board.advance(now);
      if (this.resetRequested) continue; // something has woken the machine
      if (this.stopRequested) return 'request';
      if (now >= end) return only === undefined ? 'budget' : 'elsewhere';
      if (this.board.acpi.asleep) {
        if (!this.waiting.sleep(end)) return 'halt';
        continue;
      }
      if (now < this.bios.state.busyUntil && !this.turns.contended) {
        this.waiting.skip(end, this.bios.state.busyUntil);
        continue;
      }
      const boundary = this.waiting.wakeAtBoundaries(now);
      const turn = this.turns.next(now);
      if (turn < 0) {
        if (!this.waiting.idle(end, boundary)) return 'halt';
        continue;
      }
      this.switchTo(turn);
      const limit = Math.min(turn === only ? now + 1 : end, this.board.nextDeadline(), this.input.nextDeadline, this.turns.state.end, boundary);
      const reason = this.cpu.run(limit - now);
      if (reason === 'breakpoint' || reason === 'watch') return reason;
      if (reason === 'shutdown' && !this.resetRequested) this.end('shutdown');
      if (reason === 'halt') this.turns.sleep();
      if (turn === only && this.icount > now) return 'budget';
    }
  }

  // Several processors.

  private switchTo(index: number): void {
    if (index !== this.cpu.index) {
      this.carryClock(index);
      this.cpu = this.cpus[index]!;
    }
    this.cpu.yieldAtPause(this.turns.contended);
  }

  /** Sets the clock of a processor that waited for its turn. */
  private carryClock(index: number): void {
    const from = this.cpu.state;
    const to = this.cpus[index]!.state;
    if (to.icount === from.icount) return;
    this.units[index]!.clockCarried(to.icount, from.icount);
    to.icount = from.icount;
    to.idle = from.idle;
  }

  /** Something arrived for a processor: it looks at it after the present instruction, or in a turn of its own. */
  private signal(index: number): void {
    if (this.turns.signal(index, this.icount)) this.interruptSlice();
    this.cpus[index]!.requestAttention();
  }

  /** A line of memory was written that a processor monitors: it need not wait for that any more. */
  private lineWritten(index: number): void {
    const cpu = this.cpus[index]!;
    const waits = waitsMonitored(cpu.state);
    cpu.endMonitoring();
    if (waits) this.signal(index);
  }

  /** The current processor executed PAUSE: what it waits for, another one has to do. */
  private paused(): void {
    if (!this.turns.contended) return;
    this.turns.yield();
    this.interruptSlice();
  }

  /** Something has come up that waiting must not pass over. */
  get interrupted(): boolean {
    return this.resetRequested || this.ended !== undefined || this.stopRequested;
  }

  requestStop(): void {
    this.stopRequested = true;
    this.cpu.requestStop();
  }

  /** A device changed its deadline: `runTo` computes the slice anew. */
  private interruptSlice(): void {
    if (this.running) this.cpu.requestStop();
  }

  /** Time passes for who waits by looking at a clock. */
  private letPass(ticks: number): void {
    if (ticks === 0) return;
    this.bios.state.busyUntil = this.icount + ticks;
    this.interruptSlice();
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
    for (const cpu of this.cpus) {
      this.resetProcessor(cpu);
      cpu.state.icount = icount;
      cpu.state.idle = idle;
    }
    this.turns.reset();
    this.cpu = this.cpus[0]!;
    this.board.reset();
    for (const cpu of this.cpus) cpu.forgetPortAnswers();
    this.bios.reset();
    const resumes = this.resumes;
    this.resumes = false;
    if (!resumes) this.boot();
    else if (!this.bios.resume()) {
      this.told.add('The guest has slept (ACPI S3) without a waking vector in the FACS: it starts anew.');
      this.board.acpi.forget();
      this.boot();
    }
  }

  // Input and output.

  get recordedInput(): readonly InputEvent[] {
    return this.input.all;
  }

  typeSerial(bytes: Uint8Array): void {
    this.type('serial', bytes);
  }
  typeKeyboard(text: string): void {
    this.type('keyboard', keyBytes(text, (character) => this.told.add(`The keyboard has no key for the character ${JSON.stringify(character)}.`)));
  }

  /** While an instruction is executing, input arrives at the next boundary, also when the run is repeated. */
  private type(device: InputEvent['device'], bytes: Uint8Array): void {
    const icount = this.running ? this.icount + 1 : this.icount;
    for (const byte of bytes) this.input.add({ icount, device, byte });
    this.interruptSlice();
  }

  private arrive({ device, byte }: InputEvent): void {
    if (device === 'serial') this.board.typeConsole(byte);
    else {
      this.board.keyboard.type(String.fromCharCode(byte));
      this.board.acpi.wake();
    }
  }

  /** Told each sentence once, from the first run on. */
  get onWarning(): (sentence: string) => void {
    return this.told.tell;
  }
  set onWarning(tell: (sentence: string) => void) {
    this.told.tell = tell;
  }

  screen(): Screen {
    const { vga, display } = this.board;
    const { mode } = display;
    return { ...screen(this.memory, vga), ...(mode && { picture: mode }) };
  }
  picture(): ShownPicture | undefined {
    return shownPicture(this.memory, this.board.display, this.board.vga);
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
    this.resetRequested = this.resumes = false;
    this.stopRequested = false;
    (snapshot as MachineSnapshot).restore(this, input);
  }
  get keptPages(): number {
    return this.memory.keptPages;
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

/** The drives of a machine, for writing back what the guest wrote (`persistDrives`): name and whole contents, before and after, of those that changed. */
export function changedDrives(machine: Machine): { name: string; original: Uint8Array; bytes: Uint8Array }[] {
  if (!(machine instanceof Pc)) throw new UserError('machine.foreign', 'This machine was not made by createMachine.');
  return machine.drives.filter((drive) => !drive.overlay.entries().next().done).map((drive) => ({ name: drive.name, original: drive.image.bytes, bytes: drive.merged() }));
}
