/** What stops are taken of: the lab, whose VMM and guest are both described, and Debian's Linux with its debug information. */
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { World } from '../../src/debug/world';

const ROOT = path.resolve(__dirname, '../..');

export interface Scene {
  /** Launch configuration. */
  launch: object;
  /** The symbols of each world, for GDB. */
  symbols: Partial<Record<World, string>>;
  /** GDB finds sources from here. */
  cwd: string;
  /** Stops are spread over this many instructions of the machine. */
  instructions: number;
  /** What is typed at the prompt, one line each time it shows. */
  prompt: string;
  typed: readonly string[];
}

function lab(): Scene {
  const images = path.join(ROOT, 'lab/images/complete');
  return {
    launch: { cwd: ROOT, boot: { lab: true } },
    symbols: { vmm: path.join(images, 'vmm.elf'), guest: path.join(images, 'guest.elf') },
    cwd: path.join(ROOT, 'lab'),
    instructions: 7_500_000,
    prompt: 'vm$ ',
    typed: ['help', 'e820', 'ls', 'cat motd'],
  };
}

/** The one file of a package's that is wanted, as the rest is gigabytes. */
function extracted(folder: string, name: string, file: string): string {
  const target = path.join(folder, file);
  if (fs.existsSync(target)) return target;
  execFileSync('apt-get', ['download', name], { cwd: folder, stdio: 'ignore' });
  const archive = fs.readdirSync(folder).find((f) => f.startsWith(`${name}_`) && f.endsWith('.deb'))!;
  const result = spawnSync('sh', ['-c', `dpkg-deb --fsys-tarfile ${archive} | tar -x ./${file}`], { cwd: folder });
  fs.rmSync(path.join(folder, archive));
  if (result.status !== 0 || !fs.existsSync(target)) throw new Error(`${name} has no ${file}`);
  return target;
}

/** Debian's kernel and what its -dbg package has of it; a sentence where they cannot be had. */
async function linux(): Promise<Scene | string> {
  const { unpacked } = await import('../real/debian.mjs');
  const { busyboxInitramfs } = await import('../real/initramfs.mjs');
  const { root, why } = unpacked('linux-image-cloud-amd64', 'busybox-static');
  if (root === undefined) return why ?? 'Debian\'s kernel cannot be had';
  const kernel = fs.readdirSync(path.join(root, 'boot')).find((f) => f.startsWith('vmlinuz-'))!;
  const release = kernel.slice('vmlinuz-'.length);
  let vmlinux: string;
  try {
    vmlinux = extracted(root, `linux-image-${release}-dbg`, `usr/lib/debug/boot/vmlinux-${release}`);
  } catch (error) {
    return `The debug information of Linux ${release} cannot be had: ${error instanceof Error ? error.message : String(error)}`;
  }
  const initrd = path.join(root, 'initrd.gz');
  fs.writeFileSync(initrd, busyboxInitramfs({ busybox: path.join(root, 'bin/busybox'), moduleFolder: path.join(root, 'lib/modules') }));
  return {
    launch: { cwd: '/', machine: { memory: '256M' }, boot: { kernel: path.join(root, 'boot', kernel), initrd, append: 'console=ttyS0 nokaslr mitigations=off quiet cryptomgr.notests' }, symbols: [{ file: vmlinux, world: 'vmm' }] },
    symbols: { vmm: vmlinux },
    cwd: '/',
    instructions: 1_100_000_000,
    prompt: '/ # ',
    typed: ['ls -lR /proc/self /sys/kernel > /dev/null', 'dd if=/dev/zero of=/file bs=4k count=2000', 'for i in 1 2 3 4 5 6 7 8 9; do cat /proc/self/maps | wc; done', 'mount -t tmpfs t /proc/1 ; sha256sum /file', 'dmesg | tail', 'sleep 1; ls -l /sys/class/*', 'cat /proc/*/status > /dev/null'],
  };
}

/** For long mode without a library, at 2 MiB. */
const BARE = ['-m64', '-mno-red-zone', '-ffreestanding', '-fno-pic', '-no-pie', '-static', '-nostdlib', '-fno-stack-protector', '-Wl,-Ttext=0x200000', '-Wl,--section-start=.multiboot=0x1ff000', '-Wl,-z,max-page-size=4096', '-Wl,--build-id=none', '-Wl,-e,start'];

/** Rust's compiler yields an archive that has `core` in it. */
function buildRust(folder: string, flags: readonly string[], source: string, output: readonly string[]): { error?: Error; status: number | null; stderr: string } {
  const archive = path.join(folder, 'program.a');
  const compiled = spawnSync('rustc', ['--crate-type=staticlib', '-C', 'panic=abort', '-C', 'no-redzone', '-C', 'relocation-model=static', ...flags, '-o', archive, source], { encoding: 'utf8', cwd: folder });
  return compiled.status === 0 ? spawnSync('gcc', [...BARE, '-Wl,--unresolved-symbols=ignore-all', ...output, archive], { encoding: 'utf8', cwd: folder }) : compiled;
}

/** Builds a program with what brings it to long mode. Yields the file with symbols, and the same in the format that boots; undefined without the compiler. */
export function buildProgram(folder: string, compiler: string, flags: readonly string[], source: string): { symbols: string; image: string } | undefined {
  const symbols = path.join(folder, 'program');
  const image = path.join(folder, 'image');
  const object = path.join(folder, 'start.o');
  // What goes before is assembled alone: -g and -flto are for the program.
  const assembled = spawnSync('gcc', ['-m64', '-c', '-o', object, path.join(__dirname, 'expressions/start.S')], { encoding: 'utf8' });
  const built = compiler === 'rustc' ? buildRust(folder, flags, source, ['-o', symbols, object]) : spawnSync(compiler, [...BARE, ...flags, '-o', symbols, object, source], { encoding: 'utf8', cwd: folder });
  if (assembled.error || built.error) return undefined;
  if (assembled.status !== 0 || built.status !== 0) throw new Error(assembled.stderr + built.stderr);
  execFileSync('objcopy', ['-O', 'elf32-i386', symbols, image]);
  return { symbols, image };
}

/** Which of builds/program.* a compiler takes, and what it needs to make it without a library. */
const SOURCES: readonly { compiler: RegExp; source: string; flags: readonly string[] }[] = [
  { compiler: /^rustc/, source: 'program.rs', flags: [] },
  { compiler: /\+\+/, source: 'program.cpp', flags: ['-std=c++17', '-fno-exceptions', '-fno-rtti', '-fno-threadsafe-statics'] },
  { compiler: /./, source: 'program.c', flags: [] },
];

/** One of builds/program.* as a compiler and its options make it, as in `clang -O2 -gdwarf-4`; it never ends. */
function build(command: string): Scene | string {
  const [compiler, ...flags] = command.split(' ');
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'hyperstep-build-'));
  process.once('exit', () => fs.rmSync(folder, { recursive: true, force: true }));
  const { source, flags: needed } = SOURCES.find((s) => s.compiler.test(compiler!))!;
  const built = buildProgram(folder, compiler!, [...needed, ...flags], path.join(__dirname, 'builds', source));
  if (!built) return `there is no ${compiler}`;
  return { launch: { cwd: folder, boot: { multiboot: built.image }, symbols: [{ file: built.symbols, world: 'vmm' }], machine: { memory: '16M' } }, symbols: { vmm: built.symbols }, cwd: folder, instructions: 200_000, prompt: '\0', typed: [] };
}

/** By name; of a name with blanks it is a compiler and its options. */
export const sceneNamed = (name: string): Promise<Scene | string> => (name.includes(' ') ? Promise.resolve(build(name)) : SCENES[name]!());

const SCENES: Readonly<Record<string, () => Promise<Scene | string>>> = { lab: async () => lab(), linux };
