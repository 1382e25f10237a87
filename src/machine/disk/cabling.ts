/** Which drive is where: the one place that decides positions on the IDE cables, on virtio, and the BIOS's drive numbers. */
import { UserError } from '../../base/errors';
import type { Drive } from './drive';

/** IDE positions: primary master and slave, secondary master and slave. */
export const IDE_POSITIONS = 4;
/** Most drives on virtio. */
export const VIRTIO_POSITIONS = 4;
/** Drives on the floppy disk controller's cable. */
const FLOPPY_POSITIONS = 2;
/** Where CD-ROM drives like to be: secondary master first, as PCs are cabled. */
const CD_ORDER = [2, 3, 1, 0] as const;

export interface Cabling {
  ide: readonly (Drive | undefined)[];
  virtio: readonly Drive[];
  /** Hard disks in the BIOS's order: number 0x80 first. */
  disks: readonly Drive[];
  /** CD-ROM drives, number 0xE0 first. */
  cds: readonly Drive[];
  /** Floppy disks, number 0 first. */
  floppies: readonly Drive[];
}

/** Throws a UserError when there are more drives than positions. */
export function cable(drives: readonly Drive[]): Cabling {
  const of = (attachment: Drive['attachment']): Drive[] => drives.filter((drive) => drive.attachment === attachment);
  const [hard, cds, virtio, floppies] = [of('ide'), of('cdrom'), of('virtio'), of('floppy')];
  if (hard.length + cds.length > IDE_POSITIONS) throw new UserError('drives', `There are ${hard.length + cds.length} IDE drives; Hyperstep's PC takes at most ${IDE_POSITIONS}, the boot disk and CDs included.`);
  if (virtio.length > VIRTIO_POSITIONS) throw new UserError('drives', `There are ${virtio.length} virtio drives; Hyperstep's PC takes at most ${VIRTIO_POSITIONS}.`);
  if (floppies.length > FLOPPY_POSITIONS) throw new UserError('drives', `There are ${floppies.length} floppy disks; Hyperstep's PC takes at most ${FLOPPY_POSITIONS}.`);
  const ide = new Array<Drive | undefined>(IDE_POSITIONS).fill(undefined);
  hard.forEach((drive, n) => (ide[n] = drive));
  for (const cd of cds) ide[CD_ORDER.find((n) => !ide[n])!] = cd;
  return { ide, virtio, disks: [...hard, ...virtio], cds, floppies };
}
