/** The picture that a guest shows in place of text, as a person sees it, and as a screen reader reads it. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import type { Frame } from 'playwright-core';
import { pictureDisk } from '../unit/pictureProgram';
import { journey } from './journey';
import type { HostKind } from './server';
import type { Workbench } from './workbench';

const CONFIGURATION = { type: 'hyperstep', request: 'launch', name: 'Picture', boot: { disk: '${workspaceFolder}/picture.img' } };

for (const kind of ['node', 'web'] satisfies HostKind[]) {
  describe(`Picture in VS Code, ${kind} extension host`, () => {
    const window = journey(kind, `picture-${kind}`, 100, (workspace) => {
      fs.writeFileSync(path.join(workspace, 'picture.img'), pictureDisk());
      fs.mkdirSync(path.join(workspace, '.vscode'), { recursive: true });
      fs.writeFileSync(path.join(workspace, '.vscode/launch.json'), JSON.stringify({ version: '0.2.0', configurations: [CONFIGURATION] }));
    });
    let vscode: Workbench;
    before(() => (vscode = window.vscode));

    /** The page that draws the picture. */
    const page = (): Promise<Frame> =>
      vscode.until('the page with the picture', async () => {
        for (const frame of vscode.page.frames()) if ((await frame.$('canvas[role=img]').catch(() => null)) !== null) return frame;
        return undefined;
      });
    const says = async (pattern: RegExp): Promise<void> => {
      const words = async (): Promise<string> => (await (await page()).textContent('p[role=status]')) ?? '';
      await vscode.until(`the words ${pattern}`, async () => pattern.test(await words()) || undefined, undefined, words);
    };
    /** Red, green and blue of a pixel. */
    const pixel = async (x: number, y: number): Promise<number[]> =>
      (await page()).evaluate(([x, y]) => [...document.querySelector('canvas')!.getContext('2d')!.getImageData(x!, y!, 1, 1).data.subarray(0, 3)], [x, y]);
    const becomes = (x: number, y: number, colour: number[]): Promise<true> => vscode.until(`the colour ${colour}`, async () => (await pixel(x, y)).join() === colour.join() || undefined);

    it('opens the picture of mode 13h beside the terminal, and says what it is', async () => {
      await vscode.debug();
      await vscode.command('Hyperstep: Show the VGA Screen');
      await vscode.terminalShows('The guest shows a picture of 320 by 200 pixels, VGA, 256 colours');
      await says(/^320 by 200 pixels, VGA, 256 colours$/);
      await becomes(1, 199, [0, 0, 170]);
      assert.equal(await (await page()).getAttribute('canvas', 'aria-label'), 'Picture on the guest\'s display: 320 by 200 pixels, VGA, 256 colours');
    });

    it('shows it as high as a monitor does', async () => {
      const { width, height } = await (await page()).evaluate(() => document.querySelector('canvas')!.getBoundingClientRect().toJSON() as { width: number; height: number });
      assert.ok(Math.abs(width / height - 4 / 3) < 0.02, `${width} by ${height}`);
    });

    it('takes keys, and draws what they change', async () => {
      await (await page()).click('canvas');
      await vscode.press('x');
      await becomes(1, 0, [255, 255, 255]);
    });

    it('takes keys that are no characters, of which VS Code hears nothing, and says that the guest shows text again', async () => {
      await vscode.press('F1');
      assert.strictEqual(await vscode.page.locator('.quick-input-widget:visible').count(), 0);
      await says(/^The guest shows text now/);
    });

    it('keeps the last picture when the session is over, and says so', async () => {
      await vscode.press('Control+Shift+F5');
      await says(/^320 by 200 pixels/);
      await becomes(1, 199, [0, 0, 170]);
      await vscode.press('Shift+F5');
      await says(/^320 by 200 pixels, VGA, 256 colours\. The session is over\.$/);
      await becomes(1, 199, [0, 0, 170]);
    });
  });
}
