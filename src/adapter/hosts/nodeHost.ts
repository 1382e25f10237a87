/** The adapter's surroundings in Node. */
import fs from 'node:fs';
import path from 'node:path';
import type { Host } from '../host';
import { serveGdb } from './gdbServer';
import { IcedDisassembler } from './icedDisassembler';
import { nodeFiles } from './nodeFiles';
import { nodeScheduler } from './nodeScheduler';

/** The folder with `lab/`: that of the package, seen from the sources or from a bundle in dist/. */
function findPackageRoot(): string {
  for (let folder = __dirname; ; folder = path.dirname(folder)) {
    if (fs.existsSync(path.join(folder, 'package.json'))) return folder;
    if (path.dirname(folder) === folder) return __dirname;
  }
}

/** `packageRoot` where it is known better. */
export function nodeHost(packageRoot = findPackageRoot()): Host {
  return {
    files: nodeFiles,
    scheduler: nodeScheduler,
    disassembler: new IcedDisassembler(),
    packageRoot,
    cwd: process.cwd(),
    serveGdb: (stub, port) => serveGdb(stub, port, '"gdbPort"'),
  };
}
