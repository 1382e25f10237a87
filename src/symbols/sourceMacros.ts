/**
 * `#define` constants read from sources, for images whose debug information has no macros. The preprocessor's conditions
 * are not evaluated: where a name is defined in several ways, the file the user is in decides, or nothing does.
 */
import type { FileSource } from '../base/files';
import type { SymbolImage } from './image';
import type { SourceFile } from './lines';
import { parseDefinition, type MacroText } from './macroCalls';
import { joinPath, normalisePath } from './paths';
import type { SourceLookup } from './sourceLookup';

/** A definition as a source has it. */
export interface SourceMacro extends MacroText {
  /** Path on disk. */
  readonly path: string;
  /** From 1. */
  readonly line: number;
}

/** More files than these are not read: an operating system's own are built with -g3 when their macros are wanted. */
const MOST_FILES = 2000;

const folderOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('/')));

/** Takes comments and continued lines out of a text, and keeps the number of its lines. */
const plain = (text: string): string =>
  text
    .replace(/\\\r?\n/g, '\u0001')
    .replace(/\/\*[^]*?\*\/|\/\/[^\n]*|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'/g, (part) => (part.startsWith('/') ? ` ${part.replace(/[^\n\u0001]/g, '')}` : part));

/** The macros with a text that a source defines, and the files that it includes. */
export const definesOf = (text: string): { macros: (MacroText & { name: string; line: number })[]; includes: string[] } => {
  const macros: (MacroText & { name: string; line: number })[] = [];
  const includes: string[] = [];
  let line = 0;
  for (const row of plain(text).split('\n')) {
    line++;
    const first = line;
    line += row.split('\u0001').length - 1;
    const define = /^\s*#\s*define\s+([^]*)$/.exec(row);
    const found = define && parseDefinition(define[1].replaceAll('\u0001', ' '));
    if (found && found.macro.text !== '') macros.push({ name: found.name, ...found.macro, line: first });
    const include = /^\s*#\s*include\s*["<]([^">]+)[">]/.exec(row);
    if (include) includes.push(include[1]);
  }
  return { macros, includes };
};

/** The constants of the sources of one image, by name. */
export class SourceMacros {
  private readonly byName = new Map<string, SourceMacro[]>();

  private constructor() {}

  /** Reads the sources of an image that can be found, and the headers that they include. */
  static async read(files: FileSource, lookup: SourceLookup, image: SymbolImage, roots: readonly string[]): Promise<SourceMacros> {
    const macros = new SourceMacros();
    const waiting: string[] = [];
    for (const file of image.files()) {
      const path = await lookup.pathOf(file);
      if (path !== undefined) waiting.push(normalisePath(path));
    }
    const seen = new Set(waiting);
    // A header that has only macros is in no line table: it is found as the compiler found it.
    const folders = new Set([...roots, ...waiting.map(folderOf)]);
    for (let path = waiting.shift(); path !== undefined && seen.size <= MOST_FILES; path = waiting.shift()) {
      const { macros: defined, includes } = definesOf(new TextDecoder().decode(await files.read(path).catch(() => new Uint8Array())));
      for (const { name, ...macro } of defined) macros.add(name, { ...macro, path });
      for (const name of includes) {
        const places = [folderOf(path), ...folders, ...roots.flatMap((root) => [`${root}/include`, `${root}/inc`])].map((folder) => joinPath(folder, name));
        if (places.some((place) => seen.has(place))) continue;
        for (const place of new Set(places)) {
          if (!(await files.exists(place))) continue;
          seen.add(place);
          waiting.push(place);
          break;
        }
      }
    }
    return macros;
  }

  private add(name: string, macro: SourceMacro): void {
    const known = this.byName.get(name);
    if (known) known.push(macro);
    else this.byName.set(name, [macro]);
  }

  /** Definitions of a name that differ; of one file's the last counts, and `within` takes precedence. */
  find(name: string, within: SourceFile | undefined): SourceMacro[] {
    const all = this.byName.get(name) ?? [];
    const own = within ? all.filter(({ path }) => path === within.path || path.endsWith(`/${within.written.replace(/^(\.\.?\/)+/, '')}`)) : [];
    const chosen = own.length > 0 ? own.slice(-1) : all;
    return chosen.filter((macro, i) => chosen.findIndex((other) => other.text === macro.text && other.parameters?.join() === macro.parameters?.join()) === i);
  }

  names(): IterableIterator<string> {
    return this.byName.keys();
  }
}
