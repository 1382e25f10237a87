/** `hyperstep dap`: the debug adapter without an editor around it. */
import { nodeHost } from '../adapter/hosts/nodeHost';
import { serveSocket } from '../adapter/hosts/socket';
import { serveStdio } from '../adapter/hosts/streams';
import { UserError } from '../base/errors';
import { Status } from './ending';

const MOST_PORT = 65535;

/** The port of `--port N`, or undefined for standard input and output. Throws a UserError for anything else. */
export function parseDapOptions(words: readonly string[]): number | undefined {
  if (words.length === 0) return undefined;
  const [name, value, ...more] = words[0]!.startsWith('--port=') ? ['--port', words[0]!.slice('--port='.length), ...words.slice(1)] : words;
  if (name !== '--port' || more.length > 0) throw new UserError('usage', `hyperstep dap takes --port N and nothing else, so ${name === '--port' ? more[0] : name} means nothing to it.`);
  const port = /^[0-9]+$/.test(value ?? '') ? Number(value) : NaN;
  if (!(port <= MOST_PORT)) throw new UserError('usage', `--port needs a number from 0 to ${MOST_PORT} behind it${value === undefined ? '' : `, not ${value}`}; 0 takes a free one.`);
  return port;
}

/** Serves until the client goes, or on a port until Ctrl+C. */
export async function dapCommand(words: readonly string[]): Promise<number> {
  const wanted = parseDapOptions(words);
  if (wanted === undefined) {
    await serveStdio(nodeHost());
    // A client that has disconnected may leave the stream open.
    process.stdin.destroy();
    return Status.DONE;
  }
  const { server, port } = await serveSocket(() => nodeHost(), wanted);
  process.stderr.write(`hyperstep: the debug adapter listens on 127.0.0.1:${port}.\n`);
  await new Promise((resolve) => process.once('SIGINT', resolve));
  server.close();
  // Sessions that are still open end with the process.
  process.exit(Status.INTERRUPTED);
}
