/** Messages between the APICs of several processors: who gets them. */
import assert from 'node:assert/strict';
import { readMsr } from '../../src/cpu/system/msr';
import { cpuid } from '../../src/cpu/system/cpuid';
import { board } from './machineBoard';
import { smpMachine } from './machineSmpRig';

const ICR = 0x300;
const ICR_HIGH = 0x310;
const LDR = 0xd0;
const DFR = 0xe0;
const ESR = 0x280;
const IO_APIC = 0xfec0_0000;

type Rig = ReturnType<typeof board>;
/** Four processors, their local APICs enabled. */
function four(): Rig {
  const rig = board([], [], 4);
  for (const apic of rig.board.localApics) apic.initialise();
  return rig;
}
/** Which processors have an interrupt waiting, each with its vector; they are taken and ended. */
const taken = (rig: Rig): string[] =>
  rig.board.localApics.flatMap((apic, n) => {
    const vectors: string[] = [];
    while (apic.pending()) {
      vectors.push(`${n}:${apic.acknowledge().toString(16)}`);
      apic.endOfInterrupt();
    }
    return vectors;
  });
const asCpu = (rig: Rig, n: number, action: () => void): void => {
  rig.current = n;
  action();
  rig.current = 0;
};
const send = (rig: Rig, from: number, low: number, high = 0): string[] => {
  asCpu(rig, from, () => {
    rig.setApic(ICR_HIGH, high);
    rig.setApic(ICR, low);
  });
  return taken(rig);
};
const redirect = (rig: Rig, input: number, low: number, high: number): void => {
  for (const [register, value] of [[0x11 + 2 * input, high], [0x10 + 2 * input, low]] as const) {
    rig.bus.write(IO_APIC, 4, register);
    rig.bus.write(IO_APIC + 0x10, 4, value);
  }
};

describe('interprocessor interrupts', () => {
  it('by physical identifier, and to all with 0xFF', () => {
    const rig = four();
    assert.deepEqual(send(rig, 0, 0x4041, 2 << 24), ['2:41']);
    assert.deepEqual(send(rig, 3, 0x4041, 3 << 24), ['3:41']);
    assert.deepEqual(send(rig, 0, 0x4041, 9 << 24), []);
    assert.deepEqual(send(rig, 1, 0x4041, 0xff << 24), ['0:41', '1:41', '2:41', '3:41']);
  });
  it('by shorthand: self, all, all others', () => {
    const rig = four();
    assert.deepEqual(send(rig, 2, 0x4_4041), ['2:41']);
    assert.deepEqual(send(rig, 2, 0x8_4041), ['0:41', '1:41', '2:41', '3:41']);
    assert.deepEqual(send(rig, 2, 0xc_4041), ['0:41', '1:41', '3:41']);
  });
  it('by logical destination: the flat model, and clusters', () => {
    const rig = four();
    for (let n = 0; n < 4; n++) asCpu(rig, n, () => rig.setApic(LDR, (1 << n) << 24));
    assert.deepEqual(send(rig, 0, 0x4841, 0b1010 << 24), ['1:41', '3:41']);
    for (let n = 0; n < 4; n++) {
      asCpu(rig, n, () => {
        rig.setApic(DFR, 0x0fff_ffff);
        rig.setApic(LDR, (((n >> 1) << 4) | (1 << (n & 1))) << 24);
      });
    }
    assert.deepEqual(send(rig, 0, 0x4841, 0x13 << 24), ['2:41', '3:41']);
    assert.deepEqual(send(rig, 0, 0x4841, 0x02 << 24), ['1:41']);
  });
  it('lowest priority goes to one: the least busy', () => {
    const rig = four();
    for (const [n, priority] of [0x40, 0x20, 0x30, 0x20].entries()) asCpu(rig, n, () => rig.setApic(0x80, priority));
    assert.deepEqual(send(rig, 0, 0x4151, 0xff << 24), ['1:51']);
    asCpu(rig, 1, () => rig.setApic(0x80, 0x50));
    assert.deepEqual(send(rig, 0, 0x4151, 0xff << 24), ['3:51']);
  });
  it('NMI, INIT and start-up reach who is addressed, even when its APIC is disabled by software; de-asserted INIT does nothing', () => {
    const rig = four();
    asCpu(rig, 1, () => rig.setApic(0xf0, 0xff));
    send(rig, 0, 0xc_4400);
    send(rig, 0, 0xc_4500);
    send(rig, 0, 0x4609, 1 << 24);
    send(rig, 0, 0x8_8500);
    assert.deepEqual(rig.events, ['NMI 1', 'NMI 2', 'NMI 3', 'INIT 1', 'INIT 2', 'INIT 3', 'start 1 at 9']);
    assert.deepEqual(send(rig, 0, 0x4041, 1 << 24), [], 'fixed interrupts do not');
  });
  it('vectors below 16 are an error of the sender, told by ESR and the error interrupt', () => {
    const rig = four();
    rig.setApic(0x370, 0xfe);
    assert.deepEqual(send(rig, 0, 0x400f, 1 << 24), ['0:fe']);
    assert.equal(rig.apic(ESR), 0, 'latched by a write');
    rig.setApic(ESR, 0);
    assert.equal(rig.apic(ESR), 0x20);
    assert.equal(rig.apic(0x40), 0, 'there is no such register');
    rig.setApic(ESR, 0);
    assert.equal(rig.apic(ESR), 0x80);
  });
  it('in x2APIC mode: 32-bit destinations, clusters by identifier, and mixed with xAPIC mode', () => {
    const rig = four();
    const [first, second] = rig.board.localApics;
    for (const apic of [first!, second!]) apic.setBase(0xfee0_0d00n);
    assert.equal(second!.read(0x80d), 2n);
    assert.ok(first!.write(0x830, 0x0000_0001_0000_4041n));
    assert.deepEqual(taken(rig), ['1:41']);
    assert.ok(first!.write(0x830, 0x0000_0003_0000_4842n));
    assert.deepEqual(taken(rig), ['0:42', '1:42']);
    assert.ok(first!.write(0x830, 0xffff_ffff_0000_4043n));
    assert.deepEqual(taken(rig), ['0:43', '1:43', '2:43', '3:43']);
    assert.ok(first!.write(0x830, 0x0000_00ff_0000_4043n));
    assert.deepEqual(taken(rig), [], '0xFF is one identifier');
    assert.deepEqual(send(rig, 2, 0x4044, 1 << 24), ['1:44']);
    assert.equal(first!.write(0x830, 0x2000n), false, 'reserved bits');
    assert.ok(first!.write(0x830, 0x0000_0001_0000_5045n), 'the former delivery status');
    assert.deepEqual(taken(rig), ['1:45']);
    assert.equal(first!.write(0x80b, 1n), false);
    assert.equal(first!.write(0x828, 1n), false);
    assert.equal(first!.read(0x80b), undefined);
    assert.equal(first!.read(0x809), undefined, 'no arbitration priority');
    assert.equal(first!.read(0x831), undefined);
  });
  it('each processor finds its own registers at the same address', () => {
    const rig = four();
    for (let n = 0; n < 4; n++) asCpu(rig, n, () => assert.equal(rig.apic(0x20) >>> 24, n));
    asCpu(rig, 2, () => rig.setApic(0x80, 0x70));
    assert.equal(rig.apic(0x80), 0);
    rig.board.localApics[3]!.setBase(0x20_0800n);
    asCpu(rig, 3, () => assert.equal(rig.bus.read(0x20_0020, 4) >>> 24, 3, 'moved to RAM'));
    rig.bus.write(0x20_0080, 4, 0x1234_5678);
    assert.equal(rig.bus.read(0x20_0080, 4), 0x1234_5678, 'the others find RAM there');
    asCpu(rig, 3, () => assert.equal(rig.bus.read(0x20_0080, 4), 0));
  });
});

describe('I/O APIC with several processors', () => {
  it('delivers to the processor that is named, by identifier or logically', () => {
    const rig = four();
    for (let n = 0; n < 4; n++) asCpu(rig, n, () => rig.setApic(LDR, (1 << n) << 24));
    redirect(rig, 5, 0x0061, 3 << 24);
    rig.board.ioApic.setLine(5, true);
    rig.board.ioApic.setLine(5, false);
    assert.deepEqual(taken(rig), ['3:61']);
    redirect(rig, 5, 0x0961, 0b0110 << 24);
    rig.board.ioApic.setLine(5, true);
    assert.deepEqual(taken(rig), ['1:61'], 'lowest priority: one of them');
  });
  it('a level interrupt comes again until the line falls, and waits for its EOI', () => {
    const rig = four();
    redirect(rig, 9, 0x8062, 2 << 24);
    rig.board.ioApic.setLine(9, true);
    const apic = rig.board.localApics[2]!;
    assert.equal(apic.acknowledge(), 0x62);
    rig.bus.write(IO_APIC, 4, 0x10 + 18);
    assert.equal(rig.bus.read(IO_APIC + 0x10, 4) & 0x4000, 0x4000, 'remote IRR');
    apic.endOfInterrupt();
    assert.equal(apic.acknowledge(), 0x62);
    rig.board.ioApic.setLine(9, false);
    apic.endOfInterrupt();
    assert.equal(apic.pending(), false);
    assert.equal(rig.bus.read(IO_APIC + 0x10, 4) & 0x4000, 0);
  });
  it('ExtINT has the 8259s asked for the vector', () => {
    const rig = four();
    rig.initialisePics();
    for (let n = 0; n < 4; n++) asCpu(rig, n, () => rig.setApic(0x350, 0x1_0700)); // LINT0 masked
    redirect(rig, 0, 0x0700, 1 << 24);
    rig.board.pic.setLine(3, true);
    assert.deepEqual(taken(rig), []);
    rig.board.ioApic.setLine(0, true);
    assert.equal(rig.board.localApics[1]!.acknowledge(), 0x23);
  });
});

describe('CPUID with several processors', () => {
  it('tells one package of cores: leaves 1, 4 and 0BH', () => {
    const machine = smpMachine('spinlock', 3);
    machine.cpus.forEach((cpu, n) => {
      const leaf1 = cpuid(cpu, 1, 0);
      assert.deepEqual([leaf1.ebx >>> 24, (leaf1.ebx >>> 16) & 0xff, (leaf1.edx >>> 28) & 1], [n, 4, 1]);
      assert.deepEqual([cpuid(cpu, 4, 0).eax >>> 26, (cpuid(cpu, 4, 0).eax >>> 14) & 0xfff], [3, 0]);
      assert.deepEqual(cpuid(cpu, 0xb, 0), { eax: 0, ebx: 1, ecx: 0x100, edx: n });
      assert.deepEqual(cpuid(cpu, 0xb, 1), { eax: 2, ebx: 3, ecx: 0x201, edx: n });
      assert.deepEqual(cpuid(cpu, 0xb, 2), { eax: 0, ebx: 0, ecx: 2, edx: n });
      assert.equal(readMsr(cpu, 0x1b)! & 0x100n, n === 0 ? 0x100n : 0n, 'BSP');
    });
    const single = smpMachine('spinlock', 1).cpus[0]!;
    assert.deepEqual([(cpuid(single, 1, 0).ebx >>> 16) & 0xff, (cpuid(single, 1, 0).edx >>> 28) & 1], [1, 0]);
  });
});
