/** Launches that cannot be: one clear sentence each, nothing hangs, nothing is written. */
import assert from 'node:assert';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Client, type RequestFailed } from './client';

const LAB = path.resolve(__dirname, '../../lab');

describe('DAP: bad input', () => {
  let folder: string;
  let client: Client;
  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'hyperstep-'));
    client = new Client();
  });
  afterEach(async () => {
    await client.end();
    fs.rmSync(folder, { recursive: true });
  });

  const file = (name: string, bytes: Uint8Array): string => {
    fs.writeFileSync(path.join(folder, name), bytes);
    return name;
  };
  const refused = async (configuration: object, pattern: RegExp): Promise<void> => {
    const before = fs.readdirSync(folder);
    await client.request('initialize', { adapterID: 'hyperstep' });
    await assert.rejects(client.request('launch', { cwd: folder, ...configuration }), pattern);
    assert.deepStrictEqual(fs.readdirSync(folder), before);
  };
  const lab = (name: string): Uint8Array => fs.readFileSync(path.join(LAB, 'images/complete', name));

  it('a missing image', () => refused({ boot: { disk: 'nowhere.img' } }, /nowhere\.img does not exist/));
  it('a folder in place of an image', () => refused({ boot: { disk: '.' } }, /is a folder, not a file/));
  it('a truncated image', () => refused({ boot: { disk: file('short.img', lab('vmm.img').subarray(0, 300)) } }, /short\.img is truncated/));
  it('a disk without a boot signature', () => refused({ boot: { disk: file('plain.img', new Uint8Array(4096)) } }, /plain\.img has no boot signature/));
  it('an ELF of another machine', () => {
    const elf = Uint8Array.from(lab('vmm.elf'));
    elf[18] = 183;
    return refused({ boot: { multiboot: file('arm.elf', elf) } }, /arm\.elf is an ELF file for 64-bit ARM/);
  });
  it('symbols of another machine', () => {
    const elf = Uint8Array.from(lab('vmm.elf'));
    elf[18] = 243;
    return refused({ boot: { lab: true }, symbols: [file('riscv.elf', elf)] }, /riscv\.elf is an ELF file for RISC-V/);
  });
  it('a truncated ELF', () => refused({ boot: { lab: true }, symbols: [file('cut.elf', lab('vmm.elf').subarray(0, 5000))] }, /cut\.elf is truncated/));
  it('memory of nothing and of a petabyte', async () => {
    await refused({ machine: { memory: '0' } }, /"machine\.memory" is "0"/);
    await assert.rejects(client.request('launch', { machine: { memory: '1P' } }), /"machine\.memory" is "1P"/);
  });
  it('an unknown key', () => refused({ machin: {} }, /"machin" is not a key of the launch configuration: did you mean "machine"\?/));
  it('an unknown feature', () => refused({ machine: { cpu: { without: ['etp'] } } }, /no feature "etp" to do without: did you mean ept\?/));
  it('the beginning of features', () => refused({ machine: { cpu: { without: ['unrestricted'] } } }, /did you mean unrestricted-guest\?/));
  it('a condition that would change the machine', () => refused({ breakOnExit: ['CPUID if leaf = 1'] }, /must not change the machine: compare with ==/));
  it('a tree that is not built, with the command that builds it where the client has one', async () => {
    fs.writeFileSync(path.join(folder, 'Makefile'), '');
    await client.request('initialize', { adapterID: 'hyperstep' });
    await assert.rejects(client.request('launch', { cwd: folder, boot: { disk: 'k.img' }, __remedyNotBuilt: { command: 'build', title: 'Build' } }), (failed: RequestFailed) => {
      assert.match(failed.message, /k\.img does not exist: run make first/);
      assert.deepStrictEqual([failed.error.url, failed.error.urlLabel], ['command:build', 'Build']);
      return true;
    });
  });
  it('an unknown VM exit', () => refused({ breakOnExit: ['CPUDI'] }, /did you mean "CPUID"/));
  it('a condition that cannot be read', () => refused({ breakOnExit: ['CPUID if leaf =='] }, /wrong condition/));
  it('a log message that cannot be read', () => refused({ breakOnExit: ['CPUID log: leaf {leaf +}'] }, /"breakOnExit": \{leaf \+\} of the log message cannot be read: The expression ends/));
  it('more processors than there are', () => refused({ machine: { cpus: 9 } }, /cpus/));

  it('a source newer than the image is told, and the launch goes on', async () => {
    fs.cpSync(path.join(LAB, 'images/complete'), path.join(folder, 'images/complete'), { recursive: true });
    fs.cpSync(path.join(LAB, 'vmm'), path.join(folder, 'vmm'), { recursive: true });
    const old = new Date(2020, 1, 1);
    for (const name of fs.readdirSync(path.join(folder, 'images/complete'))) fs.utimesSync(path.join(folder, 'images/complete', name), old, old);
    for (const name of fs.readdirSync(path.join(folder, 'vmm'))) fs.utimesSync(path.join(folder, 'vmm', name), old, old);
    fs.utimesSync(path.join(folder, 'vmm/vmx.c'), new Date(2021, 1, 1), new Date(2021, 1, 1));
    await client.launch({ cwd: folder });
    assert.match(client.console, /vmm\/vmx\.c changed after vmm\.elf was built: build it again/);
    assert.doesNotMatch(client.console, /guest\.elf/);
  });

  it('symbols of another build than the image are told, and the launch goes on', async () => {
    const elf = Uint8Array.from(lab('vmm.elf'));
    // Somewhere in its code, a kilobyte is another.
    elf.copyWithin(0x2400, 0x2410, 0x2800);
    for (const [name, bytes] of [['vmm.img', lab('vmm.img')], ['guest.img', lab('guest.img')], ['vmm.elf', elf], ['guest.elf', lab('guest.elf')]] as const) file(name, bytes);
    await client.launch({ cwd: folder, boot: { disk: 'vmm.img' }, drives: ['guest.img'], symbols: ['vmm.elf', { file: 'guest.elf', world: 'guest' }] });
    assert.match(client.console, /^vmm\.img holds another build than vmm\.elf, whose symbols are used: make both again/m);
    assert.doesNotMatch(client.console, /guest\.elf/);
  });

  it('symbols that are built again while the session runs are told at the next stop, once', async () => {
    const symbols = path.join(folder, 'symbols');
    fs.mkdirSync(symbols);
    for (const name of ['vmm.elf', 'guest.elf']) fs.writeFileSync(path.join(symbols, name), lab(name));
    await client.launch({ cwd: folder, boot: { lab: true }, symbols: [{ file: 'symbols/*.elf' }], stopOnEntry: true });
    const entry = client.next('stopped');
    await client.configured();
    await entry;
    assert.doesNotMatch(client.console, /built again/);
    fs.utimesSync(path.join(symbols, 'vmm.elf'), new Date(), new Date(Date.now() + 60_000));
    const said = client.next('output', ({ output }) => /built again/.test(String(output)));
    await client.until('stepIn', { threadId: 1, granularity: 'instruction' });
    await said;
    for (let i = 0; i < 2; i++) await client.until('stepIn', { threadId: 1, granularity: 'instruction' });
    const told = client.console.match(/vmm\.elf was built again while the session runs[^\n]*: start anew to use it\./g);
    assert.strictEqual(told?.length, 1, client.console);
    assert.doesNotMatch(client.console, /guest\.elf was built/);
  });
});
