// npm run test:clients: a short session of Emacs dap-mode (Debian: emacs-nox and elpa-dap-mode) with the built adapter.
// Skipped where they are not installed.
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
  env: { ...process.env, HYPERSTEP_ROOT: ROOT, HYPERSTEP_CLI: path.join(ROOT, 'dist/cli.js') },
  timeout: 120_000,
});
assert.strictEqual(run.status, 0, run.stdout + run.stderr);
assert.match(run.stdout, /^frames: handle_cpuid, vmexit, .*VM exit \d+: CPUID leaf 1.*processor_check/m);
assert.match(run.stdout, /^leaf: 1$/m);
assert.match(run.stdout, /^back in: handle_cpuid$/m);
assert.match(run.stdout, /^then: VM exit \d+: VMCALL/m);
assert.match(run.stdout, /^done$/m);
console.log(run.stdout.trim());
