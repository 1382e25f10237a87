/** The 512 bytes that IDENTIFY DEVICE yields (ATA/ATAPI-6, "IDENTIFY DEVICE"). */
import { type Drive, SECTOR_SIZE } from '../disk/drive';

/** Most sectors per block of READ and WRITE MULTIPLE. */
export const MULTIPLE_MAX = 16;
const LBA28_MAX = 0x0fff_ffff;

/** ATA strings have the bytes of each word swapped. */
function text(data: DataView, index: number, length: number, value: string): void {
  const padded = value.padEnd(length).slice(0, length);
  for (let i = 0; i < length; i++) data.setUint8(index * 2 + (i ^ 1), padded.charCodeAt(i));
}
const serial = (number: number): string => `HS${String(number).padStart(6, '0')}`;

/** IDENTIFY PACKET DEVICE: a removable CD-ROM drive with packets of 12 bytes. */
export function identifyPacket(number: number): Uint8Array {
  const data = new DataView(new ArrayBuffer(SECTOR_SIZE));
  const word = (index: number, value: number): void => data.setUint16(index * 2, value, true);
  word(0, 0x85c0); // ATAPI, CD-ROM, removable, DRQ at once
  text(data, 10, 20, serial(number));
  text(data, 23, 8, '1.0');
  text(data, 27, 40, 'HYPERSTEP CD-ROM');
  word(49, 0x0300); // LBA, DMA
  word(53, 0x0006);
  word(63, 0x0407);
  word(64, 0x0003);
  for (const index of [65, 66, 67, 68]) word(index, 120);
  word(80, 0x007e);
  word(82, 0x4210); // packet, device reset
  word(83, 0x4000);
  word(84, 0x4000);
  word(85, 0x4210);
  word(87, 0x4000);
  return new Uint8Array(data.buffer);
}

/** `multiple` is the present block size, 0 when none is set. */
export function identify(drive: Drive, number: number, multiple: number): Uint8Array {
  const data = new DataView(new ArrayBuffer(SECTOR_SIZE));
  const word = (index: number, value: number): void => data.setUint16(index * 2, value, true);
  const long = (index: number, value: number): void => data.setUint32(index * 2, value, true);
  const { cylinders, heads, sectors } = drive.physicalGeometry;
  word(0, 0x0040); // fixed disk
  word(1, cylinders);
  word(3, heads);
  word(6, sectors);
  text(data, 10, 20, serial(number));
  text(data, 23, 8, '1.0');
  text(data, 27, 40, 'HYPERSTEP HARDDISK');
  word(47, 0x8000 | MULTIPLE_MAX);
  word(48, 1); // 32-bit data port
  word(49, 0x0300); // LBA, DMA
  word(53, 0x0007);
  word(54, cylinders);
  word(55, heads);
  word(56, sectors);
  long(57, cylinders * heads * sectors);
  word(59, multiple ? 0x0100 | multiple : 0);
  long(60, Math.min(drive.sectors, LBA28_MAX));
  word(63, 0x0407); // multiword DMA modes 0 to 2, of which 2 is set
  word(64, 0x0003); // PIO modes 3 and 4
  word(65, 120);
  word(66, 120);
  word(67, 120);
  word(68, 120);
  word(80, 0x007e); // ATA-1 to ATA-6
  word(82, 0x4020); // write cache
  word(83, 0x7400); // 48-bit addresses, FLUSH CACHE and FLUSH CACHE EXT
  word(84, 0x4000);
  word(85, 0x4020);
  word(86, 0x3400);
  word(87, 0x4000);
  long(100, drive.sectors % 0x1_0000_0000);
  long(102, Math.floor(drive.sectors / 0x1_0000_0000));
  return new Uint8Array(data.buffer);
}
