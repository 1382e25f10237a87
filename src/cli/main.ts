/** The `hyperstep` command: what the extension's tests, graders and CI services call. */
import '../adapter/hosts/v8Settings';
import '../adapter/hosts/keptInterpreter';
import { UserError } from '../base/errors';
import { perform } from './commands';
import { Status } from './ending';

/** Ends the process as soon as what was written has gone out: whatever else could keep it waiting, and the machine's memory, goes with it. */
function end(status: number): void {
  process.exitCode = status;
  const unfinished = [process.stdout, process.stderr].filter((stream) => stream.writableLength > 0);
  let left = unfinished.length;
  if (left === 0) process.exit();
  for (const stream of unfinished) stream.write('', () => --left === 0 && process.exit());
}

perform(process.argv.slice(2)).then(end, (error: unknown) => {
  process.stderr.write(error instanceof UserError ? `hyperstep: ${error.message}\n` : `hyperstep: this is a defect of Hyperstep: ${error instanceof Error ? error.stack : String(error)}\n`);
  end(error instanceof UserError ? Status.USAGE : Status.FAILED);
});
