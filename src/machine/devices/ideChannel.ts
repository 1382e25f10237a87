/**
 * An IDE channel with up to two drives (ATA/ATAPI-6): programmed I/O, interrupts, and DMA by the chip set's bus master.
 * A command's data is there at once: the status is never busy, so a guest that polls does so once.
 */
import { bit } from '../../base/bits';
import { type Drive, SECTOR_SIZE } from '../disk/drive';
import { type Device, type DeviceHost, NEVER, type PortDevice } from '../device';
import { Ata, AtaError, Control, DATA_COMMANDS, type DataCommand, FOR_PACKET_DRIVES, IDLE, MOVING, NO_OPERATIONS, PACKET_SIGNATURE, Reason, Status } from './ataCommands';
import { identify, identifyPacket, MULTIPLE_MAX } from './ataIdentify';
import { BEYOND_END, NO_SENSE, packetCommand, PACKET_SIZE, type Sense } from './atapi';
import type { DmaPort } from './busMasterIde';
import { diskSignature, type Pair, putSector, sectorCount, sectorOf, shift } from './taskFile';

const unit = () => ({ multiple: MULTIPLE_MAX, sense: NO_SENSE });
const powerOn = () => ({
  feature: [0, 0] as Pair,
  ...diskSignature(),
  device: 0xa0,
  status: IDLE as number,
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

/** What is read where there is no drive: a cable that floats high, and one whose BSY the host pulls down, as the specification asks (ATA/ATAPI-6, "Host pull-down on DD7"). */
export const EmptyCable = { FLOATS: 0xffff_ffff, PULLED_DOWN: 0x7f7f_7f7f } as const;

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
    private readonly emptyCable: number = EmptyCable.FLOATS,
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
    if (!this.drives.some(Boolean)) return (this.emptyCable & (0xffff_ffff >>> (32 - 8 * size))) >>> 0;
    const s = this.state;
    const register = port - this.base;
    if (register === 0) return this.readData(size);
    // The data port alone is wider than a byte.
    const previous = s.control & Control.HIGH_ORDER ? 1 : 0;
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
    if (register > 0 && register < 7) s.control &= ~Control.HIGH_ORDER;
    if (register > 1 && register < 6) s.signed = false;
    switch (register) {
      case 0:
        return this.writeData(value, size);
      case 1:
        return shift(s.feature, value);
      case 2:
        return shift(s.count, value);
      case 3:
        return shift(s.lbaLow, value);
      case 4:
        return shift(s.lbaMid, value);
      case 5:
        return shift(s.lbaHigh, value);
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
    if (s.control & Control.SOFT_RESET && !(value & Control.SOFT_RESET)) this.signature();
    s.control = value;
    if (value & Control.NO_INTERRUPT) this.setIrq(false);
  }

  /** What the task file shows after a reset and a diagnostic: a disk, no error. */
  private signature(): void {
    const s = this.state;
    Object.assign(s, diskSignature(), { error: 1, transfer: undefined, dma: undefined, signed: true, status: IDLE });
    s.device &= ~0x1f;
  }

  private command(code: number): void {
    const s = this.state;
    s.error = 0;
    s.transfer = undefined;
    s.dma = undefined;
    s.packet = { data: new Uint8Array(0), offered: 0, limit: 0, dma: false };
    s.status = IDLE;
    if (this.isCd && !FOR_PACKET_DRIVES.has(code)) return this.packetDriveCommand(code);
    const data = DATA_COMMANDS.get(code);
    if (data) return this.dataCommand(data);
    if (NO_OPERATIONS.has(code)) return this.finish();
    switch (code) {
      case Ata.IDENTIFY:
        s.left = 0;
        return this.offer(identify(this.drive!, this.firstNumber + this.selected, this.unit.multiple));
      case Ata.SET_MULTIPLE: {
        const n = s.count[0]!;
        if (n > MULTIPLE_MAX || (n & (n - 1)) !== 0) return this.fail(AtaError.ABORTED);
        this.unit.multiple = n;
        return this.finish();
      }
      case Ata.DIAGNOSTIC:
        this.signature();
        return this.finish();
      case Ata.CHECK_POWER: // active
        s.count[0] = 0xff;
        return this.finish();
      case Ata.READ_NATIVE_MAXIMUM:
        putSector(s, Math.min(this.drive!.sectors - 1, 0x0fff_ffff), false);
        return this.finish();
      case Ata.READ_NATIVE_MAXIMUM_EXTENDED:
        putSector(s, this.drive!.sectors - 1, true);
        return this.finish();
      case Ata.IDENTIFY_PACKET:
      case Ata.PACKET:
      case Ata.DEVICE_RESET:
      case Ata.NOP:
        return this.fail(AtaError.ABORTED);
      default:
        this.host.warn(`The guest gave a disk command 0x${code.toString(16)}, which Hyperstep does not know.`);
        return this.fail(AtaError.ABORTED);
    }
  }

  /** Commands that only CD-ROM drives carry out. IDENTIFY DEVICE is refused with the signature, by which software tells the two. */
  private packetDriveCommand(code: number): void {
    const s = this.state;
    switch (code) {
      case Ata.IDENTIFY_PACKET:
        s.left = 0;
        return this.offer(identifyPacket(this.firstNumber + this.selected));
      case Ata.PACKET:
        s.packet = { data: new Uint8Array(0), offered: 0, limit: (s.lbaMid[0]! | (s.lbaHigh[0]! << 8)) & 0xfffe || 0xfffe, dma: bit(s.feature[0]!, 0) };
        Object.assign(s, { buffer: new Uint8Array(PACKET_SIZE), position: 0, transfer: 'packet', status: MOVING });
        s.count[0] = Reason.COMMAND;
        return;
      case Ata.DEVICE_RESET: // no interrupt, and not ready until the first packet command
        this.signature();
        s.status = 0;
        return;
      default:
        s.signed = true;
        return this.fail(AtaError.ABORTED);
    }
  }

  /** The packet is complete. */
  private runPacket(): void {
    const s = this.state;
    s.transfer = undefined;
    const result = packetCommand(this.drive!, s.buffer, this.unit.sense);
    this.unit.sense = 'sense' in result ? result.sense : NO_SENSE;
    if (this.unit.sense === BEYOND_END) this.host.warn(this.drive!.beyondEnd);
    s.count[0] = Reason.COMMAND | Reason.TO_HOST;
    if ('sense' in result) return this.fail((result.sense[0] << 4) | AtaError.ABORTED);
    s.left = 0;
    s.packet.data = result.data;
    if (result.data.length === 0) return this.finish();
    if (!s.packet.dma) return this.offerPacketData();
    if (!this.dma) return this.fail(AtaError.ABORTED);
    Object.assign(s, { dma: 'in', status: MOVING });
    this.runDma();
  }

  private offerPacketData(): void {
    const s = this.state;
    const { data, offered, limit } = s.packet;
    const piece = data.subarray(offered, offered + limit);
    s.packet.offered += piece.length;
    s.lbaMid[0] = piece.length & 0xff;
    s.lbaHigh[0] = piece.length >> 8;
    s.count[0] = Reason.TO_HOST;
    this.offer(piece);
  }

  private dataCommand({ transfer, extended, multiple, dma }: DataCommand): void {
    const s = this.state;
    const drive = this.drive!;
    const block = this.unit.multiple;
    if (multiple && block === 0) return this.fail(AtaError.ABORTED);
    const count = sectorCount(s, extended);
    const sector = sectorOf(s, extended, drive.physicalGeometry);
    if (sector + count > drive.sectors) this.host.warn(drive.beyondEnd);
    if (sector < 0 || sector + count > drive.sectors) return this.fail(AtaError.NOT_FOUND);
    Object.assign(s, { extended, sector, left: count, blockSectors: multiple ? block : 1 });
    if (dma) {
      if (!this.dma) return this.fail(AtaError.ABORTED);
      Object.assign(s, { dma: transfer === 'read' ? 'in' : 'out', status: MOVING });
      return this.runDma();
    }
    if (transfer === 'read') this.nextRead();
    else if (transfer === 'write') this.nextWrite(false);
    else {
      s.sector += count;
      s.left = 0;
      putSector(s, s.sector - 1, extended);
      this.finish();
    }
  }

  /** Goes on with a DMA command when the bus master has been started for it. */
  runDma(): void {
    const s = this.state;
    if (!s.dma || !this.dma?.ready(s.dma === 'in')) return;
    if (this.isCd) {
      s.dma = undefined;
      return this.dma.move(s.packet.data, true) ? this.finish() : this.fail(AtaError.ABORTED);
    }
    const bytes = new Uint8Array(s.left * SECTOR_SIZE);
    if (s.dma === 'in') for (let i = 0; i < s.left; i++) bytes.set(this.drive!.read(s.sector + i), i * SECTOR_SIZE);
    const complete = this.dma.move(bytes, s.dma === 'in');
    if (complete && s.dma === 'out') for (let i = 0; i < s.left; i++) this.drive!.write(s.sector + i, bytes.subarray(i * SECTOR_SIZE, (i + 1) * SECTOR_SIZE));
    s.dma = undefined;
    if (!complete) return this.fail(AtaError.ABORTED);
    s.sector += s.left;
    s.left = 0;
    putSector(s, s.sector - 1, s.extended);
    this.finish();
  }

  private nextRead(): void {
    const s = this.state;
    const n = Math.min(s.left, s.blockSectors);
    const bytes = new Uint8Array(n * SECTOR_SIZE);
    for (let i = 0; i < n; i++) bytes.set(this.drive!.read(s.sector + i), i * SECTOR_SIZE);
    s.sector += n;
    s.left -= n;
    putSector(s, s.sector - 1, s.extended);
    this.offer(bytes);
  }

  /** Asks for the next block to write; every block but the first is asked for with an interrupt. */
  private nextWrite(interrupt: boolean): void {
    const s = this.state;
    const n = Math.min(s.left, s.blockSectors);
    s.left -= n;
    Object.assign(s, { buffer: new Uint8Array(n * SECTOR_SIZE), position: 0, transfer: 'out', status: MOVING });
    if (interrupt) this.interrupt();
  }

  /** A block of data is ready for the guest. */
  private offer(bytes: Uint8Array): void {
    Object.assign(this.state, { buffer: bytes, position: 0, transfer: 'in', status: MOVING });
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
        s.count[0] = Reason.COMMAND | Reason.TO_HOST;
        this.finish();
      } else {
        s.transfer = undefined;
        s.status = IDLE;
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
    putSector(s, s.sector - 1, s.extended);
    if (s.left > 0) this.nextWrite(true);
    else this.finish();
  }

  private finish(): void {
    const s = this.state;
    s.transfer = undefined;
    s.status = IDLE;
    this.interrupt();
  }

  private fail(error: number): void {
    const s = this.state;
    s.transfer = undefined;
    s.error = error;
    s.status = IDLE | Status.ERROR;
    this.interrupt();
  }

  private interrupt(): void {
    if (this.state.control & Control.NO_INTERRUPT) return;
    this.setIrq(false);
    this.setIrq(true);
    this.dma?.interrupted();
    this.host.attention();
  }
}
