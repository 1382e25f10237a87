/**
 * A folder that is not trusted yet, and whose name has blanks, brackets and letters that are not ASCII. What rows say to a
 * screen reader, in high contrast.
 */
import fs from 'node:fs';
import path from 'node:path';
import { journey } from './journey';
import type { Workbench } from './workbench';

const OVERLAPPING = 'e820 MEMORY MAP\naddress: 0x0, length: 0x2000, type: USABLE\naddress: 0x1000, length: 0x2000, type: RESERVED\n';
const OPTIONS = { folder: '\u00fcbung 1 (\u03b1)', trust: true, settings: { 'workbench.colorTheme': 'Default High Contrast', 'security.workspace.trust.startupPrompt': 'never' } };

describe('VS Code in Restricted Mode', () => {
  const window = journey('node', 'restricted', 140, (workspace) => fs.writeFileSync(path.join(workspace, 'notes.e820'), OVERLAPPING), OPTIONS);
  let vscode: Workbench;
  before(() => (vscode = window.vscode));

  it('checks memory maps', async () => {
    await vscode.openFile('notes.e820');
    await vscode.marked('error');
  });

  it('debugs when the folder has been trusted', async () => {
    await vscode.openFile('vmm/vmx.c');
    await vscode.press('F5');
    await vscode.answerDialog(/Do you trust the authors/, 'Trust');
    await vscode.terminalShows('vm$');
  });

  it('reads rows aloud with what they show', async () => {
    await vscode.command('View: Show Run and Debug');
    for (const title of ['Variables', 'Watch', 'Call Stack', 'Breakpoints', 'VMCS', 'Registers']) await vscode.fold(title);
    await vscode.spoken(await vscode.pane('VM Exits'), /^EPT_VIOLATION, \d+ so far, The guest accessed guest-physical memory/);
    await vscode.fold('VM Exits');
    await vscode.spoken(await vscode.pane('Memory Map (e820)'), /^Guest map, 3 ranges, .* usable, VMCALL 1/);
  });

  it('ends the session', async () => {
    await vscode.press('Shift+F5');
    await vscode.terminalShows('The machine has been switched off.');
  });
});
