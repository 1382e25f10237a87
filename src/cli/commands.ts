/** The commands of `hyperstep`, by name. */
import fs from 'node:fs';
import path from 'node:path';
import { UserError } from '../base/errors';
import { Status } from './ending';
import { helpOf } from './help';
import { runCommand } from './runCommand';
import { suggestion } from './runOptions';

const usage = (sentence: string): UserError => new UserError('usage', sentence);

/** The folder of the package, above this file wherever it was bundled to. */
function packageFolder(): string {
  for (let folder = __dirname; ; folder = path.dirname(folder)) {
    if (fs.existsSync(path.join(folder, 'package.json'))) return folder;
    if (path.dirname(folder) === folder) throw new UserError('file', 'The package of this command is incomplete: install it again.');
  }
}

/** Copies the lab into a folder that is not there yet. */
function newLab([folder, ...more]: readonly string[]): number {
  if (folder === undefined || more.length > 0) throw usage('hyperstep lab new needs one word behind it: the folder that is to be made.');
  if (fs.existsSync(folder)) throw new UserError('file', `${folder} is there already: name a folder that is to be made.`);
  fs.cpSync(path.join(packageFolder(), 'lab'), folder, { recursive: true });
  process.stdout.write(`The lab is in ${folder}. Its README.md has the exercises; hyperstep lab build, or node build.mjs in the folder, builds it.\n`);
  return Status.DONE;
}

async function lab(words: readonly string[]): Promise<number> {
  const [command, ...rest] = words;
  if (command === 'new') return newLab(rest);
  if (command === 'grade') throw usage('hyperstep lab grade does not exist yet: hyperstep run --expect TEXT tells by its exit status whether the console has shown a text.');
  if (command !== 'build') throw usage(command === undefined ? 'hyperstep lab needs a command: new FOLDER, or build.' : `There is no command hyperstep lab ${command}${suggestion(command, ['new', 'build'])}`);
  const script = path.join(packageFolder(), 'lab', 'build.mjs');
  if (!fs.existsSync(script)) throw new UserError('file', 'The sources of the lab are not in this package: clone the repository to build it.');
  // Loaded when it is asked for: it takes a run some milliseconds otherwise.
  const { spawnSync } = await import('node:child_process');
  return spawnSync(process.execPath, [script, ...rest], { stdio: 'inherit' }).status ?? Status.FAILED;
}

function version(): number {
  const { version } = JSON.parse(fs.readFileSync(path.join(packageFolder(), 'package.json'), 'utf8')) as { version: string };
  process.stdout.write(`hyperstep ${version}\n`);
  return Status.DONE;
}

function help([command]: readonly string[]): number {
  process.stdout.write(helpOf(command));
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
  return words.includes('--help') || words.includes('-h') ? help([name]) : command(words);
}
