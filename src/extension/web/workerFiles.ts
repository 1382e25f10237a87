/** Serves files to the adapter's worker through `workspace.fs`. */
import * as vscode from 'vscode';
import type { FromWorker } from '../../adapter/messages';

export type FileRequest = Extract<FromWorker, { kind: 'file' }>;
type Serve = (uri: vscode.Uri, request: FileRequest) => Promise<unknown>;

/** One entry per method of `FileSource` (base/files.ts). */
const METHODS: Record<FileRequest['method'], Serve> = {
  size: async (uri) => (await vscode.workspace.fs.stat(uri)).size,
  modified: async (uri) => (await vscode.workspace.fs.stat(uri)).mtime || undefined,
  read: async (uri) => vscode.workspace.fs.readFile(uri),
  exists: async (uri) => {
    try {
      return ((await vscode.workspace.fs.stat(uri)).type & vscode.FileType.File) !== 0;
    } catch {
      return false;
    }
  },
  list: async (uri) => {
    try {
      return (await vscode.workspace.fs.readDirectory(uri)).map(([name]) => name);
    } catch {
      return [];
    }
  },
  write: async (uri, { bytes }) => vscode.workspace.fs.writeFile(uri, bytes ?? new Uint8Array()),
};

/** What the request asks for. Rejects with a sentence that names the path. */
export async function serveFile(request: FileRequest, workspace: vscode.Uri | undefined): Promise<unknown> {
  try {
    return await METHODS[request.method](uriOf(request.path, workspace), request);
  } catch (error) {
    const missing = error instanceof vscode.FileSystemError && error.code === 'FileNotFound';
    throw new Error(missing ? `${request.path} does not exist.` : `${request.path} cannot be used: ${(error as Error).message}`);
  }
}

/** A path as the adapter names it: a whole URI, else a path on the workspace's file system. */
function uriOf(path: string, workspace: vscode.Uri | undefined): vscode.Uri {
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(path)) return vscode.Uri.parse(path, true);
  if (!workspace) throw new Error('no folder is open');
  return path.startsWith('/') ? workspace.with({ path }) : vscode.Uri.joinPath(workspace, path);
}
