/** The debug adapter in a web worker: messages and files go through postMessage (messages.ts, ToWorker and FromWorker). */
import { UserError } from '../../base/errors';
import type { FileSource } from '../../base/files';
import type { Scheduler } from '../../debug/run/scheduler';
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { FromWorker, ToWorker } from '../messages';
import { Session } from '../session';
import { IcedDisassembler } from './icedDisassembler';

/** The worker's global scope, of which TypeScript's DOM library knows only the window's. */
const scope = globalThis as unknown as { postMessage(message: FromWorker): void; onmessage: ((event: { data: ToWorker }) => void) | null };

const post = (message: FromWorker): void => scope.postMessage(message);

/** File requests that wait for their answer. */
class ClientFiles {
  private readonly waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: unknown) => void }>();
  private next = 1;

  answer(message: ToWorker & { kind: 'file' }): void {
    const waiting = this.waiting.get(message.id);
    this.waiting.delete(message.id);
    if ('error' in message) waiting?.reject(new UserError('file', message.error));
    else waiting?.resolve(message.value);
  }

  private ask<T>(method: (FromWorker & { kind: 'file' })['method'], path: string, bytes?: Uint8Array): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const id = this.next++;
      this.waiting.set(id, { resolve: (value) => resolve(value as T), reject });
      post({ kind: 'file', id, method, path, bytes });
    });
  }

  readonly source: FileSource = {
    size: (path) => this.ask('size', path),
    modified: (path) => this.ask<number | undefined>('modified', path).catch(() => undefined),
    read: (path) => this.ask('read', path),
    exists: (path) => this.ask('exists', path),
    list: (path) => this.ask('list', path),
    write: (path, bytes) => this.ask('write', path, bytes),
  };
}

/** A message channel is the browser's setImmediate: timers of 0 ms are slowed down to 4 ms. */
function channelScheduler(): Scheduler {
  const channel = new MessageChannel();
  const tasks: (() => void)[] = [];
  channel.port1.onmessage = () => tasks.shift()?.();
  return {
    now: () => performance.now(),
    soon(task, delay = 0) {
      if (delay > 0) {
        setTimeout(task, delay);
        return;
      }
      tasks.push(task);
      channel.port2.postMessage(undefined);
    },
  };
}

const files = new ClientFiles();
let session: Session | undefined;

scope.onmessage = ({ data }) => {
  try {
    switch (data.kind) {
      case 'start':
        session = new Session(
          { files: files.source, scheduler: channelScheduler(), disassembler: new IcedDisassembler(), packageRoot: data.packageRoot, cwd: undefined },
          (message) => post({ kind: 'dap', message }),
        );
        return;
      case 'dap':
        session?.receive(data.message as DebugProtocol.ProtocolMessage);
        return;
      case 'file':
        files.answer(data);
        return;
    }
  } catch (error) {
    post({ kind: 'fatal', error: error instanceof Error ? error.message : String(error) });
  }
};
