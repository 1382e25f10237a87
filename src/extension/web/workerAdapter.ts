/** Carries DAP between VS Code and the adapter in its worker, and serves the worker's files. */
import * as vscode from 'vscode';
import type { FromWorker, ToWorker } from '../../adapter/messages';
import { fromAdapter, toAdapter } from './sourcePaths';
import { serveFile, type FileRequest } from './workerFiles';

export class WorkerAdapter implements vscode.DebugAdapter {
  readonly #messages = new vscode.EventEmitter<vscode.DebugProtocolMessage>();
  readonly onDidSendMessage = this.#messages.event;
  readonly #workspace: vscode.Uri | undefined;
  readonly #prefix: string;

  constructor(
    readonly worker: Worker,
    packageRoot: vscode.Uri,
    workspace: vscode.Uri | undefined,
  ) {
    this.#workspace = workspace ?? vscode.workspace.workspaceFolders?.[0]?.uri;
    this.#prefix = this.#workspace ? this.#workspace.with({ path: '/', query: '', fragment: '' }).toString().replace(/\/$/, '') : 'file://';
    worker.onmessage = ({ data }: MessageEvent<FromWorker>) => this.#receive(data);
    worker.onerror = (event) => this.#fail(event.message || 'its script could not be loaded');
    this.#send({ kind: 'start', packageRoot: packageRoot.toString().replace(/\/$/, '') });
  }

  handleMessage(message: vscode.DebugProtocolMessage): void {
    this.#send({ kind: 'dap', message: toAdapter(message, this.#prefix) });
  }

  #receive(data: FromWorker): void {
    switch (data.kind) {
      case 'dap':
        this.#messages.fire(fromAdapter(data.message, this.#prefix) as vscode.DebugProtocolMessage);
        return;
      case 'file':
        void this.#serve(data);
        return;
      case 'fatal':
        this.#fail(data.error);
        return;
    }
  }

  async #serve(request: FileRequest): Promise<void> {
    const { id } = request;
    try {
      this.#send({ kind: 'file', id, value: await serveFile(request, this.#workspace) });
    } catch (error) {
      this.#send({ kind: 'file', id, error: (error as Error).message });
    }
  }

  /** The worker is lost: says so and ends the session, which would otherwise wait for ever. */
  #fail(reason: string): void {
    void vscode.window.showErrorMessage(`The Hyperstep debug adapter has failed: ${reason}.`);
    this.#messages.fire({ type: 'event', seq: 0, event: 'terminated' } as vscode.DebugProtocolMessage);
  }

  #send(message: ToWorker): void {
    this.worker.postMessage(message);
  }

  dispose(): void {
    this.worker.terminate();
    this.#messages.dispose();
  }
}
