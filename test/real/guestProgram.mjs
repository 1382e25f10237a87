// Programs for guests, built by the gcc at hand: static and without a C library.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const PROGRAM = ['-O1', '-static', '-nostdlib', '-ffreestanding', '-fno-stack-protector', '-fno-builtin', '-mno-sse'];
const BOOT_SECTOR = ['-m32', '-nostdlib', '-static', '-no-pie', '-Wl,--build-id=none', '-Wl,-Ttext=0x7c00', '-Wl,--oformat=binary'];

function built(options, source, folder) {
  const file = path.join(folder, path.parse(source).name);
  const result = spawnSync('gcc', [...options, '-o', file, path.join(HERE, source)], { encoding: 'utf8' });
  return result.status === 0 ? fs.readFileSync(file) : undefined;
}

/** `name`.c of this folder as a Linux program; undefined without gcc or the kernel's headers. */
export const program = (name, folder) => built(PROGRAM, `${name}.c`, folder);

/** An assembler file of this folder as a boot sector; undefined without gcc. */
export const bootSector = (source, folder) => built(BOOT_SECTOR, source, folder);
