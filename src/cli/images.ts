/** The files that a run starts from: read, checked, and the built-in lab found. */
import fs from 'node:fs';
import path from 'node:path';
import { checkBootDisk, checkDrive } from '../adapter/launch/imageCheck';
import { nodeFiles } from '../adapter/hosts/nodeFiles';
import { UserError } from '../base/errors';
import { openIfLinked, openSymbols } from '../adapter/launch/load';
import { readMemoryMap } from '../adapter/launch/memoryMapFile';
import { expandSymbols } from '../adapter/launch/symbolFiles';
import { kernelBoot } from '../machine/boot/kernelFile';
import type { DiskImage, MachineOptions } from '../machine/machineInterface';
import type { SymbolImage } from '../symbols/image';
import type { RunOptions } from './runOptions';

export interface LoadedSymbols {
  name: string;
  world: 'vmm' | 'guest' | undefined;
  image: SymbolImage;
}

const WHY: Record<string, string> = { ENOENT: 'there is no such file', EISDIR: 'it is a folder', EACCES: 'reading it is not permitted', ENOTDIR: 'a part of the path is not a folder' };

function read(option: string, file: string): Uint8Array {
  try {
    return fs.readFileSync(file);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new UserError('file', `${option} ${file} cannot be read: ${WHY[code ?? ''] ?? message}.`);
  }
}

const LAB_IMAGES = path.join('lab', 'images');

/** The lab's images belong to the package, which is some folders above this file, whether that is a source or a bundle. */
function labFolder(): string {
  for (let folder = __dirname; ; folder = path.dirname(folder)) {
    if (fs.existsSync(path.join(folder, LAB_IMAGES))) return path.join(folder, LAB_IMAGES);
    if (path.dirname(folder) === folder) throw new UserError('file', 'The built-in lab is not installed: name a disk image by --disk.');
  }
}

/** The options with the built-in lab's files filled in where no image is named. */
export function withLab(options: RunOptions): RunOptions {
  if (options.disks.length > 0 || options.cdroms.length > 0 || options.virtio.length > 0 || options.floppies.length > 0 || options.firmware.length > 0 || options.multiboot !== undefined || options.kernel !== undefined) return options;
  const file = (name: string): string => path.join(labFolder(), options.lab, name);
  return {
    ...options,
    disks: [file('vmm.img'), file('guest.img')],
    symbols: [...options.symbols, { file: file('vmm.elf'), world: 'vmm' }, { file: file('guest.elf'), world: 'guest' }, { file: file('vmm-boot.elf'), world: 'vmm' }, { file: file('guest-boot.elf'), world: 'guest' }],
  };
}

function image(option: string, file: string, check: (name: string, bytes: Uint8Array) => void): DiskImage {
  const bytes = read(option, file);
  check(file, bytes);
  return { name: file, bytes };
}

/** A module's file, and behind a space what it is told; a file whose name has spaces is found all the same. */
function moduleWords(words: string): { file: string; append: string } {
  const space = words.indexOf(' ');
  if (space < 0 || fs.existsSync(words)) return { file: words, append: '' };
  return { file: words.slice(0, space), append: words.slice(space + 1) };
}

/** Reads and checks everything the machine starts from. Throws a UserError that names the file. */
export function loadMachine(options: RunOptions): MachineOptions {
  const { cpus, translator, without } = options;
  const e820 = options.e820 === undefined ? undefined : readMemoryMap(options.e820, new TextDecoder().decode(read('--e820', options.e820)));
  const machine = { memory: options.memory, cpus, translator, without, e820 };
  const bootDisk = options.firmware.length === 0 && options.multiboot === undefined && options.kernel === undefined && options.cdroms.length === 0;
  const isCd = (file: string): boolean => /\.iso$/i.test(file);
  const drives = [
    ...options.disks.map((file, i) => image('--disk', file, i === 0 && bootDisk && options.floppies.length === 0 && !isCd(file) ? checkBootDisk : checkDrive)),
    ...options.floppies.map((file) => ({ ...image('--floppy', file, checkDrive), attachment: 'floppy' as const })),
    ...options.cdroms.map((file) => ({ ...image('--cdrom', file, checkDrive), attachment: 'cdrom' as const })),
    ...options.virtio.map((file, i) => ({ ...image('--virtio', file, i === 0 && bootDisk && options.disks.length === 0 && options.floppies.length === 0 ? checkBootDisk : checkDrive), attachment: 'virtio' as const })),
  ];
  const kernel = options.kernel === undefined ? undefined : image('--kernel', options.kernel, () => {});
  const initrd = options.initrd === undefined ? undefined : image('--initrd', options.initrd, () => {});
  if (options.firmware.length > 0) return { ...machine, drives, boot: { kind: 'firmware', images: options.firmware.map((file) => image('--firmware', file, () => {})), kernel, initrd, append: options.append } };
  if (kernel) {
    return { ...machine, drives, boot: kernelBoot({ image: kernel, initrd, append: options.append, entry: options.linuxEntry }) };
  }
  if (options.multiboot === undefined) return { ...machine, drives, boot: { kind: options.cdroms.length > 0 ? 'cdrom' : 'disk' } };
  const multiboot = image('--multiboot', options.multiboot, () => {});
  const modules = options.modules.map((words) => {
    const { file, append } = moduleWords(words);
    return { image: image('--module', file, () => {}), append };
  });
  return { ...machine, drives, boot: { kind: 'multiboot', image: multiboot, append: options.append, modules } };
}

/** Opens the symbol files, folders and patterns among them, and what belongs to them. Throws a UserError that names the file. */
export async function loadSymbols(options: RunOptions): Promise<LoadedSymbols[]> {
  // A shell that knows no such pattern hands it on as it is; one without a folder is of this one.
  const here = (file: string): string => (/[*?]/.test(file) && !file.includes('/') ? `./${file}` : file);
  const { named, found } = await expandSymbols(nodeFiles, options.symbols.map((s) => ({ ...s, file: here(s.file) })), '--symbols');
  const loaded: LoadedSymbols[] = await Promise.all(named.map(async ({ file, world }) => ({ name: file, world, image: await openSymbols(nodeFiles, file, read('--symbols', file)) })));
  for (const { file, world } of found) {
    const image = await openIfLinked(nodeFiles, file, read('--symbols', file));
    if (image) loaded.push({ name: file, world, image });
  }
  return loaded;
}
