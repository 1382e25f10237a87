// Debian's GDB over the lab, by `hyperstep gdb`: node test/gdb/gdb.mjs. Skipped where there is no GDB.
import assert from 'node:assert';
import { spawn, spawnSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const LAB = path.join('lab', 'images', 'complete');
/** Nothing here takes longer, even on a busy machine. */
const START_MS = 30_000;
const GDB_MS = 60_000;

if (spawnSync('gdb', ['--version']).error) {
  console.log('No gdb here: skipped.');
  process.exit(0);
}

/** Starts the stub; yields its port, its console so far, and how to end it. */
async function startStub(...options) {
  const child = spawn(process.execPath, ['--import', 'tsx', 'src/cli/main.ts', 'gdb', '--port', '0', ...options], { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
  const stub = { console: '', said: '', exited: new Promise((resolve) => child.once('exit', resolve)), end: () => child.kill() };
  child.stdout.on('data', (data) => (stub.console += data));
  await new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`The stub did not start: ${stub.said}`)), START_MS);
    child.stderr.on('data', (data) => {
      stub.said += data;
      const port = /target remote 127\.0\.0\.1:(\d+)/.exec(stub.said);
      if (!port) return;
      stub.port = port[1];
      clearTimeout(timer);
      resolve();
    });
  });
  return stub;
}

/** Runs GDB in batch mode; each command's output is found by the name in front of it. */
function runGdb(port, commands) {
  const script = ['set pagination off', 'set confirm off', 'set width 0', 'set print frame-arguments all', 'set tcp connect-timeout 5', `target remote 127.0.0.1:${port}`, ...commands.flatMap(([name, ...lines]) => [`echo \\n@@${name}\\n`, ...lines])];
  return new Promise((resolve, reject) => {
    const child = spawn('gdb', ['-nx', '-batch', ...script.flatMap((line) => ['-ex', line])], { cwd: path.join(ROOT, 'lab'), stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    const timer = setTimeout(() => child.kill('SIGKILL'), GDB_MS);
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (text += data));
    child.once('exit', (code) => {
      clearTimeout(timer);
      if (code === null) return reject(new Error(`GDB did not come to an end:\n${text}`));
      const parts = text.split(/\n@@(\w+)\n/);
      const shown = { all: text };
      for (let i = 1; i < parts.length; i += 2) shown[parts[i]] = parts[i + 1].trim();
      resolve(shown);
    });
  });
}

const VMM = path.join(ROOT, LAB, 'vmm.elf');
const GUEST = path.join(ROOT, LAB, 'guest.elf');
const FLUSH = ['maintenance flush dcache', 'maintenance flush register-cache'];
let failures = 0;

async function story(title, run) {
  try {
    await run();
    console.log(`ok    ${title}`);
  } catch (error) {
    failures++;
    console.log(`FAIL  ${title}\n${error.stack}`);
  }
}

await story('breaks in the VMM, shows its stack and locals, steps, and shows the guest', async () => {
  const stub = await startStub();
  try {
    const shown = await runGdb(stub.port, [
      ['real', 'info registers rip cs cr0', 'show architecture'],
      ['go', `file ${VMM}`, 'break handle_cpuid', 'continue'],
      ['stack', 'bt 5'],
      ['next', 'next', 'next', 'next'],
      ['locals', 'info locals', 'print g->regs.rax'],
      ['stepi', 'stepi'],
      ['finish', 'finish'],
      ['vmcs', 'monitor vmcs VM_EXIT_REASON'],
      ['registers', 'print $efer', 'print/x $cs', 'print $mxcsr', 'print $xmm0.uint128', 'print $st0'],
      ['guest', 'delete', 'monitor world guest', `file ${GUEST}`, ...FLUSH],
      ['guestStack', 'bt 6'],
      ['guestStep', 'stepi'],
      ['guestGo', 'break cprintf', 'continue'],
      ['guestBreak', 'bt 3'],
      ['world', 'monitor world'],
      ['memory', 'set var $rbx = 0x1234', 'print/x $rbx'],
    ]);
    assert.match(shown.real, /rip +0xfffffff0/);
    assert.match(shown.real, /i386:x86-64/);
    assert.match(shown.go, /Breakpoint 1, handle_cpuid \(g=0x[0-9a-f]+ <guest>\) at vmm\/vmexits\.c:\d+/);
    assert.match(shown.stack, /#0 +handle_cpuid.*\n#1 .*vmexit .*\n#2 .*asm_vmrun .*\n#3 .*vmx_run .*\n#4 .*kernel_main /);
    assert.match(shown.next, /cpuid\(leaf|leaf == 1/);
    assert.match(shown.locals, /leaf = 1/);
    assert.match(shown.locals, /\$\d+ = 1$/);
    assert.match(shown.finish, /Value returned is .*GUEST_RESUMES/);
    assert.match(shown.vmcs, /CPUID/);
    assert.match(shown.registers, /= 1280\n/); // LME and LMA
    assert.match(shown.guestStack, /#0 .*cpuid \(/);
    assert.doesNotMatch(shown.guestStack, /vmexit|handle_cpuid/);
    assert.match(shown.guestBreak, /#0 +cprintf /);
    assert.match(shown.world, /the processor is in the guest/);
    assert.match(shown.memory, /= 0x1234/);
  } finally {
    stub.end();
    await stub.exited;
  }
});

await story('stops in real and protected mode by linear address, and goes back to power-on', async () => {
  const stub = await startStub();
  try {
    const shown = await runGdb(stub.port, [
      ['sector', 'hbreak *0x7c00', 'continue', 'print/x $pc', 'x/2xb 0x7dfe'],
      ['step', 'stepi', 'print $pc != 0x7c00'],
      ['entry', 'tbreak *0x100000', 'continue', 'print/x $pc', 'print $cr0 & 1'],
      ['again', 'monitor restart', ...FLUSH, 'print/x $pc', 'continue', 'print/x $pc'],
      ['gone', 'kill'],
    ]);
    assert.match(shown.sector, /= 0x7c00\n.*0x55\s+0xaa/);
    assert.match(shown.step, /= 1$/);
    assert.match(shown.entry, /= 0x100000\n\S+ = 1$/);
    assert.match(shown.again, /= 0xfffffff0\n[^]*= 0x7c00$/);
    assert.strictEqual(await stub.exited, 0);
  } finally {
    stub.end();
  }
});

await story('tells why the machine stopped at a VM exit', async () => {
  const stub = await startStub('--break-on-exit', 'CPUID');
  try {
    const shown = await runGdb(stub.port, [['go', `file ${VMM}`, 'continue'], ['exits', 'monitor exits 1']]);
    assert.match(shown.go, /VM exit \d+: CPUID leaf 1/);
    assert.match(shown.exits, /1 {2}CPUID/);
    assert.match(stub.console, /VMM: launching the guest/);
  } finally {
    stub.end();
    await stub.exited;
  }
});

process.exit(failures === 0 ? 0 : 1);
