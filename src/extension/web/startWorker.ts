/** Workers in a browser's extension host. */
import * as vscode from 'vscode';

/** Starts a worker from a script of the extension. A browser refuses the script's own address, which is of another origin than the page; a blob's it takes. */
export async function startWorker(script: vscode.Uri, name: string): Promise<Worker> {
  const bytes = await vscode.workspace.fs.readFile(script);
  const address = URL.createObjectURL(new Blob([new Uint8Array(bytes)], { type: 'application/javascript' }));
  try {
    return new Worker(address, { name });
  } finally {
    // The worker has begun to load it; the address itself is not needed again.
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
  }
}
