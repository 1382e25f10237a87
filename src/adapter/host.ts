/** What the adapter needs of the place it runs in. Each host (stdio, socket, worker, tests) provides one. */
import type { FileSource } from '../base/files';
import type { GdbStub } from '../gdb/stub';
import type { Disassembler } from '../debug/disassembly/disassembler';
import type { Scheduler } from '../debug/run/scheduler';

export interface Host {
  files: FileSource;
  scheduler: Scheduler;
  disassembler: Disassembler;
  /** Folder (path or URI) that holds `lab/`. */
  packageRoot: string;
  /** Lets a GDB on this machine connect; absent where there are no sockets. `close` ends that. Throws a UserError. */
  serveGdb?: (stub: GdbStub, port: number) => Promise<{ port: number; close(): void }>;
  /** Folder that relative paths start from when the launch configuration has no `cwd`. */
  cwd: string | undefined;
}
