/** Several processors, each with a guest of its own: what the views show is of the thread that is selected. */
import fs from 'node:fs';
import path from 'node:path';
import { STAGE1 } from '../unit/machinePrograms';
import { journey } from './journey';
import type { Workbench } from './workbench';

const PROGRAMS = path.join(__dirname, '../fixtures/smp/programs.json');
const CONFIGURATION = { type: 'hyperstep', request: 'launch', name: 'Processors', machine: { cpus: 2, memory: '2M' }, boot: { disk: '${workspaceFolder}/disk.img' }, breakOnExit: ['VMCALL if number == 1'], vmxChecks: false };

function disk(): Uint8Array {
  const image = new Uint8Array(8 * 512);
  image.set(STAGE1);
  // The boot sector reads two sectors: CMP EBX, 2 at the end of its loop.
  image[Buffer.from(STAGE1).indexOf(Buffer.from('83fb02', 'hex')) + 2] = 7;
  image.set([0x55, 0xaa], 510);
  image.set(Buffer.from((JSON.parse(fs.readFileSync(PROGRAMS, 'utf8')) as Record<string, string>)['vmx']!, 'base64'), 512);
  return image;
}

describe('Several processors in VS Code', () => {
  const window = journey('node', 'threads', 200, (workspace) => {
    fs.writeFileSync(path.join(workspace, 'disk.img'), disk());
    fs.mkdirSync(path.join(workspace, '.vscode'), { recursive: true });
    fs.writeFileSync(path.join(workspace, '.vscode/launch.json'), JSON.stringify({ version: '0.2.0', configurations: [CONFIGURATION] }));
  });
  let vscode: Workbench;
  before(() => (vscode = window.vscode));

  const shows = async (title: string, text: RegExp): Promise<void> => {
    const header = (): Promise<string> => vscode.page.locator(`.pane-header[aria-label^="${title}"]`).innerText();
    await vscode.until(`${text} beside ${title}`, async () => text.test(await header()) || undefined, undefined, header);
  };

  it('shows the processor that has stopped, and all VMCSs', async () => {
    await vscode.debug();
    for (const title of ['Variables', 'Watch', 'Breakpoints', 'VM Exits']) await vscode.fold(title);
    const vmcs = await vscode.pane('VMCS');
    await shows('VMCS', /CPU 1$/);
    await vscode.row(vmcs, /^VMCS hpa:0x63000 current, launched/);
    await vscode.press('F5');
    await vscode.row(vmcs, /^VMCS hpa:0x61000 current on CPU 0, launched/);
  });

  it('follows to another one', async () => {
    const registers = await vscode.pane('Registers');
    await vscode.row(registers, /^rbx 0x0*1\b/);
    await vscode.expand('.debug-call-stack', 'CPU 0');
    await vscode.click('.debug-call-stack', /^(?!CPU|VM).*0x1002|guest/);
    await shows('Registers', /CPU 0$/);
    await vscode.row(registers, /^rbx 0x0+$/);
    await vscode.row(await vscode.pane('VMCS'), /^VMCS hpa:0x61000 current, launched/);
  });
});
