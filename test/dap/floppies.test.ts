/** Floppy disks beside a boot disk, as the key "floppies" names them. */
import assert from 'node:assert';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { bytes } from '../unit/machineCode';
import { Client } from './client';

const FLOPPY = 1_474_560;
const SECTOR = 512;

/** Sends the second sector of drive A: by the serial port, writes it to the third one, and waits for ever. */
const COPIES_SECTOR = bytes(`
  31 c0 8e d8 8e c0       ; xor ax, ax; mov ds, ax; mov es, ax
  bb 00 30 31 d2          ; mov bx, 0x3000; xor dx, dx
  b9 02 00 b8 01 02 cd 13 ; mov cx, 2; mov ax, 0x0201; int 0x13
  b9 03 00 b8 01 03 cd 13 ; mov cx, 3; mov ax, 0x0301; int 0x13
  be 00 30 ba f8 03       ; mov si, 0x3000; mov dx, 0x3f8
  ac ee 84 c0 75 fa       ; lodsb; out dx, al; test al, al; jnz -6
  fa f4                   ; cli; hlt
`);

function disk(size: number, program: readonly number[], second = ''): Uint8Array {
  const image = new Uint8Array(size);
  image.set(program);
  image.set([0x55, 0xaa], SECTOR - 2);
  image.set(Buffer.from(second), SECTOR);
  return image;
}

describe('DAP: floppy disks', () => {
  let folder: string;
  let client: Client;
  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'hyperstep-'));
    client = new Client();
    // The floppy disk could be started too, and would say nothing.
    fs.writeFileSync(path.join(folder, 'a.img'), disk(FLOPPY, bytes('fa f4 ; cli; hlt'), 'from the floppy disk'));
    fs.writeFileSync(path.join(folder, 'boot.img'), disk(64 * SECTOR, COPIES_SECTOR));
  });
  afterEach(async () => {
    await client.end();
    fs.rmSync(folder, { recursive: true });
  });
  const third = (): string => fs.readFileSync(path.join(folder, 'a.img')).toString('latin1', 2 * SECTOR, 2 * SECTOR + 20);

  it('a hard disk that is named to start from is started, and reads the disk in drive A:', async () => {
    await client.launch({ cwd: folder, boot: { disk: 'boot.img' }, floppies: ['a.img'] });
    await client.configured();
    await client.shows('from the floppy disk');
    await client.request('disconnect', {});
    assert.strictEqual(third(), '\0'.repeat(20), 'writes are forgotten');
  });

  it('what the guest writes is kept where persistDrives asks for it', async () => {
    await client.launch({ cwd: folder, boot: { disk: 'boot.img' }, floppies: ['a.img'], persistDrives: true });
    await client.configured();
    await client.shows('from the floppy disk');
    await client.request('disconnect', {});
    assert.strictEqual(third(), 'from the floppy disk');
    assert.strictEqual(fs.statSync(path.join(folder, 'a.img')).size, FLOPPY);
  });

  it('a floppy disk to start from is drive A:, and the next one drive B:', async () => {
    fs.writeFileSync(path.join(folder, 'starts.img'), disk(FLOPPY, COPIES_SECTOR, 'of drive A: itself'));
    await client.launch({ cwd: folder, boot: { disk: 'starts.img' }, floppies: ['a.img'] });
    await client.configured();
    await client.shows('of drive A: itself');
  });

  const refused = async (floppies: unknown, pattern: RegExp): Promise<void> => {
    await client.request('initialize', { adapterID: 'hyperstep' });
    await assert.rejects(client.request('launch', { cwd: folder, boot: { disk: 'boot.img' }, floppies }), pattern);
  };
  it('a path that leads nowhere', () => refused(['nowhere.img'], /nowhere\.img does not exist/));
  it('an image that is too long for any floppy disk', () => {
    fs.writeFileSync(path.join(folder, 'long.img'), new Uint8Array(2 * FLOPPY + SECTOR));
    return refused(['long.img'], /long\.img has 2949632 bytes, and a floppy disk has 2949120 at most: name it as a hard disk \(--disk, or "drives" of a launch configuration\)/);
  });
  it('an image of nothing', () => {
    fs.writeFileSync(path.join(folder, 'empty.img'), '');
    return refused(['empty.img'], /empty\.img is empty/);
  });
  it('three floppy disks', () => refused(['a.img', 'a.img', 'a.img'], /There are 3 floppy disks; Hyperstep's PC takes at most 2/));
  it('a text in place of a list', () => refused('a.img', /"floppies" is "a\.img", but must be a list: \["a\.img"\]/));
});
