import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { loadSymbols } from '../../src/cli/images';
import { parseRunOptions } from '../../src/cli/runOptions';

describe('--symbols', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'hyperstep-symbols-option-'));
  const lab = path.join(__dirname, '../../lab/images/complete');
  before(() => {
    for (const name of ['vmm.elf', 'guest.elf']) fs.copyFileSync(path.join(lab, name), path.join(folder, name));
    fs.writeFileSync(path.join(folder, 'notes'), 'no program');
  });
  after(() => fs.rmSync(folder, { recursive: true, force: true }));
  const loaded = async (...values: string[]): Promise<[string, string | undefined][]> =>
    (await loadSymbols(parseRunOptions(values.flatMap((v) => ['--symbols', v])))).map(({ name, world }) => [path.basename(name), world]);

  it('takes a file', async () => assert.deepEqual(await loaded(`guest:${folder}/guest.elf`), [['guest.elf', 'guest']]));
  it('takes a folder', async () => assert.deepEqual(await loaded(folder), [['guest.elf', undefined], ['vmm.elf', undefined]]));
  it('takes a pattern, with a world', async () => assert.deepEqual(await loaded(`vmm:${folder}/v*.elf`), [['vmm.elf', 'vmm']]));
  it('names what it cannot find', async () => {
    await assert.rejects(loaded(`${folder}/*.nothing`), /--symbols has the pattern .*, which no file matches/);
    await assert.rejects(loaded(`${folder}/nothing.elf`), /--symbols .*nothing\.elf cannot be read: there is no such file/);
  });
});
