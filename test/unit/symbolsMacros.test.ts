import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { nodeFiles } from '../../src/adapter/hosts/nodeFiles';
import { SymbolImage } from '../../src/symbols/image';
import { definesOf, SourceMacros } from '../../src/symbols/sourceMacros';
import { expandMacroCalls, parseDefinition, type MacroText } from '../../src/symbols/macroCalls';
import { SourceLookup } from '../../src/symbols/sourceLookup';

const folder = path.join(__dirname, '../fixtures/symbols/macros');
const open = (name: string): SymbolImage => SymbolImage.open(name, new Uint8Array(readFileSync(path.join(folder, name))));

const EXPECTED: Record<string, string | undefined> = {
  EXIT_REASON_CPUID: '10',
  EXIT_REASON_EPT: '(EXIT_REASON_CPUID + 38)',
  PAGE_SIZE: '(1UL << PAGE_SHIFT)',
  LOCAL_LIMIT: '(PAGE_SIZE * 2)',
  STATEMENT: 'do { } while (0)',
  SPLIT: '"a // b"',
  ROUND: '((x) & ~(PAGE_SIZE - 1))',
  // An undefined one, and one that is text and comment.
  GONE: undefined,
  NONE: undefined,
};

const textOf = (image: SymbolImage, name: string): string | undefined => {
  const macro = image.macros.find(name, image.elf.entry);
  return macro && 'text' in macro ? macro.text : undefined;
};

describe('macros', () => {
  for (const name of readdirSync(folder).filter((n) => n.endsWith('.elf') && n !== 'gcc-none.elf')) {
    it(`${name} records them`, () => {
      const image = open(name);
      assert.equal(image.macros.recorded, true);
      for (const [macro, text] of Object.entries(EXPECTED)) assert.equal(textOf(image, macro)?.replace(/\s+/g, ' '), text, macro);
      assert.ok(image.macros.names(image.elf.entry).includes('PAGE_SHIFT'));
      // The preprocessor's own.
      assert.equal(textOf(image, '__x86_64__'), '1');
    });
  }

  it('come from the sources where the compiler recorded none', async () => {
    const image = open('gcc-none.elf');
    assert.equal(image.macros.recorded, false);
    assert.equal(image.macros.find('PAGE_SIZE', undefined), undefined);
    image.macros.sources = await SourceMacros.read(nodeFiles, new SourceLookup(nodeFiles, [folder]), image, [folder]);
    // #undef depends on the order of lines, which is not followed across files.
    for (const [macro, text] of Object.entries({ ...EXPECTED, GONE: '1' })) assert.equal(textOf(image, macro)?.replace(/\s+/g, ' '), text, macro);
    assert.ok(image.macros.names(undefined).includes('PAGE_SHIFT'));
  });

  it('that are defined differently are told with their places, unless the file at hand decides', async () => {
    const image = open('gcc-none.elf');
    const texts: Record<string, string> = { 'macros.c': '#include "a.h"\n#include "b.h"\n#define OWN 3\n', 'a.h': '#define SIZE 1\n#define OWN 1\n', 'b.h': '\n#define SIZE 2\n#define SAME 5\n#define OWN 2\n' };
    const files = {
      ...nodeFiles,
      exists: async (file: string) => path.basename(file) in texts && path.dirname(file) === '/src',
      read: async (file: string) => new TextEncoder().encode(texts[path.basename(file)]),
    };
    image.macros.sources = await SourceMacros.read(files, new SourceLookup(files, ['/src']), image, ['/src']);
    assert.deepEqual(image.macros.find('SIZE', image.elf.entry), { ambiguous: ['1 (a.h:1)', '2 (b.h:2)'] });
    assert.deepEqual(image.macros.find('OWN', image.elf.entry), { text: '3' });
    assert.deepEqual(image.macros.find('SAME', undefined), { text: '5' });
  });

  it('are read with continued lines, comments and odd spaces', () => {
    assert.deepEqual(definesOf('/* #define A 1 */ #define B 2\n # define C \\\n  (1 << 3) // bits\n#define D(x) x\n#define E\n#define F (x) /* long\ncomment */\n#include <g.h>\n').macros, [
      { name: 'B', text: '2', line: 1 },
      { name: 'C', text: '(1 << 3)', line: 2 },
      { name: 'D', parameters: ['x'], text: 'x', line: 4 },
      { name: 'F', text: '(x)', line: 6 },
    ]);
    assert.deepEqual(definesOf('# include "a/b.h"\n#include <g.h>\n').includes, ['a/b.h', 'g.h']);
  });

  describe('with parameters', () => {
    const macros = new Map(
      ['ROUND(x) ((x) & ~(PAGE - 1))', 'MAX(a, b) ((a) > (b) ? (a) : (b))', 'NOTHING() 7', 'NAME(x) #x', 'PASTE(a, b) a##b', 'LAST(first, ...) __VA_ARGS__', 'AGAIN(x) AGAIN(x + 1)', 'PAGE 4096', 'FIELD(type, m) (&((type *)0)->m)', 'TWICE(x) MAX(x, ROUND(x))']
        .map((definition) => parseDefinition(definition)!)
        .map(({ name, macro }): [string, MacroText] => [name, macro]),
    );
    for (const [input, output] of [
      ['ROUND(y) + 1', '((y) & ~(PAGE - 1)) + 1'],
      ['MAX(f(a, b), c)', '((f(a, b)) > (c) ? (f(a, b)) : (c))'],
      ['MAX(ROUND(1), 2)', '((((1) & ~(PAGE - 1))) > (2) ? (((1) & ~(PAGE - 1))) : (2))'],
      ['NOTHING()', '7'],
      ['NAME(a + "b")', '"a + \\"b\\""'],
      ['PASTE(gu, est)', 'guest'],
      ['LAST(1, 2, 3)', '2, 3'],
      ['AGAIN(1)', 'AGAIN(1 + 1)'],
      ['FIELD(struct env, id)', '(&((struct env *)0)->id)'],
      ['TWICE(3)', '((3) > (((3) & ~(PAGE - 1))) ? (3) : (((3) & ~(PAGE - 1))))'],
      ['p->ROUND(1), $ROUND(1), "ROUND(1)", ROUND', 'p->ROUND(1), $ROUND(1), "ROUND(1)", ROUND'],
      ['ROUND(never closed', 'ROUND(never closed'],
      ['xROUND(1) + PAGE', 'xROUND(1) + PAGE'],
    ]) {
      it(input!, () => assert.equal(expandMacroCalls(input!, (name) => macros.get(name)), output));
    }
  });
});
