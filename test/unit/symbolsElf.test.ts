import assert from 'node:assert/strict';
import { UserError } from '../../src/base/errors';
import { SymbolImage } from '../../src/symbols/image';
import { fixtureBytes, fixtureNames, openFixture } from './symbolsFixtures';

/** A copy of a fixture with bytes replaced. */
const patched = (name: string, changes: Record<number, number>): Uint8Array => {
  const bytes = fixtureBytes(name).slice();
  for (const [offset, value] of Object.entries(changes)) bytes[Number(offset)] = value;
  return bytes;
};

const rejects = (bytes: Uint8Array, code: string, words: RegExp): void => {
  assert.throws(
    () => SymbolImage.open('obj/kern/kernel', bytes),
    (error) => {
      assert.ok(error instanceof UserError, String(error));
      assert.equal(error.code, code);
      assert.match(error.message, /^obj\/kern\/kernel /);
      assert.match(error.message, words);
      assert.equal(error.message.includes('\n'), false);
      return true;
    },
  );
};

describe('symbols: ELF files', () => {
  it('says what is wrong with a file that is no image', () => {
    rejects(new Uint8Array(0), 'elf.notElf', /not an ELF file/);
    rejects(new TextEncoder().encode('int main(void) { return 0; }'), 'elf.notElf', /not an ELF file/);
    rejects(patched('gcc-O0-dwarf4.elf', { 18: 183 }), 'elf.machine', /64-bit ARM/);
    rejects(patched('gcc-O0-dwarf4.elf', { 18: 0xf3, 19: 0 }), 'elf.machine', /RISC-V/);
    rejects(patched('gcc-O0-dwarf4.elf', { 18: 0x34, 19: 0x12 }), 'elf.machine', /machine number 4660/);
    rejects(patched('gcc-O0-dwarf4.elf', { 5: 2 }), 'elf.bigEndian', /big-endian/);
    rejects(patched('gcc-O0-dwarf4.elf', { 16: 1 }), 'elf.notLinked', /object file/);
    rejects(patched('gcc-O0-dwarf4.elf', { 16: 4 }), 'elf.core', /core dump/);
  });

  it('says that a file is truncated, wherever it was cut', () => {
    const bytes = fixtureBytes('gcc-O0-dwarf4.elf');
    for (const length of [10, 40, 63, 100, 4096, 8192, bytes.length - 1]) rejects(bytes.slice(0, length), 'elf.truncated', /truncated/);
  });

  it('never fails otherwise on damaged debug information', function () {
    this.timeout(60_000);
    // A fixed sequence of changes: every failure can be repeated.
    let seed = 12345;
    const random = (limit: number): number => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      return seed % limit;
    };
    for (const name of ['gcc-O0-dwarf4.elf', 'gcc-O2-dwarf5.elf', 'clang-O2-dwarf5.elf', 'gcc-O2-sections.elf']) {
      const whole = openFixture(name);
      const debug = whole.elf.sections.filter((section) => section.name.startsWith('.debug') || section.name === '.eh_frame');
      const frame = { pc: 0x4100085n, isCaller: false, bits: 64, register: () => 0x4102000n, memory: (a: bigint, n: number) => whole.loadedBytes(a, n) } as const;
      for (let round = 0; round < 30; round++) {
        const bytes = fixtureBytes(name).slice();
        for (let change = 0; change < 4; change++) {
          const section = debug[random(debug.length)];
          bytes[section.offset + random(section.size)] = random(256);
        }
        const attempts: ((image: SymbolImage) => unknown)[] = [
          (image) => image.files().map((file) => image.addressesOf(file, 20)),
          (image) => image.findFunctions('*').map((fn) => image.afterPrologue(fn)),
          (image) => image.variablesAt(frame.pc).map((variable) => image.locate(variable, frame)),
          (image) => image.unwind(frame),
          (image) => image.globals('guest_table').map((variable) => variable.type),
        ];
        for (const attempt of attempts) {
          try {
            attempt(SymbolImage.open(name, bytes));
          } catch (error) {
            assert.ok(error instanceof UserError, `${name}, round ${round}: ${(error as Error).stack}`);
          }
        }
      }
    }
  });

  it('knows class, entry and load addresses', () => {
    const image = openFixture('gcc-O0-dwarf4.elf');
    assert.equal(image.elf.bits, 64);
    assert.equal(image.elf.machine, 'x86-64');
    assert.equal(image.elf.entry, image.symbolsNamed('_start')[0].address);
    const m32 = openFixture('gcc-O0-m32.elf');
    assert.equal(m32.elf.bits, 32);
    assert.equal(m32.elf.machine, 'x86');
    assert.ok(image.elf.loaded.every((segment) => segment.physical === segment.address));
  });

  it('gives the bytes the image loads, zeros for .bss, and nothing elsewhere', () => {
    const image = openFixture('gcc-O0-dwarf4.elf');
    const start = image.symbolsNamed('_start')[0].address;
    assert.deepEqual([...image.loadedBytes(start, 2)!], [0x31, 0xed]);
    const table = image.symbolsNamed('guest_table')[0];
    assert.deepEqual(image.loadedBytes(table.address, Number(table.size)), new Uint8Array(Number(table.size)));
    assert.equal(image.loadedBytes(0x100n, 1), undefined);
    assert.equal(image.loadedBytes(table.address, 1 << 20), undefined);
  });

  it('names addresses by symbol and offset', () => {
    for (const name of fixtureNames) {
      const image = openFixture(name);
      const [vmexit] = image.symbolsNamed('vmexit');
      assert.equal(image.symbolAt(vmexit.address)?.symbol.name, 'vmexit');
      const inside = image.symbolAt(vmexit.address + 9n);
      assert.deepEqual([inside?.symbol.name, inside?.offset], ['vmexit', 9n], name);
      // A label without a size counts up to the end of its section; a label inside a sized function does not end it.
      const [unsized] = image.symbolsNamed('unsized');
      assert.equal(image.symbolAt(unsized.address + 1n)?.symbol.name, 'unsized', name);
      const [park] = image.symbolsNamed('park');
      assert.equal(image.symbolAt(park.address)?.symbol.name, '_start', name);
      assert.equal(image.symbolAt(0x10n), undefined);
    }
  });

  it('says that it does not read Zstandard', () => {
    const bytes = fixtureBytes('gcc-O2-sections.elf');
    const info = openFixture('gcc-O2-sections.elf').elf.section('.debug_info')!;
    bytes[info.offset] = 2; // ELFCOMPRESS_ZSTD
    assert.throws(() => SymbolImage.open('kernel', bytes).functionAt(0n), /^UserError: kernel has its debug information compressed with Zstandard, which Hyperstep does not read: build it with -gz=zlib or -gz=none/);
  });

  it('reads compressed sections', () => {
    const plain = openFixture('gcc-O2-dwarf5.elf');
    const compressed = openFixture('gcc-O2-sections.elf');
    assert.ok(compressed.elf.sections.some((section) => section.flags & 0x800));
    assert.deepEqual(compressed.findFunctions('*').map((fn) => fn.name).sort(), plain.findFunctions('*').map((fn) => fn.name).sort());
  });
});
