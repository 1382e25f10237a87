import { ElfFile } from '../elf';
import { Reader } from '../reader';

/** Hands out cursors over the debug sections of one image; each section is found and decompressed on first use. */
export class DwarfSections {
  private readonly known = new Map<string, Uint8Array>();

  constructor(readonly elf: ElfFile) {}

  private bytes(name: string): Uint8Array {
    let bytes = this.known.get(name);
    if (!bytes) this.known.set(name, (bytes = this.elf.contentsOf(name) ?? new Uint8Array(0)));
    return bytes;
  }

  /** Size in bytes, 0 when the image has no such section. */
  size(name: string): number {
    return this.bytes(name).length;
  }

  reader(name: string, position = 0, end?: number): Reader {
    const bytes = this.bytes(name);
    return new Reader(bytes, `${this.elf.name}, section ${name},`, position, end === undefined ? bytes.length : Math.min(end, bytes.length));
  }

  string(name: string, offset: number): string {
    return this.reader(name, offset).string();
  }
}
