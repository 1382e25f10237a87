/** `hyperstep dap`: the debug adapter without an editor around it. */
import { nodeHost } from '../adapter/hosts/nodeHost';
import { serveSocket } from '../adapter/hosts/socket';
import { serveStdio } from '../adapter/hosts/streams';
import { UserError } from '../base/errors';
import { Status } from './ending';
import { takePort } from './port';

/** The port of `--port N`, or undefined for standard input and output. Throws a UserError for anything else. */
export function parseDapOptions(words: readonly string[]): number | undefined {
  const { port, rest } = takePort(words);
  if (rest.length > 0) throw new UserError('usage', `hyperstep dap takes --port N and nothing else, so ${rest[0]} means nothing to it.`);
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
