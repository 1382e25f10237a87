/**
 * Lists what of VMX has no test, one a line; ends with 1 when there is anything: `npx tsx test/rules/uncovered.ts`.
 * With `--absent` it lists instead what cannot happen on this processor, each with the reason.
 *
 * A test names its rule and the outcome: "guest.rflags.reserved fails", "guest.rflags.reserved holds" for checks of VM
 * entry; "exit.rdtsc exits", "exit.rdtsc stays" for what causes VM exits, where more words may follow after a colon.
 */
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { cr4Allowed } from '../../src/cpu/system/controlRegisters';
import { CpuFeatures } from '../../src/cpu/system/features';
import { BASIC_CHECKS, Capabilities, ENTRY_CHECKS, EXIT_CONDITIONS, EXIT_REASONS, type ExitCondition, MSR_LOAD_CHECKS, MSR_VALUE_CHECK, REASONS_WITHOUT_CONDITION } from '../../src/vmx/tables';

const ROOT = path.resolve(__dirname, '../..');
const TESTS = ['test/unit/vmxEntry*.test.ts', 'test/unit/vmxExit*.test.ts', 'test/unit/vmxApic*.test.ts'];

interface MochaReport {
  tests: { title: string }[];
}

/** Titles of the tests as mocha finds them, up to a colon; none is run. */
function titles(): Set<string> {
  const mocha = path.join(ROOT, 'node_modules/mocha/bin/mocha.js');
  const { stdout, stderr, status } = spawnSync(process.execPath, [mocha, '--no-config', '-r', 'tsx/cjs', '--dry-run', '--reporter', 'json', ...TESTS], { cwd: ROOT, encoding: 'utf8', maxBuffer: 1 << 26 });
  if (status !== 0) throw new Error(`mocha could not list the tests:\n${stderr}${stdout}`);
  // A pattern without files is a warning, above the report.
  return new Set((JSON.parse(stdout.slice(stdout.indexOf('{'))) as MochaReport).tests.map((t) => t.title.replace(/:.*/s, '')));
}

const features = new CpuFeatures([]);
const capabilities = new Capabilities({ has: (name) => features.has(name), cr4Bits: cr4Allowed(features) });
const isThere = (c: ExitCondition): boolean => c.feature === '' || capabilities.has(c.feature) || features.has(c.feature);

/** Exit reasons that cannot occur on this processor, each with the reason. */
export function absent(): string[] {
  return [
    ...REASONS_WITHOUT_CONDITION.map(([name, why]) => `${name}: ${why}`),
    ...EXIT_CONDITIONS.filter((c) => !isThere(c)).map((c) => `${EXIT_REASONS.find((r) => r.number === c.reason)!.name} (${c.id}): the processor does not announce "${c.feature}".`),
  ];
}

/** `rule outcome` for each test that is missing; exit reasons that no rule is about. */
export function uncovered(): string[] {
  const known = titles();
  const checks = [...BASIC_CHECKS, ...ENTRY_CHECKS, ...MSR_LOAD_CHECKS, MSR_VALUE_CHECK].flatMap(({ id }) => [`${id} fails`, `${id} holds`]);
  const exits = EXIT_CONDITIONS.filter(isThere).flatMap(({ id, cause }) => (cause === 'always' ? [`${id} exits`] : [`${id} exits`, `${id} stays`]));
  const explained = new Set<string>(REASONS_WITHOUT_CONDITION.map(([name]) => name));
  const reasons = EXIT_REASONS.filter((r) => !explained.has(r.name) && !EXIT_CONDITIONS.some((c) => c.reason === r.number)).map((r) => `${r.name} has no rule`);
  return [...[...checks, ...exits].filter((title) => !known.has(title)), ...reasons];
}

if (require.main === module) {
  const lines = process.argv.includes('--absent') ? absent() : uncovered();
  for (const line of lines) console.log(line);
  process.exitCode = lines.length === 0 || process.argv.includes('--absent') ? 0 : 1;
}
