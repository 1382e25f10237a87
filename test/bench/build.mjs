// Builds the benchmark kernels into bootable images: node test/bench/build.mjs. The images are kept in the repository,
// so that a comparison runs the same bytes everywhere; only who changes a kernel needs a compiler.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { pickCompiler } from '../../lab/tools/compiler.mjs';
import { vmmDisk } from '../../lab/tools/disk.mjs';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const LAB = path.resolve(HERE, '../../lab');
/** What every kernel stands on: the lab's way to 64-bit C and its console. */
const LIBRARY = ['lib/longmode.S', 'lib/console.c', 'lib/printf.c', 'lib/string.c', 'vmm/entry.S'];

const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'hyperstep-bench-'));
try {
  const compiler = pickCompiler(process.argv[2], LAB, scratch, '4');
  const object = (source) => {
    const file = path.join(scratch, path.basename(source) + '.o');
    compiler.compile(source, file, []);
    return file;
  };
  const linked = (script, objects) => {
    const output = path.join(scratch, 'linked.elf');
    compiler.link(script, objects, output);
    return fs.readFileSync(output);
  };
  const boot = linked('vmm/boot.ld', [object('vmm/boot.S')]);
  const library = LIBRARY.map((source) => object(source));
  for (const name of fs.readdirSync(path.join(HERE, 'kernels')).filter((n) => n.endsWith('.c')).sort()) {
    const kernel = linked('lib/kernel.ld', [...library, object(path.relative(LAB, path.join(HERE, 'kernels', name)))]);
    const image = path.join(HERE, 'images', name.replace(/\.c$/, '.img'));
    fs.mkdirSync(path.dirname(image), { recursive: true });
    fs.writeFileSync(image, vmmDisk(boot, kernel));
    console.log(`${path.basename(image)}: ${Math.ceil(fs.statSync(image).size / 1024)} KiB`);
  }
} finally {
  fs.rmSync(scratch, { recursive: true, force: true });
}
