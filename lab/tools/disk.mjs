// The lab's two disks: boot sector, kernel, and for the guest a flat file system behind it.
import { bootableElf, readElf } from './elf.mjs';

const SECTOR = 512;
const SIGNATURE = 510;
const PARTITION_TABLE = 446;
const PARTITION_TYPE = 0x7f; // nobody's: for experiments
const FILES = 15; // entries that fit the directory sector, guest/files.c

const padded = (bytes) => Buffer.concat([bytes, Buffer.alloc(-bytes.length & (SECTOR - 1))]);

/** The one flat piece of a linked boot sector, with the signature that a BIOS wants. `room` is what the code may use. */
function bootSector(elf, name, room) {
  const code = readElf(elf, name).segments[0].bytes;
  if (code.length > room) throw new Error(`${name} has ${code.length} bytes; ${room} fit a boot sector.`);
  const sector = Buffer.alloc(SECTOR);
  sector.set(code);
  sector.writeUInt16LE(0xaa55, SIGNATURE);
  return sector;
}

/** Drive 0: the VMM's boot sector and kernel. */
export function vmmDisk(boot, kernel) {
  return Buffer.concat([bootSector(boot, 'vmm/boot.S', SIGNATURE), bootableElf(readElf(kernel, 'vmm.elf'), SECTOR)]);
}

/** One directory sector, then each file from a sector of its own. `first` is the directory's sector on the disk. */
function fileSystem(files, first) {
  if (files.length > FILES) throw new Error(`The guest's disk holds ${FILES} files; there are ${files.length}.`);
  const directory = Buffer.alloc(SECTOR);
  directory.write('FLTE', 'latin1');
  directory.writeUInt32LE(files.length, 4);
  const parts = [directory];
  let sector = first + 1;
  files.forEach(({ name, bytes }, i) => {
    if (name.length > 23) throw new Error(`The name ${name} is too long for the guest's disk: 23 characters fit.`);
    const entry = 32 * (i + 1);
    directory.write(name, entry, 'latin1');
    directory.writeUInt32LE(sector, entry + 24);
    directory.writeUInt32LE(bytes.length, entry + 28);
    parts.push(padded(bytes));
    sector += padded(bytes).length / SECTOR;
  });
  return Buffer.concat(parts);
}

/** Drive 1: the guest's boot sector, kernel and files. */
export function guestDisk(boot, kernel, files) {
  const sector = bootSector(boot, 'guest/boot.S', PARTITION_TABLE);
  const elf = bootableElf(readElf(kernel, 'guest.elf'), SECTOR);
  const start = 1 + elf.length / SECTOR;
  const contents = fileSystem(files, start);
  sector[PARTITION_TABLE + 4] = PARTITION_TYPE;
  sector.writeUInt32LE(start, PARTITION_TABLE + 8);
  sector.writeUInt32LE(contents.length / SECTOR, PARTITION_TABLE + 12);
  return Buffer.concat([sector, elf, contents]);
}
