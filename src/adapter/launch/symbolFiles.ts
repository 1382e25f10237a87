/** Which files the `symbols` of a launch configuration mean: a file, every program in a folder, or what a pattern matches. */
import type { FileSource } from '../../base/files';
import { UserError } from '../../base/errors';
import type { SymbolFile } from './configuration';
import { baseName, folderOf } from './paths';

/** What lies beside programs and is none: sources, objects, listings, disk images, parts of debug information. */
const NO_PROGRAM = /\.(c|h|cc|cpp|hpp|rs|zig|s|asm|ld|mk|o|a|d|dwo|dwp|debug|rmeta|rlib|asm|sym|map|lst|img|iso|bin|txt|md|json|sh|py|pl|log)$/i;
/** A pattern from the root of a disk would look everywhere. */
const MOST_FOLDERS = 2000;

/** Whether a name is not clearly that of something else. */
export const mayBeProgram = (name: string): boolean => !NO_PROGRAM.test(name) && !name.startsWith('.');

export interface FoundSymbols {
  /** Asked for by name: must be usable. */
  named: SymbolFile[];
  /** Found in a folder or by a pattern: what is no program is left out. */
  found: SymbolFile[];
}

const isPattern = (path: string): boolean => /[*?]/.test(path);

/** One component of a pattern: `*` and `?` stand for any characters of a name. */
const matcher = (part: string): RegExp => new RegExp(`^${part.replace(/[.+^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*').replaceAll('?', '.')}$`);

/** Files that a pattern matches: `*` and `?` within a name, `**` for any folders. */
async function matches(files: FileSource, key: string, pattern: string): Promise<string[]> {
  const parts = pattern.split('/');
  const first = parts.findIndex(isPattern);
  const found: string[] = [];
  let folders = 0;
  const visit = async (folder: string, rest: readonly string[]): Promise<void> => {
    if (++folders > MOST_FOLDERS) throw new UserError('launch-configuration', `${key} has the pattern ${pattern}, which more than ${MOST_FOLDERS} folders would have to be searched for: begin it with the folder of the programs.`);
    const [part, ...behind] = rest;
    const names = (await files.list(folder)).sort();
    if (part === '**') {
      await visit(folder, behind);
      for (const name of names) if (!name.startsWith('.') && name !== 'node_modules' && !(await files.exists(`${folder}/${name}`))) await visit(`${folder}/${name}`, rest);
      return;
    }
    const wanted = matcher(part!);
    for (const name of names) {
      if (!wanted.test(name)) continue;
      const path = `${folder}/${name}`;
      if (behind.length > 0) await visit(path, behind);
      else if (await files.exists(path)) found.push(path);
    }
  };
  await visit(parts.slice(0, first).join('/'), parts.slice(first));
  return [...new Set(found)].sort();
}

/** Resolves folders and patterns; `key` is what asks for them, for the sentences. Throws a UserError for a pattern that matches nothing, and for an empty folder. */
export async function expandSymbols(files: FileSource, entries: readonly SymbolFile[], key = '"symbols"'): Promise<FoundSymbols> {
  const named: SymbolFile[] = [];
  const found: SymbolFile[] = [];
  for (const entry of entries) {
    const path = entry.file.replace(/(?<=.)\/+$/, '');
    if (isPattern(path) && !(await files.exists(path))) {
      const paths = await matches(files, key, path);
      if (paths.length === 0) throw new UserError('launch-configuration', `${key} has the pattern ${entry.file}, which no file matches: check the path, or build the programs.`);
      // What a pattern spells out, such as *.debug, is wanted; else what is clearly no program is not.
      const spelt = NO_PROGRAM.test(path);
      found.push(...paths.filter((file) => spelt || !NO_PROGRAM.test(file)).map((file) => ({ ...entry, file })));
      continue;
    }
    const names = (await files.exists(path)) ? [] : (await files.list(path)).sort();
    if (names.length === 0) {
      // A file, or nothing: reading it says what is wrong.
      named.push({ ...entry, file: path });
      continue;
    }
    const programs: SymbolFile[] = [];
    for (const name of names) if (mayBeProgram(name) && (await files.exists(`${path}/${name}`))) programs.push({ ...entry, file: `${path}/${name}` });
    if (programs.length === 0) throw new UserError('launch-configuration', `${key} names the folder ${entry.file}, which holds no linked programs: name the folder that they are in, or write ${baseName(path)}/**/*.`);
    found.push(...programs);
  }
  const known = new Set(named.map(({ file }) => file));
  return { named, found: found.filter(({ file }) => !known.has(file) && known.add(file)) };
}

/** The folders of symbol files, in which sources may be too. */
export const symbolFolders = (files: readonly SymbolFile[]): string[] => [...new Set(files.map(({ file }) => folderOf(file)))];
