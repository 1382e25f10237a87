/** Somebody has only a disk image, and wants to see why it dies. */
import fs from 'node:fs';
import path from 'node:path';
import { bytes } from '../unit/machineCode';
import { journey } from './journey';
import type { Workbench } from './workbench';

/** Real mode, an empty interrupt table, and an exception. */
const CODE = bytes(`
  fa 31 c0 8e d8    ; cli; xor ax, ax; mov ds, ax
  0f 01 1e 20 7c    ; lidt [0x7c20]
  cc                ; int3
`);

const CONFIGURATION = { type: 'hyperstep', request: 'launch', name: 'Disk', boot: { disk: '${workspaceFolder}/disk.img' } };

describe('A disk without source in VS Code', () => {
  const window = journey('node', 'sourceless', 100, (workspace) => {
    const disk = new Uint8Array(64 * 512);
    disk.set(CODE);
    disk.set([0x55, 0xaa], 510);
    fs.writeFileSync(path.join(workspace, 'disk.img'), disk);
    fs.mkdirSync(path.join(workspace, '.vscode'), { recursive: true });
    fs.writeFileSync(path.join(workspace, '.vscode/launch.json'), JSON.stringify({ version: '0.2.0', configurations: [CONFIGURATION] }));
  });
  let vscode: Workbench;
  before(() => (vscode = window.vscode));

  it('shows the instruction of a triple fault in the Disassembly view, its frame and its registers', async () => {
    await vscode.debug();
    await vscode.page.locator('.tab.active', { hasText: 'Disassembly' }).waitFor();
    await vscode.row('.disassembly-view', /^0x7c0a\b.*int3/);
    await vscode.row(await vscode.pane('Call Stack'), /^0x7c0a/);
    await vscode.expand('.debug-variables', 'Registers');
  });

  it('goes back from there instruction by instruction', async () => {
    const stack = await vscode.pane('Call Stack');
    // The first step leads to before the exception, at the same instruction.
    await vscode.until('the instruction before', async () => {
      if (await vscode.page.locator('.pane-header[aria-label^="Call Stack"]', { hasText: /Paused|Step|Triple/ }).count()) await vscode.page.locator('a.action-label[aria-label^="Step Back"]').first().click();
      await vscode.page.waitForTimeout(1500);
      return (await vscode.rows(stack)).some((row) => row.startsWith('0x7c05')) || undefined;
    });
  });
});
