/** The old stabs format: lines and functions as DWARF gives them for the same program. */
import assert from 'node:assert/strict';
import { readStabs } from '../../src/symbols/stabs';
import { fixtureBytes, markerLine, openFixture } from './symbolsFixtures';

const baseName = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

describe('stabs', () => {
  const stabs = openFixture('stabs/gcc-O0.elf');
  const dwarf = openFixture('gcc-O0-m32.elf');

  it('functions of C have the names, places and files that DWARF gives them', () => {
    const told = (image: typeof stabs): string[] => image.findFunctions('*').filter(({ name }) => name !== '_start').map((f) => `${f.name} ${f.low} ${f.ranges[0].high} ${baseName(f.file?.path ?? '')}`).sort();
    assert.deepEqual(told(stabs), told(dwarf));
    assert.ok(told(stabs).length >= 7);
  });

  it('every address has the line that DWARF gives it, in C and in assembly', () => {
    const [low, high] = [0x410_0000n, dwarf.symbolsNamed('_start')[0].address + 8n];
    let compared = 0;
    for (let address = low; address < high; address++) {
      const [a, b] = [stabs.lineAt(address), dwarf.lineAt(address)];
      if (!a || !b) continue;
      assert.equal(`${baseName(a.file.path)}:${a.line}`, `${baseName(b.file.path)}:${b.line}`, address.toString(16));
      compared++;
    }
    assert.ok(compared > 450, `${compared} addresses`);
  });

  it('a line of the source has its addresses', () => {
    const main = stabs.files().find((f) => f.path.endsWith('main.c'))!;
    const of = (image: typeof stabs): bigint[] => image.addressesOf(image.files().find((f) => f.path.endsWith('main.c'))!, markerLine('main.c', 'main calls')).map((p) => p.address);
    assert.ok(main);
    assert.deepEqual(of(stabs), of(dwarf));
  });

  it('the user is told what is missing and what to do', () => {
    assert.equal(stabs.hasDebugInformation, true);
    assert.match(stabs.warnings()[0], /^stabs\/gcc-O0\.elf has its debug information in the old stabs format: lines and functions are known, variables and types are not\. Build it with -gdwarf-4 in the place of -gstabs\.$/);
    assert.deepEqual(dwarf.warnings(), []);
  });

  it('objects keep strings of their own where the linker has not merged them', () => {
    const entry = (at: number, kind: number, line: number, value: number): number[] => [...[0, 8, 16, 24].map((n) => (at >> n) & 0xff), kind, 0, line & 0xff, line >> 8, ...[0, 8, 16, 24].map((n) => (value >> n) & 0xff)];
    const text = (s: string): number[] => [0, ...new TextEncoder().encode(s), 0];
    const [first, second] = [text('a.c'), text('/src/\0b.c\0f:F1')];
    const stab = Uint8Array.from([
      ...entry(1, 0, 2, first.length), ...entry(1, 0x64, 0, 0x1000), ...entry(0, 0x44, 7, 0x1000), ...entry(0, 0x64, 0, 0x1010),
      ...entry(1, 0, 5, second.length), ...entry(1, 0x64, 0, 0x2000), ...entry(7, 0x64, 0, 0x2000), ...entry(11, 0x24, 3, 0x2004), ...entry(0, 0x44, 4, 2), ...entry(0, 0x24, 0, 0xc), ...entry(0, 0x64, 0, 0x2020),
    ]);
    assert.deepEqual(readStabs(stab, Uint8Array.from([...first, ...second]), 'x'), [
      { folder: '', name: 'a.c', low: 0x1000, high: 0x1010, rows: [{ address: 0x1000, file: 'a.c', line: 7 }], functions: [] },
      { folder: '/src/', name: 'b.c', low: 0x2000, high: 0x2020, rows: [{ address: 0x2006, file: 'b.c', line: 4 }], functions: [{ name: 'f', external: true, file: 'b.c', line: 3, low: 0x2004, high: 0x2010 }] },
    ]);
  });

  it('a section that is cut short ends the reading', () => {
    assert.deepEqual(readStabs(fixtureBytes('stabs/gcc-O0.elf').subarray(0, 7), new Uint8Array(0), 'x'), []);
  });
});
