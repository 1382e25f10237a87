/** The formats of floppy disks, by the size of an image. */
import { UserError } from '../../base/errors';
import type { Geometry } from './drive';

export interface FloppyFormat extends Geometry {
  /** The drive's type, as CMOS register 0x10 and INT 13h AH=08h tell it. */
  type: number;
}

const format = (cylinders: number, sectors: number, type: number): FloppyFormat => ({ cylinders, heads: 2, sectors, type });
const FORMATS: readonly FloppyFormat[] = [format(40, 9, 1), format(80, 9, 3), format(80, 15, 2), format(80, 18, 4), format(80, 36, 6)];
const USUAL = FORMATS[3]!;

const bytesOf = ({ cylinders, heads, sectors }: FloppyFormat): number => cylinders * heads * sectors * 512;

/** Whether an image is as long as a floppy disk of some format, which no hard disk is. */
export const hasFloppySize = (bytes: number): boolean => FORMATS.some((f) => bytesOf(f) === bytes);

/** The format of an image of so many bytes. One of no format's size is a disk of 1.44 MB, or of 2.88 MB, whose end is empty. Throws a UserError for one that is longer. */
export function floppyFormat(name: string, bytes: number): FloppyFormat {
  const exact = FORMATS.find((f) => bytesOf(f) === bytes);
  const found = exact ?? [USUAL, FORMATS.at(-1)!].find((f) => bytesOf(f) >= bytes);
  if (!found) throw new UserError('disk.floppy', `${name} has ${bytes} bytes, and a floppy disk has ${bytesOf(FORMATS.at(-1)!)} at most: name it as a hard disk (--disk, or "drives" of a launch configuration).`);
  return found;
}
