/**
 * Between the file the user sees and the file the debug information names. Three things come between them: DWARF paths
 * that do not exist here (relative to a lost folder, or from another machine), `#line` directives that renumber lines,
 * and the user's own `sourceMap`.
 */
import type { FileSource } from '../base/files';
import type { SymbolImage } from './image';
import type { LineAddress, SourceFile } from './lines';
import { baseName, commonSuffix, componentsOf, isAbsolutePath, joinPath, normalisePath } from './paths';

/** Consecutive lines of a file on disk and the lines the compiler took them for. */
interface LineRun {
  /** First line on disk, from 1; the run ends where the next begins. */
  readonly diskLine: number;
  /** What the compiler called that line. */
  readonly compiledLine: number;
  /** File the directive named; undefined for the file itself. */
  readonly file: string | undefined;
}

const DIRECTIVE = /^[ \t]*#[ \t]*(?:line[ \t]+)?(\d+)(?:[ \t]+"((?:[^"\\]|\\.)*)")?/;

/** How a file's lines are renumbered by `#line N "file"` and `# N "file"` directives. */
export class LineDirectives {
  private readonly runs: LineRun[] = [{ diskLine: 1, compiledLine: 1, file: undefined }];

  constructor(text: string) {
    if (!/^[ \t]*#[ \t]*(line\b|\d)/m.test(text)) return;
    let file: string | undefined;
    const lines = text.split(/\r\n|\n|\r/);
    for (let i = 0; i < lines.length; i++) {
      const match = DIRECTIVE.exec(lines[i]);
      if (!match) continue;
      // A directive without a name keeps the one before.
      if (match[2] !== undefined) file = match[2].replace(/\\(.)/g, '$1');
      // It numbers the line that follows it.
      this.runs.push({ diskLine: i + 2, compiledLine: Number(match[1]), file });
    }
  }

  /** Whether there is no directive: lines are what they seem. */
  get none(): boolean {
    return this.runs.length === 1;
  }

  /** File names the directives mention. */
  get files(): string[] {
    return [...new Set(this.runs.flatMap((run) => (run.file === undefined ? [] : [run.file])))];
  }

  /** What the compiler calls a line of the file on disk; `file` is undefined for the file itself. */
  toCompiled(diskLine: number): { file: string | undefined; line: number } {
    let run = this.runs[0];
    for (const candidate of this.runs) if (candidate.diskLine <= diskLine) run = candidate;
    return { file: run.file, line: run.compiledLine + diskLine - run.diskLine };
  }

  /**
   * The line on disk that the compiler called `line` of a file `isFile` accepts (it gets undefined for the file
   * itself); undefined when there is none. Where several are called so, the first.
   */
  toDisk(line: number, isFile: (file: string | undefined) => boolean): number | undefined {
    for (let i = 0; i < this.runs.length; i++) {
      const run = this.runs[i];
      // The next run's directive is a line of its own that has no number.
      const length = i + 1 < this.runs.length ? this.runs[i + 1].diskLine - 1 - run.diskLine : Infinity;
      const offset = line - run.compiledLine;
      if (isFile(run.file) && offset >= 0 && offset < length) return run.diskLine + offset;
    }
    return undefined;
  }
}

const sameIgnoringCase = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase();

/**
 * How well a path of the user's fits a file of the debug information: the number of components that agree from the end,
 * 0 for no fit. All that the compiler was given must agree, unless at least folder and name do: `user/init.c` is not
 * `kern/init.c`, though both end alike.
 */
export const fit = (userPath: string, file: SourceFile, same?: (a: string, b: string) => boolean): number => {
  const user = componentsOf(userPath);
  const count = Math.max(commonSuffix(user, componentsOf(file.path), same), commonSuffix(user, componentsOf(file.written), same));
  if (count === 0) return 0;
  const written = componentsOf(file.written).length;
  return count >= 2 || (count >= written && !isAbsolutePath(file.written)) || count === user.length ? count : 0;
};

interface Match {
  files: SourceFile[];
  fit: number;
}

/** Those with the longest fit. */
const fitting = (userPath: string, files: readonly SourceFile[], same?: (a: string, b: string) => boolean): Match => {
  let best: Match = { files: [], fit: 0 };
  for (const file of files) {
    const count = fit(userPath, file, same);
    if (count > best.fit) best = { files: [], fit: count };
    if (count === best.fit && count > 0) best.files.push(file);
  }
  return best;
};

/** The files of an image that a path means: those with the longest fit. Several only when names repeat. */
export const matchFiles = (userPath: string, image: Pick<SymbolImage, 'files' | 'filesCalled'>): Match => {
  const name = baseName(userPath);
  const exact = fitting(userPath, image.filesCalled(name));
  if (exact.fit > 0) return exact;
  // Case counts, unless nothing fits: file systems differ from machine to machine.
  return fitting(userPath, image.files().filter((file) => baseName(file.path).toLowerCase() === name.toLowerCase()), sameIgnoringCase);
};

/** Longest prefix of `path` that a `sourceMap` entry replaces, replaced; undefined when none applies. */
const mapped = (path: string, sourceMap: Readonly<Record<string, string>>): string | undefined => {
  const from = Object.keys(sourceMap).filter((prefix) => path.startsWith(prefix)).sort((a, b) => b.length - a.length)[0];
  return from === undefined ? undefined : joinPath(sourceMap[from], path.slice(from.length).replace(/^[/\\]+/, ''));
};

/** Whether the name in a directive means a file; without a name the directive means the file it is in. */
const isNamed = (file: SourceFile) => (named: string | undefined): boolean =>
  named === undefined || fit(named, file) > 0 || fit(joinPath(file.path.slice(0, file.path.lastIndexOf('/')), named), file) > 0;

/** Where a line of the debug information is on disk. */
export interface DiskPlace {
  readonly path: string;
  /** Line on disk; undefined when a `#line` directive's text has no such line any more. */
  readonly line: number | undefined;
}

/** Finds source files, and translates lines in both directions. Keeps what it read until `forget`. */
export class SourceLookup {
  private readonly directives = new Map<string, Promise<LineDirectives>>();
  private readonly found = new Map<SourceFile, Promise<string | undefined>>();

  /**
   * `roots` are folders in which sources may be, such as the workspace's and the image's; `sourceMap` replaces prefixes
   * of DWARF paths, as written or joined with the compilation directory.
   */
  constructor(
    private readonly files: FileSource,
    private readonly roots: readonly string[],
    private readonly sourceMap: Readonly<Record<string, string>> = {},
  ) {}

  /** Drops what was read, because files may have changed. */
  forget(): void {
    this.directives.clear();
    this.found.clear();
  }

  /** The `#line` directives of a file on disk; none where it cannot be read. */
  private directivesOf(path: string): Promise<LineDirectives> {
    let directives = this.directives.get(path);
    if (!directives) {
      const read = async (): Promise<LineDirectives> => {
        if (!(await this.files.exists(path))) return new LineDirectives('');
        return new LineDirectives(new TextDecoder().decode(await this.files.read(path)));
      };
      this.directives.set(path, (directives = read()));
    }
    return directives;
  }

  /** The path on disk of a file the debug information names, undefined when it is nowhere to be found. */
  pathOf(file: SourceFile): Promise<string | undefined> {
    let path = this.found.get(file);
    if (!path) this.found.set(file, (path = this.search(file)));
    return path;
  }

  private *candidates(file: SourceFile): IterableIterator<string> {
    for (const path of [file.written, file.path]) {
      const replaced = mapped(path, this.sourceMap);
      if (replaced !== undefined) yield replaced;
    }
    if (isAbsolutePath(file.path)) yield file.path;
    // Below each root the longest suffix that exists: first of the whole path, then of what the compiler was given.
    const suffixes = [componentsOf(file.path), componentsOf(file.written)];
    const longest = Math.max(...suffixes.map((parts) => parts.length));
    for (let length = longest; length >= 1; length--) {
      for (const parts of suffixes) {
        if (length > parts.length) continue;
        for (const root of this.roots) {
          const path = joinPath(root, parts.slice(-length).join('/'));
          if (fit(path, file) > 0) yield path;
        }
      }
    }
  }

  private async search(file: SourceFile): Promise<string | undefined> {
    const tried = new Set<string>();
    for (const candidate of this.candidates(file)) {
      if (tried.has(candidate)) continue;
      tried.add(candidate);
      if (await this.files.exists(candidate)) return candidate;
    }
    return undefined;
  }

  /** The file and line on disk of a place in an image's debug information; undefined when the file is nowhere. */
  async toDisk(image: SymbolImage, file: SourceFile, line: number): Promise<DiskPlace | undefined> {
    const path = await this.pathOf(file);
    if (path !== undefined) return { path, line: (await this.directivesOf(path)).toDisk(line, isNamed(file)) };
    // A name that only a #line directive made up: the file with the directive is the one the compiler was called with.
    for (const primary of image.primaryFilesOf(file)) {
      const source = primary === file ? undefined : await this.pathOf(primary);
      const diskLine = source === undefined ? undefined : (await this.directivesOf(source)).toDisk(line, (named) => named !== undefined && isNamed(file)(named));
      if (source !== undefined && diskLine !== undefined) return { path: source, line: diskLine };
    }
    return undefined;
  }

  /** What the compiler calls a line of a file on disk: the files of the image it may be, and the line in them. */
  async toImage(image: SymbolImage, userPath: string, diskLine: number): Promise<{ files: SourceFile[]; line: number; fit: number }> {
    const path = normalisePath(userPath);
    const compiled = (await this.directivesOf(userPath)).toCompiled(diskLine);
    if (compiled.file !== undefined) {
      // The directive's name counts if the image knows it, be it as named or beside the file itself.
      const named = matchFiles(compiled.file, image);
      const beside = matchFiles(joinPath(path.slice(0, path.lastIndexOf('/')), compiled.file), image);
      const best = beside.fit > named.fit ? beside : named;
      if (best.fit > 0) return { ...best, line: compiled.line };
    }
    const reverse = this.reverseMapped(path, image);
    return reverse ? { ...reverse, line: compiled.line } : { ...matchFiles(path, image), line: compiled.line };
  }

  /** A file of the image whose path `sourceMap` turns into the user's path. */
  private reverseMapped(path: string, image: SymbolImage): { files: SourceFile[]; fit: number } | undefined {
    if (Object.keys(this.sourceMap).length === 0) return undefined;
    const exact = image.files().filter((file) => [file.written, file.path].some((name) => {
      const replaced = mapped(name, this.sourceMap);
      return replaced !== undefined && normalisePath(replaced) === path;
    }));
    return exact.length > 0 ? { files: exact, fit: componentsOf(path).length } : undefined;
  }

  /**
   * Where to stop in an image for a breakpoint on a line of a file on disk, sliding to the next line with code; empty
   * when the image was not built from that file or nothing follows the line.
   */
  async addressesOf(image: SymbolImage, userPath: string, diskLine: number): Promise<LineAddress[]> {
    const { files, line } = await this.toImage(image, userPath, diskLine);
    return files.flatMap((file) => image.addressesOf(file, line));
  }
}
