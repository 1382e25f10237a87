/** What `--help` prints: the commands, and of each its options. */
import { NOT_FOR_GDB } from './notForGdb';
import { runOptionsHelp } from './runOptions';

const STATUS = `Exit status: 0 what was asked for happened, 1 it did not, 2 wrong option or file, 3 a limit was reached,
4 the guest wrote a value other than 0 to port 0xF4, 5 triple fault, 130 Ctrl+C.
`;

const COMMANDS: Readonly<Record<string, () => string>> = {
  run: () => `Usage: hyperstep run [OPTION...]

Runs a machine with an Intel processor and VMX; with no image, the built-in lab. The serial console goes to standard
output, what is typed to the serial port; what Hyperstep itself has to say goes to standard error. Ctrl+C ends.

  hyperstep run --disk obj/kern/kernel.img --disk obj/fs/fs.img --symbols obj/kern/kernel
  hyperstep run --kernel vmlinuz --initrd initrd.gz --append console=ttyS0
  hyperstep run --expect 'vm$' --type 'ls\\n' --expect 'vm$' --timeout 60 --exits exits.jsonl

${runOptionsHelp()}

${STATUS}`,
  gdb: () => `Usage: hyperstep gdb [--port N] [OPTION...]

Runs a machine that waits for GDB: target remote 127.0.0.1:N. "monitor help" in GDB lists what it has no word for.

  --port N              where GDB connects, 1234 unless told; 0 takes a free port
  --break-on-exit NAME  stops at such VM exits, beside GDB's breakpoints (repeatable)

${runOptionsHelp(['--break-on-exit', ...NOT_FOR_GDB.flatMap(({ names }) => names)])}
`,
  dap: () => `Usage: hyperstep dap [--port N]

Serves the Debug Adapter Protocol on standard input and output, one session; or on a port, any number of them.

  --port N  where clients connect, on this computer only; 0 takes a free port
`,
  lab: () => `Usage: hyperstep lab new FOLDER | hyperstep lab build [OPTION...]

  hyperstep lab new FOLDER  copies the lab's sources, images and exercises into a new folder
  hyperstep lab build       builds the lab from its sources, with gcc, clang and lld, or zig

Options of lab build:
  --state NAME   one state of the exercises: reason, cpuid, disk, complete; all unless told
  --cc COMPILER  gcc, clang or zig; the first that works unless told
  --out FOLDER   where the images go
  --dwarf N      version of the debug information, 2 to 5; 4 unless told
`,
};

const USAGE = `Usage: hyperstep COMMAND [OPTION...]

  hyperstep run          runs a machine with an Intel processor and VMX; with no image, the built-in lab
  hyperstep gdb          a machine that waits for GDB on --port N (1234 unless told)
  hyperstep dap          serves the Debug Adapter Protocol on standard input and output, or on --port N
  hyperstep lab new      copies the lab into a folder, to work on
  hyperstep lab build    builds the lab from its sources
  hyperstep --version

hyperstep COMMAND --help lists the command's options.

${STATUS}`;

/** The help of a command, or of all where there is none of that name. */
export const helpOf = (command: string | undefined): string => (command !== undefined && Object.hasOwn(COMMANDS, command) ? COMMANDS[command]!() : USAGE);
