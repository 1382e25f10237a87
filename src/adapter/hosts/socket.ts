/** The debug adapter as a server: `hyperstep dap --port N`. Each connection is a session with a machine of its own. */
import net from 'node:net';
import { UserError } from '../../base/errors';
import type { Host } from '../host';
import { serveStreams } from './streams';

/** A debugger can read any file for its client, so it listens to this machine alone. */
const LOOPBACK = '127.0.0.1';

/** Listens; `port` 0 takes a free one. Yields the server and the port. Throws a UserError when the port cannot be had. */
export function serveSocket(makeHost: () => Host, port: number): Promise<{ server: net.Server; port: number }> {
  const server = net.createServer((socket) => {
    socket.setNoDelay(true);
    void serveStreams(makeHost(), socket, socket).then(() => socket.destroy());
  });
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(new UserError('port', `Port ${port} cannot be used (${error.message}): give --port another number, or 0 for a free one.`)));
    server.listen(port, LOOPBACK, () => resolve({ server, port: (server.address() as net.AddressInfo).port }));
  });
}
