/** The extension in a Node extension host: desktop, remote and code-server. The adapter is a process of its own. */
import path from 'node:path';
import * as vscode from 'vscode';
import { LanguageClient, TransportKind } from 'vscode-languageclient/node';
import * as activation from './activation';
import { make, registerMakeTask } from './makeTask';

export function activate(context: vscode.ExtensionContext): void {
  context.subscriptions.push(registerMakeTask());
  const script = (name: string): string => path.join(context.extensionPath, 'dist', name);
  activation.activate(context, {
    make,
    adapterFactory: {
      // The extension host's own executable is Node everywhere: in the desktop application this variable makes it so.
      createDebugAdapterDescriptor: () =>
        new vscode.DebugAdapterExecutable(process.execPath, [script('adapter.js')], { env: { ELECTRON_RUN_AS_NODE: '1' } }),
    },
    startLanguageClient: async (options) => {
      const client = new LanguageClient('hyperstep', 'Hyperstep', { module: script('language.js'), transport: TransportKind.ipc }, options);
      await client.start();
      return client;
    },
  });
}
