/** The socket of the GDB stub: one GDB at a time, from this machine alone. */
import net from 'node:net';
import type { GdbStub } from '../../gdb/stub';
import { listen } from './listen';

/** Listens; `port` 0 takes a free one. Yields the port, and what ends it, a GDB that is connected with it. Throws a UserError when the port cannot be had; `key` is what the user gave it by. */
export async function serveGdb(stub: GdbStub, port: number, key = '--port'): Promise<{ port: number; close(): void }> {
  let connected: net.Socket | undefined;
  const server = net.createServer((socket) => {
    if (stub.connected) return socket.destroy();
    connected = socket;
    socket.setNoDelay(true);
    socket.on('data', (bytes) => stub.receive(bytes));
    // A connection that breaks is a GDB that has gone: `close` follows.
    socket.on('error', () => {});
    socket.on('close', () => stub.disconnect());
    stub.connect((bytes) => void (socket.writable && socket.write(bytes)));
  });
  const taken = await listen(server, port, key);
  return {
    port: taken,
    close: () => {
      server.close();
      // What GDB is still to be told goes out first.
      connected?.end();
    },
  };
}
