/** The socket of the GDB stub: one GDB at a time, from this machine alone. */
import net from 'node:net';
import { UserError } from '../../base/errors';
import type { GdbStub } from '../../gdb/stub';

/** Whoever can connect can read and write the whole machine. */
const LOOPBACK = '127.0.0.1';

/** Listens; `port` 0 takes a free one. Yields the server and its port. Throws a UserError when the port cannot be had; `key` is what the user gave it by. */
export function serveGdb(stub: GdbStub, port: number, key = '--port'): Promise<{ server: net.Server; port: number }> {
  const server = net.createServer((socket) => {
    if (stub.connected) return socket.destroy();
    socket.setNoDelay(true);
    socket.on('data', (bytes) => stub.receive(bytes));
    // A connection that breaks is a GDB that has gone: `close` follows.
    socket.on('error', () => {});
    socket.on('close', () => stub.disconnect());
    stub.connect((bytes) => void (socket.writable && socket.write(bytes)));
  });
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(new UserError('port', `Port ${port} cannot be used (${error.message}): give ${key} another number, or 0 for a free one.`)));
    server.listen(port, LOOPBACK, () => resolve({ server, port: (server.address() as net.AddressInfo).port }));
  });
}
