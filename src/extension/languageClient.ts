/** Starts the language client when the first `.e820` document opens, so that debugging alone does not pay for it. */
import * as vscode from 'vscode';
import type { BaseLanguageClient, LanguageClientOptions } from 'vscode-languageclient';

const LANGUAGE = 'e820';

/** Creates and starts the client of the host. */
export type StartLanguageClient = (options: LanguageClientOptions) => Promise<BaseLanguageClient>;

/** Waits for a document of the language, then starts. */
export function startLanguageClientWhenNeeded(start: StartLanguageClient): vscode.Disposable {
  let client: Promise<BaseLanguageClient> | undefined;
  const look = (document: vscode.TextDocument): void => {
    if (document.languageId !== LANGUAGE || client) return;
    client = start({ documentSelector: [{ language: LANGUAGE }] });
    client.catch((error: Error) => void vscode.window.showErrorMessage(`The language server for memory maps did not start: ${error.message}`));
  };
  vscode.workspace.textDocuments.forEach(look);
  const opened = vscode.workspace.onDidOpenTextDocument(look);
  return new vscode.Disposable(() => {
    opened.dispose();
    void client?.then((running) => running.stop()).catch(() => undefined);
  });
}
