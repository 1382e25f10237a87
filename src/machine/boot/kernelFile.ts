/** Which way a kernel file is to be booted, by what is in it. */
import { UserError } from '../../base/errors';
import type { Boot, BootModule, DiskImage } from '../machineInterface';
import { isElf } from './elfHeader';
import { isLinux } from './linuxHeader';
import { hasMultibootHeader } from './multiboot';
import { hasMultiboot2Header } from './multiboot2';
import { hasPvhEntry } from './pvh';

export interface KernelFile {
  image: DiskImage;
  initrd: DiskImage | undefined;
  append: string;
  /** Bits of the Linux entry that is asked for. */
  entry: 16 | 32 | 64 | undefined;
}

/** Whether a file ends its first sector as boot sectors do. */
const isDisk = ({ bytes }: DiskImage): boolean => bytes[510] === 0x55 && bytes[511] === 0xaa;

/** A bzImage by the Linux boot protocol, an ELF by multiboot, by PVH, or at its entry point. Throws a UserError that names the file when it is neither, or cannot be told what it is to be told. */
export function kernelBoot({ image, initrd, append, entry }: KernelFile): Boot {
  if (isLinux(image)) return { kind: 'linux', image, initrd, append, entry };
  if (entry !== undefined) throw new UserError('boot.entry', `${image.name} is no Linux kernel (bzImage), so it has no ${entry}-bit entry to choose.`);
  const modules: BootModule[] = initrd ? [{ image: initrd, append: '' }] : [];
  if (hasMultibootHeader(image) || hasMultiboot2Header(image)) return { kind: 'multiboot', image, append, modules };
  if (hasPvhEntry(image)) return { kind: 'pvh', image, append, modules };
  if (!isElf(image.bytes)) throw new UserError('boot.notLinux', `${image.name} is no kernel to boot: it is neither a Linux kernel (bzImage, "vmlinuz") nor an ELF.${isDisk(image) ? ' It is a disk image with a boot sector: boot it as a disk.' : ''}`);
  const told = append !== '' ? 'a command line' : initrd ? 'an initial RAM disk' : undefined;
  if (told !== undefined) throw new UserError('boot.elf', `${image.name} is an ELF with neither a multiboot header nor a PVH entry: it is started at its entry point and can be told nothing, so it takes no ${told.slice(told.indexOf(' ') + 1)}.`);
  return { kind: 'elf', image };
}
