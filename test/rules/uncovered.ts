/**
 * Lists the VM-entry checks without a test for each outcome, one a line; ends with 1 when there are any:
 * `npx tsx test/rules/uncovered.ts`. A test names its rule: "guest.rflags.reserved fails", "guest.rflags.reserved holds".
 */
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { BASIC_CHECKS, ENTRY_CHECKS, MSR_LOAD_CHECKS, MSR_VALUE_CHECK } from '../../src/vmx/tables';

const ROOT = path.resolve(__dirname, '../..');
const TESTS = 'test/unit/vmxEntry*.test.ts';

interface MochaReport {
  tests: { title: string }[];
}

/** Titles of the tests as mocha finds them; none is run. */
function titles(): Set<string> {
  const mocha = path.join(ROOT, 'node_modules/mocha/bin/mocha.js');
  const { stdout, stderr, status } = spawnSync(process.execPath, [mocha, '--no-config', '-r', 'tsx/cjs', '--dry-run', '--reporter', 'json', TESTS], { cwd: ROOT, encoding: 'utf8', maxBuffer: 1 << 26 });
  if (status !== 0) throw new Error(`mocha could not list the tests:\n${stderr}${stdout}`);
  return new Set((JSON.parse(stdout) as MochaReport).tests.map((t) => t.title));
}

/** `rule outcome` for each test that is missing. */
export function uncovered(): string[] {
  const known = titles();
  const rules = [...BASIC_CHECKS, ...ENTRY_CHECKS, ...MSR_LOAD_CHECKS, MSR_VALUE_CHECK].map((c) => c.id);
  return rules.flatMap((id) => ['fails', 'holds'].map((outcome) => `${id} ${outcome}`)).filter((title) => !known.has(title));
}

if (require.main === module) {
  const missing = uncovered();
  for (const title of missing) console.log(title);
  process.exitCode = missing.length === 0 ? 0 : 1;
}
