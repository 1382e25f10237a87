/** The debug adapter as a server: `hyperstep dap --port N`. Each connection is a session with a machine of its own. */
import net from 'node:net';
import type { Host } from '../host';
import { listen } from './listen';
import { serveStreams } from './streams';

/** Listens; `port` 0 takes a free one. Yields the server and the port. Throws a UserError when the port cannot be had. */
export async function serveSocket(makeHost: () => Host, port: number): Promise<{ server: net.Server; port: number }> {
  const server = net.createServer((socket) => {
    socket.setNoDelay(true);
    void serveStreams(makeHost(), socket, socket).then(() => socket.destroySoon());
  });
  return { server, port: await listen(server, port, '--port') };
}
