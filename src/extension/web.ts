/** The extension in a browser's extension host. The adapter is a worker that reads files through `workspace.fs`. */
import * as vscode from 'vscode';
import { LanguageClient } from 'vscode-languageclient/browser';
import * as activation from './activation';
import { startWorker } from './web/startWorker';
import { WorkerAdapter } from './web/workerAdapter';

export function activate(context: vscode.ExtensionContext): void {
  const script = (name: string): vscode.Uri => vscode.Uri.joinPath(context.extensionUri, 'dist', 'web', name);
  activation.activate(context, {
    adapterFactory: {
      createDebugAdapterDescriptor: async (session) =>
        new vscode.DebugAdapterInlineImplementation(
          new WorkerAdapter(await startWorker(script('adapter.js'), 'Hyperstep debug adapter'), context.extensionUri, session.workspaceFolder?.uri),
        ),
    },
    startLanguageClient: async (options) => {
      const client = new LanguageClient('hyperstep', 'Hyperstep', await startWorker(script('language.js'), 'Hyperstep language server'), options);
      await client.start();
      return client;
    },
  });
}
