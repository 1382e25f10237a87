/** One session over a pair of byte streams. */
import type { Readable, Writable } from 'node:stream';
import type { Host } from '../host';
import { Session } from '../session';
import { frame, MessageReader } from './messageStream';

/** Serves a session; resolves when it is over, by the client's disconnect or because the stream has ended. */
export function serveStreams(host: Host, input: Readable, output: Writable): Promise<void> {
  return new Promise((resolve) => {
    const session = new Session(host, (message) => {
      if (output.writable) output.write(frame(message));
    });
    const end = (): void => {
      void session.terminate().then(resolve, resolve);
    };
    session.onEnd = end;
    const reader = new MessageReader((message) => session.receive(message), (sentence) => {
      session.tell(sentence);
      end();
    });
    input.on('data', (bytes: Buffer) => reader.push(bytes));
    input.on('end', end);
    input.on('close', end);
    input.on('error', end);
    output.on('error', end);
  });
}

/** Serves one session on standard input and output: `hyperstep dap`. Whatever else would print there goes to standard error. */
export async function serveStdio(host: Host): Promise<void> {
  console.log = console.info = console.warn = console.error;
  await serveStreams(host, process.stdin, process.stdout);
}
