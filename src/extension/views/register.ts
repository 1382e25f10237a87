/** The views in Run and Debug, and the commands in their menus. */
import * as vscode from 'vscode';
import { HyperstepRequest, type RegistersResponse, type VmcsResponse } from '../../adapter/messages';
import type { Sessions } from '../sessions';
import { changedDecorations, type Node } from './entryTree';
import { registerMemoryMap, type MapNode } from './memoryMap';
import { e820Text } from './memoryRows';
import { registerStopView, type StopViewKind } from './stopView';

/** A view that is read at every stop: one row here, and its `views` entry in package.json. */
const STOP_VIEWS: readonly StopViewKind[] = [
  {
    view: 'hyperstep.vmcs',
    request: HyperstepRequest.vmcs,
    branches: (response) => (response as VmcsResponse).groups,
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

/** Registers views and menu commands. */
export function registerViews(sessions: Sessions): vscode.Disposable[] {
  return [
    ...STOP_VIEWS.map((kind) => registerStopView(kind, sessions)),
    registerMemoryMap(sessions),
    vscode.window.registerFileDecorationProvider(changedDecorations),
    vscode.commands.registerCommand('hyperstep.addToWatch', (node: Node) => {
      if (!('entry' in node) || !node.entry.evaluateName) return;
      // VS Code offers no API for watch expressions; its own command reads this much of its argument.
      void vscode.commands.executeCommand('debug.addToWatchExpressions', { variable: { evaluateName: node.entry.evaluateName } });
    }),
    vscode.commands.registerCommand('hyperstep.copyValue', (node: Node) => {
      if ('entry' in node) void vscode.env.clipboard.writeText(node.entry.value);
    }),
    vscode.commands.registerCommand('hyperstep.copyMemoryMap', (node: MapNode) => {
      if ('map' in node && node.map) void vscode.env.clipboard.writeText(e820Text(node.map));
    }),
  ];
}
