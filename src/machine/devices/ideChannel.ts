/**
 * An IDE channel with up to two drives (ATA/ATAPI-6): programmed I/O, interrupts, and DMA by the chip set's bus master.
 * A command's data is there at once: the status is never busy, so a guest that polls does so once.
 */
import { bit } from '../../base/bits';
import { type Drive, SECTOR_SIZE } from '../disk/drive';
import { type Device, type DeviceHost, NEVER, type PortDevice } from '../device';
import { identify, identifyPacket, MULTIPLE_MAX } from './ataIdentify';
import { BEYOND_END, NO_SENSE, packetCommand, PACKET_SIZE, type Sense } from './atapi';
import type { DmaPort } from './busMasterIde';

/** Status bits. */
const ERROR = 0x01;
const DATA_REQUEST = 0x08;
const SEEK_COMPLETE = 0x10;
const READY = 0x40;
/** Error bits. */
const ABORTED = 0x04;
const NOT_FOUND = 0x10;
/** Device control. */
const NO_INTERRUPT = 0x02;
const SOFT_RESET = 0x04;
const HIGH_ORDER = 0x80;

/** How a command moves data. */
type Transfer = 'read' | 'write' | 'verify';
interface DataCommand {
  transfer: Transfer;
  /** 48-bit address and 16-bit count. */
  extended: boolean;
  /** Several sectors per interrupt. */
  multiple: boolean;
  dma: boolean;
}
const DATA_COMMANDS = new Map<number, DataCommand>();
for (const [codes, transfer, extended, multiple] of [
  [[0x20, 0x21], 'read', false, false],
  [[0x24], 'read', true, false],
  [[0x29], 'read', true, true],
  [[0xc4], 'read', false, true],
  [[0x30, 0x31], 'write', false, false],
  [[0x34], 'write', true, false],
  [[0x39], 'write', true, true],
  [[0xc5], 'write', false, true],
  [[0x40, 0x41], 'verify', false, false],
  [[0x42], 'verify', true, false],
] as const)
  for (const code of codes) DATA_COMMANDS.set(code, { transfer, extended, multiple, dma: false });
for (const [codes, transfer, extended] of [
  [[0xc8, 0xc9], 'read', false],
  [[0x25], 'read', true],
  [[0xca, 0xcb], 'write', false],
  [[0x35, 0x3d], 'write', true],
] as const)
  for (const code of codes) DATA_COMMANDS.set(code, { transfer, extended, multiple: false, dma: true });

/** Commands that succeed and do nothing here: power states, cache, seeks, parameters. */
const NO_OPERATIONS = new Set([0x10, 0x70, 0x91, 0x94, 0x95, 0x96, 0x97, 0x99, 0xe0, 0xe1, 0xe2, 0xe3, 0xe6, 0xe7, 0xea, 0xef]);

/** Interrupt reason, in the count register during a packet command: command or data, to the host. */
const COMMAND_PHASE = 0x01;
const TO_HOST = 0x02;
/** What the cylinder registers of a CD-ROM drive show after a reset. */
const PACKET_SIGNATURE = { mid: 0x14, high: 0xeb };
const DEVICE_RESET = 0x08;
const IDENTIFY = 0xec;
const IDENTIFY_PACKET = 0xa1;
const PACKET = 0xa0;
/** Commands that CD-ROM drives know besides those; they abort the others. */
const FOR_PACKET_DRIVES = new Set([0x90, 0xe0, 0xe1, 0xe2, 0xe3, 0xe5, 0xe6, 0xef]);

const unit = () => ({ multiple: MULTIPLE_MAX, sense: NO_SENSE });
const powerOn = () => ({
  /** Task file; each byte with the value before it, for 48-bit commands. */
  feature: [0, 0],
  count: [1, 0],
  lbaLow: [1, 0],
  lbaMid: [0, 0],
  lbaHigh: [0, 0],
  device: 0xa0,
  status: READY | SEEK_COMPLETE,
  error: 1,
  control: 0,
  units: [unit(), unit()],
  /** Data block between host and disk, and how far it was moved. */
  buffer: new Uint8Array(0),
  position: 0,
  transfer: undefined as 'in' | 'out' | 'packet' | undefined,
  /** The task file shows the drives' signatures: nothing was written to it since a reset. */
  signed: true,
  /** A packet command's data, how much of it the host was offered, at most how much at a time, and whether by DMA. */
  packet: { data: new Uint8Array(0) as Uint8Array, offered: 0, limit: 0, dma: false },
  sector: 0,
  /** Sectors that are left after the block in the buffer. */
  left: 0,
  blockSectors: 1,
  extended: false,
  /** A DMA command that waits for the bus master to be started. */
  dma: undefined as 'in' | 'out' | undefined,
});

export class IdeChannel implements Device, PortDevice {
  state = powerOn();
  /** The bus master's part for this channel; without one, DMA commands are aborted. */
  dma: DmaPort | undefined = undefined;

  /** `base` is the port of the data register; drives may be absent. */
  constructor(
    readonly name: string,
    private readonly base: number,
    private readonly drives: readonly (Drive | undefined)[],
    private readonly firstNumber: number,
    private readonly host: DeviceHost,
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

  private get selected(): number {
    return bit(this.state.device, 4) ? 1 : 0;
  }
  private get drive(): Drive | undefined {
    return this.drives[this.selected];
  }

  private get isCd(): boolean {
    return this.drive?.attachment === 'cdrom';
  }
  private get unit(): { multiple: number; sense: Sense } {
    return this.state.units[this.selected]!;
  }

  readPort(port: number, size: number): number {
    if (!this.drives.some(Boolean)) return 0xffff_ffff >>> (32 - 8 * size); // an empty cable floats high
    const s = this.state;
    const register = port - this.base;
    if (register === 0) return this.readData(size);
    // The data port alone is wider than a byte.
    const previous = s.control & HIGH_ORDER ? 1 : 0;
    switch (register) {
      case 1:
        return s.error;
      case 2:
        return s.count[previous]!;
      case 3:
        return s.lbaLow[previous]!;
      case 4:
        return s.signed && this.isCd ? PACKET_SIGNATURE.mid : s.lbaMid[previous]!;
      case 5:
        return s.signed && this.isCd ? PACKET_SIGNATURE.high : s.lbaHigh[previous]!;
      case 6:
        return s.device;
      case 7:
        this.setIrq(false);
        return this.drive ? s.status : 0;
      default: // alternate status
        return this.drive ? s.status : 0;
    }
  }

  writePort(port: number, value: number, size: number): void {
    const s = this.state;
    const register = port - this.base;
    const shift = (pair: number[]): void => {
      pair[1] = pair[0]!;
      pair[0] = value & 0xff;
    };
    if (register > 0 && register < 7) s.control &= ~HIGH_ORDER;
    if (register > 1 && register < 6) s.signed = false;
    switch (register) {
      case 0:
        return this.writeData(value, size);
      case 1:
        return shift(s.feature);
      case 2:
        return shift(s.count);
      case 3:
        return shift(s.lbaLow);
      case 4:
        return shift(s.lbaMid);
      case 5:
        return shift(s.lbaHigh);
      case 6:
        s.device = value | 0xa0;
        return;
      case 7:
        if (this.drive) this.command(value & 0xff);
        return;
      default:
        this.writeControl(value);
    }
  }

  private writeControl(value: number): void {
    const s = this.state;
    if (s.control & SOFT_RESET && !(value & SOFT_RESET)) this.signature();
    s.control = value;
    if (value & NO_INTERRUPT) this.setIrq(false);
  }

  /** What the task file shows after a reset and a diagnostic: a disk, no error. */
  private signature(): void {
    const s = this.state;
    Object.assign(s, { count: [1, 0], lbaLow: [1, 0], lbaMid: [0, 0], lbaHigh: [0, 0], error: 1, transfer: undefined, dma: undefined, signed: true, status: READY | SEEK_COMPLETE });
    s.device &= ~0x1f;
  }

  private command(code: number): void {
    const s = this.state;
    s.error = 0;
    s.transfer = undefined;
    s.dma = undefined;
    s.packet = { data: new Uint8Array(0), offered: 0, limit: 0, dma: false };
    s.status = READY | SEEK_COMPLETE;
    if (this.isCd && !FOR_PACKET_DRIVES.has(code)) return this.packetDriveCommand(code);
    const data = DATA_COMMANDS.get(code);
    if (data) return this.dataCommand(data);
    if (NO_OPERATIONS.has(code)) return this.finish();
    switch (code) {
      case IDENTIFY:
        s.left = 0;
        return this.offer(identify(this.drive!, this.firstNumber + this.selected, this.unit.multiple));
      case 0xc6: {
        const n = s.count[0]!;
        if (n > MULTIPLE_MAX || (n & (n - 1)) !== 0) return this.fail(ABORTED);
        this.unit.multiple = n;
        return this.finish();
      }
      case 0x90:
        this.signature();
        return this.finish();
      case 0xe5: // check power mode: active
        s.count[0] = 0xff;
        return this.finish();
      case 0xf8:
        this.putAddress(Math.min(this.drive!.sectors - 1, 0x0fff_ffff), false);
        return this.finish();
      case 0x27:
        this.putAddress(this.drive!.sectors - 1, true);
        return this.finish();
      case IDENTIFY_PACKET:
      case PACKET:
      case DEVICE_RESET:
      case 0x00:
        return this.fail(ABORTED);
      default:
        this.host.warn(`The guest gave a disk command 0x${code.toString(16)}, which Hyperstep does not know.`);
        return this.fail(ABORTED);
    }
  }

  /** Commands that only CD-ROM drives carry out. IDENTIFY DEVICE is refused with the signature, by which software tells the two. */
  private packetDriveCommand(code: number): void {
    const s = this.state;
    switch (code) {
      case IDENTIFY_PACKET:
        s.left = 0;
        return this.offer(identifyPacket(this.firstNumber + this.selected));
      case PACKET:
        s.packet = { data: new Uint8Array(0), offered: 0, limit: (s.lbaMid[0]! | (s.lbaHigh[0]! << 8)) & 0xfffe || 0xfffe, dma: bit(s.feature[0]!, 0) };
        Object.assign(s, { buffer: new Uint8Array(PACKET_SIZE), position: 0, transfer: 'packet', status: READY | SEEK_COMPLETE | DATA_REQUEST });
        s.count[0] = COMMAND_PHASE;
        return;
      case DEVICE_RESET: // no interrupt, and not ready until the first packet command
        this.signature();
        s.status = 0;
        return;
      default:
        s.signed = true;
        return this.fail(ABORTED);
    }
  }

  /** The packet is complete. */
  private runPacket(): void {
    const s = this.state;
    s.transfer = undefined;
    const result = packetCommand(this.drive!, s.buffer, this.unit.sense);
    this.unit.sense = 'sense' in result ? result.sense : NO_SENSE;
    if (this.unit.sense === BEYOND_END) this.host.warn(this.drive!.beyondEnd);
    s.count[0] = COMMAND_PHASE | TO_HOST;
    if ('sense' in result) return this.fail((result.sense[0] << 4) | ABORTED);
    s.left = 0;
    s.packet.data = result.data;
    if (result.data.length === 0) return this.finish();
    if (!s.packet.dma) return this.offerPacketData();
    if (!this.dma) return this.fail(ABORTED);
    Object.assign(s, { dma: 'in', status: READY | SEEK_COMPLETE | DATA_REQUEST });
    this.runDma();
  }

  private offerPacketData(): void {
    const s = this.state;
    const { data, offered, limit } = s.packet;
    const piece = data.subarray(offered, offered + limit);
    s.packet.offered += piece.length;
    s.lbaMid[0] = piece.length & 0xff;
    s.lbaHigh[0] = piece.length >> 8;
    s.count[0] = TO_HOST;
    this.offer(piece);
  }

  private dataCommand({ transfer, extended, multiple, dma }: DataCommand): void {
    const s = this.state;
    const drive = this.drive!;
    const block = this.unit.multiple;
    if (multiple && block === 0) return this.fail(ABORTED);
    const count = extended ? ((s.count[1]! << 8) | s.count[0]!) || 65536 : s.count[0]! || 256;
    const sector = this.address(extended);
    if (sector + count > drive.sectors) this.host.warn(drive.beyondEnd);
    if (sector < 0 || sector + count > drive.sectors) return this.fail(NOT_FOUND);
    Object.assign(s, { extended, sector, left: count, blockSectors: multiple ? block : 1 });
    if (dma) {
      if (!this.dma) return this.fail(ABORTED);
      Object.assign(s, { dma: transfer === 'read' ? 'in' : 'out', status: READY | SEEK_COMPLETE | DATA_REQUEST });
      return this.runDma();
    }
    if (transfer === 'read') this.nextRead();
    else if (transfer === 'write') this.nextWrite(false);
    else {
      s.sector += count;
      s.left = 0;
      this.putAddress(s.sector - 1, extended);
      this.finish();
    }
  }

  /** Goes on with a DMA command when the bus master has been started for it. */
  runDma(): void {
    const s = this.state;
    if (!s.dma || !this.dma?.ready(s.dma === 'in')) return;
    if (this.isCd) {
      s.dma = undefined;
      return this.dma.move(s.packet.data, true) ? this.finish() : this.fail(ABORTED);
    }
    const bytes = new Uint8Array(s.left * SECTOR_SIZE);
    if (s.dma === 'in') for (let i = 0; i < s.left; i++) bytes.set(this.drive!.read(s.sector + i), i * SECTOR_SIZE);
    const complete = this.dma.move(bytes, s.dma === 'in');
    if (complete && s.dma === 'out') for (let i = 0; i < s.left; i++) this.drive!.write(s.sector + i, bytes.subarray(i * SECTOR_SIZE, (i + 1) * SECTOR_SIZE));
    s.dma = undefined;
    if (!complete) return this.fail(ABORTED);
    s.sector += s.left;
    s.left = 0;
    this.putAddress(s.sector - 1, s.extended);
    this.finish();
  }

  /** Sector that the task file names, or -1 for one that cannot be. */
  private address(extended: boolean): number {
    const s = this.state;
    if (extended) {
      const low = s.lbaLow[0]! + s.lbaMid[0]! * 0x100 + s.lbaHigh[0]! * 0x1_0000;
      return low + (s.lbaLow[1]! + s.lbaMid[1]! * 0x100 + s.lbaHigh[1]! * 0x1_0000) * 0x100_0000;
    }
    if (bit(s.device, 6)) return s.lbaLow[0]! + s.lbaMid[0]! * 0x100 + s.lbaHigh[0]! * 0x1_0000 + (s.device & 15) * 0x100_0000;
    const { heads, sectors } = this.drive!.physicalGeometry;
    if (s.lbaLow[0] === 0) return -1;
    return ((s.lbaMid[0]! + s.lbaHigh[0]! * 256) * heads + (s.device & 15)) * sectors + s.lbaLow[0]! - 1;
  }

  /** Leaves an address in the task file, as commands do at their end. */
  private putAddress(sector: number, extended: boolean): void {
    const s = this.state;
    const byte = (n: number): number => Math.floor(sector / 2 ** (8 * n)) & 0xff;
    if (!extended && !bit(s.device, 6)) return; // software does not look at it in CHS
    s.lbaLow = [byte(0), extended ? byte(3) : s.lbaLow[1]!];
    s.lbaMid = [byte(1), extended ? byte(4) : s.lbaMid[1]!];
    s.lbaHigh = [byte(2), extended ? byte(5) : s.lbaHigh[1]!];
    if (!extended) s.device = (s.device & 0xf0) | (byte(3) & 15);
  }

  private nextRead(): void {
    const s = this.state;
    const n = Math.min(s.left, s.blockSectors);
    const bytes = new Uint8Array(n * SECTOR_SIZE);
    for (let i = 0; i < n; i++) bytes.set(this.drive!.read(s.sector + i), i * SECTOR_SIZE);
    s.sector += n;
    s.left -= n;
    this.putAddress(s.sector - 1, s.extended);
    this.offer(bytes);
  }

  /** Asks for the next block to write; every block but the first is asked for with an interrupt. */
  private nextWrite(interrupt: boolean): void {
    const s = this.state;
    const n = Math.min(s.left, s.blockSectors);
    s.left -= n;
    Object.assign(s, { buffer: new Uint8Array(n * SECTOR_SIZE), position: 0, transfer: 'out', status: READY | SEEK_COMPLETE | DATA_REQUEST });
    if (interrupt) this.interrupt();
  }

  /** A block of data is ready for the guest. */
  private offer(bytes: Uint8Array): void {
    Object.assign(this.state, { buffer: bytes, position: 0, transfer: 'in', status: READY | SEEK_COMPLETE | DATA_REQUEST });
    this.interrupt();
  }

  private readData(size: number): number {
    const s = this.state;
    if (s.transfer !== 'in') return 0;
    let value = 0;
    for (let i = Math.min(size, s.buffer.length - s.position) - 1; i >= 0; i--) value = value * 256 + s.buffer[s.position + i]!;
    s.position += size;
    if (s.position >= s.buffer.length) {
      if (s.left > 0) this.nextRead();
      else if (s.packet.offered < s.packet.data.length) this.offerPacketData();
      else if (s.packet.data.length > 0) {
        s.packet.data = new Uint8Array(0);
        s.packet.offered = 0;
        s.count[0] = COMMAND_PHASE | TO_HOST;
        this.finish();
      } else {
        s.transfer = undefined;
        s.status = READY | SEEK_COMPLETE;
      }
    }
    return value;
  }

  private writeData(value: number, size: number): void {
    const s = this.state;
    if (s.transfer !== 'out' && s.transfer !== 'packet') return;
    for (let i = 0; i < size && s.position < s.buffer.length; i++) s.buffer[s.position++] = value >>> (8 * i);
    if (s.position < s.buffer.length) return;
    if (s.transfer === 'packet') return this.runPacket();
    for (let at = 0; at < s.buffer.length; at += SECTOR_SIZE) this.drive!.write(s.sector++, s.buffer.subarray(at, at + SECTOR_SIZE));
    this.putAddress(s.sector - 1, s.extended);
    if (s.left > 0) this.nextWrite(true);
    else this.finish();
  }

  private finish(): void {
    const s = this.state;
    s.transfer = undefined;
    s.status = READY | SEEK_COMPLETE;
    this.interrupt();
  }

  private fail(error: number): void {
    const s = this.state;
    s.transfer = undefined;
    s.error = error;
    s.status = READY | SEEK_COMPLETE | ERROR;
    this.interrupt();
  }

  private interrupt(): void {
    if (this.state.control & NO_INTERRUPT) return;
    this.setIrq(false);
    this.setIrq(true);
    this.dma?.interrupted();
    this.host.attention();
  }
}
