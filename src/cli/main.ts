/** The `hyperstep` command: what the extension's tests, graders and CI services call. */
import '../adapter/hosts/v8Settings';
import { UserError } from '../base/errors';
import { perform } from './commands';
import { Status } from './ending';

perform(process.argv.slice(2)).then(
  (status) => (process.exitCode = status),
  (error: unknown) => {
    process.exitCode = error instanceof UserError ? Status.USAGE : Status.FAILED;
    process.stderr.write(error instanceof UserError ? `hyperstep: ${error.message}\n` : `hyperstep: this is a defect of Hyperstep: ${error instanceof Error ? error.stack : String(error)}\n`);
  },
);
