/** The GDB stub over the lab, packet by packet. */
import assert from 'node:assert';
import fs from 'node:fs';
import path from 'node:path';
import { nodeScheduler } from '../../src/adapter/hosts/nodeScheduler';
import { Debugger } from '../../src/debug/debugger';
import { frame, PacketReader } from '../../src/gdb/framing';
import { fromLittleEndian, textToHex } from '../../src/gdb/hexText';
import { GDB_REGISTERS } from '../../src/gdb/registers';
import { GdbStub } from '../../src/gdb/stub';
import { createMachine } from '../../src/machine/machine';
import { SymbolImage } from '../../src/symbols/image';
import { bestOf } from '../dap/bestOf';

const LAB = path.resolve(__dirname, '../../lab/images/complete');
const bytes = (name: string): Uint8Array => fs.readFileSync(path.join(LAB, name));
const vmm = SymbolImage.open('vmm.elf', bytes('vmm.elf'));
const addressOf = (name: string): bigint => vmm.afterPrologue(vmm.findFunctions(name)[0]!);

/** GDB's side: sends packets and waits for their replies. */
class Gdb {
  stub!: GdbStub;
  killed = false;
  debugger!: Debugger;
  /** Console text of O packets. */
  shown = '';
  private replies: string[] = [];
  private waiting: ((reply: string) => void) | undefined;
  private readonly reader = new PacketReader({
    packet: (reply) => this.replied(reply),
    interrupt: () => assert.fail(),
    damaged: () => assert.fail('a damaged packet'),
    repeat: () => assert.fail('a packet of ours was not understood'),
  });

  static async start(): Promise<Gdb> {
    const gdb = new Gdb();
    const machine = await createMachine({ memory: 64 << 20, cpus: 1, without: [], drives: ['vmm.img', 'guest.img'].map((name) => ({ name, bytes: bytes(name) })), boot: { kind: 'disk' } });
    const d = new Debugger(machine, nodeScheduler, { stopped: (cause) => gdb.stub.stopped(cause), guestMapRead: () => {}, tell: () => {} });
    d.stopAt = 'exit';
    gdb.debugger = d;
    gdb.stub = new GdbStub({ debugger: d, explain: (cause) => [cause.kind], killed: () => (gdb.killed = true) });
    gdb.connect();
    return gdb;
  }

  connect(): void {
    this.stub.connect((b) => this.reader.bytes(b));
  }

  private replied(reply: string): void {
    if (/^O[0-9a-f]/.test(reply)) this.shown += Buffer.from(reply.slice(1), 'hex').toString();
    else if (this.waiting) this.waiting(reply);
    else this.replies.push(reply);
  }

  ask(payload: string): Promise<string> {
    this.stub.receive(frame(payload));
    const ready = this.replies.shift();
    return ready !== undefined ? Promise.resolve(ready) : new Promise((resolve) => (this.waiting = (reply) => ((this.waiting = undefined), resolve(reply))));
  }

  interrupt(): void {
    this.stub.receive(Uint8Array.of(3));
  }

  async register(name: string): Promise<bigint | undefined> {
    return fromLittleEndian(await this.ask('p' + GDB_REGISTERS.findIndex((r) => r.name === name).toString(16)));
  }

  async monitor(words: string): Promise<string> {
    this.shown = '';
    assert.strictEqual(await this.ask('qRcmd,' + textToHex(words)), 'OK');
    return this.shown;
  }
}

describe('GDB stub', () => {
  let gdb: Gdb;
  beforeEach(async () => (gdb = await Gdb.start()));

  it('greets as GDB expects', async () => {
    assert.match(await gdb.ask('qSupported:multiprocess+;swbreak+'), /^PacketSize=[0-9a-f]+;.*qXfer:features:read\+.*swbreak\+/);
    assert.strictEqual(await gdb.ask('vMustReplyEmpty'), '');
    assert.strictEqual(await gdb.ask('QStartNoAckMode'), 'OK');
    assert.match(await gdb.ask('?'), /^T05.*thread:1;$/);
    assert.strictEqual(await gdb.ask('qfThreadInfo'), 'm1');
    assert.strictEqual(await gdb.ask('qsThreadInfo'), 'l');
    assert.strictEqual(await gdb.ask('qAttached'), '1');
    assert.strictEqual(await gdb.ask('vCont?'), 'vCont;c;C;s;S');
  });

  it('describes a 64-bit target in pieces, and g has as many bytes', async () => {
    let xml = '';
    for (let part = 'm'; part[0] === 'm'; xml += part.slice(1)) part = await gdb.ask(`qXfer:features:read:target.xml:${xml.length.toString(16)},1f3`);
    assert.match(xml, /<architecture>i386:x86-64<\/architecture>/);
    const bits = [...xml.matchAll(/<reg .*?bitsize="(\d+)"/g)].reduce((sum, [, n]) => sum + Number(n), 0);
    assert.strictEqual((await gdb.ask('g')).length, bits / 4);
  });

  it('shows real mode by linear addresses', async () => {
    assert.strictEqual(await gdb.register('rip'), 0xffff_fff0n);
    assert.strictEqual(await gdb.register('cs'), 0xf000n);
    assert.match(await gdb.ask('m7c00,4'), /^[0-9a-f]{8}$/);
  });

  it('writes registers and memory', async () => {
    const rbx = GDB_REGISTERS.findIndex((r) => r.name === 'rbx').toString(16);
    assert.strictEqual(await gdb.ask(`P${rbx}=efbeadde00000000`), 'OK');
    assert.strictEqual(await gdb.register('rbx'), 0xdead_beefn);
    const xmm3 = GDB_REGISTERS.findIndex((r) => r.name === 'xmm3').toString(16);
    assert.strictEqual(await gdb.ask(`P${xmm3}=0102030405060708090a0b0c0d0e0f10`), 'OK');
    assert.strictEqual(await gdb.register('xmm3'), 0x100f0e0d0c0b0a090807060504030201n);
    assert.strictEqual(await gdb.ask('M9000,3:414243'), 'OK');
    assert.strictEqual(await gdb.ask('X9003,2:#$'), 'OK');
    assert.strictEqual(await gdb.ask('m9000,5'), '4142432324');
    const all = await gdb.ask('g');
    assert.strictEqual(await gdb.ask('G' + all), 'OK');
    assert.strictEqual(await gdb.ask('g'), all);
  });

  it('stops at breakpoints, steps, and goes on to the next', async () => {
    const at = addressOf('handle_cpuid');
    assert.strictEqual(await gdb.ask(`Z0,${at.toString(16)},1`), 'OK');
    assert.match(await gdb.ask('vCont;c'), /^T05.*swbreak:;thread:1;$/);
    assert.strictEqual(await gdb.register('rip'), at);
    assert.match(await gdb.ask('vCont;s:1;c'), /^T05.*thread:1;$/);
    assert.notStrictEqual(await gdb.register('rip'), at);
    assert.strictEqual(await gdb.ask(`z0,${at.toString(16)},1`), 'OK');
    const vmcall = addressOf('handle_hlt');
    assert.strictEqual(await gdb.ask(`Z1,${vmcall.toString(16)},1`), 'OK');
    assert.match(await gdb.ask('c'), /hwbreak:;/);
    assert.strictEqual(await gdb.register('rip'), vmcall);
  });

  it('watches memory: written, read, accessed', async () => {
    await gdb.ask(`Z0,${addressOf('handle_cpuid').toString(16)},1`);
    await gdb.ask('c');
    const slot = ((await gdb.register('rsp'))! - 8n).toString(16);
    for (const [packet, stop] of [['Z2', 'watch'], ['Z3', 'rwatch'], ['Z4', 'awatch']]) {
      assert.strictEqual(await gdb.ask(`${packet},${slot},8`), 'OK');
      assert.match(await gdb.ask('c'), new RegExp(`^T05.*;${stop}:${slot};thread:1;$`));
      assert.strictEqual(await gdb.ask(`${packet!.replace('Z', 'z')},${slot},8`), 'OK');
    }
  });

  it('goes back: by instruction, to the last breakpoint, to the beginning', async () => {
    gdb.debugger.keepHistory(() => performance.now());
    await gdb.ask(`Z0,${addressOf('handle_cpuid').toString(16)},1`);
    await gdb.ask('c');
    const at = await gdb.register('rip');
    for (let i = 0; i < 3; i++) await gdb.ask('s');
    const last = await gdb.register('rip');
    await gdb.ask('s');
    await gdb.ask('bs');
    assert.strictEqual(await gdb.register('rip'), last);
    assert.match(await gdb.ask('bc'), /swbreak:;/);
    assert.strictEqual(await gdb.register('rip'), at);
    assert.match(await gdb.ask('bc'), /replaylog:begin;/);
  });

  it('shows either world, and steps in the one that is shown', async () => {
    await gdb.ask(`Z0,${addressOf('handle_cpuid').toString(16)},1`);
    await gdb.ask('c');
    const inVmm = await gdb.register('rip');
    assert.match(await gdb.monitor('world guest'), /guest's/);
    const inGuest = await gdb.register('rip');
    assert.notStrictEqual(inGuest, inVmm);
    assert.strictEqual(await gdb.ask(`m${inGuest!.toString(16)},2`), '0fa2');
    // A step of the guest is over when the guest goes on behind its CPUID.
    await gdb.ask('s');
    assert.strictEqual(await gdb.register('rip'), inGuest! + 2n);
    assert.match(await gdb.monitor('world vmm'), /VMM's; the processor is in the guest/);
    await gdb.ask('s');
    assert.match(await gdb.monitor('info'), /the processor is in the VMM/);
  });

  it('is interrupted within 50 ms', async () => {
    const interrupt = async (): Promise<number> => {
      const stopped = gdb.ask('c');
      await new Promise((resolve) => setTimeout(resolve, 100));
      const asked = performance.now();
      gdb.interrupt();
      assert.match(await stopped, /^T02/);
      return performance.now() - asked;
    };
    assert((await bestOf(50, interrupt)) < 50);
  });

  it('tells of exits, VMCS and memory maps', async () => {
    assert.match(await gdb.monitor('vmcs'), /There is no current VMCS/);
    assert.match(await gdb.monitor('exits'), /no VM exit/);
    await gdb.ask(`Z0,${addressOf('handle_cpuid').toString(16)},1`);
    await gdb.ask('c');
    assert.match(await gdb.monitor('vmcs guest_rip'), /GUEST_RIP +0x/);
    assert.match(await gdb.monitor('vmcs GUEST_RPI'), /did you mean GUEST_RIP/);
    assert.match(await gdb.monitor('exits 1'), /VM exit \d+: CPUID leaf 1/);
    assert.match(await gdb.monitor('e820'), /The guest was told/);
    assert.match(await gdb.monitor('help'), /monitor world/);
    assert.match(await gdb.monitor('wrold'), /did you mean world/);
  });

  it('goes back to power-on, lets go, and is there for the next GDB', async () => {
    await gdb.ask(`Z0,${addressOf('handle_cpuid').toString(16)},1`);
    await gdb.ask('c');
    await gdb.monitor('restart');
    assert.strictEqual(await gdb.register('rip'), 0xffff_fff0n);
    assert.match(await gdb.ask('c'), /swbreak/);
    assert.strictEqual(await gdb.ask('D'), 'OK');
    gdb.stub.disconnect();
    gdb.connect();
    // The machine runs: it is stopped for the question.
    assert.match(await gdb.ask('?'), /^T02/);
    gdb.stub.receive(frame('k'));
    assert(gdb.killed);
  });
});
