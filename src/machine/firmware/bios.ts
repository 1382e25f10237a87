/**
 * The BIOS: what happens at power-on, and which service answers which interrupt. The ROM's stubs call it through a
 * port; the address of the calling instruction says what is wanted.
 */
import { hex } from '../../base/bits';
import type { Processor } from '../../cpu/processor';
import { Gpr, Offset, Seg } from '../../cpu/state';
import { type Device, NEVER, type PortDevice } from '../device';
import { BASE_MEMORY_KIB, BIOS, BIOS_SIZE } from '../memory/addressMap';
import { Bda, fillBiosData } from './biosData';
import { CallFrame } from './callFrame';
import { type BootEntry, bootImage, findBootEntry } from './elTorito';
import type { EmulatedDisk } from './emulatedDisk';
import { setUpFloppies } from './floppySetup';
import { int10 } from './int10';
import { CD_NUMBER, FIRST_HARD_DISK, floppyDisks, hardDisks, int13 } from './int13';
import { int14, int17 } from './int14';
import { int15 } from './int15';
import { int09, int16 } from './int16';
import { int08, int1a } from './int1a';
import type { MpOptions } from './mpTable';
import { setUpPci } from './pciSetup';
import { pciBios, serviceDirectory } from './pciBios';
import { powerService } from './powerServices';
import { APM_ENTRY_16, APM_ENTRY_32, BIOS32_ENTRY, BIOS_SEGMENT, BOOT_ADDRESS, BOOT_DRIVE, buildRom, DISKETTE_PARAMETERS, DISKETTE_TABLE, farReturn, FONTS, PCI_ENTRY, POWER_ON_SERVICE, SERVICE_PORT, type StubKind, stubOffset } from './rom';
import type { FirmwareParts, Service } from './services';
import { POLL_TICKS } from './services';
import { wakeUp } from './wakeUp';

const BOOT_SECTOR_AT = 0x7c00;
/** CMOS register of the shutdown status, and its values that ask for a return through 40:67. */
const SHUTDOWN_STATUS = 0x0f;
const RETURN_WITH_EOI = 0x05;
const RETURN = 0x0a;
/** Vectors of the two 8259s' lines, and the lines that are open when a boot sector starts: timer, keyboard, cascade, clock, disks. */
const FIRST_IRQ = 0x08;
const SECOND_IRQ = 0x70;
const COPROCESSOR_VECTOR = 0x75;
const MASKS = [0b1111_1000, 0b0011_1110] as const;
const EOI = 0x20;
/** Floppy disks' line; the bit of the data area that tells of its interrupt, for those who wait there. */
const FLOPPY_IRQ = 6;
const FLOPPY_INTERRUPTED = 0x80;
/** The CMOS clock's line, and its register that tells why it interrupts. */
const CLOCK_IRQ = 8;
const CLOCK_CAUSE = 0x0c;
/** CR0.PE. */
const PROTECTED = 1n;
/** CR0 bits that are set at reset: caches off. */
const CACHES_OFF = 0x6000_0000n;

const powerOnState = () => ({ result: 0, control: 0, status: 0, /** A disk in the CD is one of the BIOS's. */ emulating: false, /** Tick at which a service that takes time is over. */ busyUntil: 0 });

interface Entry {
  kind: StubKind;
  service: Service;
}

const SERVICES = new Map<number, Entry>([
  [0x08, { kind: 'timer', service: int08 }],
  [0x09, { kind: 'service', service: int09 }],
  [0x10, { kind: 'service', service: int10 }],
  [0x11, { kind: 'service', service: (call, { memory }) => void (call.ax = memory.load(Bda.EQUIPMENT, 2)) }],
  [0x12, { kind: 'service', service: (call) => void (call.ax = BASE_MEMORY_KIB) }],
  [0x13, { kind: 'service', service: int13 }],
  [0x14, { kind: 'service', service: int14 }],
  [0x15, { kind: 'service', service: int15 }],
  [0x16, { kind: 'waiting', service: int16 }],
  [0x17, { kind: 'service', service: int17 }],
  [0x18, { kind: 'checked', service: noBoot }],
  [0x1a, { kind: 'service', service: int1a }],
]);
// Processor exceptions that nobody handles would repeat for ever: they stop, and say so.
for (const vector of [0x00, 0x06, 0x07]) SERVICES.set(vector, { kind: 'checked', service: (call, parts) => exception(vector, call, parts) });
for (let irq = 2; irq < 16; irq++) {
  const vector = irq < 8 ? FIRST_IRQ + irq : SECOND_IRQ + irq - 8;
  SERVICES.set(vector, { kind: 'checked', service: (call, parts) => interruptRequest(irq, vector, call, parts) });
}
SERVICES.set(COPROCESSOR_VECTOR, { kind: 'coprocessor', service: () => {} });

/** What protected mode calls far. */
const FAR_SERVICES: readonly (readonly [entry: number, Service])[] = [[BIOS32_ENTRY, serviceDirectory], [PCI_ENTRY, pciBios], [APM_ENTRY_32, powerService], [APM_ENTRY_16, powerService]];

/** What the ROM of this machine holds; `memory` is its RAM in bytes. */
export const romImage = (mp: MpOptions, memory: number): Uint8Array => buildRom((vector) => SERVICES.get(vector)?.kind ?? 'nothing', mp, memory);

export class Bios implements Device, PortDevice {
  readonly name = 'BIOS';
  /** What RESULT_PORT reads as for this ROM; what software wrote to the two ports, which are the chip set's registers for power management. */
  state = powerOnState();
  private readonly byAddress = new Map<number, Service>([[POWER_ON_SERVICE, () => this.powerOn()]]);

  private readonly parts: FirmwareParts;
  /** Firmware of others is where this ROM would be: the ports are the chip set's registers alone. */
  private readonly foreign: boolean;
  /** What the CD's catalogue says is booted, when the CD is. */
  private readonly cdEntry: BootEntry | undefined;

  constructor(
    private readonly cpu: () => Processor,
    parts: Omit<FirmwareParts, 'emulated' | 'endEmulation' | 'polled'> & { foreign?: boolean },
    private readonly mp: MpOptions,
  ) {
    this.foreign = parts.foreign ?? false;
    const entry = parts.bootsCd && parts.cds[0] ? findBootEntry(parts.cds[0]) : undefined;
    this.cdEntry = typeof entry === 'object' ? entry : undefined;
    const emulated = (): EmulatedDisk | undefined => this.emulated;
    this.parts = {
      ...parts,
      get emulated() {
        return emulated();
      },
      endEmulation: () => (this.state.emulating = false),
      polled: () => {
        this.state.busyUntil = parts.host.now() + POLL_TICKS;
        parts.host.reschedule();
      },
    };
    for (const [vector, { service }] of SERVICES) this.byAddress.set(stubOffset(vector), service);
  }

  reset(): void {
    this.state = powerOnState();
  }
  nextDeadline(): number {
    return NEVER;
  }
  advance(): void {}

  private get emulated(): EmulatedDisk | undefined {
    return this.state.emulating ? this.cdEntry?.disk : undefined;
  }

  readPort(port: number): number {
    if (port === SERVICE_PORT) return this.state.control;
    return this.calledFrom() === undefined ? this.state.status : this.state.result;
  }

  /** Offset in the ROM of the instruction that is executing; undefined elsewhere. */
  private calledFrom(): number | undefined {
    if (this.foreign) return undefined;
    const cpu = this.cpu();
    const from = Number(cpu.state.segBase(Seg.CS) + cpu.instructionRip);
    return from >= BIOS && from < BIOS + BIOS_SIZE ? from - BIOS : undefined;
  }

  /** The service whose entry for protected mode has called the ROM's OUT: by the return address on the stack, wherever kernels have mapped the ROM. */
  private calledFar(): Service | undefined {
    const cpu = this.cpu();
    const { state } = cpu;
    if (this.foreign || !(state.get64(Offset.CR0) & PROTECTED)) return undefined;
    const physical = (base: bigint, offset: bigint): number => cpu.peekTranslate(BigInt.asUintN(64, base + offset));
    const stack = physical(state.segBase(Seg.SS), state.reg(Gpr.RSP) & state.get64(Offset.SP_MASK));
    if (stack < 0) return undefined;
    const returns = [4, 2].map((size) => physical(state.segBase(Seg.CS), BigInt(this.parts.memory.load(stack, size))) - BIOS);
    return FAR_SERVICES.find(([entry]) => returns.includes(farReturn(entry)))?.[1];
  }

  /** Software's own writes are kept and raise no SMI#: the firmware has not enabled it and has no handler for it. */
  writePort(port: number, value: number): void {
    const cpu = this.cpu();
    const from = this.calledFrom();
    const service = port !== SERVICE_PORT ? undefined : (this.calledFar() ?? (from === undefined ? undefined : this.byAddress.get(from)));
    if (port !== SERVICE_PORT || (from === undefined && !service)) {
      this.state[port === SERVICE_PORT ? 'control' : 'status'] = value & 0xff;
      return;
    }
    if (service) this.state.result = service(new CallFrame(cpu, this.parts.memory), this.parts) ? 1 : 0;
  }

  /** Whether software has asked, before a reset, to come back through 40:67. */
  get returns(): boolean {
    const status = this.parts.board.cmos.readRegister(SHUTDOWN_STATUS);
    return status === RETURN || status === RETURN_WITH_EOI;
  }

  /** Power-on: everything as a PC's firmware leaves it, and the boot sector in its place. True for a return through 40:67. */
  private powerOn(): boolean {
    const { board } = this.parts;
    const status = board.cmos.readRegister(SHUTDOWN_STATUS);
    if (this.returns) {
      board.cmos.state.registers[SHUTDOWN_STATUS] = 0;
      if (status === RETURN_WITH_EOI) board.pic.writePort(0x20, EOI);
      return true;
    }
    if (this.parts.restartKernel()) return false;
    this.state.emulating = true;
    this.initialise();
    this.load();
    return false;
  }

  /** Loads the boot sector, or the CD's boot image, and leaves word of where it is. */
  private load(): void {
    const { memory, drives, floppies, cds } = this.parts;
    const leave = (address: number, drive: number): void => {
      memory.store(BOOT_ADDRESS, 4, address);
      memory.store(BOOT_DRIVE, 2, drive);
    };
    const entry = this.cdEntry;
    if (cds[0] && entry) {
      const drive = entry.disk?.number ?? CD_NUMBER;
      memory.writeBytes(entry.segment * 16, bootImage(cds[0], entry));
      // Boot programs expect segment 0 where the default segment is meant.
      if (entry.segment * 16 === BOOT_SECTOR_AT) leave(BOOT_SECTOR_AT, drive);
      else leave(entry.segment * 0x1_0000, drive);
      return;
    }
    const floppy = this.parts.bootsHardDisk ? undefined : floppies.find((drive) => drive.bootable);
    const disk = floppy ?? drives[0];
    if (!disk) return;
    memory.writeBytes(BOOT_SECTOR_AT, disk.read(0));
    leave(BOOT_SECTOR_AT, floppy ? floppies.indexOf(floppy) : FIRST_HARD_DISK);
  }

  /** Interrupt vectors, data areas and devices. Also what a multiboot kernel finds. */
  initialise(): void {
    const { memory, screen } = this.parts;
    const vectors = Uint16Array.from({ length: 512 }, (_, i) => (i & 1 ? BIOS_SEGMENT : stubOffset(i >> 1)));
    memory.writeBytes(0, new Uint8Array(vectors.buffer));
    const vector = (n: number, offset: number): void => memory.store(n * 4, 4, BIOS_SEGMENT * 0x1_0000 + offset);
    vector(0x1e, DISKETTE_PARAMETERS);
    vector(0x1f, FONTS[8] + 128 * 8);
    vector(0x43, FONTS[16]);
    // Vectors for users: programs look for a free one among them.
    memory.writeBytes(4 * 0x60, new Uint8Array(4 * 8));
    fillBiosData(memory, hardDisks(this.parts).length, floppyDisks(this.parts).length, this.mp);
    this.initialiseDevices();
    memory.store(Bda.VIDEO_MODE, 1, 3);
    screen.clear();
  }

  /** What software needs after it slept, whose memory nobody touches. False when it has left no word of where to go on. */
  resume(): boolean {
    this.initialiseDevices();
    return wakeUp(this.cpu(), this.parts.memory);
  }

  private initialiseDevices(): void {
    const { board } = this.parts;
    const { pic, pit } = board;
    const initialise = (port: number, vector: number, cascade: number, mask: number): void => {
      pic.writePort(port, 0x11); // ICW1: edge-triggered, cascaded, ICW4 follows
      pic.writePort(port + 1, vector);
      pic.writePort(port + 1, cascade);
      pic.writePort(port + 1, 0x01); // ICW4: 8086 mode
      pic.writePort(port + 1, mask);
    };
    initialise(0x20, FIRST_IRQ, 0x04, board.floppy ? MASKS[0] & ~(1 << FLOPPY_IRQ) : MASKS[0]);
    initialise(0xa0, SECOND_IRQ, 0x02, MASKS[1]);
    pit.writePort(0x43, 0x36); // channel 0: square wave, 65536 counts: 18.2 Hz
    pit.writePort(0x40, 0);
    pit.writePort(0x40, 0);
    board.localApic.initialise();
    setUpPci(board);
    if (board.floppy) setUpFloppies(board.floppy, [DISKETTE_TABLE[0], DISKETTE_TABLE[1]]);
    const { state } = this.cpu();
    state.set64(Offset.CR0, state.get64(Offset.CR0) & ~CACHES_OFF);
    this.cpu().stateChanged();
  }
}

function noBoot(_call: CallFrame, { host }: FirmwareParts): boolean {
  host.warn('The boot sector gave up (INT 18h): there is nothing else to boot from.');
  return true;
}

function exception(vector: number, call: CallFrame, { host }: FirmwareParts): boolean {
  const { cs, ip } = call.caller;
  host.warn(`Exception ${vector} in real mode at ${hex(cs, 4)}:${hex(ip, 4)}, and the guest has no handler for it: the processor stops.`);
  return true;
}

/** A hardware interrupt that nobody handles is ended; the same vector without a request is an exception. */
function interruptRequest(irq: number, vector: number, call: CallFrame, parts: FirmwareParts): boolean {
  const { pic } = parts.board;
  const spurious = (irq & 7) === 7;
  if (!pic.inService(irq) && !spurious) return vector < 0x20 ? exception(vector, call, parts) : false;
  if (irq === FLOPPY_IRQ) parts.memory.store(Bda.FLOPPY_STATE, 1, parts.memory.load(Bda.FLOPPY_STATE, 1) | FLOPPY_INTERRUPTED);
  if (irq === CLOCK_IRQ) parts.board.cmos.readRegister(CLOCK_CAUSE); // reading it is what ends the request
  if (irq >= 8 && pic.inService(irq)) pic.writePort(0xa0, EOI);
  if (irq >= 8 || pic.inService(irq)) pic.writePort(0x20, EOI);
  return false;
}
