/** The mainboard: every device of the PC, its ports and registers, and the wires between them. */
import { pageOf } from '../../base/address';
import type { Bus } from '../bus';
import type { Device, DeviceHost } from '../device';
import { type Cabling, cable } from '../disk/cabling';
import type { Drive } from '../disk/drive';
import type { PlacedByFirmware } from '../firmware/foreign';
import type { E820Entry } from '../machineInterface';
import { HPET, IO_APIC, ioApicId } from '../memory/addressMap';
import { ACPI_PORTS, AcpiPower, SCI_LINE } from './acpiPower';
import { A20Gate } from './a20Gate';
import { ApicPages } from './apicPages';
import { BusMasterIde } from './busMasterIde';
import { COPROCESSOR_CLEAR, CoprocessorError } from './coprocessorError';
import { Cmos } from './cmos';
import { Display, DISPLAY_PORTS } from './display';
import { DEBUG_CONSOLE_PORTS, DebugConsole } from './debugConsole';
import { DMA_REGISTERS, DmaControllers, FIRST_DMA, PAGE_REGISTER_COUNT, PAGE_REGISTERS, SECOND_DMA } from './dmaControllers';
import { Hpet } from './hpet';
import { EmptyCable, IdeChannel } from './ideChannel';
import { InterruptBus, isMessage } from './interruptBus';
import { IoApic } from './ioApic';
import { KeyboardController } from './keyboardController';
import { LocalApic } from './localApic';
import { ParallelPort } from './parallelPort';
import { DMA_ADDRESS, FirmwareConfig, type FirmwareFacts, type FirmwareFile, SELECTOR } from './firmwareConfig';
import { Flash, type FlashChip } from './flash';
import { FLOPPY_PORTS, FloppyController } from './floppyController';
import { hostBridge, isaBridge } from './pci/chipset';
import { MemoryAttributes } from './pci/memoryAttributes';
import type { SendMessage } from './pci/messageInterrupts';
import { openConfigurationWindow } from './pci/configurationWindow';
import { CONFIGURATION_ADDRESS, PciHost } from './pci/pciHost';
import { PciSlot, PIRQ_INPUTS, PIRQ_LINES } from './pci/pciTable';
import { PirqRouter } from './pci/pirqRouter';
import { powerManagement } from './pci/powerManagement';
import { BlockKind } from './virtio/block';
import { ConsoleKind, RECEIVE_QUEUE } from './virtio/console';
import { EntropyKind } from './virtio/entropy';
import { VirtioPci } from './virtio/virtioPci';
import { Pic } from './pic';
import { Pit } from './pit';
import { Port92 } from './port92';
import { DEBUG_EXIT, POWER_OFF_PORTS, PowerControl, type PowerSwitch, RESET_CONTROL } from './powerControl';
import { TEST_MEMORY, TestDevice } from './testDevice';
import { Uart } from './uart';
import { Vga } from './vga';
import { VideoWindow } from './videoWindow';

/** ISA interrupt lines. */
export const Irq = { TIMER: 0, KEYBOARD: 1, COM2: 3, COM1: 4, FLOPPY: 6, CLOCK: 8, MOUSE: 12, COPROCESSOR: 13, IDE0: 14, IDE1: 15 } as const;
const SERIAL_PORTS = [
  { name: 'COM1', port: 0x3f8, irq: Irq.COM1 },
  { name: 'COM2', port: 0x2f8, irq: Irq.COM2 },
  { name: 'COM3', port: 0x3e8, irq: Irq.COM1 },
  { name: 'COM4', port: 0x2e8, irq: Irq.COM2 },
] as const;
const ISA_LINES = 16;
/** I/O APIC input of IRQ 0; all other lines have their own number (said so by the MP table). */
export const TIMER_INPUT = 2;
const ioApicInput = (irq: number): number => (irq === Irq.TIMER ? TIMER_INPUT : irq);

/** What the board needs from the processor and the machine. */
export interface BoardWiring extends Omit<DeviceHost, 'attention'>, PowerSwitch {
  /** Processor `cpu` looks at its interrupts after the present instruction; it wakes up if need be. */
  attention(cpu: number): void;
  /** Signals for processor `cpu`. */
  nonMaskable(cpu: number): void;
  initialise?(cpu: number): void;
  startUp?(cpu: number, vector: number): void;
  hasFeature(name: string): boolean;
  /** IA32_TSC_ADJUST of processor `cpu`. */
  tscOffset(cpu: number): bigint;
  dropTranslations(): void;
  /** So many ticks pass after the present instruction, with nothing executed. */
  letPass(ticks: number): void;
  /** Processors; one unless said. */
  readonly cpus?: number;
  /** Number of the processor that is executing; 0 unless said. */
  current?(): number;
  /** Firmware of others, in place of this machine's BIOS. */
  readonly firmware?: BoardFirmware | undefined;
}

/** What firmware of others finds that this machine's BIOS needs not. */
export interface BoardFirmware {
  /** The display adapter's own BIOS, when there is one. */
  displayRom?: Uint8Array | undefined;
  chips: readonly FlashChip[];
  e820: readonly E820Entry[];
  items: FirmwareFacts['items'];
  files(placed: () => PlacedByFirmware): readonly FirmwareFile[];
}

export class Board {
  readonly pic: Pic;
  readonly pit: Pit;
  readonly hpet: Hpet;
  /** One for each processor. */
  readonly localApics: readonly LocalApic[];
  readonly ioApic: IoApic;
  readonly cmos: Cmos;
  readonly a20: A20Gate;
  readonly keyboard: KeyboardController;
  readonly vga: Vga;
  readonly display: Display;
  /** Undefined where there are no floppy disks. */
  readonly floppy: FloppyController | undefined;
  /** Switches the machine off. */
  readonly powerOff: () => void;
  readonly com1: Uart;
  readonly coprocessor: CoprocessorError;
  readonly cabling: Cabling;
  readonly ide: readonly IdeChannel[];
  readonly debugConsole: DebugConsole;
  readonly acpi: AcpiPower;
  readonly pci: PciHost;
  private readonly consoleKind = new ConsoleKind();
  private readonly virtioConsole: VirtioPci;
  /** Every device: what a snapshot saves and the clock drives, in a fixed order. */
  readonly devices: readonly Device[];

  private readonly apicPages: ApicPages;
  private readonly flash: Flash | undefined;
  /** First port of ACPI's registers; undefined while firmware has not placed them. */
  private powerPorts: number | undefined = undefined;
  private readonly interruptBus: InterruptBus;

  constructor(private readonly bus: Bus, memory: number, drives: readonly Drive[], machine: BoardWiring) {
    const cpus = machine.cpus ?? 1;
    // The 8259s do not know who listens: every processor that they can reach looks.
    const attention = (): void => this.localApics.forEach((apic, n) => apic.external && machine.attention(n));
    const wiring: DeviceHost & PowerSwitch = { ...machine, attention };
    const line =
      (irq: number) =>
      (level: boolean): void => {
        this.pic.setLine(irq, level);
        this.ioApic.setLine(ioApicInput(irq), level);
      };
    this.powerOff = () => wiring.powerOff();
    this.cabling = cable(drives);
    const { ide } = this.cabling;
    this.pic = new Pic(wiring);
    this.localApics = Array.from({ length: cpus }, (_, n) => this.createLocalApic(n, machine));
    this.apicPages = new ApicPages(bus, this.localApics, () => machine.current?.() ?? 0);
    this.interruptBus = new InterruptBus(this.localApics);
    this.ioApic = new IoApic(wiring, ioApicId(cpus), (message) => this.interruptBus.send(message));
    this.hpet = new Hpet(wiring, (input, level) => this.ioApic.setLine(input, level), (irq, level) => line(irq)(level), machine.letPass);
    /** A line that a high precision timer may have taken over. */
    const replaceable =
      (irq: number) =>
      (level: boolean): void => {
        if (!this.hpet.replacesLegacy) line(irq)(level);
      };
    this.pit = new Pit(wiring, replaceable(Irq.TIMER));
    this.cmos = new Cmos(wiring, memory, this.cabling.ide.filter((drive, n) => n < 2 && drive?.attachment === 'ide').length, this.cabling.floppies.map((drive) => drive.floppy!.type), replaceable(Irq.CLOCK), () => this.acpi.alarm());
    this.a20 = new A20Gate((enabled) => bus.memory.setA20(enabled));
    this.keyboard = new KeyboardController(wiring, this.a20, line(Irq.KEYBOARD), line(Irq.MOUSE), () => wiring.resetMachine());
    this.vga = new Vga(wiring);
    const { firmware } = machine;
    this.display = new Display(wiring, bus.memory, this.vga, firmware && machine.dropTranslations, firmware?.displayRom);
    const window = new VideoWindow(bus, this.vga, this.display, machine.dropTranslations, (sentence) => machine.warn(sentence), firmware !== undefined);
    this.vga.changed = this.display.changed = () => window.update();
    // COM1 and COM3 share an interrupt line, COM2 and COM4 another.
    const uarts: Uart[] = SERIAL_PORTS.map(({ name, irq }) => new Uart(name, wiring, () => line(irq)(uarts.some((u, n) => SERIAL_PORTS[n]!.irq === irq && u.raised))));
    this.com1 = uarts[0]!;
    // Firmware copies its console to all that there are.
    for (const uart of firmware ? [] : uarts.slice(1)) uart.transmit = () => wiring.warn(`The guest writes to ${uart.name}, which is connected to nothing: the console is COM1.`);
    // Firmware that sees BSY waits for half a minute; software of hobby systems takes all ones for no drive.
    const emptyCable = firmware ? EmptyCable.PULLED_DOWN : EmptyCable.FLOATS;
    this.ide = [new IdeChannel('primary IDE channel', 0x1f0, [ide[0], ide[1]], 0, wiring, line(Irq.IDE0), emptyCable), new IdeChannel('secondary IDE channel', 0x170, [ide[2], ide[3]], 2, wiring, line(Irq.IDE1), emptyCable)];
    this.coprocessor = new CoprocessorError(line(Irq.COPROCESSOR));
    this.debugConsole = new DebugConsole();
    const dma = new DmaControllers(wiring, bus.memory);
    const { floppies } = this.cabling;
    const floppy = (this.floppy = floppies.length > 0 ? new FloppyController(floppies, dma, wiring, line(Irq.FLOPPY)) : undefined);
    const port92 = new Port92(this.a20, () => wiring.resetMachine());
    const lpt1 = new ParallelPort();
    const busMaster = new BusMasterIde(bus.memory);
    busMaster.started = (n) => this.ide[n]!.runDma();
    this.ide.forEach((channel, n) => (channel.dma = busMaster.port(n)));
    const router = new PirqRouter((irq, level) => line(irq)(level), (pirq, level) => this.ioApic.setLine(PIRQ_INPUTS[pirq]!, level));
    const send: SendMessage = (address, data) => {
      if (isMessage(address)) this.interruptBus.write(address, data);
      else bus.memory.store(address, 4, data); // a write like any other
    };
    this.virtioConsole = new VirtioPci(this.consoleKind, PciSlot.CONSOLE, bus.memory, wiring, send);
    const virtio = [this.virtioConsole, new VirtioPci(new EntropyKind(), PciSlot.ENTROPY, bus.memory, wiring, send), ...this.cabling.virtio.map((drive, n) => new VirtioPci(new BlockKind(drive, n, (sentence) => wiring.warn(sentence)), PciSlot.FIRST_BLOCK + n, bus.memory, wiring, send))];
    this.acpi = new AcpiPower(wiring, firmware ? { ...wiring, resume: undefined } : wiring, line(SCI_LINE), () => this.powerPorts ?? ACPI_PORTS.EVENT, firmware && machine.letPass);
    const attributes = firmware && new MemoryAttributes(bus.memory, firmware.chips[0]!.bytes.length, machine.dropTranslations);
    this.flash = firmware && new Flash(firmware.chips, bus.memory, wiring, machine.dropTranslations);
    const { flash } = this;
    if (flash) bus.chips = { readChip: (address, size) => flash.read(address, size), writeChip: (address, size, value) => flash.write(address, size, value) || attributes!.write(address, size, value) };
    this.pci = new PciHost(bus, [hostBridge(attributes), isaBridge((routes) => router.route(routes)), busMaster.pci, ...(firmware ? [powerManagement((base) => this.placePower(base))] : []), this.display.pci, ...virtio.map(({ pci }) => pci)], (pirq, level) => router.set(pirq, level));
    for (const device of virtio) device.setInterrupt = (level) => this.pci.setInterrupt(device.pci, level);
    openConfigurationWindow(bus, this.pci);
    const power = new PowerControl(wiring);
    const placed = (): PlacedByFirmware => ({ powerPorts: this.powerPorts ?? ACPI_PORTS.EVENT, lines: router.state.routes.map((route, n) => route ?? PIRQ_LINES[n]!) });
    const firmwareConfig = new FirmwareConfig({ memory, cpus, e820: () => firmware?.e820 ?? bus.memory.map.e820(), items: firmware?.items, files: firmware?.files(placed) }, bus.memory);
    const testDevice = new TestDevice((input, level) => (input < ISA_LINES ? line(input)(level) : this.ioApic.setLine(input, level)));
    this.devices = [this.pic, this.pit, this.hpet, ...this.localApics, this.ioApic, this.cmos, this.a20, this.keyboard, this.vga, this.display, ...uarts, ...this.ide, busMaster, lpt1, router, this.pci, ...virtio, port92, power, this.acpi, this.debugConsole, testDevice, this.coprocessor, firmwareConfig, dma, ...(flash ? [flash] : []), ...(floppy ? [floppy] : [])];

    bus.claimPage(pageOf(IO_APIC), this.ioApic);
    bus.claimPage(pageOf(HPET), this.hpet);
    this.apicPages.update();
    bus.claimPorts(0x20, 2, this.pic);
    bus.claimPorts(0xa0, 2, this.pic);
    bus.claimPorts(0x4d0, 2, this.pic);
    bus.claimPorts(0x40, 4, this.pit);
    bus.claimPorts(0x61, 1, this.pit);
    bus.claimPorts(0x60, 1, this.keyboard);
    bus.claimPorts(0x64, 1, this.keyboard);
    bus.claimPorts(0x70, 2, this.cmos);
    bus.claimPorts(FIRST_DMA, DMA_REGISTERS, dma);
    bus.claimPorts(SECOND_DMA, 2 * DMA_REGISTERS, dma);
    bus.claimPorts(PAGE_REGISTERS, PAGE_REGISTER_COUNT, dma);
    if (floppy) {
      bus.claimPorts(FLOPPY_PORTS.first, FLOPPY_PORTS.count, floppy);
      bus.claimPorts(FLOPPY_PORTS.last, 1, floppy);
    }
    bus.claimPorts(0x92, 1, port92);
    bus.claimPorts(0x3c0, 0x10, this.vga);
    bus.claimPorts(0x3d4, 2, this.vga);
    bus.claimPorts(0x3da, 1, this.vga);
    bus.claimPorts(DISPLAY_PORTS.first, DISPLAY_PORTS.count, this.display, true);
    SERIAL_PORTS.forEach(({ port }, n) => bus.claimPorts(port, 8, uarts[n]!));
    bus.claimPorts(0x378, 3, lpt1);
    this.ide.forEach((channel, n) => {
      const base = n === 0 ? 0x1f0 : 0x170;
      bus.claimPorts(base, 1, channel, true); // the data register
      bus.claimPorts(base + 1, 7, channel);
      bus.claimPorts(base + 0x206, 1, channel);
    });
    bus.claimPorts(CONFIGURATION_ADDRESS, 8, this.pci, true);
    bus.claimPorts(RESET_CONTROL, 1, power);
    bus.claimPorts(DEBUG_EXIT, 1, power, true);
    if (!firmware) for (const port of POWER_OFF_PORTS) bus.claimPorts(port, 1, power, true);
    if (!firmware) bus.claimPorts(ACPI_PORTS.EVENT, ACPI_PORTS.COUNT, this.acpi, true);
    bus.claimPorts(SELECTOR, 2, firmwareConfig, true);
    bus.claimPorts(DMA_ADDRESS, 8, firmwareConfig, true);
    bus.claimPorts(COPROCESSOR_CLEAR, 1, this.coprocessor);
    for (const port of DEBUG_CONSOLE_PORTS) bus.claimPorts(port, 1, this.debugConsole);
    for (const [first, count] of TestDevice.PORTS) bus.claimPorts(first, count, testDevice, true);
    testDevice.pages.forEach((page, n) => bus.claimPage(pageOf(TEST_MEMORY) + n, page));
  }

  /** Firmware has put ACPI's registers somewhere, or switched them off. */
  private placePower(base: number | undefined): void {
    if (base === this.powerPorts) return;
    if (this.powerPorts !== undefined) this.bus.mapPorts(this.powerPorts, ACPI_PORTS.COUNT, undefined);
    this.powerPorts = base;
    if (base !== undefined) this.bus.mapPorts(base, ACPI_PORTS.COUNT, this.acpi);
  }

  private createLocalApic(n: number, machine: BoardWiring): LocalApic {
    return new LocalApic(n, { ...machine, attention: () => machine.attention(n) }, {
      picOutput: () => this.pic.output,
      picAcknowledge: () => this.pic.acknowledge(),
      endOfInterrupt: (vector) => this.ioApic.endOfInterrupt(vector),
      nonMaskable: () => machine.nonMaskable(n),
      initialise: () => machine.initialise?.(n),
      startUp: (vector) => machine.startUp?.(n, vector),
      send: (message, shorthand) => this.interruptBus.sendFrom(this.localApics[n]!, message, shorthand),
      moved: () => {
        if (this.apicPages.update()) machine.dropTranslations();
      },
      hasFeature: (name) => machine.hasFeature(name),
      tscOffset: () => machine.tscOffset(n),
    });
  }

  /** The first processor's local APIC: the one of a machine with a single processor. */
  get localApic(): LocalApic {
    return this.localApics[0]!;
  }

  /** The console: serial port COM1 and the virtio console are one terminal for the user. */
  set onConsole(show: (byte: number) => void) {
    this.com1.transmit = (byte) => {
      this.consoleKind.state.active = false;
      show(byte);
    };
    this.consoleKind.transmit = show;
  }

  /** A byte typed at the console goes to the device that the guest wrote to last. */
  typeConsole(byte: number): void {
    if (!this.consoleKind.state.active) return this.com1.receive(byte);
    this.consoleKind.state.typed.push(byte);
    this.virtioConsole.serve(RECEIVE_QUEUE);
  }

  /** Whether waiting for the clock can ever wake processors that wait for an interrupt, given what software masked. */
  deadlineThatWakes(): number {
    const external = this.localApics.some((apic) => apic.external);
    const reaches = (irq: number): boolean => (external && !this.pic.masked(irq)) || !this.ioApic.masked(ioApicInput(irq));
    const timers = this.localApics.map((apic) => (apic.timerWakes ? apic.nextDeadline() : Infinity));
    return Math.min(...timers, this.hpet.nextDeadline(), reaches(Irq.TIMER) ? this.pit.nextDeadline() : Infinity, reaches(Irq.CLOCK) ? this.cmos.nextDeadline() : Infinity);
  }

  /** When a machine that sleeps can wake up at the earliest. */
  get wakesAt(): number {
    return this.acpi.alarmWakes ? this.cmos.nextAlarm : Infinity;
  }

  nextDeadline(): number {
    let deadline = Infinity;
    for (const device of this.devices) deadline = Math.min(deadline, device.nextDeadline());
    return deadline;
  }

  advance(now: number): void {
    for (const device of this.devices) if (device.nextDeadline() <= now) device.advance(now);
  }

  /** The reset line. CMOS has a battery: it keeps what it holds. */
  reset(): void {
    for (const device of this.devices) if (device !== this.cmos) device.reset();
  }

  /** The devices' states were replaced: what is derived from them outside is brought in line. */
  restored(): void {
    this.apicPages.update();
    this.flash?.restored();
    this.vga.changed();
    this.pci.restored();
    this.bus.memory.setA20(this.a20.enabled);
  }
}
