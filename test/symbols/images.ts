/** The programs whose debug information is compared: what is in the repository, and what Debian's packages hold. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const root = path.join(__dirname, '../..');

const below = (folder: string, wanted: (name: string) => boolean): string[] =>
  existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(wanted).map((name) => path.join(folder, name)).sort() : [];

/** Fixtures whose debug information is in one file, as readelf and addr2line want it. */
export const fixtures = (): string[] => below(path.join(root, 'test/fixtures/symbols'), (name) => name.endsWith('.elf') && !name.includes('spread'));
export const lab = (): string[] => below(path.join(root, 'lab/images'), (name) => name.endsWith('.elf'));

/** Kept between runs, as a kernel's package has hundreds of megabytes. */
const CACHE = path.join(tmpdir(), 'hyperstep-symbols');

/** Unpacks one file of a Debian package. Yields a sentence where that is impossible. */
const fromPackage = (name: string, file: RegExp): { files: string[] } | { why: string } => {
  const folder = path.join(CACHE, name);
  const unpacked = (): string[] => below(path.join(folder, 'usr/lib/debug/boot'), (found) => file.test(found));
  if (unpacked().length > 0) return { files: unpacked() };
  if (spawnSync('apt-get', ['--version']).status !== 0) return { why: `there is no apt-get to fetch ${name}` };
  try {
    mkdirSync(folder, { recursive: true });
    execFileSync('apt-get', ['download', name], { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'], timeout: 600_000 });
    const archive = readdirSync(folder).find((entry) => entry.endsWith('.deb'))!;
    const result = spawnSync('sh', ['-c', `dpkg-deb --fsys-tarfile ${archive} | tar -x --wildcards './usr/lib/debug/boot/*'`], { cwd: folder });
    rmSync(path.join(folder, archive));
    return result.status === 0 && unpacked().length > 0 ? { files: unpacked() } : { why: `${name} cannot be unpacked` };
  } catch (error) {
    return { why: `apt cannot fetch ${name}: ${(error as Error).message.trim().split('\n').pop()}` };
  }
};

export const linux = (): ReturnType<typeof fromPackage> => {
  const here = below('/usr/lib/debug/boot', (name) => name.startsWith('vmlinux-'));
  if (here.length > 0) return { files: here.slice(-1) };
  const depends = spawnSync('apt-cache', ['depends', 'linux-image-cloud-amd64-dbg'], { encoding: 'utf8' }).stdout ?? '';
  const name = /Depends:\s*(linux-image-\S+)/.exec(depends)?.[1];
  return name === undefined ? { why: 'apt knows no linux-image-cloud-amd64-dbg' } : fromPackage(name, /^vmlinux-/);
};

/** Options for an apt that knows source packages too, and leaves what the host's knows as it is. */
const sourceApt = (folder: string): string[] => {
  const repositories = execFileSync('apt-get', ['indextargets', '--format', '$(REPO_URI) $(RELEASE) $(COMPONENT)', 'Created-By: Packages'], { encoding: 'utf8' });
  const list = path.join(folder, 'sources.list');
  writeFileSync(list, [...new Set(repositories.trim().split('\n'))].map((repository) => `deb-src ${repository}\n`).join(''));
  const lists = path.join(folder, 'lists');
  mkdirSync(path.join(lists, 'partial'), { recursive: true });
  return ['-q', '-o', `Dir::Etc::SourceList=${list}`, '-o', 'Dir::Etc::SourceParts=-', '-o', `Dir::State::Lists=${lists}`, '-o', 'APT::Sandbox::User=root', '-o', 'Acquire::Retries=1', '-o', 'Acquire::http::Timeout=20'];
};

/** Debian's busybox, built with debug information as its own configuration offers: -Os, static, some 560 units. */
export const busybox = (): ReturnType<typeof fromPackage> => {
  const folder = path.join(CACHE, 'busybox');
  const built = (): string[] => below(folder, (found) => path.basename(found) === 'busybox_unstripped');
  if (built().length > 0) return { files: built() };
  for (const command of ['apt-get', 'gcc', 'make', 'bzip2']) if (spawnSync('sh', ['-c', `command -v ${command}`]).status !== 0) return { why: `${command} is not there to build busybox` };
  const run = (command: string, ...args: string[]): Buffer => execFileSync(command, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'], timeout: 600_000, maxBuffer: 2 ** 26 });
  try {
    mkdirSync(folder, { recursive: true });
    const apt = sourceApt(folder);
    run('apt-get', ...apt, 'update');
    run('apt-get', ...apt, '--download-only', 'source', 'busybox');
    run('tar', 'xf', readdirSync(folder).find((name) => /^busybox_.*\.orig\.tar\./.test(name))!, '--strip-components=1');
    run('make', 'defconfig');
    // TC does not compile with the headers of newer kernels.
    run('sed', '-i', 's/^# CONFIG_\\(STATIC\\|DEBUG\\) is not set/CONFIG_\\1=y/; s/^CONFIG_TC=y/# CONFIG_TC is not set/', '.config');
    run('sh', '-c', 'yes "" | make oldconfig > oldconfig.log');
    run('make', '-j2', 'busybox_unstripped');
    return built().length > 0 ? { files: built() } : { why: 'make leaves no busybox_unstripped' };
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    return { why: `busybox cannot be built: ${(error as Error).message.trim().split('\n').pop()}` };
  }
};
