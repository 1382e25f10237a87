/** What the adapter needs of the place it runs in. Each host (stdio, socket, worker, tests) provides one. */
import type { FileSource } from '../base/files';
import type { Disassembler } from '../debug/disassembly/disassembler';
import type { Scheduler } from '../debug/run/scheduler';

export interface Host {
  files: FileSource;
  scheduler: Scheduler;
  disassembler: Disassembler;
  /** Folder (path or URI) that holds `lab/`. */
  packageRoot: string;
  /** Folder that relative paths start from when the launch configuration has no `cwd`. */
  cwd: string | undefined;
}
