/** Reads the images of a launch, checks them, and makes the machine. */
import type { FileSource } from '../../base/files';
import { UserError } from '../../base/errors';
import { isElf } from '../../machine/boot/elfHeader';
import { hasFloppySize } from '../../machine/disk/floppy';
import { kernelBoot } from '../../machine/boot/kernelFile';
import { createMachine } from '../../machine/machine';
import type { Boot, DiskImage, Machine } from '../../machine/machineInterface';
import { findCompanions } from '../../symbols/companions';
import { SymbolImage } from '../../symbols/image';
import type { World } from '../../debug/world';
import type { LaunchConfiguration } from './configuration';
import { checkBootDisk, checkDrive, checkElf } from './imageCheck';
import { readMemoryMap } from './memoryMapFile';
import type { LaunchTargets } from './targets';

export interface LoadedSymbols {
  path: string;
  image: SymbolImage;
  world: World | undefined;
}

async function image(files: FileSource, path: string): Promise<DiskImage> {
  return { name: path, bytes: await files.read(path) };
}

/** Makes the machine of a launch. Throws a UserError that names the file or key that is wrong. */
export async function loadMachine(files: FileSource, configuration: LaunchConfiguration, targets: LaunchTargets): Promise<Machine> {
  const drives: DiskImage[] = [];
  let boot: Boot;
  const firmware = await Promise.all((targets.firmware ?? []).map((path) => image(files, path)));
  if (targets.boot.kind === 'disk') {
    const disk = await image(files, targets.boot.disk);
    (firmware.length > 0 ? checkDrive : checkBootDisk)(disk.name, disk.bytes);
    drives.push(disk);
    // What is named to start from is started, whatever lies in drive A:.
    boot = { kind: 'disk', hardDisk: !hasFloppySize(disk.bytes.length) };
  } else if (targets.boot.kind === 'cdrom') {
    const cd = await image(files, targets.boot.cdrom);
    checkDrive(cd.name, cd.bytes);
    drives.push({ ...cd, attachment: 'cdrom' });
    boot = { kind: 'cdrom' };
  } else if (targets.boot.kind === 'kernel') {
    const { kernel, initrd, append, entry } = targets.boot;
    const read = { image: await image(files, kernel), initrd: initrd === undefined ? undefined : await image(files, initrd), append, entry };
    boot = firmware.length > 0 ? { kind: 'firmware', images: firmware, kernel: read.image, initrd: read.initrd, append } : kernelBoot(read);
  } else if (targets.boot.kind === 'firmware') boot = { kind: 'disk' };
  else {
    const kernel = await image(files, targets.boot.multiboot);
    const modules = await Promise.all(targets.boot.modules.map(async (m) => ({ image: await image(files, m.file), append: m.append })));
    boot = { kind: 'multiboot', image: kernel, append: targets.boot.append, modules };
  }
  for (const path of targets.drives) {
    const drive = await image(files, path);
    checkDrive(drive.name, drive.bytes);
    drives.push(drive);
  }
  for (const path of targets.floppies ?? []) {
    const floppy = await image(files, path);
    checkDrive(floppy.name, floppy.bytes);
    drives.push({ ...floppy, attachment: 'floppy' });
  }
  if (firmware.length > 0 && boot.kind !== 'firmware') boot = { kind: 'firmware', images: firmware, kernel: undefined, initrd: undefined, append: '' };
  const { e820 } = targets;
  const map = e820 === undefined ? undefined : readMemoryMap(e820, new TextDecoder().decode(await files.read(e820)));
  return createMachine({ ...configuration.machine, drives, boot, e820: map });
}

/** Opens a file with symbols, and what belongs to it. Throws a UserError that names the file. */
export const openSymbols = async (files: FileSource, file: string, bytes: Uint8Array): Promise<SymbolImage> => SymbolImage.open(file, bytes, await findCompanions(files, file, bytes));

/** The same for a file that was merely found: undefined for one without symbols. */
export async function openIfLinked(files: FileSource, file: string, bytes: Uint8Array): Promise<SymbolImage | undefined> {
  if (!isElf(bytes)) return undefined;
  try {
    return await openSymbols(files, file, bytes);
  } catch (error) {
    // Objects that are not linked lie among the programs.
    if (!(error instanceof UserError)) throw error;
    return undefined;
  }
}

/** Opens the symbol files of a launch. One that was asked for must be usable; one that was merely found may not be. */
export async function loadSymbols(files: FileSource, targets: LaunchTargets): Promise<LoadedSymbols[]> {
  const loaded: LoadedSymbols[] = [];
  for (const { file, world } of targets.symbols) {
    const bytes = await files.read(file);
    checkElf(file, bytes);
    loaded.push({ path: file, image: await openSymbols(files, file, bytes), world });
  }
  for (const { file, world } of targets.optionalSymbols) {
    const image = await openIfLinked(files, file, await files.read(file).catch(() => new Uint8Array()));
    if (image) loaded.push({ path: file, image, world });
  }
  return loaded;
}
