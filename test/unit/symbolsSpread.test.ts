import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { nodeFiles } from '../../src/adapter/hosts/nodeFiles';
import type { FileSource } from '../../src/base/files';
import { crc32 } from '../../src/base/crc32';
import { findCompanions } from '../../src/symbols/companions';
import { SymbolImage } from '../../src/symbols/image';
import { typeName } from '../../src/symbols/types';
import { formatValue } from '../../src/symbols/values';
import { frameOf, openFixture, recordedStops } from './symbolsFixtures';

const folder = path.join(__dirname, '../fixtures/symbols/spread');
const kinds = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory()).map((entry) => entry.name).sort();

/** Opens what test/fixtures/symbols/spread/build.sh made, with the files that belong to it. */
const openSpread = async (kind: string, files: FileSource = nodeFiles): Promise<SymbolImage> => {
  const file = path.join(folder, kind, 'image.elf');
  const bytes = new Uint8Array(readFileSync(file));
  return SymbolImage.open(file, bytes, await findCompanions(files, file, bytes));
};

/** The same files but for some that are missing or replaced. */
const changed = (replace: (name: string) => Uint8Array | undefined | 'same'): FileSource => ({
  ...nodeFiles,
  exists: async (file) => (await nodeFiles.exists(file)) && replace(path.basename(file)) !== undefined,
  read: (file) => {
    const instead = replace(path.basename(file));
    return instead === 'same' || instead === undefined ? nodeFiles.read(file) : Promise.resolve(instead);
  },
});

/** Everything the image says about one address, in words. */
const told = (image: SymbolImage, address: bigint): string => {
  const entry = image.lineAt(address);
  const fn = image.functionAt(address);
  const inlined = image.inlinedAt(address).map((call) => `${call.name} from ${call.callLine}`);
  const scopes = image.scopesAt(address).map((scope) => `${scope.kind} ${scope.functionName}: ${scope.variables.map((v) => `${typeName(v.type, v.name)}@${v.line}`).join(', ')}`);
  return [entry && `${path.basename(entry.file.path)}:${entry.line}:${entry.column}`, fn && `${typeName(image.typeOf(fn), fn.name)} at ${path.basename(fn.file?.path ?? '')}:${fn.line}`, ...inlined, ...scopes].join('\n');
};

describe('symbols spread over several files', () => {
  const stops = recordedStops();
  for (const kind of kinds) {
    const whole = `${kind.slice(0, kind.lastIndexOf('.'))}.elf`;
    it(`${kind} tells of every address what ${whole} does`, async () => {
      const [image, plain] = [await openSpread(kind), openFixture(whole)];
      assert.deepEqual(image.warnings(), []);
      const text = plain.elf.section('.text')!;
      for (let address = text.address; address < text.address + BigInt(text.size); address++) assert.equal(told(image, address), told(plain, address), address.toString(16));
    });

    it(`${kind} has the names of ${whole}`, async () => {
      const [image, plain] = [await openSpread(kind), openFixture(whole)];
      const functions = (i: SymbolImage): string[] => i.findFunctions('*').map((fn) => `${fn.name} ${fn.low.toString(16)} ${fn.external}`).sort();
      assert.deepEqual(functions(image), functions(plain));
      assert.deepEqual(image.globalNames().sort(), plain.globalNames().sort());
      for (const name of ['struct guest', 'u64', 'enum exit_reason', 'union value']) assert.deepEqual(image.types(name).slice(0, 1).map((t) => typeName(t)), [name]);
      assert.equal(image.enumerationsWith('EXIT_VMCALL').length > 0, true);
      assert.deepEqual(image.symbolAt(plain.elf.entry)?.symbol.name, '_start');
    });

    it(`${kind} shows the variables of the recorded stops as ${whole} does`, async () => {
      const [image, plain] = [await openSpread(kind), openFixture(whole)];
      for (const stop of stops[whole]) {
        const values = (i: SymbolImage): string[] => {
          const frame = frameOf(i, stop);
          return i.variablesAt(frame.pc).map((v) => `${v.name} = ${formatValue(i.valueOf(v, frame), frame).replace(/<optimized out.*>/, '<optimized out>')}`);
        };
        assert.deepEqual(values(image), values(plain), stop.at);
      }
    });
  }

  it('says which split file is missing, and knows the lines all the same', async () => {
    const image = await openSpread('gcc-O2-dwarf5.split', changed((name) => (name === 'main.c.dwo' ? undefined : 'same')));
    assert.match(image.warnings().join(), /^image\.elf was built with -gsplit-dwarf, and .*main\.c\.dwo cannot be found: .*image\.elf\.dwp beside it\.$/);
    const [vmexit] = image.symbolsNamed('vmexit');
    assert.equal(path.basename(image.lineAt(vmexit.address)!.file.path), 'main.c');
    assert.deepEqual(image.findFunctions('shifted').map((fn) => fn.name), ['shifted']);
  });

  it('says that a split file is of another build', async () => {
    const other = new Uint8Array(readFileSync(path.join(folder, 'gcc-O2-dwarf5.split/shifted.c.dwo')));
    const image = await openSpread('gcc-O2-dwarf5.split', changed((name) => (name === 'main.c.dwo' ? other : 'same')));
    assert.match(image.warnings().join(), /main\.c\.dwo is not of the build that .*image\.elf is from/);
  });

  it('says that a debug file is of another build, by its checksum', async () => {
    const other = new Uint8Array(readFileSync(path.join(folder, 'gcc-O2-dwarf5.split/image.elf')));
    const image = await openSpread('gcc-O2-dwarf5.debuglink', changed((name) => (name === 'image.debug' ? other : 'same')));
    assert.match(image.warnings().join(), /image\.debug is named as the debug information of .*image\.elf, but was made from another build/);
    assert.equal(image.hasDebugInformation, false);
  });

  it('says that the debug file is missing', async () => {
    const image = await openSpread('gcc-O2-dwarf5.debuglink', changed((name) => (name === 'image.debug' ? undefined : 'same')));
    assert.match(image.warnings().join(), /is in a file image\.debug, which was not found: put it beside image\.elf\.$/);
  });

  it('says that the file dwz made is missing, and reads the rest', async () => {
    const image = await openSpread('gcc-O0-dwarf4.dwz', changed((name) => (name === 'common.debug' ? undefined : 'same')));
    assert.match(image.warnings().join(), /is in a file common\.debug, which was not found/);
    assert.equal(image.functionAt(image.symbolsNamed('vmexit')[0].address)?.name, 'vmexit');
  });

  it('a checksum is that of the standard CRC-32', () => {
    assert.equal(crc32(new TextEncoder().encode('123456789')), 0xcbf43926);
  });
});
