/** The commands of `hyperstep`, by name. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { UserError } from '../base/errors';
import { Status } from './ending';
import { runCommand } from './runCommand';
import { runOptionsHelp, suggestion } from './runOptions';

const USAGE = `Usage: hyperstep COMMAND [OPTION...]

  hyperstep run          runs a machine with an Intel processor and VMX; with no image, the built-in lab
  hyperstep lab build    builds the lab from its sources (hyperstep lab build --state cpuid --cc clang --out FOLDER)
  hyperstep dap          serves the Debug Adapter Protocol on standard input and output, or on --port N
  hyperstep gdb          a machine with the options of run that waits for GDB on --port N (1234 unless told)
  hyperstep --version

The serial console goes to standard output, what is typed to the serial port; Ctrl+C ends.

Options of run:
${runOptionsHelp()}

Exit status: 0 what was asked for happened, 1 it did not, 2 wrong option or file, 3 a limit was reached,
4 the guest wrote a value other than 0 to port 0xF4, 5 triple fault, 130 Ctrl+C.
`;

const usage = (sentence: string): UserError => new UserError('usage', sentence);

/** The folder of the package, above this file wherever it was bundled to. */
function packageFolder(): string {
  for (let folder = __dirname; ; folder = path.dirname(folder)) {
    if (fs.existsSync(path.join(folder, 'package.json'))) return folder;
    if (path.dirname(folder) === folder) throw new UserError('file', 'The package of this command is incomplete: install it again.');
  }
}

function lab(words: readonly string[]): number {
  const [command, ...rest] = words;
  if (command === 'new' || command === 'grade') throw usage(`hyperstep lab ${command} does not exist yet.`);
  if (command !== 'build') throw usage(command === undefined ? 'hyperstep lab needs a command: build.' : `There is no command hyperstep lab ${command}; there is hyperstep lab build.`);
  const script = path.join(packageFolder(), 'lab', 'build.mjs');
  if (!fs.existsSync(script)) throw new UserError('file', 'The sources of the lab are not in this package: clone the repository to build it.');
  return spawnSync(process.execPath, [script, ...rest], { stdio: 'inherit' }).status ?? Status.FAILED;
}

function version(): number {
  const { version } = JSON.parse(fs.readFileSync(path.join(packageFolder(), 'package.json'), 'utf8')) as { version: string };
  process.stdout.write(`hyperstep ${version}\n`);
  return Status.DONE;
}

function help(): number {
  process.stdout.write(USAGE);
  return Status.DONE;
}

const COMMANDS: Readonly<Record<string, (words: readonly string[]) => number | Promise<number>>> = {
  run: runCommand,
  // Loaded when it is asked for: the adapter brings the disassembler along, which a plain run has no use for.
  dap: async (words) => (await import('./dapCommand')).dapCommand(words),
  lab,
  gdb: async (words) => (await import('./gdbCommand')).gdbCommand(words),
  help,
  '--help': help,
  '-h': help,
  '--version': version,
};

/** Performs the command and yields its exit status. Throws a UserError for a wrong word or file. */
export async function perform([name, ...words]: readonly string[]): Promise<number> {
  if (name === undefined) throw usage('hyperstep needs a command, such as run; hyperstep --help lists all there are.');
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name]! : undefined;
  if (!command) throw usage(`There is no command ${name}${suggestion(name, Object.keys(COMMANDS))}`);
  return words.includes('--help') ? help() : command(words);
}
