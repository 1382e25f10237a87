/** Stops in code without source: the editor is led to the disassembly, with the frame selected. */
import assert from 'node:assert';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { Client } from './client';

const LAB = path.resolve(__dirname, '../../lab/images/complete');
const OPENS_DISASSEMBLY = { __disassembles: true };

describe('DAP: stops without source', () => {
  let folder: string;
  let client: Client;
  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'hyperstep-'));
    client = new Client();
    for (const name of ['vmm.img', 'guest.img', 'vmm.elf']) fs.copyFileSync(path.join(LAB, name), path.join(folder, name));
  });
  afterEach(async () => {
    await client.end();
    fs.rmSync(folder, { recursive: true });
  });

  const stop = async (more: object): Promise<{ reason: string; description: string; hints: (string | undefined)[] }> => {
    await client.launch({ cwd: folder, boot: { disk: 'vmm.img' }, drives: ['guest.img'], breakOnExit: ['CPUID'], ...more });
    const stopped = client.next('stopped');
    await client.configured();
    const { reason, description } = await stopped;
    const { stackFrames } = await client.request<DebugProtocol.StackTraceResponse['body']>('stackTrace', { threadId: 1 });
    return { reason: String(reason), description: String(description), hints: stackFrames.map(({ presentationHint }) => presentationHint) };
  };

  it('without symbols: at an instruction, and frames stand back for none', async () => {
    const { reason, description, hints } = await stop({ symbols: [], ...OPENS_DISASSEMBLY });
    assert.strictEqual(reason, 'instruction breakpoint');
    assert.match(description, /^VM exit \d+: CPUID/);
    assert.deepStrictEqual(hints.filter((hint) => hint === 'subtle'), []);
  });

  it('with symbols whose sources are elsewhere', async () => {
    const { reason } = await stop({ symbols: ['vmm.elf'], ...OPENS_DISASSEMBLY });
    assert.strictEqual(reason, 'instruction breakpoint');
  });

  it('a VM exit stops at HOST_RIP where no C of the VMM is known, not in the guest or wherever it came', async () => {
    await stop({ symbols: [] });
    const { result } = await client.request<{ result: string }>('evaluate', { expression: '$rip - $vmcs.HOST_RIP', context: 'watch' });
    assert.match(result, /^0\b/);
  });

  it('with source, as ever', async () => {
    const { reason } = await stop({ symbols: ['vmm.elf'], sourceMap: { vmm: path.resolve(LAB, '../../vmm') }, ...OPENS_DISASSEMBLY });
    assert.strictEqual(reason, 'exception');
  });

  it('a client that has not said that it disassembles is told the reason', async () => {
    const { reason } = await stop({ symbols: [] });
    assert.strictEqual(reason, 'exception');
  });

  it('rows in front of the first instruction that is known are not told to be unmapped', async () => {
    await stop({ symbols: ['vmm.elf'] });
    const { stackFrames } = await client.request<DebugProtocol.StackTraceResponse['body']>('stackTrace', { threadId: 1 });
    const top = stackFrames[0]!.instructionPointerReference!;
    const { instructions } = await client.request<DebugProtocol.DisassembleResponse['body'] & object>('disassemble', { memoryReference: top, instructionOffset: -4000, instructionCount: 4010 });
    const texts = new Set(instructions.map(({ instruction }) => instruction));
    assert.ok(texts.has('(no instruction is known to begin here)'), 'from the code of the boot loader on');
    assert.ok(!texts.has('(not mapped)'), 'all that is near is mapped');
  });
});
