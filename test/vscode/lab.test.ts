/**
 * A person opens the lab's folder in VS Code and debugs it. Everything is judged by what the window shows. Once with the
 * extension in the Node extension host, once as a web extension with the machine in a web worker.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { planted } from '../fixtures/mistakes/images';
import { journey } from './journey';
import type { HostKind } from './server';
import type { Workbench } from './workbench';

const HOSTS: readonly HostKind[] = ['node', 'web'];

/** The lab with a mistake: the guest's CR4 lacks VMXE. */
const MISTAKEN = {
  version: '0.2.0',
  configurations: [{ type: 'hyperstep', request: 'launch', name: 'Mistake', boot: { disk: 'mistake/vmm.img' }, drives: ['images/complete/guest.img'], symbols: [{ file: 'mistake/vmm.elf', world: 'vmm' }] }],
};

/** A map with an overlap, as somebody would paste it. */
const OVERLAPPING = 'e820 MEMORY MAP\naddress: 0x0, length: 0x2000, type: USABLE\naddress: 0x1000, length: 0x2000, type: RESERVED\n';

const LAUNCH = { version: '0.2.0', configurations: [{ type: 'hyperstep', request: 'launch', name: 'CPUID exits', breakOnExit: ['CPUID'] }] };

/** A disk that a makefile makes of another, and a configuration that makes it first. */
const MAKEFILE = 'built.img: images/complete/vmm.img\n\tcp $< $@\n';
const MADE = {
  version: '0.2.0',
  configurations: [
    { type: 'hyperstep', request: 'launch', name: 'Made', preLaunchTask: 'hyperstep: make', boot: { disk: 'built.img' }, drives: ['images/complete/guest.img'], symbols: [{ file: 'images/complete/vmm.elf', world: 'vmm' }], breakOnExit: ['CPUID'] },
  ],
};

/** The same, with nobody who makes it. */
const UNMADE = { ...MADE, configurations: MADE.configurations.map(({ preLaunchTask: _, ...configuration }) => ({ ...configuration, name: 'Unmade' })) };

/** A misspelt name behind `if`. */
const WRONG_CONDITION = { version: '0.2.0', configurations: [{ type: 'hyperstep', request: 'launch', name: 'Wrong condition', breakOnExit: ['CPUID if laef == 1'] }] };

for (const kind of HOSTS.filter((host) => !process.env.HYPERSTEP_HOST || process.env.HYPERSTEP_HOST === host)) {
  describe(`VS Code, ${kind === 'node' ? 'Node' : 'web'} extension host`, () => {
    const window = journey(kind, kind, 140, (workspace) => fs.writeFileSync(path.join(workspace, 'notes.e820'), OVERLAPPING));
    let vscode: Workbench;
    let line: string;
    before(() => (vscode = window.vscode));

    const step = async (key: string): Promise<void> => {
      await vscode.step(key);
      line = await vscode.currentLine();
    };

    it('marks an overlap in a memory map', async () => {
      await vscode.openFile('notes.e820');
      await vscode.marked('error');
      await vscode.hoverShows('0x1000', /overlaps that of line 2 by 4 KiB.*RESERVED 8 KiB.*its last byte/s);
    });

    it('boots the lab at F5 without a launch.json', async () => {
      await vscode.openFile('vmm/vmx.c');
      await vscode.press('F5');
      await vscode.terminalShows('VMX extension hidden from guest.');
      await vscode.terminalShows('What is the tortoise');
      await vscode.terminalShows('vm$');
    });

    it('types on the serial console', async () => {
      await vscode.typeInTerminal('echo turtles all the way\r');
      await vscode.terminalShows(/^turtles all the way$/m);
    });

    it("shows the guest's memory map beside the machine's", async () => {
      await vscode.command('View: Show Run and Debug');
      for (const title of ['Variables', 'Watch', 'Call Stack', 'VMCS', 'Registers']) await vscode.fold(title);
      const maps = await vscode.pane('Memory Map (e820)');
      await vscode.row(maps, /^Guest 3 ranges/);
      await vscode.row(maps, /^0x0 - 0x9ffff USABLE, 640 KiB/);
      await vscode.row(maps, /^0xa0000 - 0xfffff RESERVED, 384 KiB/);
      await vscode.row(maps, /^0x100000 - 0x[0-9a-f]+ USABLE/);
      await vscode.row(maps, /^Machine \d+ ranges/);
    });

    it('stops at the CPUID exit that is ticked, after a restart', async () => {
      await vscode.tick(await vscode.pane('Breakpoints'), /\bCPUID\b/);
      await vscode.press('Control+Shift+F5');
      line = await vscode.currentLine();
      await vscode.showsFile('vmx.c');
      await vscode.terminalShows('The machine has been restarted.');
      const stack = await vscode.pane('Call Stack');
      await vscode.row(stack, /^vmexit /);
      await vscode.row(stack, /VM exit: CPUID leaf/);
    });

    it('steps over lines to the handler and into it', async () => {
      for (let steps = 0; !line.includes('handle_cpuid') && steps < 6; steps++) await step('F10');
      // Values may stand beside it already.
      assert.match(line, /^return handle_cpuid\(g\);/);
      await step('F11');
      await vscode.showsFile('vmexits.c');
      await vscode.row('.debug-call-stack', /^handle_cpuid /);
    });

    it('steps three lines and shows a local and the VMCS in Variables', async () => {
      for (let steps = 0; steps < 3; steps++) await step('F10');
      for (const title of ['Watch', 'Breakpoints', 'Memory Map (e820)']) await vscode.fold(title);
      await vscode.pane('Variables');
      await vscode.expand('.debug-variables', 'Locals');
      await vscode.row('.debug-variables', /^leaf\b.*\d/);
      await vscode.fold('Call Stack');
      await vscode.collapse('.debug-variables', 'Locals');
      await vscode.expand('.debug-variables', 'VMCS');
      await vscode.expand('.debug-variables', 'Exit information');
      await vscode.row('.debug-variables', /EXIT_REASON\b.*CPUID/i);
    });

    it('marks in the views what a step has changed', async () => {
      await vscode.fold('Variables');
      const registers = await vscode.pane('Registers');
      await vscode.row(registers, /^VMM in the processor, \d+ changed/);
      await vscode.row(registers, /^rip 0x[0-9a-f]+ \u2190 0x/);
      await vscode.fold('Registers');
      const vmcs = await vscode.pane('VMCS');
      await vscode.row(vmcs, /EXIT_REASON\b.*CPUID/i);
    });

    it('shows call stack, variables, VMCS and memory map together', async () => {
      for (const title of ['Watch', 'Loaded Scripts', 'Breakpoints', 'Registers']) await vscode.fold(title);
      await vscode.pane('Variables');
      await vscode.collapse('.debug-variables', 'VMCS');
      await vscode.expand('.debug-variables', 'Locals');
      await vscode.row('.debug-variables', /^leaf\b/);
      await vscode.row(await vscode.pane('Call Stack'), /VM exit: CPUID leaf/);
      await vscode.row(await vscode.pane('VMCS'), /EXIT_REASON\b/);
      await vscode.row(await vscode.pane('Memory Map (e820)'), /^Guest 3 ranges/);
      await vscode.fold('Breakpoints');
    });

    it('sends a VMCS field to Watch', async () => {
      for (const title of ['Variables', 'Call Stack', 'Memory Map (e820)']) await vscode.fold(title);
      await vscode.pane('Watch');
      const vmcs = await vscode.pane('VMCS');
      await vscode.contextMenu(vmcs, /EXIT_REASON/i, 'Add to Watch');
      await vscode.row('.debug-watch', /CPUID/);
    });

    it('ends the session', async () => {
      await vscode.press('Shift+F5');
      await vscode.terminalShows('The machine has been switched off.');
    });

    it('stops at the exits that a launch.json names', async () => {
      fs.mkdirSync(path.join(window.workspace, '.vscode'), { recursive: true });
      fs.writeFileSync(path.join(window.workspace, '.vscode/launch.json'), JSON.stringify(LAUNCH));
      await vscode.tick(await vscode.pane('Breakpoints'), /\bCPUID\b/, false);
      await vscode.openFile('vmm/vmx.c');
      await vscode.press('F5');
      line = await vscode.currentLine();
      await vscode.showsFile('vmx.c');
      await vscode.press('Shift+F5');
      await vscode.terminalShows('The machine has been switched off.');
    });

    it('makes before it starts, with no tasks.json', async function () {
      // Tasks need a shell.
      if (kind === 'web') return this.skip();
      fs.mkdirSync(path.join(window.workspace, '.vscode'), { recursive: true });
      fs.writeFileSync(path.join(window.workspace, '.vscode/launch.json'), JSON.stringify(MADE));
      fs.writeFileSync(path.join(window.workspace, 'Makefile'), MAKEFILE);
      await vscode.openFile('vmm/vmx.c');
      await vscode.press('F5');
      line = await vscode.currentLine();
      await vscode.showsFile('vmx.c');
      assert.ok(fs.existsSync(path.join(window.workspace, 'built.img')));
      await vscode.press('Shift+F5');
      await vscode.terminalShows('The machine has been switched off.');
    });

    it('offers to make what is not built', async function () {
      if (kind === 'web') return this.skip();
      fs.rmSync(path.join(window.workspace, 'built.img'));
      fs.writeFileSync(path.join(window.workspace, '.vscode/launch.json'), JSON.stringify(UNMADE));
      await vscode.press('F5');
      await vscode.answerDialog(/built\.img does not exist: run make first/, 'Make and Start');
      line = await vscode.currentLine();
      await vscode.showsFile('vmx.c');
      await vscode.press('Shift+F5');
      await vscode.terminalShows('The machine has been switched off.');
    });

    it('shows a condition that cannot be computed', async () => {
      fs.writeFileSync(path.join(window.workspace, '.vscode/launch.json'), JSON.stringify(WRONG_CONDITION));
      await vscode.openFile('vmm/vmx.c');
      await vscode.press('F5');
      await vscode.notification(/The condition "laef == 1" cannot be computed.*it has leaf, subleaf/);
      await vscode.press('Shift+F5');
      await vscode.terminalShows('The machine has been switched off.');
    });

    it('says why a VM entry failed, and marks the field', async () => {
      const mistake = path.join(window.workspace, 'mistake');
      fs.mkdirSync(mistake);
      for (const name of ['vmm.img', 'vmm.elf']) fs.writeFileSync(path.join(mistake, name), planted().get(`/mistakes/cr4-vmxe-missing/${name}`)!);
      fs.writeFileSync(path.join(window.workspace, '.vscode/launch.json'), JSON.stringify(MISTAKEN));
      await vscode.press('F5');
      await vscode.showsFile('vmentry.S');
      await vscode.exceptionShows(/VMLAUNCH failed.*Bit 13 must be 1.*GUEST_CR4 is 0x0, last written at init_guest_state \(vmm\/vmcs\.c:\d+\).*Intel SDM volume 3/s);
      await vscode.pane('Variables');
      await vscode.fold('Watch');
      await vscode.collapse('.debug-variables', 'Locals');
      await vscode.expand('.debug-variables', 'VMCS');
      await vscode.row('.debug-variables', /^Guest state.* 1 field to look at/);
      await vscode.press('Shift+F5');
      await vscode.terminalShows('The machine has been switched off.');
    });

    it('copies the lab to work on, and never over another', async () => {
      const parent = path.join(window.workspace, 'mine');
      fs.mkdirSync(parent);
      await vscode.chooseFolder('Hyperstep: Copy the Lab to Work On...', parent, 'Copy the Lab Here');
      await vscode.notification(/^The lab is in .*hyperstep-lab\. .*F5 starts it\./);
      const copied = path.join(parent, 'hyperstep-lab/vmm/vmexits.c');
      assert.equal(fs.readFileSync(copied, 'utf8'), fs.readFileSync(path.join(window.workspace, 'vmm/vmexits.c'), 'utf8'));
      fs.writeFileSync(copied, '/* solved */');
      await vscode.chooseFolder('Hyperstep: Copy the Lab to Work On...', parent, 'Copy the Lab Here');
      await vscode.notification(/^The lab was not copied to .*: there is one already/);
      assert.equal(fs.readFileSync(copied, 'utf8'), '/* solved */');
    });
  });
}
