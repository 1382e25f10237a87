/** The machine-check MSRs: banks as software expects them, though nothing ever goes wrong. */
import assert from 'node:assert/strict';
import { readMsr, writeMsr } from '../../src/cpu/system/msr';
import { createMachine } from '../../src/machine/machine';
import type { Cpu } from '../../src/cpu/engine/cpu';
import { initProcessor } from '../../src/cpu/engine/reset';

const disk = new Uint8Array(512);
disk.set([0x55, 0xaa], 510);
const processor = (without: string[] = []): Cpu => createMachine({ memory: 2 ** 20, cpus: 1, without, drives: [{ name: 'disk', bytes: disk }], boot: { kind: 'disk' } }).cpus[0] as unknown as Cpu;
const CAP = 0x179;
const bank = (n: number) => ({ ctl: 0x400 + n * 4, status: 0x401 + n * 4, addr: 0x402 + n * 4, misc: 0x403 + n * 4 });
const ONES = 0xffff_ffff_ffff_ffffn;
const ODD = 0xaaaa_aaaa_aaaa_aaaan;

describe('machine checks', () => {
  const cpu = processor();
  const banks = Number(readMsr(cpu, CAP)! & 0xffn);

  it('CPUID announces them, and IA32_MCG_CAP tells the banks and IA32_MCG_CTL', () => {
    assert.ok(cpu.features.has('mca'));
    assert.equal(banks, 10);
    assert.equal(readMsr(cpu, CAP)! >> 8n, 1n);
    assert.equal(writeMsr(cpu, CAP, 0n), false);
    assert.equal(writeMsr(cpu, 0x17b, ONES), true);
    assert.equal(readMsr(cpu, 0x17b), ONES);
  });

  it('in every bank all sources are on or off, a status is cleared only, address and the rest are kept', () => {
    for (let n = 0; n < banks; n++) {
      const { ctl, status, addr, misc } = bank(n);
      assert.deepEqual([ONES, 0n].map((v) => [writeMsr(cpu, ctl, v), readMsr(cpu, ctl)]), [[true, ONES], [true, 0n]]);
      assert.equal(writeMsr(cpu, ctl, ODD), false);
      assert.deepEqual([writeMsr(cpu, status, 0n), readMsr(cpu, status), writeMsr(cpu, status, 1n)], [true, 0n, false]);
      for (const index of [addr, misc]) assert.deepEqual([writeMsr(cpu, index, ODD), readMsr(cpu, index)], [true, ODD]);
    }
  });

  it('banks that are not there do not exist, up to where the MSRs of VMX begin', () => {
    for (let index = bank(banks).ctl; index < 0x480; index++) assert.deepEqual([readMsr(cpu, index), writeMsr(cpu, index, 0n)], [undefined, false], index.toString(16));
  });

  it('INIT leaves them as they are', () => {
    writeMsr(cpu, bank(3).addr, 0x1234n);
    initProcessor(cpu);
    assert.equal(readMsr(cpu, bank(3).addr), 0x1234n);
  });

  it('a processor without them has no bank', () => {
    const plain = processor(['mca']);
    assert.equal(readMsr(plain, CAP), 0n);
    assert.equal(readMsr(plain, bank(0).ctl), undefined);
  });
});
