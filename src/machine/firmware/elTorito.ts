/** What of a CD is booted ("El Torito" Bootable CD-ROM Format Specification 1.0). */
import { UserError } from '../../base/errors';
import { cdBlocks, readCdBlocks } from '../devices/atapi';
import type { Drive } from '../disk/drive';
import { emulatedDisk, type EmulatedDisk } from './emulatedDisk';

/** Block of the boot record volume descriptor, its identification, and where it says the catalogue is. */
const BOOT_RECORD = 17;
const IDENTIFIER = 'EL TORITO SPECIFICATION';
const CATALOGUE_AT = 0x47;
/** Second entry of the catalogue. */
const INITIAL_ENTRY = 32;
const BOOTABLE = 0x88;
const DEFAULT_SEGMENT = 0x7c0;
const PER_BLOCK = 4;

export interface BootEntry {
  /** Real-mode segment that it is loaded to. */
  segment: number;
  /** Sectors of 512 bytes that the firmware loads. */
  sectors: number;
  /** First block of 2048 bytes. */
  block: number;
  /** The disk that the BIOS makes of it, where it is none of its own. */
  disk?: EmulatedDisk;
}

/** The entry that is booted, or what is wrong with the disc, as the end of a sentence. */
export function findBootEntry(cd: Drive): BootEntry | string {
  if (cdBlocks(cd) <= BOOT_RECORD) return 'it is too short for a CD image';
  const record = readCdBlocks(cd, BOOT_RECORD);
  const text = String.fromCharCode(...record.subarray(7, 7 + IDENTIFIER.length));
  if (record[0] !== 0 || text !== IDENTIFIER) return 'it has no El Torito boot record';
  const catalogue = readCdBlocks(cd, new DataView(record.buffer, record.byteOffset).getUint32(CATALOGUE_AT, true));
  const entry = new DataView(catalogue.buffer, catalogue.byteOffset + INITIAL_ENTRY);
  if (catalogue[0] !== 1 || catalogue[0x1e] !== 0x55 || catalogue[0x1f] !== 0xaa) return 'its boot catalogue is damaged';
  if (entry.getUint8(0) !== BOOTABLE) return 'its boot catalogue says that it is not bootable';
  const media = entry.getUint8(1) & 15;
  const found: BootEntry = { segment: entry.getUint16(2, true) || DEFAULT_SEGMENT, sectors: entry.getUint16(6, true) || 1, block: entry.getUint32(8, true) };
  if (media === 0) return found;
  const disk = emulatedDisk(cd, media, found.block);
  return typeof disk === 'string' ? disk : { ...found, disk };
}

/** Throws a UserError for a disc that this firmware cannot boot. */
export function checkBootable(cd: Drive): void {
  const entry = findBootEntry(cd);
  if (typeof entry === 'string') throw new UserError('boot.cdrom', `${cd.name} cannot be booted: ${entry}.`);
}

/** The bytes that the firmware loads before it starts them. */
export function bootImage(cd: Drive, { sectors, block }: BootEntry): Uint8Array {
  return cd.readRun(block * PER_BLOCK, sectors);
}
