/**
 * A floppy disk controller (82077AA and its kin) at ports 0x3F0 to 0x3F7, on DMA channel 2 and IRQ 6. Nothing moves, so
 * nothing takes time: a command is over when its last byte has been written, and its interrupt comes with that.
 */
import { type Device, type DeviceHost, NEVER, type PortDevice } from '../device';
import { type Drive, SECTOR_SIZE } from '../disk/drive';
import type { DmaControllers } from './dmaControllers';

export const FLOPPY_PORTS = { first: 0x3f0, count: 6, last: 0x3f7 } as const;
const Port = { OUTPUT: 0x3f2, TAPE: 0x3f3, STATUS: 0x3f4, DATA: 0x3f5 } as const;
/** Digital output register: the chosen drive, not reset, DMA and interrupts let through. */
const Output = { DRIVE: 3, RUNS: 4, GATE: 8 } as const;
/** Main status register: ready, the processor reads next, transfer by the processor, a command is going on. */
const Status = { READY: 0x80, TO_PROCESSOR: 0x40, NO_DMA: 0x20, BUSY: 0x10 } as const;
/** First status byte of a result: a seek is over; how the command ended. */
const St0 = { SEEK: 0x20, CHECK: 0x10, NOT_READY: 0x08, FAILED: 0x40, INVALID: 0x80, POLLED: 0xc0 } as const;
/** Second: no such sector, data came too late, beyond the last sector. */
const St1 = { NO_DATA: 0x04, OVERRUN: 0x10, END: 0x80 } as const;
/** In CONFIGURE's second byte: transfers seek by themselves. */
const IMPLIED_SEEK = 0x40;
/** Sense drive status: two heads, ready, at cylinder 0. */
const St3 = { TWO_SIDES: 0x08, TRACK_0: 0x10, READY: 0x20 } as const;
const DMA_CHANNEL = 2;
const DRIVES = 4;
const SECTOR_CODE = 2; // 512 bytes
const VERSION = 0x90;
/** In the first byte of a command: both heads. */
const MULTITRACK = 0x80;
const RELATIVE_SEEK = 0x80;
/** Drivers ask other makers' controllers by this which they are. */
const PART_ID = 0x18;

const Command = { READ_TRACK: 0x02, SPECIFY: 0x03, SENSE_DRIVE: 0x04, WRITE: 0x05, READ: 0x06, RECALIBRATE: 0x07, SENSE_INTERRUPT: 0x08, WRITE_DELETED: 0x09, READ_ID: 0x0a, READ_DELETED: 0x0c, FORMAT: 0x0d, DUMP: 0x0e, SEEK: 0x0f, VERSION: 0x10, PERPENDICULAR: 0x12, CONFIGURE: 0x13, LOCK: 0x14, VERIFY: 0x16 } as const;
/** Bytes of each command, its first one included; all others are invalid and have one. */
const LENGTHS: Readonly<Record<number, number>> = { 0x02: 9, 0x03: 3, 0x04: 2, 0x05: 9, 0x06: 9, 0x07: 2, 0x08: 1, 0x09: 9, 0x0a: 2, 0x0c: 9, 0x0d: 6, 0x0e: 1, 0x0f: 3, 0x10: 1, 0x12: 2, 0x13: 4, 0x14: 1, 0x16: 9 };

const powerOn = () => ({
  output: 0,
  tape: 0,
  /** What was written of a command; what is still to be read of its result. */
  command: [] as number[],
  result: [] as number[],
  /** Cylinder of each drive's heads, and what SENSE INTERRUPT STATUS yields after their movements. */
  cylinders: [0, 0, 0, 0],
  sense: [] as number[],
  /** SPECIFY's and CONFIGURE's bytes. */
  specify: [0, 0],
  configure: 0,
  locked: false,
  /** A transfer by the processor: bytes that it has still to read, or has written, of how many; and the result behind it. */
  bytes: [] as number[],
  wanted: 0,
  after: [] as number[],
});

/** Where a command's sectors are: counted on as they are moved. */
interface Place {
  drive: Drive;
  cylinder: number;
  head: number;
  sector: number;
  last: number;
  multitrack: boolean;
}

export class FloppyController implements Device, PortDevice {
  readonly name = 'floppy disk controller';
  state = powerOn();

  constructor(
    private readonly drives: readonly Drive[],
    private readonly dma: DmaControllers,
    private readonly host: Pick<DeviceHost, 'warn'>,
    private readonly setIrq: (level: boolean) => void,
  ) {}

  reset(): void {
    this.state = powerOn();
    this.setIrq(false);
  }
  nextDeadline(): number {
    return NEVER;
  }
  advance(): void {}

  readPort(port: number): number {
    const s = this.state;
    switch (port) {
      case Port.OUTPUT:
        return s.output;
      case Port.TAPE:
        return s.tape;
      case Port.STATUS:
        return this.status();
      case Port.DATA:
        return this.readData();
      default: // status registers A and B, and the digital input register, whose bit 7 would tell of another disk
        return 0;
    }
  }

  writePort(port: number, value: number): void {
    if (port === Port.OUTPUT) this.setOutput(value);
    else if (port === Port.TAPE) this.state.tape = value & 3;
    else if (port === Port.STATUS && value & 0x80) this.restart();
    else if (port === Port.DATA) this.writeData(value);
  }

  private setOutput(value: number): void {
    const runs = (this.state.output & Output.RUNS) !== 0;
    this.state.output = value;
    if (!(value & Output.RUNS)) this.stop();
    else if (!runs) this.restart();
  }

  private stop(): void {
    const { output, specify, configure, locked } = this.state;
    this.state = { ...powerOn(), output, specify, ...(locked ? { configure, locked } : {}) };
    this.setIrq(false);
  }

  /** After a reset all drives have to be asked for their state. */
  private restart(): void {
    this.stop();
    for (let n = 0; n < DRIVES; n++) this.state.sense.push(St0.POLLED | n, 0);
    this.interrupt();
  }

  private interrupt(): void {
    if (this.state.output & Output.GATE) this.setIrq(true);
  }

  private status(): number {
    const s = this.state;
    if (!(s.output & Output.RUNS)) return 0;
    if (s.wanted > 0) return Status.READY | Status.NO_DMA | Status.BUSY;
    if (s.bytes.length > 0) return Status.READY | Status.TO_PROCESSOR | Status.NO_DMA | Status.BUSY;
    if (s.result.length > 0) return Status.READY | Status.TO_PROCESSOR | Status.BUSY;
    return Status.READY | (s.command.length > 0 ? Status.BUSY : 0);
  }

  private readData(): number {
    const s = this.state;
    this.setIrq(false);
    if (s.wanted === 0 && s.bytes.length > 0) {
      const byte = s.bytes.shift()!;
      if (s.bytes.length === 0) this.finish(s.after);
      else this.interrupt();
      return byte;
    }
    return s.result.shift() ?? 0;
  }

  private writeData(value: number): void {
    const s = this.state;
    if (!(s.output & Output.RUNS)) return;
    if (s.wanted > 0) {
      this.setIrq(false);
      s.bytes.push(value);
      if (s.bytes.length === s.wanted) this.takeWritten();
      else this.interrupt();
      return;
    }
    if (s.result.length > 0 || s.bytes.length > 0) return;
    s.command.push(value);
    if (s.command.length < (LENGTHS[s.command[0]! & 0x1f] ?? 1)) return;
    const command = s.command;
    s.command = [];
    this.execute(command);
  }

  private execute(bytes: number[]): void {
    const s = this.state;
    const [first, second = 0, third = 0] = bytes as [number, number?, number?];
    const n = second & Output.DRIVE;
    const present = this.drives[n] !== undefined;
    switch (first & 0x1f) {
      case Command.SPECIFY:
        s.specify = [second, third];
        return;
      case Command.SENSE_DRIVE:
        s.result = [(second & 7) | St3.TWO_SIDES | St3.READY | (s.cylinders[n] === 0 ? St3.TRACK_0 : 0)];
        return;
      case Command.RECALIBRATE:
        s.cylinders[n] = 0;
        return this.moved(present ? St0.SEEK | n : St0.FAILED | St0.SEEK | St0.CHECK | n, n);
      case Command.SEEK:
        s.cylinders[n] = first & RELATIVE_SEEK ? Math.max(0, s.cylinders[n]! + (first & 0x40 ? third : -third)) : third;
        return this.moved(St0.SEEK | (second & 7), n);
      case Command.SENSE_INTERRUPT:
        this.setIrq(false);
        s.result = s.sense.length > 0 ? s.sense.splice(0, 2) : [St0.INVALID];
        return;
      case Command.READ_ID:
        if (!present) return this.finish([St0.FAILED | St0.NOT_READY | (second & 7), 0, 0, 0, 0, 0, 0]);
        return this.finish([second & 7, 0, 0, s.cylinders[n]!, (second >> 2) & 1, 1, SECTOR_CODE]);
      case Command.DUMP:
        s.result = [...s.cylinders, ...s.specify, 0, s.locked ? 0x80 : 0, s.configure, 0];
        return;
      case Command.VERSION:
        s.result = [VERSION];
        return;
      case Command.PERPENDICULAR:
        return;
      case Command.CONFIGURE:
        s.configure = third;
        return;
      case Command.LOCK:
        s.locked = (first & 0x80) !== 0;
        s.result = [s.locked ? 0x10 : 0];
        return;
      case Command.READ:
      case Command.READ_DELETED:
      case Command.READ_TRACK:
      case Command.WRITE:
      case Command.WRITE_DELETED:
      case Command.VERIFY:
        return this.transfer(bytes);
      case Command.FORMAT:
        return this.format(bytes);
      default:
        if (first !== PART_ID) this.host.warn(`The guest gave the floppy disk controller command 0x${first.toString(16)}, which it does not have.`);
        s.result = [St0.INVALID];
    }
  }

  private moved(st0: number, n: number): void {
    this.state.sense = [st0, this.state.cylinders[n]!];
    this.interrupt();
  }

  /** The command is over: its result waits to be read. */
  private finish(result: number[]): void {
    this.state.result = result;
    this.state.sense = [];
    this.interrupt();
  }

  private get byProcessor(): boolean {
    return (this.state.specify[1]! & 1) !== 0;
  }

  private transfer(bytes: number[]): void {
    const [first, select, cylinder, head, sector, , last] = bytes as [number, number, number, number, number, number, number];
    const n = select & Output.DRIVE;
    const drive = this.drives[n];
    const fail = (st0: number, st1: number): void => this.finish([St0.FAILED | st0 | (select & 7), st1, 0, cylinder, head, sector, SECTOR_CODE]);
    if (!drive?.floppy) return fail(St0.NOT_READY, 0);
    if (sector === 0 || sector > drive.floppy.sectors || cylinder >= drive.floppy.cylinders) return fail(0, St1.NO_DATA);
    if (cylinder !== this.state.cylinders[n]) {
      if (!(this.state.configure & IMPLIED_SEEK)) this.host.warn('The guest uses a cylinder of its floppy disk without having sought it (SEEK, or CONFIGURE with implied seeks): a real drive reports another cylinder, and here the heads follow.');
      this.state.cylinders[n] = cylinder;
    }
    const place: Place = { drive, cylinder, head: (select >> 2) & 1, sector, last: Math.min(last, drive.floppy.sectors), multitrack: (first & MULTITRACK) !== 0 };
    const command = first & 0x1f;
    const verifies = command === Command.VERIFY;
    const writes = command === Command.WRITE || command === Command.WRITE_DELETED;
    if (this.byProcessor && !verifies) return this.beginByProcessor(place, writes, bytes);
    if (!verifies && this.dma.masked(DMA_CHANNEL)) return fail(0, St1.OVERRUN);
    let over = false;
    let complete = false;
    while (!over && !complete) {
      const lba = lbaOf(place);
      if (verifies) complete = place.sector === place.last;
      else if (writes) {
        const { bytes: data, terminal } = this.dma.fromMemory(DMA_CHANNEL, SECTOR_SIZE);
        const whole = new Uint8Array(SECTOR_SIZE); // what is missing of the last sector is written as zeros
        whole.set(data);
        drive.write(lba, whole);
        complete = terminal;
      } else complete = this.dma.toMemory(DMA_CHANNEL, drive.read(lba));
      over = !next(place);
    }
    this.finish(this.resultOf(place, select, over && !complete));
  }

  /** SPECIFY has asked for transfers without DMA: up to the last sector of the track. */
  private beginByProcessor(place: Place, writes: boolean, command: number[]): void {
    const s = this.state;
    const sectors: number[] = [];
    const moving = { ...place };
    do sectors.push(lbaOf(moving));
    while (next(moving));
    s.after = this.resultOf(moving, command[1]!, true);
    s.command = [];
    if (writes) {
      s.wanted = sectors.length * SECTOR_SIZE;
      s.bytes = [];
      s.after = [...s.after, command[1]! & Output.DRIVE, sectors[0]!];
    } else s.bytes = sectors.flatMap((lba) => [...place.drive.read(lba)]);
    this.interrupt();
  }

  /** All bytes of such a write have come. Its sectors follow one another. */
  private takeWritten(): void {
    const s = this.state;
    const [n, lba] = s.after.splice(7) as [number, number];
    for (let at = 0; at < s.bytes.length; at += SECTOR_SIZE) this.drives[n]!.write(lba + at / SECTOR_SIZE, Uint8Array.from(s.bytes.slice(at, at + SECTOR_SIZE)));
    s.bytes = [];
    s.wanted = 0;
    this.finish(s.after);
  }

  private resultOf(place: Place, select: number, beyond: boolean): number[] {
    return [(beyond ? St0.FAILED : 0) | (select & 3) | (place.head << 2), beyond ? St1.END : 0, 0, place.cylinder, place.head, place.sector, SECTOR_CODE];
  }

  /** FORMAT A TRACK: of every sector four bytes come by DMA, which say where it is; the sector is filled. */
  private format([, select, , count, , filler]: number[]): void {
    const drive = this.drives[select! & Output.DRIVE];
    if (!drive?.floppy || this.byProcessor || this.dma.masked(DMA_CHANNEL)) return this.finish([St0.FAILED | (select! & 7), St1.OVERRUN, 0, 0, 0, 0, 0]);
    const last = [0, 0, 0, 0];
    for (let n = 0; n < count!; n++) {
      const { bytes } = this.dma.fromMemory(DMA_CHANNEL, 4);
      bytes.forEach((byte, i) => (last[i] = byte));
      const [cylinder, head, sector] = last as [number, number, number];
      if (cylinder >= drive.floppy.cylinders || sector === 0 || sector > drive.floppy.sectors) continue;
      drive.write(lbaOf({ drive, cylinder, head: head & 1, sector, last: 0, multitrack: false }), new Uint8Array(SECTOR_SIZE).fill(filler!));
    }
    this.finish([select! & 7, 0, 0, ...last]);
  }
}

const lbaOf = ({ drive, cylinder, head, sector }: Place): number => (cylinder * drive.floppy!.heads + head) * drive.floppy!.sectors + sector - 1;

/** On to the next sector; false behind the last one, where the controller stands at the first of the next cylinder (or head). */
function next(place: Place): boolean {
  if (place.sector < place.last) {
    place.sector++;
    return true;
  }
  place.sector = 1;
  if (place.multitrack && place.head === 0) {
    place.head = 1;
    return true;
  }
  if (place.multitrack) place.head = 0;
  place.cylinder++;
  return false;
}
