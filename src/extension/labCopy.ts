/** A copy of the lab that comes with the extension, to work on: the extension's own folder is replaced by each update. */
import * as vscode from 'vscode';

const NAME = 'hyperstep-lab';
const OPEN = 'Open';
const OPEN_IN_NEW_WINDOW = 'Open in New Window';

/** The command: asks where, copies, and offers to open the copy. Nothing that exists is written over. */
export async function copyLab(extension: vscode.Uri): Promise<void> {
  const [parent] = (await vscode.window.showOpenDialog({ canSelectFiles: false, canSelectFolders: true, canSelectMany: false, title: `Folder in which ${NAME} is made`, openLabel: 'Copy the Lab Here' })) ?? [];
  if (!parent) return;
  const lab = vscode.Uri.joinPath(parent, NAME);
  try {
    await vscode.workspace.fs.copy(vscode.Uri.joinPath(extension, 'lab'), lab, { overwrite: false });
  } catch (error) {
    const there = error instanceof vscode.FileSystemError && error.code === 'FileExists';
    const reason = there ? 'there is one already: open it, or choose another folder' : (error as Error).message;
    void vscode.window.showErrorMessage(`The lab was not copied to ${place(lab)}: ${reason}.`);
    return;
  }
  const readme = vscode.Uri.joinPath(lab, 'README.md');
  const choice = await vscode.window.showInformationMessage(`The lab is in ${place(lab)}. Its README.md has the exercises; F5 starts it.`, OPEN, OPEN_IN_NEW_WINDOW);
  if (choice === OPEN || choice === OPEN_IN_NEW_WINDOW) await vscode.commands.executeCommand('vscode.openFolder', lab, { forceNewWindow: choice === OPEN_IN_NEW_WINDOW, filesToOpen: [readme] });
}

/** A folder's name as the user knows it. */
const place = (uri: vscode.Uri): string => (uri.scheme === 'file' ? uri.fsPath : uri.path);
