import assert from 'node:assert/strict';
import type { FileSource } from '../../src/base/files';
import { UserError } from '../../src/base/errors';
import type { SourceFile } from '../../src/symbols/image';
import { normalisePath } from '../../src/symbols/paths';
import { LineDirectives, matchFiles, SourceLookup } from '../../src/symbols/sourceLookup';
import { fileNamed, markerLine, openFixture, sourceText } from './symbolsFixtures';

/** Files that exist only here. */
const filesOf = (contents: Record<string, string>): FileSource => ({
  size: async (path) => contents[path].length,
  modified: async () => undefined,
  read: async (path) => new TextEncoder().encode(contents[path]),
  exists: async (path) => path in contents,
  list: async () => [],
  write: async (path) => {
    throw new UserError('test', `${path} is not to be written`);
  },
});

const file = (path: string, written = path): SourceFile => ({ path: normalisePath(path), written: normalisePath(written) });

const imageOf = (files: readonly SourceFile[]): Parameters<typeof matchFiles>[1] => ({ files: () => files, filesCalled: (name) => files.filter((f) => f.path.endsWith(`/${name}`)) });

describe('symbols: source lookup', () => {
  it('normalises paths of any system', () => {
    assert.equal(normalisePath('/a/./b/../c//d'), '/a/c/d');
    assert.equal(normalisePath('../vmm/./vmx.c'), '../vmm/vmx.c');
    assert.equal(normalisePath('C:\\jos\\obj\\..\\kern\\init.c'), 'C:/jos/kern/init.c');
    assert.equal(normalisePath('/../x'), '/x');
    assert.equal(normalisePath('C:/../x'), 'C:/x');
  });

  it('matches the longest suffix', () => {
    const files = [file('/home/x/jos/kern/init.c', 'kern/init.c'), file('/home/x/jos/user/init.c', 'user/init.c'), file('/home/x/vmm/vmx.c', '../vmm/vmx.c')];
    const paths = (path: string): string[] => matchFiles(path, imageOf(files)).files.map((found) => found.path);
    assert.deepEqual(paths('/home/me/labs/kern/init.c'), ['/home/x/jos/kern/init.c']);
    assert.deepEqual(paths('/home/x/jos/user/init.c'), ['/home/x/jos/user/init.c']);
    assert.deepEqual(paths('D:\\jos\\vmm\\vmx.c'), ['/home/x/vmm/vmx.c']);
    // The same name in another folder is another file.
    assert.deepEqual(paths('/home/me/labs/lib/init.c'), []);
    assert.deepEqual(paths('/home/me/labs/vmx.c'), []);
    // Case only counts while something fits with it.
    assert.deepEqual(paths('C:\\Jos\\KERN\\Init.c'), ['/home/x/jos/kern/init.c']);
    // What the compiler was given without a folder fits in any.
    assert.deepEqual(matchFiles('/elsewhere/vmm/main.c', imageOf([file('/home/x/vmm2/main.c', 'main.c')])).files.length, 1);
  });

  it('translates #line directives both ways', () => {
    const directives = new LineDirectives('a\n#line 107 "../vmm/shifted.c"\nb\nc\n#line 200\nd\n  #  7 "other.h" 2\ne\n');
    assert.equal(directives.none, false);
    assert.deepEqual(directives.toCompiled(1), { file: undefined, line: 1 });
    assert.deepEqual(directives.toCompiled(3), { file: '../vmm/shifted.c', line: 107 });
    assert.deepEqual(directives.toCompiled(4), { file: '../vmm/shifted.c', line: 108 });
    assert.deepEqual(directives.toCompiled(6), { file: '../vmm/shifted.c', line: 200 });
    assert.deepEqual(directives.toCompiled(8), { file: 'other.h', line: 7 });
    const shifted = (name: string | undefined): boolean => name === '../vmm/shifted.c';
    assert.equal(directives.toDisk(108, shifted), 4);
    assert.equal(directives.toDisk(200, shifted), 6);
    assert.equal(directives.toDisk(109, shifted), undefined);
    assert.equal(directives.toDisk(1, (name) => name === undefined), 1);
    assert.equal(new LineDirectives('#include <x>\n#define line 3\n').none, true);
    assert.deepEqual(new LineDirectives('x\r\n#line 50\r\ny\r\n').toCompiled(3), { file: undefined, line: 50 });
  });

  it('sets a breakpoint on the line the user sees and shows that line when it is hit', async () => {
    const text = sourceText('shifted.c');
    for (const name of ['gcc-O0-dwarf2.elf', 'gcc-O0-dwarf5.elf', 'clang-O0-dwarf4.elf', 'gcc-O0-m32.elf']) {
      const image = openFixture(name);
      const user = '/home/me/project/source/shifted.c';
      const lookup = new SourceLookup(filesOf({ [user]: text }), ['/home/me/project']);
      for (const marker of ['before', 'shifted', 'far']) {
        const line = markerLine('shifted.c', marker);
        const [place] = await lookup.addressesOf(image, user, line);
        assert.ok(place, `${name}: ${marker}`);
        const entry = image.lineAt(place.address)!;
        assert.deepEqual(await lookup.toDisk(image, entry.file, entry.line), { path: user, line }, `${name}: ${marker}`);
      }
    }
  });

  it('finds a renumbered file that is where its directives say', async () => {
    const image = openFixture('gcc-O0-dwarf2.elf');
    const user = '/home/me/jos/vmm/shifted.c';
    const lookup = new SourceLookup(filesOf({ [user]: sourceText('shifted.c') }), ['/home/me/jos']);
    const [fn] = image.findFunctions('shifted');
    assert.deepEqual(await lookup.toDisk(image, fn.file!, 108), { path: user, line: markerLine('shifted.c', 'shifted') - 1 });
  });

  it('follows sourceMap before it searches', async () => {
    const image = openFixture('gcc-O0-dwarf4.elf');
    const main = fileNamed(image, 'main.c');
    const files = filesOf({ '/mapped/main.c': '', '/project/source/main.c': '' });
    assert.equal(await new SourceLookup(files, ['/project']).pathOf(main), '/project/source/main.c');
    assert.equal(await new SourceLookup(files, ['/project'], { '../source': '/mapped' }).pathOf(main), '/mapped/main.c');
    assert.equal(await new SourceLookup(files, ['/project'], { '/build/source/': '/mapped/' }).pathOf(main), '/mapped/main.c');
    assert.equal(await new SourceLookup(files, ['/nowhere']).pathOf(main), undefined);
    const reverse = await new SourceLookup(files, [], { '/build/source': '/mapped' }).toImage(image, '/mapped/main.c', 5);
    assert.deepEqual(reverse.files, [main]);
  });

  it('does not bind a file the image was not built from', async () => {
    const image = openFixture('gcc-O0-dwarf4.elf');
    const lookup = new SourceLookup(filesOf({ '/p/other/main.c': '' }), ['/p']);
    assert.deepEqual(await lookup.addressesOf(image, '/p/other/main.c', 20), []);
    assert.deepEqual(await lookup.addressesOf(image, '/p/other/none.c', 20), []);
  });
});
