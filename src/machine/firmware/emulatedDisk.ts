/**
 * Disks that the BIOS makes of a part of a CD ("El Torito" Bootable CD-ROM Format Specification 1.0, "Boot Media Type"):
 * floppy disks of three sizes as drive 0, or a hard disk before all others. Nobody writes to them.
 */
import { CD_BLOCK } from '../devices/atapi';
import { Drive, type Geometry, SECTOR_SIZE } from '../disk/drive';

const FLOPPY_NUMBER = 0x00;
const HARD_DISK_NUMBER = 0x80;
const PARTITION_TABLE = 0x1be;

/** By boot media type: heads and sectors of 80 cylinders, and the drive type that INT 13h tells. */
const FLOPPIES: Readonly<Record<number, { sectors: number; type: number }>> = { 1: { sectors: 15, type: 2 }, 2: { sectors: 18, type: 4 }, 3: { sectors: 36, type: 6 } };
const FLOPPY_CYLINDERS = 80;
const FLOPPY_HEADS = 2;
const HARD_DISK = 4;

export class EmulatedDisk extends Drive {
  constructor(
    readonly cd: Drive,
    /** Boot media type of the catalogue's entry. */
    readonly media: number,
    /** First block of 2048 bytes. */
    readonly block: number,
    private readonly geometry: Geometry,
  ) {
    const start = block * CD_BLOCK;
    super({ name: cd.name, bytes: cd.image.bytes.subarray(start, start + geometry.cylinders * geometry.heads * geometry.sectors * SECTOR_SIZE), attachment: 'ide' });
  }

  /** Drive number of INT 13h. */
  get number(): number {
    return this.media === HARD_DISK ? HARD_DISK_NUMBER : FLOPPY_NUMBER;
  }
  /** What INT 13h AH=08h tells in BL of a floppy disk drive; 0 for a hard disk. */
  get floppyType(): number {
    return FLOPPIES[this.media]?.type ?? 0;
  }
  override get biosGeometry(): Geometry {
    return this.geometry;
  }
  override get physicalGeometry(): Geometry {
    return this.geometry;
  }
}

/** The disk that a catalogue's entry asks for; a sentence's end when that cannot be. */
export function emulatedDisk(cd: Drive, media: number, block: number): EmulatedDisk | string {
  if (block * CD_BLOCK + SECTOR_SIZE > cd.image.bytes.length) return 'the disk image in it is missing';
  const floppy = FLOPPIES[media];
  if (floppy) return new EmulatedDisk(cd, media, block, { cylinders: FLOPPY_CYLINDERS, heads: FLOPPY_HEADS, sectors: floppy.sectors });
  if (media !== HARD_DISK) return `it asks for an emulated medium of type ${media}, which does not exist`;
  // The one partition's last sector, by cylinder, head and sector, tells how large the disk is.
  const bytes = cd.image.bytes.subarray(block * CD_BLOCK);
  const [head, sector, cylinder] = [5, 6, 7].map((at) => bytes[PARTITION_TABLE + at]!) as [number, number, number];
  const geometry = { cylinders: (cylinder | ((sector & 0xc0) << 2)) + 1, heads: head + 1, sectors: sector & 0x3f };
  return geometry.sectors === 0 ? 'the partition table of the hard disk in it is empty' : new EmulatedDisk(cd, media, block, geometry);
}
