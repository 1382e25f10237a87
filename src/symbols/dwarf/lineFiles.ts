import { Reader } from '../reader';
import { Form } from './constants';
import { skipForm } from './forms';
import { DwarfSections } from './sections';

const isAbsolute = (path: string): boolean => /^([/\\]|[A-Za-z]:[/\\])/.test(path);

/** A file as a line table names it, not yet joined with the compilation directory. */
export class LineFile {
  constructor(
    /** Empty for the compilation directory. */
    readonly folder: string,
    readonly name: string,
  ) {}

  /** Folder and name as written, which may be relative (`../vmm/vmx.c`). */
  get written(): string {
    return this.folder === '' || isAbsolute(this.name) ? this.name : `${this.folder}/${this.name}`;
  }
}

/** The files of a line table, by the numbers that rows and DW_AT_decl_file have for them: hundreds, of which a question names a few. */
export interface LineFiles {
  /** One more than the largest number. */
  readonly length: number;
  /** Undefined where a number stands for no file. */
  at(index: number): LineFile | undefined;
  /** A number that files of the same folder and name have, in all tables of a file's sections; undefined where that takes to read them. */
  keyAt(index: number): number | undefined;
  /** Adds the file of a DW_LNE_define_file. */
  add(file: LineFile): void;
}

/** Content types of DWARF 5 file and folder entries (DW_LNCT). */
const LNCT_path = 1;
const LNCT_directory_index = 2;

/** Of names farther behind in .debug_line_str no key is made. */
const MOST_NAMES = 2 ** 24;

/** A table of folders or of files of DWARF 5: first the format, then entries in that format. */
class EntryTable {
  /** Where each entry begins. */
  private readonly places: Uint32Array;
  private readonly formats: readonly { content: number; form: number }[];

  /** Leaves the reader behind the table. */
  constructor(
    private readonly reader: Reader,
    private readonly sections: DwarfSections,
    private readonly encoding: { version: number; addressSize: number; offsetSize: 4 | 8 },
  ) {
    this.formats = Array.from({ length: reader.u8() }, () => ({ content: reader.uleb(), form: reader.uleb() }));
    const count = reader.uleb();
    if (count > reader.end - reader.position) reader.damaged();
    this.places = new Uint32Array(count);
    for (let i = 0; i < count; i++) {
      this.places[i] = reader.position;
      for (let j = 0; j < this.formats.length; j++) skipForm(this.formats[j].form, reader, encoding);
    }
  }

  get length(): number {
    return this.places.length;
  }

  /** Whether an entry begins with its path in .debug_line_str, behind which is the number of a folder; or nothing of interest. */
  startsPlainly(hasFolder: boolean): boolean {
    const [path, folder] = this.formats;
    const isPlain = path?.content === LNCT_path && path.form === Form.line_strp && this.encoding.offsetSize === 4;
    return isPlain && (!hasFolder || (folder?.content === LNCT_directory_index && folder.form === Form.udata));
  }

  /** Where the path of an entry is in .debug_line_str, when it starts plainly. */
  pathAt(index: number): number {
    const { bytes } = this.reader;
    const at = this.places[index];
    return (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0;
  }

  /** The number of its folder, the same; undefined where it has several bytes. */
  folderAt(index: number): number | undefined {
    const number = this.reader.bytes[this.places[index] + 4];
    return number < 0x80 ? number : undefined;
  }

  at(index: number): { path: string; folder: number } | undefined {
    const place = this.places[index];
    if (place === undefined) return undefined;
    const reader = this.reader.at(place);
    const { sections, encoding } = this;
    const entry = { path: '', folder: 0 };
    for (const { content, form } of this.formats) {
      if (content === LNCT_path && form === Form.string) entry.path = reader.string();
      else if (content === LNCT_path && form === Form.line_strp) entry.path = sections.string('.debug_line_str', reader.offset(encoding.offsetSize));
      else if (content === LNCT_path && form === Form.strp) entry.path = sections.string('.debug_str', reader.offset(encoding.offsetSize));
      else if (content === LNCT_directory_index && form === Form.udata) entry.folder = reader.uleb();
      else if (content === LNCT_directory_index && form === Form.data1) entry.folder = reader.u8();
      else if (content === LNCT_directory_index && form === Form.data2) entry.folder = reader.u16();
      else skipForm(form, reader, encoding);
    }
    return entry;
  }
}

/** Files of DWARF 5. Leaves the reader behind them. */
export const readFiles = (reader: Reader, sections: DwarfSections, version: number, offsetSize: 4 | 8): LineFiles => {
  const encoding = { version, addressSize: 8, offsetSize };
  const folders = new EntryTable(reader, sections, encoding);
  const files = new EntryTable(reader, sections, encoding);
  const known: (LineFile | undefined)[] = [];
  const fileAt = (index: number): LineFile | undefined => {
    const file = files.at(index);
    // Folder 0 is the compilation directory: a name in it is written without a folder.
    return file && new LineFile(file.folder === 0 ? '' : (folders.at(file.folder)?.path ?? ''), file.path);
  };
  let { length } = files;
  const isPlain = folders.startsPlainly(false) && files.startsPlainly(true);
  const keyAt = (index: number): number | undefined => {
    const folder = isPlain && index < files.length ? files.folderAt(index) : undefined;
    if (folder === undefined || folder >= folders.length) return undefined;
    const name = files.pathAt(index);
    return name < MOST_NAMES ? (folder === 0 ? 0 : folders.pathAt(folder) + 1) * MOST_NAMES + name : undefined;
  };
  return {
    keyAt,
    get length() { return length; },
    at: (index) => (known[index] ??= fileAt(index)),
    add: (file) => (known[length++] = file),
  };
};

/** Files of DWARF 2 to 4: the first has the number 1. Leaves the reader behind them. */
export const readOldFiles = (reader: Reader): LineFiles => {
  const folders = [''];
  for (let folder = reader.string(); folder !== ''; folder = reader.string()) folders.push(folder);
  const files: (LineFile | undefined)[] = [undefined];
  for (let name = reader.string(); name !== ''; name = reader.string()) {
    files.push(new LineFile(folders[reader.uleb()] ?? '', name));
    reader.skipLeb(); // time
    reader.skipLeb(); // length
  }
  return {
    get length() { return files.length; },
    at: (index) => files[index],
    keyAt: () => undefined,
    add: (file) => void files.push(file),
  };
};
