/** A drive, hard disk, floppy disk or CD: an image whose bytes stay as they are, and an overlay of what was written. */
import { UserError } from '../../base/errors';
import type { DiskImage } from '../machineInterface';
import { type FloppyFormat, floppyFormat, hasFloppySize } from './floppy';
import { Overlay } from './overlay';

export const SECTOR_SIZE = 512;
const SIGNATURE_AT = 510;

/** Cylinders, heads and sectors per track. */
export interface Geometry {
  cylinders: number;
  heads: number;
  sectors: number;
}

const CD_NAME = /\.iso$/i;

export class Drive {
  readonly overlay = new Overlay();
  readonly sectors: number;
  /** How it is connected: as the image says, else a CD for a file named .iso, a floppy disk for a boot disk of that size, else an IDE disk. */
  readonly attachment: NonNullable<DiskImage['attachment']>;
  /** What is known of a floppy disk. */
  readonly floppy: FloppyFormat | undefined;

  /** `boots`: the machine starts from it. Throws a UserError for an image of no bytes, and for a floppy disk that is too long. */
  constructor(readonly image: DiskImage, boots = false) {
    const { name, bytes } = image;
    if (bytes.length === 0) throw new UserError('disk.empty', `${name} is empty: a disk image needs at least one sector of 512 bytes.`);
    this.attachment = image.attachment ?? (CD_NAME.test(name) ? 'cdrom' : boots && hasFloppySize(bytes.length) ? 'floppy' : 'ide');
    this.floppy = this.attachment === 'floppy' ? floppyFormat(name, bytes.length) : undefined;
    this.sectors = this.floppy ? this.floppy.cylinders * this.floppy.heads * this.floppy.sectors : Math.ceil(bytes.length / SECTOR_SIZE);
  }

  get name(): string {
    return this.image.name;
  }

  /** Whether the last sector is incomplete; it is read as if zeros followed. */
  get padded(): boolean {
    return this.image.bytes.length % SECTOR_SIZE !== 0;
  }

  /** For the user, when a guest asks for more than there is: an image that was cut short looks like this. */
  get beyondEnd(): string {
    return `The guest asked for sectors behind the end of ${this.name}, which has ${this.sectors}; it got an error, as from a real disk.`;
  }

  /** The 512 bytes of a sector. Must not be modified. */
  read(sector: number): Uint8Array {
    const written = this.overlay.get(sector);
    if (written) return written;
    const bytes = this.image.bytes.subarray(sector * SECTOR_SIZE, (sector + 1) * SECTOR_SIZE);
    if (bytes.length === SECTOR_SIZE) return bytes;
    const whole = new Uint8Array(SECTOR_SIZE);
    whole.set(bytes);
    return whole;
  }

  /** The bytes of so many sectors in a row, zeros behind the image's end. Must not be modified. */
  readRun(first: number, count: number): Uint8Array {
    const run = this.image.bytes.subarray(first * SECTOR_SIZE, (first + count) * SECTOR_SIZE);
    let isWhole = run.length === count * SECTOR_SIZE;
    for (let i = 0; i < count && isWhole; i++) isWhole = this.overlay.get(first + i) === undefined;
    if (isWhole) return run;
    const put = new Uint8Array(count * SECTOR_SIZE);
    for (let i = 0; i < count; i++) put.set(this.read(first + i), i * SECTOR_SIZE);
    return put;
  }

  write(sector: number, bytes: Uint8Array): void {
    this.overlay.set(sector, bytes.slice(0, SECTOR_SIZE));
  }

  /** Whether the first sector ends with 0x55 0xAA, as a boot sector does. */
  get bootable(): boolean {
    const first = this.read(0);
    return first[SIGNATURE_AT] === 0x55 && first[SIGNATURE_AT + 1] === 0xaa;
  }

  /** The geometry that IDENTIFY reports. */
  get physicalGeometry(): Geometry {
    return this.floppy ?? { cylinders: Math.max(1, Math.min(16383, Math.floor(this.sectors / (16 * 63)))), heads: 16, sectors: 63 };
  }

  /** The geometry that the BIOS translates to: at most 1024 cylinders, as many heads as that takes. */
  get biosGeometry(): Geometry {
    if (this.floppy) return this.floppy;
    let heads = 16;
    while (heads < 255 && this.sectors > 1024 * heads * 63) heads = Math.min(255, heads * 2);
    return { cylinders: Math.max(1, Math.min(1024, Math.floor(this.sectors / (heads * 63)))), heads, sectors: 63 };
  }

  /** The image with everything written put in: what `persistDrives` saves. */
  merged(): Uint8Array {
    const bytes = new Uint8Array(this.padded ? this.image.bytes.length : this.sectors * SECTOR_SIZE);
    bytes.set(this.image.bytes);
    for (const [sector, data] of this.overlay.entries()) bytes.set(data.subarray(0, Math.max(0, bytes.length - sector * SECTOR_SIZE)), sector * SECTOR_SIZE);
    return bytes;
  }
}
