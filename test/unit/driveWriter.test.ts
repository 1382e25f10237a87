/** What a guest wrote to its drives is kept, and so is what somebody else wrote to the file meanwhile. */
import assert from 'node:assert/strict';
import { writeDrives } from '../../src/adapter/driveWriter';
import type { FileSource } from '../../src/base/files';

const ORIGINAL = Uint8Array.of(1, 2, 3);
const GUEST = Uint8Array.of(1, 9, 3);

async function written(before: Record<string, Uint8Array>, refuse = false): Promise<{ files: Record<string, number[]>; told: string[] }> {
  const files = { ...before };
  const told: string[] = [];
  const source = {
    read: (path: string) => (files[path] ? Promise.resolve(files[path]) : Promise.reject(new Error('missing'))),
    write(path: string, bytes: Uint8Array) {
      if (refuse) return Promise.reject(new Error(`${path} cannot be written.`));
      files[path] = bytes;
      return Promise.resolve();
    },
  } as unknown as FileSource;
  await writeDrives(source, [{ name: 'fs.img', original: ORIGINAL, bytes: GUEST }], (sentence) => told.push(sentence));
  return { files: Object.fromEntries(Object.entries(files).map(([name, bytes]) => [name, [...bytes]])), told };
}

describe('writing drives back', () => {
  it('replaces a file that is as the machine read it, without a word', async () => {
    assert.deepEqual(await written({ 'fs.img': ORIGINAL }), { files: { 'fs.img': [...GUEST] }, told: [] });
  });
  it('leaves a file that changed meanwhile alone and puts the guest\'s version beside it', async () => {
    const { files, told } = await written({ 'fs.img': Uint8Array.of(7) });
    assert.deepEqual(files, { 'fs.img': [7], 'fs.img.guest': [...GUEST] });
    assert.deepEqual(told, ['fs.img was changed while the machine ran and is left as it is; what the guest wrote is in fs.img.guest.']);
  });
  it('tells when the file is gone, or cannot be written', async () => {
    assert.match((await written({})).told[0]!, /^fs\.img was taken away/);
    assert.deepEqual((await written({ 'fs.img': ORIGINAL }, true)).told, ['What the guest wrote to fs.img could not be saved: fs.img cannot be written.']);
  });
});
