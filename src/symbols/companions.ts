/**
 * The files that an image's debug information may be spread over: a separate debug file (.gnu_debuglink, build-id), the
 * file that dwz made for what several programs share (.gnu_debugaltlink), and what -gsplit-dwarf leaves beside the
 * objects (.dwo) or packs together (.dwp). They are read before the image is opened, as everything later is synchronous.
 */
import { crc32 } from '../base/crc32';
import type { FileSource } from '../base/files';
import { UserError } from '../base/errors';
import { DwarfSections } from './dwarf/sections';
import { UnitIndex } from './dwarf/unitIndex';
import { ElfFile } from './elf';
import { baseName, isAbsolutePath, joinPath } from './paths';
import { Reader } from './reader';

export interface Companions {
  /** Has the debug sections and the symbol table in the image's stead. */
  readonly debugFile?: ElfFile;
  readonly alternate?: ElfFile;
  readonly splitPackage?: ElfFile;
  /** By the name that the skeleton units give. */
  readonly splitFiles: ReadonlyMap<string, ElfFile>;
  /** Sentences about what is missing or does not fit. */
  readonly notes: readonly string[];
}

export const NO_COMPANIONS: Companions = { splitFiles: new Map(), notes: [] };

const NT_GNU_BUILD_ID = 3;
/** Where distributions put debug files. */
const SYSTEM_DEBUG = '/usr/lib/debug';

/** The build-id of a file in hexadecimal, undefined when it has none. */
export const buildIdOf = (elf: ElfFile): string | undefined => {
  const note = elf.contentsOf('.note.gnu.build-id');
  if (!note) return undefined;
  const reader = new Reader(note, `${elf.name}, section .note.gnu.build-id,`);
  while (reader.position + 12 <= reader.end) {
    const nameLength = reader.u32();
    const length = reader.u32();
    const type = reader.u32();
    reader.skip((nameLength + 3) & ~3);
    const id = reader.block(length);
    if (type === NT_GNU_BUILD_ID) return hexadecimal(id);
    reader.skip(-length & 3);
  }
  return undefined;
};

const hexadecimal = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');

const folderOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('/')));

/** The paths of which the first that exists and fits is read. */
const firstOf = async (files: FileSource, paths: readonly string[], fits: (bytes: Uint8Array, path: string) => ElfFile | undefined): Promise<ElfFile | undefined> => {
  for (const path of new Set(paths)) {
    if (!(await files.exists(path))) continue;
    const elf = fits(await files.read(path), path);
    if (elf) return elf;
  }
  return undefined;
};

const buildIdPath = (id: string): string => `${SYSTEM_DEBUG}/.build-id/${id.slice(0, 2)}/${id.slice(2)}.debug`;

/** A file of a name that a section gives, beside `path` or where distributions put such files. */
const besides = (path: string, name: string): string[] => {
  const folder = folderOf(path);
  return [...(isAbsolutePath(name) ? [name] : [joinPath(folder, name)]), joinPath(folder, `.debug/${baseName(name)}`), joinPath(folder, baseName(name)), joinPath(SYSTEM_DEBUG + folder, baseName(name))];
};

/** The name that begins a link section, and what is behind its zero byte. */
const link = (elf: ElfFile, section: string): { name: string; rest: Reader } | undefined => {
  const contents = elf.contentsOf(section);
  if (!contents || contents.length === 0) return undefined;
  const rest = new Reader(contents, `${elf.name}, section ${section},`);
  return { name: rest.string(), rest };
};

async function findDebugFile(files: FileSource, path: string, elf: ElfFile, notes: string[]): Promise<ElfFile | undefined> {
  const linked = link(elf, '.gnu_debuglink');
  const id = buildIdOf(elf);
  if (linked) {
    linked.rest.position = (linked.rest.position + 3) & ~3;
    const crc = linked.rest.u32();
    const found = await firstOf(files, besides(path, linked.name), (bytes, candidate) => {
      // An image can link to its own name: the file beside it would be itself.
      if (candidate === path) return undefined;
      const debug = ElfFile.parse(candidate, bytes);
      const same = id !== undefined && buildIdOf(debug) !== undefined ? buildIdOf(debug) === id : crc32(bytes) === crc;
      if (!same) notes.push(`${candidate} is named as the debug information of ${elf.name}, but was made from another build: it is not used.`);
      return same ? debug : undefined;
    });
    if (found) return found;
  }
  const byId = id === undefined ? undefined : await firstOf(files, [buildIdPath(id)], (bytes, candidate) => ElfFile.parse(candidate, bytes));
  if (!byId && linked && notes.length === 0) notes.push(`The debug information of ${elf.name} is in a file ${linked.name}, which was not found: put it beside ${baseName(path)}.`);
  return byId;
}

async function findAlternate(files: FileSource, path: string, elf: ElfFile, notes: string[]): Promise<ElfFile | undefined> {
  const linked = link(elf, '.gnu_debugaltlink') ?? supplementary(elf);
  if (!linked) return undefined;
  const id = hexadecimal(linked.rest.block(linked.rest.end - linked.rest.position));
  const found = await firstOf(files, [...besides(path, linked.name), buildIdPath(id)], (bytes, candidate) => {
    const alternate = ElfFile.parse(candidate, bytes, 'object');
    return (buildIdOf(alternate) ?? id) === id ? alternate : undefined;
  });
  if (!found) notes.push(`Part of the debug information of ${elf.name} is in a file ${linked.name}, which was not found: some types and names are missing.`);
  return found;
}

/** DWARF 5's own way to name that file: .debug_sup with version, which side this is, name, and a checksum with its length. */
const supplementary = (elf: ElfFile): { name: string; rest: Reader } | undefined => {
  const contents = elf.contentsOf('.debug_sup');
  if (!contents) return undefined;
  const rest = new Reader(contents, `${elf.name}, section .debug_sup,`);
  rest.u16();
  if (rest.u8() !== 0) return undefined;
  const name = rest.string();
  rest.uleb();
  return { name, rest };
};

/** The split files that an image's skeleton units name. */
async function findSplit(files: FileSource, path: string, elf: ElfFile, notes: string[]): Promise<Pick<Companions, 'splitPackage' | 'splitFiles'>> {
  const splitFiles = new Map<string, ElfFile>();
  const skeletons = new UnitIndex(new DwarfSections(elf)).skeletons;
  if (skeletons.length === 0) return { splitFiles };
  const packages = [`${path}.dwp`, ...(path === elf.name ? [] : [`${elf.name}.dwp`])];
  const splitPackage = await firstOf(files, packages, (bytes, candidate) => ElfFile.parse(candidate, bytes, 'object'));
  if (splitPackage) return { splitFiles, splitPackage };
  const missing: string[] = [];
  for (const unit of skeletons) {
    const name = unit.splitFile!;
    if (splitFiles.has(name)) continue;
    const found = await firstOf(files, [joinPath(unit.compilationDirectory, name), ...besides(path, name)], (bytes, candidate) => ElfFile.parse(candidate, bytes, 'object'));
    if (found) splitFiles.set(name, found);
    else missing.push(name);
  }
  if (missing.length > 0) {
    const more = missing.length > 1 ? ` and ${missing.length - 1} more` : '';
    notes.push(`${baseName(path)} was built with -gsplit-dwarf, and ${missing[0]}${more} cannot be found: variables and functions of these files are missing. Keep the .dwo files, or put ${baseName(path)}.dwp beside it.`);
  }
  return { splitFiles };
}

/** Finds and reads the files that belong to the image at `path`. Throws a UserError for one that is damaged. */
export async function findCompanions(files: FileSource, path: string, bytes: Uint8Array): Promise<Companions> {
  const image = ElfFile.parse(path, bytes);
  const notes: string[] = [];
  const own = image.contentsOf('.debug_info') !== undefined;
  const debugFile = own ? undefined : await findDebugFile(files, path, image, notes).catch((error: unknown) => void notes.push(explained(error)));
  const elf = debugFile ?? image;
  const alternate = await findAlternate(files, debugFile?.name ?? path, elf, notes).catch((error: unknown) => void notes.push(explained(error)));
  return { ...(debugFile && { debugFile }), ...(alternate && { alternate }), ...(await findSplit(files, path, elf, notes)), notes };
}

/** What is wrong with a file beside the image is told; the image itself is of use without it. */
const explained = (error: unknown): string => {
  if (error instanceof UserError) return error.message;
  throw error;
};
