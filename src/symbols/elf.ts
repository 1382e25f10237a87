import { UserError } from '../base/errors';
import { inflate } from './inflate';
import { decodeText, Reader } from './reader';
import { SymbolTable } from './symbolTable';

export type { ElfSymbol } from './symbolTable';

/** A section of an ELF file (System V ABI, "Sections"). */
export interface Section {
  readonly index: number;
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly address: bigint;
  readonly offset: number;
  readonly size: number;
  readonly link: number;
  readonly entrySize: number;
}

/** A segment (System V ABI, "Program Header"): `address` is p_vaddr, `physical` is p_paddr, the load address. */
export interface Segment {
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly address: bigint;
  readonly physical: bigint;
  readonly fileSize: number;
  readonly memorySize: bigint;
}

const EM_386 = 3;
const EM_X86_64 = 62;
const ELFDATA2LSB = 1;
const ELFDATA2MSB = 2;
const ET_REL = 1;
const ET_CORE = 4;
const PT_LOAD = 1;
const PF_X = 1;
const SHT_SYMTAB = 2;
const SHT_NOBITS = 8;
const SHT_DYNSYM = 11;
const SHF_ALLOC = 2;
const SHF_EXECINSTR = 4;
const SHF_COMPRESSED = 0x800;
const ELFCOMPRESS_ZLIB = 1;
const ELFCOMPRESS_ZSTD = 2;
const SHN_XINDEX = 0xffff;

/** Machines a file may have been built for by mistake, by e_machine. */
const MACHINES: Record<number, string> = {
  2: 'SPARC', 4: 'Motorola 68000', 6: 'Intel MCU', 8: 'MIPS', 20: 'PowerPC', 21: '64-bit PowerPC', 22: 'IBM S/390', 40: '32-bit ARM',
  43: '64-bit SPARC', 50: 'Itanium', 83: 'AVR', 94: 'Xtensa', 183: '64-bit ARM (AArch64)', 243: 'RISC-V', 247: 'BPF', 258: 'LoongArch',
};

/** A parsed ELF file of x86 or x86-64. Headers are read at once, everything else when asked for. */
export class ElfFile {
  private readonly contentsBySection = new Map<number, Uint8Array>();
  private symbolTable: SymbolTable | undefined;
  private placedList: readonly Segment[] | undefined;
  private codeList: { low: bigint; high: bigint }[] | undefined;

  private constructor(
    /** The name by which messages call the file. */
    readonly name: string,
    readonly bytes: Uint8Array,
    /** 32 or 64: the class of the file. */
    readonly bits: 32 | 64,
    readonly machine: 'x86' | 'x86-64',
    readonly entry: bigint,
    readonly sections: readonly Section[],
    readonly segments: readonly Segment[],
  ) {}

  /**
   * Reads the headers. Throws a UserError that names the file when it is not an ELF file, is truncated, is for another
   * machine or byte order, or is not linked; a `.dwo` or `.dwp` file is an `object`, which need not be.
   */
  static parse(name: string, bytes: Uint8Array, kind: 'linked' | 'object' = 'linked'): ElfFile {
    const fail = (code: string, rest: string): never => {
      throw new UserError(code, `${name} ${rest}`);
    };
    if (bytes.length < 4 || decodeText(bytes.subarray(1, 4)) !== 'ELF' || bytes[0] !== 0x7f) fail('elf.notElf', 'is not an ELF file: name the linked kernel or program, not its source or disk image.');
    if (bytes.length < 20) fail('elf.truncated', `is truncated: an ELF header has at least 52 bytes, the file only ${bytes.length}; build or copy it again.`);
    if (bytes[5] === ELFDATA2MSB) fail('elf.bigEndian', 'is a big-endian ELF file: build it for x86-64.');
    if ((bytes[4] !== 1 && bytes[4] !== 2) || bytes[5] !== ELFDATA2LSB) fail('elf.notElf', 'has an ELF header with an unknown class or byte order: build or copy it again.');
    const bits = bytes[4] === 2 ? 64 : 32;
    const headerSize = bits === 64 ? 64 : 52;
    if (bytes.length < headerSize) fail('elf.truncated', `is truncated: its ELF header has ${headerSize} bytes, the file only ${bytes.length}; build or copy it again.`);

    const reader = new Reader(bytes, name, 16);
    const type = reader.u16();
    const machine = reader.u16();
    if (machine !== EM_386 && machine !== EM_X86_64) fail('elf.machine', `is built for ${MACHINES[machine] ?? `machine number ${machine}`}, not for x86: build it for x86-64.`);
    if (type === ET_REL && kind === 'linked') fail('elf.notLinked', 'is an object file whose addresses are not final: name the linked kernel or program.');
    if (type === ET_CORE) fail('elf.core', 'is a core dump: name the kernel or program it came from.');
    reader.u32();
    const word = bits / 8;
    const entry = reader.unsigned(word);
    const programHeaders = reader.offset(word);
    const sectionHeaders = reader.offset(word);
    reader.u32();
    reader.u16();
    const programHeaderSize = reader.u16();
    let programHeaderCount = reader.u16();
    const sectionHeaderSize = reader.u16();
    let sectionCount = reader.u16();
    let namesIndex = reader.u16();

    const within = (what: string, offset: number, size: number): void => {
      if (offset + size > bytes.length) fail('elf.truncated', `is truncated: its ${what} end at byte ${offset + size}, the file at byte ${bytes.length}; build or copy it again.`);
    };
    const readSection = (index: number): Section & { nameOffset: number; info: number } => {
      within('section headers', sectionHeaders + index * sectionHeaderSize, bits === 64 ? 64 : 40);
      reader.position = sectionHeaders + index * sectionHeaderSize;
      const nameOffset = reader.u32();
      const sectionType = reader.u32();
      const flags = reader.offset(word);
      const address = reader.unsigned(word);
      const offset = reader.offset(word);
      const size = reader.offset(word);
      const link = reader.u32();
      const info = reader.u32();
      reader.skip(word);
      const entrySize = reader.offset(word);
      return { index, name: '', type: sectionType, flags, address, offset, size, link, entrySize, nameOffset, info };
    };
    // Counts that do not fit their 16-bit fields are in section header 0.
    if (sectionHeaders !== 0 && (sectionCount === 0 || namesIndex === SHN_XINDEX || programHeaderCount === 0xffff)) {
      const zero = readSection(0);
      if (sectionCount === 0) sectionCount = zero.size;
      if (namesIndex === SHN_XINDEX) namesIndex = zero.link;
      if (programHeaderCount === 0xffff) programHeaderCount = zero.info;
    }
    const segments: Segment[] = [];
    for (let i = 0; i < programHeaderCount; i++) {
      within('program headers', programHeaders + i * programHeaderSize, bits === 64 ? 56 : 32);
      reader.position = programHeaders + i * programHeaderSize;
      const segmentType = reader.u32();
      const early = bits === 64 ? reader.u32() : 0;
      const offset = reader.offset(word);
      const address = reader.unsigned(word);
      const physical = reader.unsigned(word);
      const fileSize = reader.offset(word);
      const memorySize = reader.unsigned(word);
      const flags = bits === 64 ? early : reader.u32();
      // A file of debug information alone keeps the segments' headers without their bytes; its sections say so.
      if (segmentType === PT_LOAD && sectionHeaders === 0) within('segments', offset, fileSize);
      segments.push({ type: segmentType, flags, offset, address, physical, fileSize, memorySize });
    }
    const sections: Section[] = [];
    if (sectionHeaders !== 0 && sectionCount > 0) {
      within('section headers', sectionHeaders, sectionCount * sectionHeaderSize);
      const raw = Array.from({ length: sectionCount }, (_, i) => readSection(i));
      for (const section of raw) if (section.type !== SHT_NOBITS && section.type !== 0) within('sections', section.offset, section.size);
      const names = raw[namesIndex];
      for (const section of raw) {
        const named = names && names.type !== 0 ? new Reader(bytes, name, names.offset + section.nameOffset).string() : '';
        sections.push({ ...section, name: named });
      }
    }
    return new ElfFile(name, bytes, bits, machine === EM_X86_64 ? 'x86-64' : 'x86', entry, sections, segments);
  }

  section(name: string): Section | undefined {
    return this.sections.find((section) => section.name === name);
  }

  /** Bytes of a section, decompressed; empty for a section without bytes. Throws a UserError when they are damaged. */
  contents(section: Section): Uint8Array {
    const known = this.contentsBySection.get(section.index);
    if (known) return known;
    const raw = section.type === SHT_NOBITS ? new Uint8Array(0) : this.bytes.subarray(section.offset, section.offset + section.size);
    let contents = raw;
    if (section.flags & SHF_COMPRESSED) contents = this.decompress(section, raw);
    else if (section.name.startsWith('.zdebug') && raw.length >= 12) contents = this.inflated(section, raw.subarray(12), Number(new DataView(raw.buffer, raw.byteOffset).getBigUint64(4)));
    this.contentsBySection.set(section.index, contents);
    return contents;
  }

  private decompress(section: Section, raw: Uint8Array): Uint8Array {
    const reader = new Reader(raw, `${this.name}, section ${section.name},`);
    const kind = reader.u32();
    if (this.bits === 64) reader.u32();
    const size = reader.offset(this.bits / 8);
    reader.skip(this.bits / 8);
    if (kind === ELFCOMPRESS_ZSTD) throw new UserError('elf.compression', `${this.name} has its debug information compressed with Zstandard, which Hyperstep does not read: build it with -gz=zlib or -gz=none, or unpack it with objcopy --decompress-debug-sections.`);
    if (kind !== ELFCOMPRESS_ZLIB) throw new UserError('elf.compression', `${this.name} has its section ${section.name} compressed in a way Hyperstep does not read: build it with -gz=zlib or -gz=none.`);
    return this.inflated(section, raw.subarray(reader.position), size);
  }

  private inflated(section: Section, zlib: Uint8Array, size: number): Uint8Array {
    try {
      return inflate(zlib, size);
    } catch (error) {
      throw new UserError('elf.compression', `${this.name} has a damaged section ${section.name} (${(error as Error).message}): build or copy it again.`);
    }
  }

  /** Contents of a section by name, or undefined where there is none (or it has no bytes in the file). */
  contentsOf(name: string): Uint8Array | undefined {
    const section = this.section(name) ?? (name.startsWith('.debug') ? this.section('.z' + name.slice(1)) : undefined);
    return section && section.type !== SHT_NOBITS ? this.contents(section) : undefined;
  }

  /** Segments that are loaded, in the order of the file. */
  get loaded(): readonly Segment[] {
    return this.segments.filter((segment) => segment.type === PT_LOAD && segment.memorySize > 0n);
  }

  /** Whether an address is inside code of this file: an executable section, or segment where there are no sections. */
  isCode(address: bigint): boolean {
    this.codeList ??=
      this.sections.length > 0
        ? this.sections.filter((s) => (s.flags & (SHF_ALLOC | SHF_EXECINSTR)) === (SHF_ALLOC | SHF_EXECINSTR)).map((s) => ({ low: s.address, high: s.address + BigInt(s.size) }))
        : this.loaded.filter((s) => s.flags & PF_X).map((s) => ({ low: s.address, high: s.address + s.memorySize }));
    for (const { low, high } of this.codeList) if (address >= low && address < high) return true;
    return false;
  }

  /** Whether a section's addresses are offsets from where each processor has its own, as Linux links its per-CPU variables at 0. */
  isPerProcessor(index: number): boolean {
    return /^\.data\.\.percpu/.test(this.sections[index]?.name ?? '');
  }

  /** What is in memory where it is linked. */
  private get placed(): readonly Segment[] {
    return (this.placedList ??= this.loaded.filter((segment) => !this.sections.some((s) => this.isPerProcessor(s.index) && s.size > 0 && s.address === segment.address)));
  }

  /** The symbol table (.symtab, else .dynsym) without section, file, thread-local and undefined symbols, sorted by address. */
  get symbols(): SymbolTable {
    if (this.symbolTable) return this.symbolTable;
    const table = this.sections.find((s) => s.type === SHT_SYMTAB) ?? this.sections.find((s) => s.type === SHT_DYNSYM);
    const names = table && this.sections[table.link];
    if (!table || !names) return (this.symbolTable = SymbolTable.NONE);
    const what = `${this.name}, section ${table.name},`;
    return (this.symbolTable = new SymbolTable(new Reader(this.contents(table), what), new Reader(this.contents(names), what), this.bits));
  }

  /**
   * The bytes the file puts at a linear address (p_vaddr), zeros for .bss; undefined when any of them is not in a
   * loaded segment.
   */
  loadedBytes(address: bigint, length: number): Uint8Array | undefined {
    for (const segment of this.placed) {
      const offset = address - segment.address;
      if (offset < 0n || offset + BigInt(length) > segment.memorySize) continue;
      const start = Number(offset);
      if (segment.offset + segment.fileSize > this.bytes.length) return undefined;
      if (start + length <= segment.fileSize) return this.bytes.subarray(segment.offset + start, segment.offset + start + length);
      const bytes = new Uint8Array(length);
      if (start < segment.fileSize) bytes.set(this.bytes.subarray(segment.offset + start, segment.offset + segment.fileSize));
      return bytes;
    }
    return undefined;
  }
}
