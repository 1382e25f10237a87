// npm run test:clients: a session of Emacs dap-mode (Debian: emacs-nox and elpa-dap-mode) with the built adapter: every
// command of dap-mode that concerns an adapter. Skipped where they are not installed.
import assert from 'node:assert';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');

const probe = spawnSync('emacs', ['-Q', '--batch', '--eval', `(progn (dolist (folder (file-expand-wildcards "/usr/share/emacs/site-lisp/elpa*/*")) (add-to-list 'load-path folder)) (require 'dap-mode))`], { encoding: 'utf8' });
if (probe.error || probe.status !== 0) {
  console.log('Emacs with dap-mode is not installed (apt install emacs-nox elpa-dap-mode): skipped.');
  process.exit(0);
}
const run = spawnSync('emacs', ['-Q', '--batch', '-l', path.join(ROOT, 'test/dap-clients/emacs.el')], {
  encoding: 'utf8',
  env: { ...process.env, HYPERSTEP_ROOT: ROOT, HYPERSTEP_CLI: process.env.HYPERSTEP_CLI ?? path.join(ROOT, 'dist/cli.js') },
  timeout: 180_000,
});
assert.strictEqual(run.status, 0, run.stdout + run.stderr);

/** What each line of the session says. */
const EXPECTED = {
  frames: /^handle_cpuid, vmexit, .*VM exit: CPUID leaf 1.0.*processor_check/,
  editor: /^if \(leaf == 1\)/,
  eval: /^1$/,
  'eval of a field': /CPUID/,
  'eval of nothing': /There is no variable nothing_like_this here/,
  watches: /leaf: 1 .*g->regs: \{rax = 1.*\$guest\.cr3: 0x/,
  locals: /^g leaf eax ebx ecx edx$/,
  struct: /^regs: \{rax = 1/,
  set: /^edx: 77/,
  registers: /^General: /,
  vmcs: /Guest state.*Host state/,
  up: /^vmexit$/,
  next: /^handle_cpuid, line /,
  out: /^vmexit$/,
  in: /./,
  back: /^vmexit$/,
  condition: /^handle_vmcall, 2$/,
  hits: /^handle_vmcall$/,
  filters: /^VM exits among them$/,
  exit: /^VM exit: VMCALL/,
  log: /^told$/,
  threads: /^CPU 0/,
  'frame again': /./,
  paused: /^with a stack$/,
};
const said = new Map(run.stdout.split('\n').map((line) => /^([a-z ]+): (.*)$/s.exec(line)).filter(Boolean).map(([, key, text]) => [key, text]));
for (const [key, pattern] of Object.entries(EXPECTED)) assert.match(said.get(key) ?? '(not said)', pattern, `${key}\n${run.stdout}${run.stderr}`);
assert.match(run.stdout, /^done$/m, run.stdout + run.stderr);
console.log(run.stdout.trim());
