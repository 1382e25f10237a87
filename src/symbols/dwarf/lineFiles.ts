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
  /** Adds the file of a DW_LNE_define_file. */
  add(file: LineFile): void;
}

/** Content types of DWARF 5 file and folder entries (DW_LNCT). */
const LNCT_path = 1;
const LNCT_directory_index = 2;

/** A table of folders or of files of DWARF 5: first the format, then entries in that format. */
class EntryTable {
  /** Where each entry begins. */
  private readonly places: number[] = [];
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
    for (let i = 0; i < count; i++) {
      this.places.push(reader.position);
      for (const { form } of this.formats) skipForm(form, reader, encoding);
    }
  }

  get length(): number {
    return this.places.length;
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
  return {
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
    add: (file) => void files.push(file),
  };
};
