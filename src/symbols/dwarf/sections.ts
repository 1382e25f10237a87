import { ElfFile } from '../elf';
import { Reader } from '../reader';

/** Hands out cursors over the debug sections of one image; each section is found and decompressed on first use. */
export class DwarfSections {
  private readonly readers = new Map<string, Reader>();
  private readonly strings = new Map<string, Map<number, string>>();

  constructor(readonly elf: ElfFile) {}

  private whole(name: string): Reader {
    let reader = this.readers.get(name);
    if (!reader) this.readers.set(name, (reader = new Reader(this.elf.contentsOf(name) ?? new Uint8Array(0), `${this.elf.name}, section ${name},`)));
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
}
