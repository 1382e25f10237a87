/** The command as its users call it: a process with arguments, two outputs and an exit status. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { UserError } from '../../src/base/errors';
import { perform } from '../../src/cli/commands';
import { planted } from '../fixtures/mistakes/images';

const ROOT = path.resolve(__dirname, '../..');
const MAIN = path.join(ROOT, 'src/cli/main.ts');

interface Result {
  status: number | null;
  out: string;
  err: string;
}

/** Runs the command; `during` gets the process and what it has printed so far whenever it prints. */
function hyperstep(words: string[], during?: (child: ReturnType<typeof spawn>, out: string) => void): Promise<Result> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['--import', 'tsx', MAIN, ...words], { cwd: ROOT, stdio: [during ? 'pipe' : 'ignore', 'pipe', 'pipe'] });
    let out = '';
    let err = '';
    child.stdout!.on('data', (chunk: Buffer) => {
      out += chunk.toString();
      during?.(child, out);
    });
    child.stderr!.on('data', (chunk: Buffer) => (err += chunk.toString()));
    child.on('close', (status) => resolve({ status, out: out.replaceAll('\r', ''), err }));
  });
}

describe('hyperstep run', function () {
  this.timeout(60_000);
  let folder: string;
  const file = (name: string, bytes?: Uint8Array | string): string => {
    const whole = path.join(folder, name);
    if (bytes !== undefined) fs.writeFileSync(whole, bytes);
    return whole;
  };
  it('prints the VGA screen, waits for what it shows, and presses keys', async () => {
    // Writes H to the screen, waits for a key by INT 16h, writes that too, and powers off by a triple fault.
    const disk = bootDisk('screen.img', [0xb8, 0x00, 0xb8, 0x8e, 0xd8, 0xc7, 0x06, 0x00, 0x00, 0x48, 0x1f, 0x31, 0xc0, 0xcd, 0x16, 0xa2, 0x02, 0x00, 0xeb, 0xfe]);
    const { status, out } = await hyperstep(['run', '--disk', disk, '--expect-screen', 'H', '--press', 'i', '--expect-screen', 'Hi', '--screen', '--timeout', '50']);
    assert.equal(status, 0);
    assert.match(out, /^Hi/m);
    const never = await hyperstep(['run', '--disk', disk, '--expect-screen', 'Hello', '--timeout', '2']);
    assert.equal(never.status, 3);
    assert.match(never.err, /the VGA screen has not shown "Hello"/);
  });

  /** A disk whose boot sector executes `code`. */
  const bootDisk = (name: string, code: number[]): string => {
    const sector = new Uint8Array(512);
    sector.set(code);
    sector.set([0x55, 0xaa], 510);
    return file(name, sector);
  };

  before(() => (folder = fs.mkdtempSync(path.join(os.tmpdir(), 'hyperstep-cli-'))));
  after(() => fs.rmSync(folder, { recursive: true, force: true }));

  it('tells what the VMX checks find on standard error, once, unless they are switched off', async () => {
    const disk = file('mistake.img', planted().get('/mistakes/cpuid-wrong-bit/vmm.img'));
    const words = ['run', '--disk', disk, '--disk', path.join(ROOT, 'lab/images/complete/guest.img'), '--expect', 'vm$'];
    const { status, out, err } = await hyperstep(words);
    assert.equal(status, 0);
    assert.doesNotMatch(out, /VMX check/);
    assert.equal(err.match(/VMX check cpuid-vmx: CPUID leaf 1 tells the guest that it has VMX/g)?.length, 1);
    assert.doesNotMatch((await hyperstep([...words, '--no-check', 'cpuid-vmx'])).err, /VMX check/);
  });

  it('an image that changes while it runs: the guest keeps the old one, the user is told once, the file keeps what it has', async () => {
    // Shows the last byte of its own sector as it is on disk, after a key: mov dx, 3F8h; mov al, 41h; out; wait for a byte; read sector 1; out [81FDh]; out 0F4h.
    const disk = bootDisk('changing.img', [0xba, 0xf8, 0x03, 0xb0, 0x41, 0xee, 0x83, 0xc2, 0x05, 0xec, 0xa8, 0x01, 0x74, 0xfb, 0xb8, 0x01, 0x02, 0xb9, 0x01, 0x00, 0xba, 0x80, 0x00, 0xbb, 0x00, 0x80, 0xcd, 0x13, 0xa0, 0xfd, 0x81, 0xe6, 0xf4]);
    const newer = new Uint8Array(512).fill(0x77);
    let changed = false;
    const { status, out, err } = await hyperstep(['run', '--disk', disk, '--timeout', '50'], (child, shown) => {
      if (changed || !shown.includes('A')) return;
      changed = true;
      fs.writeFileSync(disk, newer);
      child.stdin!.write('x');
    });
    assert.equal(status, 0, err);
    assert.equal(out, 'A');
    assert.equal(err.match(/changing\.img was changed on disk while the machine ran/g)?.length, 1);
    assert.deepEqual(new Uint8Array(fs.readFileSync(disk)), newer);
  });

  it('boots the lab to its shell, and two runs leave the same trace', async () => {
    const traces = [file('a.jsonl'), file('b.jsonl')];
    for (const trace of traces) {
      const { status, out, err } = await hyperstep(['run', '--exits', trace, '--stats', file('stats.json'), '--expect', 'vm$', '--summary', '--timeout', '50']);
      assert.equal(status, 0, err);
      let at = 0;
      for (const text of ['Hyperstep lab', 'VMXON', 'e820 MEMORY MAP', 'type: USABLE', 'VMX extension hidden from guest.', 'What is the tortoise?', 'vm$']) {
        at = out.indexOf(text, at);
        assert(at >= 0, `${text} is missing from\n${out}`);
      }
      assert.match(err, /48 {2}EPT_VIOLATION +\d+/);
    }
    const [first, second] = traces.map((trace) => fs.readFileSync(trace, 'utf8'));
    assert.equal(first, second);

    const exits = first!.trimEnd().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.deepEqual(exits.map((e) => e.n), exits.map((_, i) => i + 1));
    for (const name of ['VMCALL', 'CPUID', 'EPT_VIOLATION', 'IO_INSTRUCTION']) assert(exits.some((e) => e.name === name), name);
    const cpuid = exits.find((e) => e.name === 'CPUID')!;
    assert.deepEqual(Object.keys(cpuid), ['n', 'icount', 'reason', 'name', 'qualification', 'guestRip', 'instructionLength', 'linear', 'gpa', 'symbol', 'details']);
    assert.equal(cpuid.reason, 10);
    assert.equal(cpuid.instructionLength, 2);
    assert.equal(cpuid.symbol, 'cpuid');
    assert.equal((cpuid.details as { leaf: number }).leaf, 1);

    const stats = JSON.parse(fs.readFileSync(file('stats.json'), 'utf8')) as { instructions: number; exits: Record<string, number>; debugExit: number | null };
    assert(stats.instructions > 100_000);
    assert.equal(Object.values(stats.exits).reduce((a, b) => a + b), exits.length);
    assert.equal(stats.debugExit, null);
  });

  it('types at the prompt, and ends with 0 when the machine is switched off', async () => {
    const { status, out } = await hyperstep(['run', '--expect', 'vm$', '--type', 'cat readme\\r', '--expect', 'file server', '--expect', 'vm$', '--type', 'halt\\r', '--timeout', '50']);
    assert.match(out, /vm\$ halt\nVMM: the guest has gone back to its host/);
    assert.equal(status, 0);
  });

  it('takes the keyboard from standard input, and Ctrl+C ends it cleanly', async () => {
    let typed = false;
    const { status, out, err } = await hyperstep(['run', '--timeout', '50'], (child, shown) => {
      if (!typed && shown.includes('vm$')) {
        typed = true;
        child.stdin!.write('echo from the keyboard\r');
      }
      if (/\nfrom the keyboard/.test(shown.replaceAll('\r', ''))) child.kill('SIGINT');
    });
    assert.match(out, /\nfrom the keyboard/);
    assert.equal(status, 130, err);
  });

  for (const [state, signpost] of [
    ['reason', /Unhandled VMEXIT, aborting guest\.\n/],
    ['cpuid', /kernel panic on CPU 0 at vmm\/vmexits\.c:\d+: cpuid not implemented\n/],
    ['disk', /VMX extension hidden from guest\.\nuser panic in fs at guest\/ipc\.c:\d+: ipc_host_send not implemented\n/],
  ] as const) {
    it(`sees the unfinished lab "${state}" end with its signpost, and does not wait for ever`, async () => {
      const { status, out, err } = await hyperstep(['run', '--lab', state, '--timeout', '50']);
      assert.match(out, signpost);
      assert.match(err, /halted with interrupts off/);
      assert.equal(status, 1);
    });
  }

  it('prints the exit, the VMCS and the stack of both worlds at --break-on-exit', async () => {
    const { status, err } = await hyperstep(['run', '--break-on-exit', 'cpuid', '--timeout', '50']);
    assert.equal(status, 0, err);
    assert.match(err, /VM exit \d+: CPUID leaf 1/);
    assert.match(err, /VM_EXIT_REASON +CPUID/);
    assert.match(err, /GUEST_RIP +0xffffffff/);
    assert.match(err, /vmm +0x[0-9a-f]+ kernel_main at vmm\/main\.c:\d+/);
    assert.match(err, /guest 0x[0-9a-f]+ processor_check at guest\/processor\.c:\d+/);
  });

  for (const [what, code, words, status, sentence] of [
    ['the guest writes 0 to the debug-exit port', [0xb0, 0x00, 0xe6, 0xf4, 0xf4], [], 0, /^$/],
    ['the guest writes 7 to the debug-exit port', [0xb0, 0x07, 0xe6, 0xf4, 0xf4], [], 4, /wrote 7 to the debug-exit port/],
    ['the guest ends before the text has come', [0xb0, 0x00, 0xe6, 0xf4, 0xf4], ['--expect', 'vm$'], 1, /has not shown "vm\$"/],
    ['the guest triple-faults', [0x0f, 0x01, 0x1e, 0x10, 0x7c, 0xcc], [], 5, /^Triple fault in the VMM\n  The VMM met an exception that it could not deliver, .*\n  What led to it: .* at 0x7c05.*\n\nTriple fault at RIP/],
    ['the instructions are over', [0xeb, 0xfe], ['--max-instructions', '2000000'], 3, /2000000 instructions are over/],
    ['the time is over', [0xeb, 0xfe], ['--timeout', '0.2', '--expect', 'x'], 3, /0\.2 seconds are over, and the console has not shown "x"/],
    ['a forbidden text comes', [0xba, 0xf8, 0x03, 0xb0, 0x21, 0xee, 0xeb, 0xfe], ['--fail-on', '!'], 1, /has shown "!", which --fail-on forbids/],
  ] as const) {
    it(`ends with ${status} when ${what}`, async () => {
      const result = await hyperstep(['run', '--disk', bootDisk('boot.img', [...code]), '--timeout', '50', ...words]);
      assert.match(result.err.trim(), sentence);
      assert.equal(result.status, status);
    });
  }

  it('refuses bad input with one sentence and status 2', async () => {
    const { status, out, err } = await hyperstep(['run', '--dsk', 'a']);
    assert.deepEqual({ status, out, err }, { status: 2, out: '', err: 'hyperstep: There is no option --dsk; did you mean --disk?\n' });
  });

  it('has one sentence for each bad input, and writes nothing', async () => {
    const lab = path.join(ROOT, 'lab/images/complete/vmm.img');
    const foreign = new Uint8Array(64);
    foreign.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
    foreign[18] = 183; // 64-bit ARM
    const cases: [string[], RegExp][] = [
      [['run', '--disk', file('missing.img')], /missing\.img cannot be read: there is no such file\.$/],
      [['run', '--disk', folder], /cannot be read: it is a folder\.$/],
      [['run', '--disk', file('short.img', new Uint8Array(100))], /short\.img is truncated/],
      [['run', '--disk', file('blank.img', new Uint8Array(512))], /blank\.img has no boot signature/],
      [['run', '--disk', file('cut.img', fs.readFileSync(lab).subarray(0, 3000))], /cut\.img is truncated/],
      [['run', '--multiboot', file('arm.elf', foreign)], /arm\.elf is an ELF file for 64-bit ARM/],
      [['run', '--without', 'warp-drive'], /warp-drive/],
      [['run', '--exits', file('no/such/folder.jsonl')], /--exits .* cannot be written/],
      [['run', '--memory', '0'], /"--memory" is "0"/],
      [['walk'], /There is no command walk/],
      [['lab', 'grade'], /does not exist yet/],
      [[], /needs a command/],
    ];
    const trace = file('never.jsonl');
    for (const [words, sentence] of cases) {
      const all = words[0] === 'run' && !words.includes('--exits') ? [...words, '--exits', trace] : words;
      await assert.rejects(perform(all), (error: unknown) => {
        assert(error instanceof UserError, String(error));
        assert.match(error.message, sentence);
        assert(!error.message.includes('\n'));
        return true;
      });
    }
    assert(!fs.existsSync(trace));
  });
});

describe('hyperstep dap', function () {
  this.timeout(30_000);

  it('answers on standard input and output, and ends with the client', async () => {
    const request = (seq: number, command: string, args: unknown): string => {
      const body = JSON.stringify({ seq, type: 'request', command, arguments: args });
      return `Content-Length: ${body.length}\r\n\r\n${body}`;
    };
    const child = spawn(process.execPath, ['--import', 'tsx', MAIN, 'dap'], { cwd: ROOT, stdio: ['pipe', 'pipe', 'inherit'] });
    let out = '';
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString();
      if (out.includes('"command":"initialize"') && !child.stdin.writableEnded) child.stdin.end(request(2, 'disconnect', {}));
    });
    child.stdin.write(request(1, 'initialize', { adapterID: 'hyperstep' }));
    const status = await new Promise((resolve) => child.on('close', resolve));
    assert.match(out, /^Content-Length: \d+\r\n\r\n\{.*"success":true/);
    assert.equal(status, 0);
  });
});
