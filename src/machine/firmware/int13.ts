/** INT 13h: hard disks and floppy disks, by cylinder, head and sector and by the extensions (EDD 1.1); CDs by the extensions. */
import { Gpr, Seg } from '../../cpu/state';
import { CD_BLOCK, cdBlocks, readCdBlocks } from '../devices/atapi';
import { type Drive, SECTOR_SIZE } from '../disk/drive';
import { Bda } from './biosData';
import { findBootEntry } from './elTorito';
import { EmulatedDisk } from './emulatedDisk';
import type { CallFrame } from './callFrame';
import { BIOS_SEGMENT, DISKETTE_PARAMETERS } from './rom';
import type { FirmwareParts, Service } from './services';
import { missingService } from './services';
import type { Linear } from '../../base/address';

const VECTOR = 0x13;
export const FIRST_HARD_DISK = 0x80;
/** All emulated drives. */
const ALL_EMULATED = 0x7f;
/** The first CD's number. */
export const CD_NUMBER = 0xe0;
/** Status codes. */
const BAD_COMMAND = 0x01;
const WRITE_PROTECTED = 0x03;
const SECTOR_NOT_FOUND = 0x04;
const NO_DRIVE = 0x80;
const UNSUPPORTED_MEDIUM = 0x0c;
const NOT_REMOVABLE = 0xb2;
/** Sectors that a call by geometry may move: 64 KiB. */
const MOST_SECTORS = 128;

type DiskService = (call: CallFrame, drive: Drive, parts: FirmwareParts) => void;
type Direction = 'read' | 'write' | 'verify';

const functions: Record<number, DiskService> = {
  0x00: (call) => call.succeed(),
  0x02: (call, drive, parts) => byGeometry(call, drive, 'read', parts),
  0x03: (call, drive, parts) => byGeometry(call, drive, 'write', parts),
  0x04: (call, drive, parts) => byGeometry(call, drive, 'verify', parts),
  0x08: (call, drive, parts) => {
    const { cylinders, heads, sectors } = drive.biosGeometry;
    const last = cylinders - 1;
    call.succeed();
    call.al = 0;
    call.bx &= 0xff00;
    call.cx = ((last & 0xff) << 8) | ((last >> 2) & 0xc0) | sectors;
    call.dx = ((heads - 1) << 8) | (floppyType(drive) ? floppyDisks(parts).length : hardDisks(parts).length);
    if (!floppyType(drive)) return;
    call.bx |= floppyType(drive);
    call.setSegment(Seg.ES, BIOS_SEGMENT);
    call.set16(Gpr.RDI, DISKETTE_PARAMETERS);
  },
  0x09: (call) => call.succeed(), // initialise parameters
  0x0c: (call) => call.succeed(), // seek
  0x0d: (call) => call.succeed(), // reset
  0x10: (call) => call.succeed(), // ready
  0x11: (call) => call.succeed(), // recalibrate
  0x14: (call) => call.succeed(), // diagnostics
  0x15: (call, drive) => {
    if (floppyType(drive)) {
      call.carry = false;
      call.ah = 0x01; // a floppy disk drive that does not notice changes
      return;
    }
    call.cx = (drive.sectors >>> 16) & 0xffff;
    call.dx = drive.sectors & 0xffff;
    call.carry = false;
    call.ah = 0x03; // a hard disk
  },
  0x16: (call, drive) => (floppyType(drive) ? call.succeed() : call.fail(BAD_COMMAND)), // has the disk been changed?
  0x17: (call, drive) => (floppyType(drive) ? call.succeed() : call.fail(BAD_COMMAND)), // the kind of disk that will be formatted
  0x18: (call, drive) => {
    const { cylinders, sectors } = drive.biosGeometry;
    if (!floppyType(drive) || call.cx >> 8 !== cylinders - 1 || (call.cx & 0x3f) !== sectors) return call.fail(UNSUPPORTED_MEDIUM);
    call.setSegment(Seg.ES, BIOS_SEGMENT);
    call.set16(Gpr.RDI, DISKETTE_PARAMETERS);
    call.succeed();
  },
  0x41: (call, drive) => (floppyType(drive) ? call.fail(BAD_COMMAND) : extensionsPresent(call)),
  0x42: (call, drive, parts) => byPacket(call, drive, 'read', parts),
  0x43: (call, drive, parts) => byPacket(call, drive, 'write', parts),
  0x44: (call, drive, parts) => byPacket(call, drive, 'verify', parts),
  0x45: (call) => call.succeed(), // lock and unlock what cannot be taken out
  0x46: (call) => call.fail(NOT_REMOVABLE),
  0x47: (call, drive, parts) => byPacket(call, drive, 'verify', parts),
  0x48: (call, drive) => {
    const at = call.linear(Seg.DS, call.get16(Gpr.RSI));
    const { cylinders, heads, sectors } = drive.physicalGeometry;
    const table = new DataView(new ArrayBuffer(26));
    table.setUint16(0, 26, true);
    table.setUint16(2, 0x0002, true); // the geometry is valid
    table.setUint32(4, cylinders, true);
    table.setUint32(8, heads, true);
    table.setUint32(12, sectors, true);
    table.setBigUint64(16, BigInt(drive.sectors), true);
    table.setUint16(24, SECTOR_SIZE, true);
    if (call.load(at, 2) < 26) return call.fail(BAD_COMMAND);
    call.write(at, new Uint8Array(table.buffer));
    call.succeed();
  },
};

export const int13: Service = (call, parts) => {
  const number = call.dx & 0xff;
  if (call.ah === 0x01) {
    const status = parts.memory.load(Bda.DISK_STATUS, 1);
    if (status) call.fail(status);
    else call.succeed();
    return;
  }
  const drive = number < FIRST_HARD_DISK ? floppyDisks(parts)[number] : hardDisks(parts)[number - FIRST_HARD_DISK];
  const cd = parts.cds[number - CD_NUMBER];
  if (cd) return cdService(call, cd, number, parts);
  if (call.ah === 0x4b && parts.emulated && (number === parts.emulated.number || number === ALL_EMULATED)) return emulation(call, parts);
  const f = functions[call.ah];
  if (!f) {
    // CD-ROM emulation (4Bh) is asked for by boot loaders on every drive.
    if (call.ah !== 0x4b && call.ah !== 0x05) parts.host.warn(missingService(VECTOR, call));
    call.fail(BAD_COMMAND);
  } else if (!drive) call.fail(call.ah === 0x15 ? 0 : call.ah === 0x08 ? 0x07 : NO_DRIVE);
  else {
    const checked = call.ah;
    f(call, drive, parts);
    parts.memory.store(Bda.DISK_STATUS, 1, checked === 0x15 || checked === 0x41 ? 0 : call.ah);
  }
};

function extensionsPresent(call: CallFrame): void {
  if (call.bx !== 0x55aa) return call.fail(BAD_COMMAND);
  call.bx = 0xaa55;
  call.cx = 0x0001; // the packet functions
  call.carry = false;
  call.ah = 0x01; // version 1.x
}

/** Hard disks in the order of their numbers: an emulated one comes first. */
export const hardDisks = ({ drives, emulated }: FirmwareParts): readonly Drive[] => (emulated && emulated.floppyType === 0 ? [emulated, ...drives] : drives);
/** The same for floppy disks. */
export const floppyDisks = ({ floppies, emulated }: FirmwareParts): readonly Drive[] => (emulated && emulated.floppyType !== 0 ? [emulated, ...floppies] : floppies);
/** What AH=08h tells of a floppy disk; 0 for others. */
const floppyType = (drive: Drive): number => (drive instanceof EmulatedDisk ? drive.floppyType : (drive.floppy?.type ?? 0));

/** INT 13h AX=4B00h and 4B01h: the specification packet at DS:SI is filled, and with 00h the emulation ends. */
function emulation(call: CallFrame, parts: FirmwareParts): void {
  const disk = parts.emulated;
  if (!disk || call.al > 1) return call.fail(BAD_COMMAND);
  const { cylinders, heads, sectors } = disk.biosGeometry;
  const packet = new DataView(new ArrayBuffer(0x13));
  packet.setUint8(0, 0x13);
  packet.setUint8(1, disk.media);
  packet.setUint8(2, disk.number);
  packet.setUint32(4, disk.block, true);
  packet.setUint16(0x0e, 1, true);
  packet.setUint8(0x10, cylinders - 1);
  packet.setUint8(0x11, (((cylinders - 1) >> 2) & 0xc0) | sectors);
  packet.setUint8(0x12, heads - 1);
  call.write(call.linear(Seg.DS, call.get16(Gpr.RSI)), new Uint8Array(packet.buffer));
  if (call.al === 0) parts.endEmulation();
  call.succeed();
}

/** A CD without emulation: blocks of 2048 bytes, by the extensions only. */
function cdService(call: CallFrame, cd: Drive, number: number, parts: FirmwareParts): void {
  const at = call.linear(Seg.DS, call.get16(Gpr.RSI));
  switch (call.ah) {
    case 0x00:
    case 0x0d:
    case 0x10:
    case 0x11:
    case 0x47:
      return call.succeed();
    case 0x41:
      return extensionsPresent(call);
    case 0x42:
      return byPacket(call, cd, 'read', parts);
    case 0x44:
      return byPacket(call, cd, 'verify', parts);
    case 0x03:
    case 0x43:
      return call.fail(WRITE_PROTECTED);
    case 0x48: {
      if (call.load(at, 2) < 26) return call.fail(BAD_COMMAND);
      const table = new DataView(new ArrayBuffer(26));
      table.setUint16(0, 26, true);
      table.setUint16(2, 0x0074, true); // removable, change line, lockable; the geometry is not valid
      for (const field of [4, 8, 12]) table.setUint32(field, 0xffff_ffff, true);
      table.setBigUint64(16, BigInt(cdBlocks(cd)), true);
      table.setUint16(24, CD_BLOCK, true);
      call.write(at, new Uint8Array(table.buffer));
      return call.succeed();
    }
    case 0x4b: {
      const entry = findBootEntry(cd);
      if (typeof entry === 'string') return call.fail(BAD_COMMAND);
      const packet = new DataView(new ArrayBuffer(0x13));
      packet.setUint8(0, 0x13);
      packet.setUint8(2, number);
      packet.setUint32(4, entry.block, true);
      packet.setUint16(0x0c, entry.segment, true);
      packet.setUint16(0x0e, entry.sectors, true);
      call.write(at, new Uint8Array(packet.buffer));
      return call.succeed();
    }
    default:
      return call.fail(BAD_COMMAND);
  }
}

/** Moves sectors between disk and memory; false when they are not all on the disk. */
function move(call: CallFrame, { host }: FirmwareParts, drive: Drive, direction: Direction, first: number, count: number, at: Linear): boolean {
  if (drive.attachment === 'cdrom') {
    if (first + count > cdBlocks(drive)) {
      host.warn(drive.beyondEnd);
      return false;
    }
    if (direction === 'read') call.write(at, readCdBlocks(drive, first, count));
    return true;
  }
  if (first + count > drive.sectors) {
    host.warn(drive.beyondEnd);
    return false;
  }
  if (direction === 'write' && drive instanceof EmulatedDisk) return false;
  if (direction === 'read') call.write(at, drive.readRun(first, count));
  if (direction === 'write') for (let i = 0; i < count; i++) drive.write(first + i, call.read((at + BigInt(i * SECTOR_SIZE)) as Linear, SECTOR_SIZE));
  return true;
}

/** Why `move` has moved nothing. */
const refusal = (drive: Drive, direction: Direction): number => (direction === 'write' && drive instanceof EmulatedDisk ? WRITE_PROTECTED : SECTOR_NOT_FOUND);

function byGeometry(call: CallFrame, drive: Drive, direction: Direction, parts: FirmwareParts): void {
  const { heads, sectors } = drive.biosGeometry;
  const cylinder = (call.cx >> 8) | ((call.cx & 0xc0) << 2);
  const head = call.dx >> 8;
  const sector = call.cx & 0x3f;
  const count = call.al;
  if (sector === 0 || sector > sectors || head >= heads || count === 0 || count > MOST_SECTORS) return call.fail(BAD_COMMAND);
  const first = (cylinder * heads + head) * sectors + sector - 1;
  if (move(call, parts, drive, direction, first, count, call.linear(Seg.ES, call.bx))) return call.succeed();
  call.al = 0;
  call.fail(refusal(drive, direction));
}

function byPacket(call: CallFrame, drive: Drive, direction: Direction, parts: FirmwareParts): void {
  const at = call.linear(Seg.DS, call.get16(Gpr.RSI));
  const packet = new DataView(call.read(at, 24).buffer);
  if (packet.getUint8(0) < 16) return call.fail(BAD_COMMAND);
  const count = packet.getUint16(2, true);
  const offset = packet.getUint16(4, true);
  const segment = packet.getUint16(6, true);
  const first = Number(packet.getBigUint64(8, true));
  const flat = offset === 0xffff && segment === 0xffff && packet.getUint8(0) >= 24;
  const buffer = flat ? packet.getBigUint64(16, true) : BigInt(segment * 16 + offset);
  if (move(call, parts, drive, direction, first, count, buffer as Linear)) return call.succeed();
  call.store((at + 2n) as Linear, 2, 0);
  call.fail(refusal(drive, direction));
}
