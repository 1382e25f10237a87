/** The views in Run and Debug, and the commands in their menus. */
import * as vscode from 'vscode';
import { HyperstepRequest, type RegistersResponse, type SourceResponse, type VmcsResponse } from '../../adapter/messages';
import type { Sessions } from '../sessions';
import type { Branch } from './changes';
import { registerDataBreaks } from './dataBreaks';
import { entryDecorations } from './entryItem';
import type { Node } from './entryTree';
import { exitAddress, registerExits, type ExitNode } from './exits';
import { registerMemoryMap, type MapNode } from './memoryMap';
import { e820Text } from './memoryRows';
import { OPEN_SOURCE, openSource } from './sourceLink';
import { registerStopView, type StopViewKind } from './stopView';
import { registerSymbols } from './symbols';
import type { TickedExits } from './tickedExits';
import { Translations } from './translations';

/** The current VMCS opened up; of several each has a row, and the others are read when they are opened. */
function vmcsBranches(response: VmcsResponse, ask: (args: unknown) => Promise<unknown>): Branch[] {
  if (response.list.length < 2) return response.groups;
  return response.list.map(({ address, current, currentOn, launched, guestRip }): Branch => ({
    name: `VMCS hpa:${address}`,
    note: [current ? 'current' : currentOn === undefined ? '' : `current on CPU ${currentOn}`, launched ? 'launched' : 'clear', guestRip ? `guest RIP ${guestRip}` : ''].filter(Boolean).join(', '),
    open: current,
    ...(current ? { branches: response.groups } : { load: async () => ((await ask({ address })) as VmcsResponse).groups }),
  }));
}

/** A view that is read at every stop: one row here, and its `views` entry in package.json. */
const STOP_VIEWS: readonly StopViewKind[] = [
  {
    view: 'hyperstep.vmcs',
    request: HyperstepRequest.vmcs,
    branches: (response, ask) => vmcsBranches(response as VmcsResponse, ask),
  },
  {
    view: 'hyperstep.registers',
    request: HyperstepRequest.registers,
    branches: (response) =>
      (response as RegistersResponse).worlds.map(({ world, live, groups }) => ({
        name: world === 'vmm' ? 'VMM' : 'Guest',
        note: live ? 'in the processor' : 'saved in the VMCS',
        branches: groups,
      })),
  },
];

/** What VS Code gives to commands in the menus of Variables and Watch. */
interface VariableArgument {
  variable?: { evaluateName?: string; memoryReference?: string };
}

/** Registers views and menu commands. */
export function registerViews(sessions: Sessions, state: vscode.Memento, ticked: TickedExits): vscode.Disposable[] {
  const translations = new Translations(state);
  const breaksChanged = new vscode.EventEmitter<void>();
  // By a keybinding a command is called with no row.
  const entryOf = (node?: Node | ExitNode) => (node && 'entry' in node ? node.entry : undefined);
  const translationOf = (node?: Node): string | undefined => (node && 'branch' in node ? node.branch.name : undefined);
  return [
    ...[...STOP_VIEWS.map((kind) => ({ ...kind, onChange: breaksChanged.event })), translations.kind].map((kind) => registerStopView(kind, sessions)),
    breaksChanged,
    ...registerDataBreaks(sessions, () => breaksChanged.fire()),
    registerExits(sessions, ticked),
    registerMemoryMap(sessions),
    registerSymbols(sessions),
    vscode.window.registerFileDecorationProvider(entryDecorations),
    vscode.commands.registerCommand('hyperstep.addToWatch', (node?: Node) => {
      const name = entryOf(node)?.evaluateName;
      // VS Code offers no API for watch expressions; its own command reads this much of its argument.
      if (name) void vscode.commands.executeCommand('debug.addToWatchExpressions', { variable: { evaluateName: name } });
    }),
    vscode.commands.registerCommand('hyperstep.copyValue', (node?: Node) => {
      const entry = entryOf(node);
      if (entry) void vscode.env.clipboard.writeText(entry.value);
    }),
    vscode.commands.registerCommand('hyperstep.copyMemoryMap', (node?: MapNode) => {
      if (node && 'map' in node && node.map) void vscode.env.clipboard.writeText(e820Text(node.map));
    }),
    vscode.commands.registerCommand('hyperstep.translate', (node?: Node | ExitNode | VariableArgument) => {
      if (node && 'exit' in node) return translations.add(exitAddress(node.exit));
      if (node && 'variable' in node) return translations.add(node.variable?.memoryReference ?? node.variable?.evaluateName);
      return translations.add(node && ('entry' in node || 'branch' in node) ? entryOf(node)?.memoryReference : undefined);
    }),
    vscode.commands.registerCommand('hyperstep.removeTranslation', (node?: Node) => {
      const expression = translationOf(node);
      return expression === undefined ? undefined : translations.remove(expression);
    }),
    vscode.commands.registerCommand('hyperstep.showMappings', (node?: Node) => {
      const expression = translationOf(node);
      return expression === undefined ? undefined : translations.add(`maps(${expression})`);
    }),
    vscode.commands.registerCommand(OPEN_SOURCE, async (node?: Node | ExitNode) => {
      const entry = entryOf(node);
      const known = node && 'exit' in node ? node.exit.source : entry?.source;
      const asked = known || !entry?.evaluateName ? undefined : ((await sessions.active?.customRequest(HyperstepRequest.source, { expression: entry.evaluateName })) as SourceResponse | undefined);
      const source = known ?? asked?.source;
      if (source) await openSource(source);
      else void vscode.window.setStatusBarMessage('Symbols know no line for it.', 4000);
    }),
  ];
}
