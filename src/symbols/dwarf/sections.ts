import { ElfFile } from '../elf';
import { Reader } from '../reader';

/** Where debug sections are: a whole file, the `.dwo` sections of one, or a part of a `.dwp` file. */
export interface SectionSource {
  /** The name by which messages call the file. */
  readonly name: string;
  /** Contents of `.debug_info` and the like, undefined where there is none. */
  contentsOf(section: string): Uint8Array | undefined;
}

/** DIEs of different files have the same offsets; each file's get numbers of their own, this far apart. */
const NUMBERS_PER_FILE = 2 ** 36;

/** Hands out cursors over the debug sections of one file; each section is found and decompressed on first use. */
export class DwarfSections {
  private readonly readers = new Map<string, Reader>();
  private readonly strings = new Map<string, Map<number, string>>();
  /** What is added to the offset of a DIE to tell it from those of other files. */
  readonly firstNumber: number;

  constructor(
    /** The image whose code the sections are about. */
    readonly elf: ElfFile,
    private readonly source: SectionSource = elf,
    /** Which of the files that belong together: 0 is the image's own or its separate debug file. */
    file = 0,
    /** The file that GNU_ref_alt, strp_sup and their kind refer to. */
    readonly alternate?: DwarfSections,
  ) {
    this.firstNumber = file * NUMBERS_PER_FILE;
  }

  get name(): string {
    return this.source.name;
  }

  private whole(name: string): Reader {
    let reader = this.readers.get(name);
    if (!reader) this.readers.set(name, (reader = new Reader(this.source.contentsOf(name) ?? new Uint8Array(0), `${this.source.name}, section ${name},`)));
    return reader;
  }

  /** Size in bytes, 0 when the image has no such section. */
  size(name: string): number {
    return this.whole(name).end;
  }

  reader(name: string, position = 0, end?: number): Reader {
    return this.whole(name).at(position, end);
  }

  /** A string of a string section. Few of them are used, but those often: each is decoded once. */
  string(name: string, offset: number): string {
    let pool = this.strings.get(name);
    if (!pool) this.strings.set(name, (pool = new Map()));
    let text = pool.get(offset);
    if (text === undefined) pool.set(offset, (text = this.reader(name, offset).string()));
    return text;
  }

  /** A string of the alternate file, which several programs share; undefined where that file is missing. */
  alternateString(offset: number): string | undefined {
    return this.alternate?.string('.debug_str', offset);
  }
}
