/** Listening on a port of this machine. */
import type net from 'node:net';
import { UserError } from '../../base/errors';

/** Who can connect reads and writes the whole machine, or any file for its client: this computer alone. */
const LOOPBACK = '127.0.0.1';

/** Listens; `port` 0 takes a free one. Yields the port. Throws a UserError when the port cannot be had; `key` is what the user gave it by. */
export const listen = (server: net.Server, port: number, key: string): Promise<number> =>
  new Promise((resolve, reject) => {
    server.once('error', (error) => reject(new UserError('port', `Port ${port} cannot be used (${error.message}): give ${key} another number, or 0 for a free one.`)));
    server.listen(port, LOOPBACK, () => resolve((server.address() as net.AddressInfo).port));
  });
