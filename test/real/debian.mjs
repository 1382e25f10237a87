// Debian's packages, fetched by apt and unpacked into a folder that is kept between runs.
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const CACHE = path.join(os.tmpdir(), 'hyperstep-real');
/** For each command: a network that swallows everything must not hold the tests up. */
const SECONDS = 120;
const IMPATIENT = ['-o', 'Acquire::Retries=1', '-o', 'Acquire::http::Timeout=20', '-o', 'Acquire::https::Timeout=20'];

const has = (command) => spawnSync('sh', ['-c', `command -v ${command}`]).status === 0;
const apt = (command, ...args) => execFileSync(command, args, { cwd: CACHE, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: SECONDS * 1000 });

/** The package that a package without content of its own stands for: `linux-image-cloud-amd64` is the newest kernel. */
function behind(name) {
  const depends = /^\s*Depends:\s*(linux-image-\S+)/m.exec(apt('apt-cache', 'depends', name));
  return depends ? depends[1] : name;
}

/** Folder with the packages unpacked, or a sentence that says why there is none. */
export const unpacked = (...names) => fetched(names, () => names.map(behind), (packages) => packages.join('+'));

const RECURSIVELY = ['--recurse', ...['recommends', 'suggests', 'conflicts', 'breaks', 'replaces', 'enhances'].map((relation) => `--no-${relation}`)];
/** Packages of shared libraries among what others depend on. */
const LIBRARIES = /^(lib\S+|zlib1g)$/gm;

/** The same with the shared libraries that the programs in them need. */
export const unpackedWithLibraries = (...names) => fetched(names, () => [...names, ...new Set(apt('apt-cache', 'depends', ...RECURSIVELY, ...names).match(LIBRARIES))], () => `${names.join('+')}+libraries`);

function fetched(names, packagesOf, folderOf) {
  for (const command of ['apt-get', 'apt-cache', 'dpkg-deb']) if (!has(command)) return { why: `${command} is not there: these tests take their guests from Debian's packages` };
  fs.mkdirSync(CACHE, { recursive: true });
  try {
    const packages = packagesOf();
    const root = path.join(CACHE, folderOf(packages));
    const complete = path.join(root, '.complete');
    if (fs.existsSync(complete)) return { root };
    apt('apt-get', ...IMPATIENT, 'download', ...packages);
    for (const name of packages) {
      const file = fs.readdirSync(CACHE).find((f) => f.startsWith(`${name.replace(/:.*/, '')}_`) && f.endsWith('.deb'));
      apt('dpkg-deb', '-x', file, root);
      fs.rmSync(path.join(CACHE, file));
    }
    fs.writeFileSync(complete, '');
    return { root };
  } catch (error) {
    return { why: `apt cannot fetch ${names.join(' and ')}: ${String(error.stderr ?? error.message).trim().split('\n').pop()}` };
  }
}
