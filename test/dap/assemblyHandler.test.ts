/** Stops at VM exits that the VMM handles in assembly alone: the lab, built with such a handler of CPUID; skipped where there is no compiler. */
import assert from 'node:assert';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Client } from './client';

const LAB = path.resolve(__dirname, '../../lab');
const SOURCES = ['build.mjs', 'tools', 'include', 'lib', 'vmm', 'guest'];
const EXIT = 'asm_vmexit:\n';
/** As a handler in C would, but it hides nothing from the guest. */
const HANDLER = `${EXIT}
    pushq %rax
    movl $0x4402, %eax                 # VM_EXIT_REASON
    vmread %rax, %rax
    cmpl $10, %eax
    popq %rax
    jne in_c
    cpuid
    pushq %rax
    pushq %rbx
    movl $0x681e, %eax                 # GUEST_RIP
    vmread %rax, %rbx
    addq $2, %rbx
    vmwrite %rbx, %rax
    popq %rbx
    popq %rax
    vmresume
in_c:
`;

describe('DAP: VM exits that are handled in assembly', function () {
  this.timeout(120_000);
  let folder: string;
  let client: Client;
  before(function () {
    if (spawnSync('gcc', ['--version']).error) this.skip();
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'hyperstep-assembly-'));
    for (const name of SOURCES) fs.cpSync(path.join(LAB, name), path.join(folder, name), { recursive: true });
    const file = path.join(folder, 'vmm/vmentry.S');
    fs.writeFileSync(file, fs.readFileSync(file, 'utf8').replace(EXIT, HANDLER));
    const built = spawnSync(process.execPath, [path.join(folder, 'build.mjs'), '--state', 'complete', '--cc', 'gcc', '--out', path.join(folder, 'images')], { encoding: 'utf8' });
    assert.strictEqual(built.status, 0, built.stderr);
  });
  after(() => folder && fs.rmSync(folder, { recursive: true }));
  afterEach(() => client.end());

  const launch = async (more: object): Promise<string> => {
    client = new Client();
    await client.launch({ cwd: path.join(folder, 'images/complete'), boot: { disk: 'vmm.img' }, drives: ['guest.img'], symbols: ['vmm.elf', 'guest.elf'], ...more });
    const stopped = client.next('stopped');
    await client.configured();
    return String((await stopped)['description']);
  };
  const value = async (expression: string): Promise<string> => (await client.request<{ result: string }>('evaluate', { expression, context: 'watch' })).result;
  const top = async (): Promise<string> => (await client.request<{ stackFrames: { name: string }[] }>('stackTrace', { threadId: 1 })).stackFrames[0]!.name;
  /** Of the VM exit that a stop is at. */
  const number = (description: string): number => Number(/^VM exit (\d+)/.exec(description)![1]);

  for (const history of [true, false])
    it(`stops at HOST_RIP, not in the guest or at a later exit, ${history ? 'and back to it' : 'without a history'}`, async () => {
      const description = await launch({ breakOnExit: ['CPUID'], history });
      assert.match(description, /^VM exit \d+: CPUID/);
      assert.match(await value('$rip - $vmcs.HOST_RIP'), /^0\b/);
      const leaf = await value('$eax');
      await client.request('setExceptionBreakpoints', { filters: ['exit:CPUID', 'exit:VMCALL'] });
      const next = await client.until('continue');
      assert.match(String(next['description']), /^VM exit \d+: VMCALL/);
      assert(number(String(next['description'])) > number(description));
      if (!history) return;
      const back = await client.until('reverseContinue');
      assert.strictEqual(number(String(back['description'])), number(description));
      assert.match(await value('$rip - $vmcs.HOST_RIP'), /^0\b/);
      assert.strictEqual(await value('$eax'), leaf);
    });

  it('steps out of the guest to HOST_RIP', async () => {
    const file = path.join(folder, 'guest/processor.c');
    const line = fs.readFileSync(file, 'utf8').split('\n').findIndex((text) => text.includes('BP: guest asks for VMX')) + 1;
    await launch({ stopOnEntry: true });
    await client.request('setBreakpoints', { source: { path: file }, breakpoints: [{ line }] });
    await client.until('continue');
    assert.match(await value('$rip - $vmcs.HOST_RIP'), /^-|^0x[^0]|^[1-9]/);
    await client.until('stepOut');
    assert.match(await value('$rip - $vmcs.HOST_RIP'), /^0\b/);
  });

  it('goes on to the handler in C at an exit that has one', async () => {
    assert.match(await launch({ breakOnExit: ['VMCALL'] }), /^VM exit \d+: VMCALL/);
    assert.strictEqual(await top(), 'vmexit');
  });
});
