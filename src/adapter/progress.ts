/** Long work as the client shows it: a title, what is being done, and the end. Told only to clients that can show it. */
import type { FileSource } from '../base/files';
import type { Protocol } from './protocol';

export class Progress {
  private next = 1;
  /** The client has said that it shows progress. */
  supported = false;

  constructor(private readonly protocol: Protocol) {}

  /** Does `work` and tells what it says of itself; the end is told however it ends. */
  async during<T>(title: string, work: (say: (message: string) => void) => Promise<T>): Promise<T> {
    if (!this.supported) return work(() => {});
    const progressId = `hyperstep-${this.next++}`;
    this.protocol.event('progressStart', { progressId, title, cancellable: false });
    try {
      return await work((message) => this.protocol.event('progressUpdate', { progressId, message }));
    } finally {
      this.protocol.event('progressEnd', { progressId });
    }
  }
}

/** The same files, with a word about each that is read. */
export const announced = (files: FileSource, say: (message: string) => void): FileSource => ({
  size: (path) => files.size(path),
  modified: (path) => files.modified(path),
  exists: (path) => files.exists(path),
  list: (path) => files.list(path),
  write: (path, bytes) => files.write(path, bytes),
  read: (path) => {
    say(`reading ${path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1)}`);
    return files.read(path);
  },
});
