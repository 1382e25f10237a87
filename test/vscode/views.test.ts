/**
 * The views of Run and Debug, the Debug Console and the breakpoints that only a hypervisor has, as a person uses them.
 * Everything is judged by what the window shows; each step leaves a picture.
 */
import assert from 'node:assert/strict';
import { journey } from './journey';
import type { HostKind } from './server';
import type { Workbench } from './workbench';

/** The web host differs in nothing that these steps look at; HYPERSTEP_HOST=web tries it all the same. */
const kind: HostKind = process.env.HYPERSTEP_HOST === 'web' ? 'web' : 'node';

const PANES = ['Variables', 'Watch', 'Call Stack', 'Loaded Scripts', 'Breakpoints', 'VM Exits', 'VMCS', 'Registers', 'Address Translation', 'Memory Map (e820)', 'Symbols'];

describe(`Views of VS Code, ${kind} extension host`, () => {
  const window = journey(kind, `views-${kind}`, 200);
  let vscode: Workbench;
  before(() => (vscode = window.vscode));

  /** Leaves only these panes open. */
  const only = async (...titles: string[]): Promise<void> => {
    for (const title of PANES) if (!titles.includes(title)) await vscode.fold(title);
    for (const title of titles) await vscode.pane(title);
  };

  it('counts VM exits and instructions while the machine runs', async () => {
    await vscode.openFile('vmm/vmexits.c');
    await vscode.debug();
    await vscode.terminalShows('vm$');
    await vscode.command('View: Show Run and Debug');
    await only('VM Exits');
    const exits = await vscode.pane('VM Exits');
    await vscode.row(exits, /^EPT_VIOLATION \d/);
    await vscode.row(exits, /^\d+ +[A-Z_]+/);
    await vscode.statusBar(/instructions/);
  });

  it('shows the VGA screen with its colours', async () => {
    await vscode.command('Hyperstep: Show the VGA Screen');
    await vscode.terminalShows(/Hyperstep|VMM|SeaBIOS|\S/);
  });

  it('opens a serial console again that was closed', async () => {
    await vscode.command('Terminal: Kill All Terminals');
    await vscode.command('Hyperstep: Show the Serial Console');
    await vscode.terminalShows('What is the tortoise');
  });

  it('stops at an exit that is ticked in the view', async () => {
    const exits = await vscode.pane('VM Exits');
    await vscode.tick(exits, /^\s*CPUID/);
    await vscode.press('Control+Shift+F5');
    assert.notEqual(await vscode.currentLine(), '');
    await vscode.row(exits, /^\d+ +CPUID/);
  });

  it('shows the record of an exit', async () => {
    const exits = await vscode.pane('VM Exits');
    // The view may just be drawn anew, and then the click is lost.
    await vscode.until('the record', async () => {
      await vscode.expand(exits, '15  CPUID');
      return (await vscode.rows(exits)).some((row) => /^meaning The guest executed CPUID/.test(row)) || undefined;
    });
    await vscode.row(exits, /^guest RIP 0x/);
  });

  it('stops at a reason, or no longer, from the row of an exit', async () => {
    const exits = await vscode.pane('VM Exits');
    await vscode.contextMenu(exits, /15\s+CPUID/, 'Do Not Stop at This Reason');
    await vscode.ticked(exits, /^\s*CPUID/, false);
    await vscode.contextMenu(exits, /15\s+CPUID/, 'Stop at This Reason');
    await vscode.ticked(exits, /^\s*CPUID/, true);
    await vscode.contextMenu(exits, /15\s+CPUID/, 'Copy');
    await vscode.contextMenu(exits, /15\s+CPUID/, 'Edit Condition or Log Message...');
    await vscode.answer('log: leaf {leaf}');
    await vscode.row(exits, /^\s*CPUID .*log: leaf \{leaf\}/);
    await vscode.contextMenu(exits, /^\s*CPUID/, 'Edit Condition or Log Message...');
    await vscode.answer('');
    await vscode.row(exits, /^\s*CPUID 1$/);
  });

  it('says in the VMCS view what the exit does not define, and breaks on a field from its row', async () => {
    await only('VMCS');
    const vmcs = await vscode.pane('VMCS');
    await vscode.row(vmcs, /^GUEST_PHYSICAL_ADDRESS .*not defined by this exit/);
    await vscode.contextMenu(vmcs, /^VM_EXIT_REASON/, 'Break on Value Read');
    await vscode.row(vmcs, /^VM_EXIT_REASON .*breaks on read/);
    await vscode.contextMenu(vmcs, /^VM_EXIT_REASON/, 'Remove the Breakpoint on This Value');
    await vscode.until('no breakpoint', async () => (await vscode.rows(vmcs)).some((row) => /^VM_EXIT_REASON/.test(row) && !/breaks on/.test(row)) || undefined);
  });

  it('shows one call stack of both worlds, and the guest\'s source', async () => {
    await only('Call Stack', 'Variables');
    const stack = await vscode.pane('Call Stack');
    await vscode.row(stack, /VM exit: CPUID leaf \d+\.0/);
    await vscode.click(stack, /processor_check/);
    await vscode.showsFile('processor.c');
  });

  it('stops at an exit on a condition', async () => {
    await only('Breakpoints', 'Call Stack');
    const breakpoints = await vscode.pane('Breakpoints');
    await vscode.tick(breakpoints, /VM exit: IO_INSTRUCTION/);
    await vscode.editCondition(breakpoints, /VM exit: IO_INSTRUCTION/, 'port == 0x71 && direction == "in"');
    await only('VM Exits', 'Breakpoints', 'Call Stack');
    await vscode.tick(await vscode.pane('VM Exits'), /^\s*CPUID/, false);
    await vscode.press('Control+Shift+F5');
    await vscode.row(await vscode.pane('Call Stack'), /VM exit: IO_INSTRUCTION in 0x71/);
  });

  it('stops when a VMCS field changes', async () => {
    await only('Variables', 'Call Stack');
    await vscode.collapse('.debug-variables', 'Locals');
    await vscode.expand('.debug-variables', 'VMCS');
    await vscode.expand('.debug-variables', 'Guest state');
    await vscode.scrollTo('.debug-variables', /^GUEST_RIP\b/);
    await vscode.contextMenu('.debug-variables', /GUEST_RIP/, 'Break on Value Change');
    await only('VM Exits', 'Breakpoints', 'Call Stack');
    await vscode.tick(await vscode.pane('Breakpoints'), /VM exit: IO_INSTRUCTION/, false);
    await vscode.scrollTo(await vscode.pane('Breakpoints'), /GUEST_RIP/);
    await vscode.press('F5');
    await vscode.row(await vscode.pane('Call Stack'), /^(vmcs_write|skip_instruction) /);
  });

  it('shows how an address is translated', async () => {
    await only('Address Translation');
    const view = await vscode.pane('Address Translation');
    await vscode.row(view, /^PML4E \[\d+\]/);
    await vscode.row(view, /^EPT PTE \[\d+\] .*4 KiB page/);
    await vscode.command('Hyperstep: Translate an Address', 'gpa:0xa0000');
    await vscode.row(view, /^gpa:0xa0000 .*nothing is mapped here/);
    await vscode.row(view, /^EPT PTE \[160\] R, W and X/);
  });

  it('shows who maps a frame', async () => {
    const view = await vscode.pane('Address Translation');
    await vscode.command('Hyperstep: Translate an Address', 'maps(gpa:0x6000)');
    await vscode.row(view, /^guest-physical gpa:0x6000/);
    await vscode.row(view, /^VMM linear vmm:0x/);
  });

  it('shows tables in the Debug Console', async () => {
    await vscode.command('View: Debug Console');
    // Only what is in sight can be read.
    const tables: [string, RegExp][] = [
      ['walk($guest.rip)', /EPT PTE \[\d+\]/],
      ['exits(4)', /IO_INSTRUCTION port 0x/],
      ['e820()', /The firmware reports/],
      ['vmcs("GUEST_CS")', /GUEST_CS_ACCESS_RIGHTS +code/],
    ];
    for (const [expression, shown] of tables) {
      await vscode.evaluate(expression);
      await vscode.consoleShows(shown);
    }
  });

  it('compares memory maps, and tells where symbols apply', async () => {
    await only('Memory Map (e820)', 'Symbols');
    const maps = await vscode.pane('Memory Map (e820)');
    await vscode.row(maps, /^EPT \d+ ranges/);
    await vscode.expand(maps, 'EPT');
    await vscode.row(maps, /^0x6000 - 0x6fff RWX/);
    await vscode.row(await vscode.pane('Symbols'), /^guest\.elf in the guest/);
  });

  it('shows registers with vectors and descriptors', async () => {
    await only('Registers');
    const registers = await vscode.pane('Registers');
    await vscode.collapse(registers, 'General');
    await vscode.expand(registers, 'Segments');
    await vscode.row(registers, /^cs code/);
  });

  it('shows numbers in hexadecimal', async () => {
    await only('Variables');
    await vscode.scrollTo('.debug-variables', /^Locals/);
    await vscode.expand('.debug-variables', 'Locals');
    await vscode.row('.debug-variables', /^value\b.*\d \(0x[0-9a-f]+\)/);
    await vscode.command('Hyperstep: Show Numbers in Hexadecimal');
    await vscode.row('.debug-variables', /^value\s*=?\s*0x[0-9a-f]+$/);
    await vscode.command('Hyperstep: Show Numbers in Decimal');
    await vscode.row('.debug-variables', /^value\b.*\d \(0x[0-9a-f]+\)/);
  });
});
