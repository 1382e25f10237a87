/** What the extension registers, whichever host it runs in; `node.ts` and `web.ts` add what differs. */
import * as vscode from 'vscode';
import { ConfigurationProvider, debugFolder, type Make } from './configuration';
import { openDebugViewAtFirstStop } from './debugView';
import { copyLab } from './labCopy';
import { startLanguageClientWhenNeeded, type StartLanguageClient } from './languageClient';
import { inlineValues } from './inlineValues';
import { NumberFormat } from './numberFormat';
import { PicturePanels } from './picturePanels';
import { ScreenTerminals } from './screenTerminals';
import { Sessions } from './sessions';
import { SerialTerminals } from './serialTerminal';
import { showActivity } from './statusBar';
import { registerViews } from './views/register';
import { TickedExits } from './views/tickedExits';

/** The debug type that package.json contributes. */
export const DEBUG_TYPE = 'hyperstep';

export interface Host {
  adapterFactory: vscode.DebugAdapterDescriptorFactory;
  startLanguageClient: StartLanguageClient;
  /** Absent where there is no shell. */
  make?: Make;
}

/** Registers everything. All of it is undone through `context.subscriptions`. */
export function activate(context: vscode.ExtensionContext, host: Host): void {
  const sessions = new Sessions(DEBUG_TYPE);
  const ticked = new TickedExits(sessions, context.workspaceState);
  const numbers = new NumberFormat(sessions);
  const provider = new ConfigurationProvider(host.make, () => ({ __breakOnExits: ticked.names, __exitConditions: ticked.conditions, __hexadecimal: numbers.hexadecimal, __disassembles: true }));
  const terminals = new SerialTerminals(sessions);
  const pictures = new PicturePanels(sessions, vscode.Uri.joinPath(context.extensionUri, 'media'));
  const screens = new ScreenTerminals(sessions, pictures);
  context.subscriptions.push(
    sessions,
    terminals,
    pictures,
    screens,
    numbers,
    showActivity(sessions),
    vscode.languages.registerInlineValuesProvider([{ language: 'c' }, { language: 'cpp' }], inlineValues(sessions)),
    vscode.debug.registerDebugAdapterDescriptorFactory(DEBUG_TYPE, host.adapterFactory),
    vscode.debug.registerDebugConfigurationProvider(DEBUG_TYPE, provider),
    vscode.debug.registerDebugConfigurationProvider(DEBUG_TYPE, provider, vscode.DebugConfigurationProviderTriggerKind.Dynamic),
    vscode.commands.registerCommand('hyperstep.debugFolder', debugFolder),
    vscode.commands.registerCommand('hyperstep.makeAndDebug', () => provider.makeAndDebug()),
    vscode.commands.registerCommand('hyperstep.copyLab', () => copyLab(context.extensionUri)),
    vscode.commands.registerCommand('hyperstep.showSerial', () => terminals.show(vscode.debug.activeDebugSession)),
    vscode.commands.registerCommand('hyperstep.showScreen', () => screens.show(sessions.active)),
    ...registerViews(sessions, context.workspaceState, ticked),
    openDebugViewAtFirstStop(sessions),
    startLanguageClientWhenNeeded(host.startLanguageClient),
  );
}
