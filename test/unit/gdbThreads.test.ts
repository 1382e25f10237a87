/** GDB's threads are the machine's processors. */
import assert from 'node:assert';
import { nodeScheduler } from '../../src/adapter/hosts/nodeScheduler';
import { Debugger } from '../../src/debug/debugger';
import { frame, PacketReader } from '../../src/gdb/framing';
import { GDB_REGISTERS } from '../../src/gdb/registers';
import { GdbStub } from '../../src/gdb/stub';
import { smpMachine } from './machineSmpRig';

function start(cpus: number) {
  let waiting: ((reply: string) => void) | undefined;
  const replies: string[] = [];
  const d: Debugger = new Debugger(smpMachine('spinlock', cpus), nodeScheduler, { stopped: (cause) => stub.stopped(cause), guestMapRead: () => {}, tell: () => {} });
  const stub = new GdbStub({ debugger: d, explain: () => [], killed: () => {} });
  const reader = new PacketReader({
    packet: (reply) => (waiting ? waiting(reply) : void replies.push(reply)),
    interrupt: () => assert.fail(),
    damaged: () => assert.fail('a damaged packet'),
    repeat: () => assert.fail('a packet of ours was not understood'),
  });
  stub.connect((bytes) => reader.bytes(bytes));
  const ask = (payload: string): Promise<string> => {
    stub.receive(frame(payload));
    const ready = replies.shift();
    return ready !== undefined ? Promise.resolve(ready) : new Promise((resolve) => (waiting = (reply) => ((waiting = undefined), resolve(reply))));
  };
  const register = async (name: string): Promise<number> => Buffer.from(await ask(`p${GDB_REGISTERS.findIndex((r) => r.name === name).toString(16)}`), 'hex').readUInt32LE();
  return { ask, register };
}

/** `lock inc dword ptr [RESULTS+12]`, which every processor reaches once. */
const LAST = 'f0ff050c910000';

describe('GDB threads', () => {
  it('are listed, live, and have a word each', async () => {
    const { ask } = start(3);
    assert.strictEqual(await ask('qfThreadInfo'), 'm1,2,3');
    assert.strictEqual(await ask('qsThreadInfo'), 'l');
    assert.strictEqual(await ask('T3'), 'OK');
    assert.strictEqual(await ask('T4'), 'E01');
    assert.strictEqual(await ask('Hg4'), 'E01');
    assert.strictEqual(Buffer.from(await ask('qThreadExtraInfo,2'), 'hex').toString(), 'Processor 1, in the VMM');
    assert.strictEqual(await ask('qC'), 'QC1');
  });

  it('a breakpoint tells the thread that hit it, Hg chooses whose registers are read, and vCont steps one', async () => {
    const { ask, register } = start(3);
    const code = await ask('m100000,200');
    const last = 0x10_0000 + code.indexOf(LAST) / 2;
    assert.strictEqual(await ask(`Z0,${last.toString(16)},1`), 'OK');
    const hit = new Set<string>();
    for (let i = 0; i < 3; i++) hit.add(/thread:(\d);/.exec(await ask('vCont;c'))![1]!);
    assert.deepStrictEqual([...hit].sort(), ['1', '2', '3'], 'each once');
    for (const n of [1, 2, 3]) {
      assert.strictEqual(await ask(`Hg${n}`), 'OK');
      assert.strictEqual(await register('rbx'), n - 1);
    }
    const thread = [...hit].pop()!;
    assert.strictEqual(await ask(`Hg${thread}`), 'OK');
    assert.strictEqual(await register('rip'), last);
    assert.match(await ask(`vCont;s:${thread};c`), new RegExp(`^T05.*thread:${thread};$`));
    assert.strictEqual(await register('rip'), last + LAST.length / 2);
  });
});
