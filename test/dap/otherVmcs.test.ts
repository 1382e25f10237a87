/** VMCSs that are not current: their fields in expressions and data breakpoints, and one that becomes current for the first time. */
import assert from 'node:assert';
import { HyperstepRequest, type Entry, type VmcsResponse } from '../../src/adapter/messages';
import { marked, Story } from './story';

/** Physical addresses that nobody uses: of the second VMCS, and of code. */
const SECOND = 0x1f00_0000;
const CODE = 0x1f00_1000;

describe('DAP: VMCSs that are not current', () => {
  let story: Story;
  let frameId: number;
  /** The VMCS of the lab's VMM. */
  let first: string;
  beforeEach(async () => {
    story = new Story();
    await story.launch({});
    await story.breakAt(marked('lab/vmm/vmexits.c', 'in handle_cpuid'));
    await story.run();
    await story.client.request('setBreakpoints', { source: marked('lab/vmm/vmexits.c', 'in handle_cpuid').source, breakpoints: [] });
    await look();
    first = (await vmcs()).address!;
  });
  afterEach(() => story.end());

  const look = async (): Promise<void> => {
    frameId = (await story.frames())[0]!.id;
  };
  const vmcs = (address?: string): Promise<VmcsResponse> => story.client.request(HyperstepRequest.vmcs, { address });
  const evaluate = async (expression: string, context = 'watch'): Promise<string> => (await story.client.request<{ result: string }>('evaluate', { expression, context, frameId })).result;
  const type = (expression: string): Promise<string> => evaluate(expression, 'repl');
  const write = async (offset: number, ...bytes: number[]): Promise<void> => {
    const at = /0x[0-9a-f]+/.exec(await type(`KERNBASE + ${CODE + offset},x`))![0];
    await story.client.request('writeMemory', { memoryReference: `vmm:${at}`, data: Buffer.from(bytes).toString('base64') });
  };
  const row = async (address: string, name: string): Promise<Entry> => (await vmcs(address)).groups.flatMap((g) => g.entries).find((e) => e.name === name)!;

  /** Code that makes the second VMCS current, then writes RAX to its field RDX, and goes round in circles. */
  const prepare = async (): Promise<void> => {
    await type(`*(uint32_t *)(KERNBASE + ${SECOND}) = *(uint32_t *)hpa:$vmcs & 0x7fffffff`);
    await write(0, 0x0f, 0xc7, 0x35, 0xf9, 0, 0, 0); // vmptrld [rip + 0xf9]
    await write(7, 0x0f, 0x79, 0xd0); //                vmwrite rdx, rax
    await write(10, 0xeb, 0xfe); //                     jmp to itself
    await write(0x100, ...new Uint8Array(new BigUint64Array([BigInt(SECOND)]).buffer));
    await type('$rdx = 0x681e');
    await type('$rax = 0x1234');
    await type(`$rip = KERNBASE + ${CODE}`);
  };
  const makeCurrent = async (): Promise<void> => {
    await prepare();
    await story.client.until('stepIn', { granularity: 'instruction' });
    await look();
  };

  it('are named by their address, physical or as the VMM points to them', async () => {
    const rip = await evaluate('$vmcs.GUEST_RIP');
    assert.strictEqual(await evaluate(`$vmcs(${first}).GUEST_RIP`), rip, 'the current one may be named by its address too');
    await makeCurrent();
    assert.strictEqual(await evaluate('$vmcs.GUEST_RIP == 0'), '1');
    for (const address of [first, `${first} + 0`, `KERNBASE + ${first}`, `hpa:${first}`]) assert.strictEqual(await evaluate(`$vmcs(${address}).GUEST_RIP`), rip, address);
    assert.strictEqual(await evaluate(`$vmcs[${first}].guest_rip`), rip);
    assert.match(await evaluate(`$vmcs(${first}).VM_EXIT_REASON`), /^CPUID/);
    assert.strictEqual(await evaluate(`$vmcs(${first})`), `VMCS at hpa:${first}`);
    assert.match(await evaluate('$vmm'), /^registers of the VMM, RIP 0x[0-9a-f]+$/);
    await assert.rejects(evaluate('$vmcs.GUEST'), /^RequestFailed: The VMCS has no field GUEST\.$|^Error: The VMCS has no field GUEST\.$/);
    await assert.rejects(evaluate('$vmcs->GUEST_RIP'), /\$vmcs is an unsigned long, not a pointer: write "\." instead of "->"/);
    await assert.rejects(evaluate('$vmcs(0x5000).GUEST_RIP'), new RegExp(`No VMCS is at 0x5000, neither physical nor as the VMM's pointer: those that have been current are at ${first}, 0x1f000000\\.`));
    await assert.rejects(evaluate(`$vmcs(${first}).GUEST_RPI`), new RegExp(`The VMCS has no field GUEST_RPI: did you mean \\$vmcs\\(${first}\\)\\.GUEST_RIP\\?`));
    await assert.rejects(evaluate('$vmcs(0x5000'), /"\)"/);
  });

  it('are changed, and the change is there when they become current', async () => {
    await prepare();
    await type(`$vmcs(${SECOND}).GUEST_CS_SELECTOR = 0x12345`);
    await story.client.request('setExpression', { expression: `$vmcs(${SECOND}).GUEST_RSP`, value: '0x7000', frameId });
    const variable = await story.client.request<{ value: string }>('setExpression', { expression: `$vmcs(${SECOND}).TSC_OFFSET`, value: '5', frameId });
    assert.match(variable.value, /5/);
    await story.client.until('stepIn', { granularity: 'instruction' });
    await look();
    assert.strictEqual((await vmcs()).address, '0x1f000000');
    assert.deepStrictEqual([await type('$vmcs.GUEST_CS_SELECTOR == 0x2345'), await type('$vmcs.GUEST_RSP == 0x7000'), await type('$vmcs.TSC_OFFSET == 5')], ['1', '1', '1']);
    // Who made another VMCS current still changes the first one.
    await type(`$vmcs(${first}).GUEST_RSP = 0x5678`);
    assert.match(await evaluate(`$vmcs(${first}).GUEST_RSP`), /0x0*5678/);
  });

  it('have rows that Watch takes', async () => {
    await makeCurrent();
    const { evaluateName, value } = await row(first, 'GUEST_RSP');
    assert.strictEqual(evaluateName, `$vmcs(${first}).GUEST_RSP`);
    assert.strictEqual(await evaluate(evaluateName), value);
    assert.strictEqual((await row(first, 'GUEST_RSP')).memoryReference, undefined, 'the guest of another VMCS has another memory');
    assert.strictEqual((await row('0x1f000000', 'GUEST_RSP')).evaluateName, '$vmcs.GUEST_RSP');
  });

  it('are completed: addresses, then fields', async () => {
    await makeCurrent();
    const complete = async (text: string): Promise<string[]> => (await story.client.request<{ targets: { label: string; text?: string }[] }>('completions', { text, column: text.length + 1, frameId })).targets.map((t) => t.text ?? t.label);
    assert.deepStrictEqual(await complete('1 + $vmcs('), [`${first})`, '0x1f000000)']);
    assert.deepStrictEqual(await complete('$vmcs[0x1f0'), ['0x1f000000]']);
    assert.deepStrictEqual(await complete(`$vmcs(${first}).GUEST_RI`), ['GUEST_RIP']);
    assert.deepStrictEqual(await complete('$vmcs(g->ept_root).HOST_RI'), ['HOST_RIP']);
  });

  it('are watched by expression', async () => {
    await makeCurrent();
    const { dataId, description } = await story.client.request<{ dataId: string; description: string }>('dataBreakpointInfo', { name: `$vmcs(KERNBASE + ${SECOND}).GUEST_RIP`, mode: 'change', frameId });
    assert.match(description, /VMCS field GUEST_RIP of the VMCS at hpa:0x1f000000/);
    await story.client.request('setDataBreakpoints', { breakpoints: [{ dataId }] });
    assert.match(String((await story.client.until('continue'))['description']), /changed: it was 0x0 and is 0x1234/);
  });

  it('tells the first write to a VMCS that has never been current as a change', async () => {
    await prepare();
    const { dataId } = await story.client.request<{ dataId: string }>('dataBreakpointInfo', { name: '$vmcs.GUEST_RIP', mode: 'change', frameId });
    await story.client.request('setDataBreakpoints', { breakpoints: [{ dataId }] });
    assert.match(String((await story.client.until('continue'))['description']), /\$vmcs\.GUEST_RIP changed: it was 0x0 and is 0x1234/);
    assert.strictEqual((await vmcs()).address, '0x1f000000');
  });
});
