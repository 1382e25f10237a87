import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { SymbolImage } from '../../src/symbols/image';
import { fileNamed, fixtureNames, markerLine, openFixture, sourceText } from './symbolsFixtures';

const isOptimised = (name: string): boolean => name.includes('O2');

describe('symbols: lines and functions', () => {
  for (const name of fixtureNames) {
    describe(name, () => {
      const image = openFixture(name);
      const main = fileNamed(image, 'source/main.c');

      it('names files joined with the compilation directory, and as written', () => {
        assert.equal(main.path, '/build/source/main.c');
        assert.equal(main.written, '../source/main.c');
        assert.deepEqual(image.files().map((file) => file.path).filter((path) => !path.endsWith('.S')).sort(), ['/build/source/main.c', '/build/source/shifted.c', '/build/source/types.h', '/build/vmm/shifted.c']);
      });

      it('finds every executable line again at its address', () => {
        for (const line of image.executableLines(main)) {
          const places = image.addressesOf(main, line);
          assert.ok(places.length > 0, `line ${line}`);
          for (const place of places) assert.equal(place.line, line);
          // A place behind a prologue is on the function's first line, others on the line itself.
          if (!isOptimised(name) && !/^\{/.test(sourceText('main.c').split('\n')[line - 1])) assert.equal(image.lineAt(places[0].address)?.line, line);
        }
      });

      it('slides to the next line that has code, and says which', () => {
        const line = markerLine('main.c', 'main calls');
        const [comment] = [sourceText('main.c').split('\n').findIndex((text) => text.startsWith('/* Keeps a value'))];
        const slid = image.addressesOf(main, comment + 1);
        assert.ok(slid.length > 0);
        assert.ok(slid[0].line > comment + 1 && slid[0].line < line);
        assert.deepEqual(image.addressesOf(main, 10_000), []);
      });

      it('stops once per function for a loop', () => {
        if (isOptimised(name)) return;
        assert.equal(image.addressesOf(main, markerLine('main.c', 'loop')).length, 1);
      });

      it('puts function breakpoints behind the prologue', () => {
        const [vmexit] = image.findFunctions('vmexit');
        assert.equal(vmexit.file, main);
        assert.match(sourceText('main.c').split('\n')[vmexit.line! - 1], /vmexit\(/);
        const after = image.afterPrologue(vmexit);
        assert.ok(after >= vmexit.low && after < vmexit.ranges[0].high);
        assert.ok(image.lineAt(after)!.line > vmexit.line!);
      });

      it('passes no prologue where gcc lists the places of variables in it, nor in assembly', () => {
        const [vmexit] = image.findFunctions('vmexit');
        assert.equal(image.afterPrologue(vmexit) === vmexit.low, name.startsWith('gcc-O2'));
        const opens = image.addressesOf(main, image.lineAt(vmexit.low)!.line).map((place) => place.address);
        if (name.includes('O0')) assert.ok(opens.includes(image.afterPrologue(vmexit)), 'nor does a breakpoint on the line that opens it');
        const [start] = image.findFunctions('_start');
        if (start) assert.equal(image.afterPrologue(start), start.low);
      });

      it('finds functions by pattern and by address', () => {
        const names = image.findFunctions('*').map((fn) => fn.name);
        assert.ok(names.includes('main') && names.includes('shifted'));
        assert.deepEqual(image.findFunctions('v?exi*').map((fn) => fn.name), ['vmexit']);
        assert.deepEqual(image.findFunctions('nothing'), []);
        for (const fn of image.findFunctions('*')) {
          assert.equal(image.functionAt(fn.low)?.name, fn.name);
          assert.equal(image.functionAt(fn.ranges[0].high - 1n)?.name, fn.name);
        }
        assert.equal(image.functionAt(0n), undefined);
      });

      it('has lines of assembly', () => {
        const start = image.lineAt(image.symbolsNamed('_start')[0].address)!;
        assert.ok(start.file.path.endsWith('source/entry.S'));
        assert.match(sourceText('entry.S').split('\n')[start.line - 1], /xor/);
        assert.equal(start.isStmt, true);
      });

      it('gives the code a step by line runs through', () => {
        const [place] = image.addressesOf(main, markerLine('main.c', 'main calls'));
        const range = image.lineRangeAt(place.address)!;
        assert.ok(range.low <= place.address && place.address < range.high);
        for (let address = range.low; address < range.high; address++) assert.equal(image.lineAt(address)?.line, range.entry.line);
        const fn = image.functionAt(place.address)!;
        assert.ok(range.low >= fn.low && range.high <= fn.ranges[0].high);
      });

      it('keeps what #line directives called a line', () => {
        const shifted = fileNamed(image, 'vmm/shifted.c');
        assert.equal(shifted.written, '../vmm/shifted.c');
        const [fn] = image.findFunctions('shifted');
        assert.equal(fn.file, shifted);
        assert.equal(fn.line, 107);
        assert.ok(image.executableLines(shifted).some((line) => line >= 200));
      });
    });
  }

  it('takes inlined calls apart, innermost first', () => {
    for (const name of fixtureNames.filter(isOptimised)) {
      const image = openFixture(name);
      const [vmexit] = image.findFunctions('vmexit');
      const nests: string[] = [];
      for (const { low, high } of vmexit.ranges) {
        for (let address = low; address < high; address++) {
          const calls = image.inlinedAt(address);
          nests.push(calls.map((call) => call.name).join(' in '));
          if (calls.length === 2) assert.equal(calls[1].callLine, markerLine('main.c', 'call'));
          if (calls.length === 2) assert.equal(calls[1].callFile?.path, '/build/source/main.c');
        }
      }
      assert.ok(nests.includes(name.startsWith('gcc') ? 'twice in handle_cpuid' : 'handle_cpuid'), `${name}: ${[...new Set(nests)].join(', ')}`);
      assert.ok(nests.includes(''), name);
    }
  });

  it('finds functions inside of functions, whose code lies beside theirs', () => {
    const image = SymbolImage.open('nested.elf', readFileSync(path.join(__dirname, '../fixtures/symbols/nested/nested.elf')));
    const [add] = image.symbolsNamed('add.0');
    assert.equal(image.functionAt(add!.address + 4n)?.name, 'add');
    assert.equal(image.functionAt(image.symbolsNamed('sum')[0]!.address)?.name, 'sum');
    assert.equal(image.functionAt(image.findFunctions('start')[0]!.low)?.name, 'start');
  });

  it('answers the same where part of an image has been read ahead', () => {
    const [name] = fixtureNames;
    const whole = openFixture(name!);
    const image = SymbolImage.open('part', readFileSync(path.join(__dirname, '../fixtures/symbols', name!)));
    const pieces = image.readAhead();
    for (let i = 0; i < 6; i++) pieces.next();
    assert.deepEqual([...image.names('function')], [...whole.names('function')]);
    assert.deepEqual(image.files(), whole.files());
    for (; !pieces.next().done;);
    assert.deepEqual(image.executableLines(fileNamed(image, 'source/main.c')), whole.executableLines(fileNamed(whole, 'source/main.c')));
    assert.deepEqual([...image.names('type')], [...whole.names('type')]);
  });
});
