/** The picture that a display shows in place of text, as the editor's view asks for it. */
import assert from 'node:assert';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { PictureResponse, ScreenResponse } from '../../src/adapter/messages';
import { pictureDisk } from '../unit/pictureProgram';
import { Client } from './client';

const MODE = { width: 320, height: 200, words: 'VGA, 256 colours' };
const BLUE = [0, 0, 170];
const WHITE = [255, 255, 255];

describe('DAP: picture of the display', () => {
  let folder: string;
  let client: Client;
  beforeEach(async () => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'hyperstep-'));
    client = new Client();
    fs.writeFileSync(path.join(folder, 'boot.img'), pictureDisk());
    await client.launch({ cwd: folder, boot: { disk: 'boot.img' } });
    await client.configured();
  });
  afterEach(async () => {
    await client.end();
    fs.rmSync(folder, { recursive: true });
  });

  const ask = (live?: boolean): Promise<PictureResponse> => client.request<PictureResponse>('hyperstep/picture', { live });
  const type = (): Promise<unknown> => client.request('hyperstep/type', { text: 'x', device: 'keyboard' });
  const events = (): PictureResponse[] => client.events.filter(({ event }) => event === 'hyperstep/picture').map(({ body }) => body as PictureResponse);
  const until = async (there: () => Promise<boolean>): Promise<void> => {
    while (!(await there())) await new Promise((resolve) => setTimeout(resolve, 20));
  };
  const whole = (): Promise<void> => until(async () => {
    const { picture } = await ask();
    return picture !== undefined && Buffer.from(picture.rgb, 'base64').subarray(-6).some((primary) => primary !== 0);
  });

  it('is told whole when asked for, with its size and mode', async () => {
    await whole();
    const { picture } = await ask();
    const { rgb, ...rest } = picture!;
    assert.deepStrictEqual(rest, { ...MODE, first: 0 });
    const colours = Buffer.from(rgb, 'base64');
    assert.strictEqual(colours.length, 320 * 200 * 3);
    assert.deepStrictEqual([...colours.subarray(3 * (320 + 1), 3 * (320 + 2))], BLUE);
    assert.deepStrictEqual(events(), [], 'nobody watches it');
  });

  it('is told by the lines that change while somebody watches it, and no longer', async () => {
    await whole();
    await ask(true);
    const drawn = client.next('hyperstep/picture');
    await type();
    const { picture } = (await drawn) as PictureResponse;
    assert.deepStrictEqual([picture!.first, Buffer.from(picture!.rgb, 'base64').length], [0, 320 * 3], 'the first line alone');
    assert.deepStrictEqual([...Buffer.from(picture!.rgb, 'base64').subarray(0, 3)], WHITE);
    const text = client.next('hyperstep/picture');
    await type();
    assert.deepStrictEqual(await text, {}, 'it is text again');
    const count = events().length;
    await new Promise((resolve) => setTimeout(resolve, 700));
    assert.strictEqual(events().length, count, 'nothing is told of a display that stays as it is');
    assert.deepStrictEqual(await ask(false), {});
  });

  it('takes an arrow key as one key, not as the letters that terminals send for it', async () => {
    await whole();
    await ask(true);
    const drawn = client.next('hyperstep/picture');
    await client.request('hyperstep/type', { text: '\x1b[A', device: 'keyboard' });
    assert.strictEqual(((await drawn) as PictureResponse).picture?.first, 0);
    await new Promise((resolve) => setTimeout(resolve, 700));
    assert.ok((await ask()).picture, 'a second key would have ended the picture');
  });

  it('is named with the text screen, which a terminal shows', async () => {
    await whole();
    const screen = await client.request<ScreenResponse>('hyperstep/screen', {});
    assert.deepStrictEqual(screen.picture, MODE);
    await type();
    await type();
    await until(async () => (await client.request<ScreenResponse>('hyperstep/screen', {})).picture === undefined);
  });
});
