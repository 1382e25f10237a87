/**
 * How everything below the hosts reaches files. Node, the browser and tests each implement it; nothing here writes
 * unless `write` is called, and that happens only for `persistDrives`.
 */
export interface FileSource {
  /** Size in bytes. Throws a UserError that names the path when the file is missing or unreadable. */
  size(path: string): Promise<number>;
  /** Time of last modification in milliseconds since 1970, or undefined where the host cannot tell. */
  modified(path: string): Promise<number | undefined>;
  /** The whole file. Throws a UserError that names the path when the file is missing or unreadable. */
  read(path: string): Promise<Uint8Array>;
  /** Whether a regular file is there. */
  exists(path: string): Promise<boolean>;
  /** Names in a folder, or an empty list where there is none. */
  list(path: string): Promise<string[]>;
  /** Replaces a file's bytes. */
  write(path: string, bytes: Uint8Array): Promise<void>;
}
