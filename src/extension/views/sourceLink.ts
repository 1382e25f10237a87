/** Opens a line of source that a row of a view comes from. */
import * as vscode from 'vscode';
import type { SourceLine } from '../../adapter/messages';

export const OPEN_SOURCE = 'hyperstep.openSource';

/** The adapter's path as the editor wants it: a path of this machine, or on another file system a whole URI. */
const uriOf = (path: string): vscode.Uri => {
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(path)) return vscode.Uri.parse(path);
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri;
  return folder && folder.scheme !== 'file' ? folder.with({ path }) : vscode.Uri.file(path);
};

/** Shows the line; the view keeps the focus. */
export async function openSource({ path, line }: SourceLine): Promise<void> {
  const position = new vscode.Position(Math.max(0, line - 1), 0);
  await vscode.window.showTextDocument(uriOf(path), { preserveFocus: true, preview: true, selection: new vscode.Range(position, position) });
}
