/** x2APIC mode and the TSC deadline, through the MSRs as software reaches them. */
import assert from 'node:assert/strict';
import { Offset } from '../../src/cpu/state';
import { readMsr, writeMsr } from '../../src/cpu/system/msr';
import { createMachine } from '../../src/machine/machine';

const APIC_BASE = 0x1b;
const ENABLED = 0xfee0_0900n;
const X2APIC = 0xfee0_0d00n;
const DISABLED = 0xfee0_0100n;

function machine(without: string[] = []) {
  const disk = new Uint8Array(512);
  disk.set([0xfb, 0xf4, 0xeb, 0xfd]); // sti; hlt; jmp to the hlt
  disk.set([0x55, 0xaa], 510);
  const made = createMachine({ memory: 2 ** 20, cpus: 1, without, drives: [{ name: 'disk', bytes: disk }], boot: { kind: 'disk' } });
  made.run(5000);
  return { made, cpu: made.cpus[0]! };
}

describe('x2APIC mode', () => {
  it('is entered from xAPIC mode and left by disabling alone', () => {
    const { cpu } = machine();
    assert.equal(readMsr(cpu, 0x802), undefined, 'no registers as MSRs before');
    assert.equal(writeMsr(cpu, APIC_BASE, X2APIC), true);
    assert.equal(readMsr(cpu, 0x802), 0n);
    assert.equal(writeMsr(cpu, APIC_BASE, ENABLED), false, 'back to xAPIC mode');
    assert.equal(writeMsr(cpu, APIC_BASE, DISABLED), true);
    assert.equal(writeMsr(cpu, APIC_BASE, X2APIC), false, 'from disabled');
    assert.equal(writeMsr(cpu, APIC_BASE, ENABLED), true);
    assert.equal(writeMsr(cpu, APIC_BASE, 0xfee0_0500n), false, 'x2APIC without the enable bit');
  });

  it('does not exist when it is withheld', () => {
    assert.equal(writeMsr(machine(['x2apic']).cpu, APIC_BASE, X2APIC), false);
    assert.equal(readMsr(machine(['tsc-deadline']).cpu, 0x6e0), undefined);
  });

  it('the interrupt command register takes what was the delivery status and ignores it; its reserved bits raise #GP', () => {
    const { cpu } = machine();
    writeMsr(cpu, APIC_BASE, X2APIC);
    writeMsr(cpu, 0x80f, 0x1ffn);
    assert.equal(writeMsr(cpu, 0x830, 0x0004_5040n), true, 'bit 12 beside a self-IPI');
    assert.equal(readMsr(cpu, 0x830), 0x0004_4040n);
    assert.equal(readMsr(cpu, 0x822)! & 1n, 1n, 'it was sent');
    for (const bit of [13, 16, 17, 20, 31]) assert.equal(writeMsr(cpu, 0x830, 0x0004_4040n | (1n << BigInt(bit))), false, `bit ${bit}`);
  });

  it('the timer fires at the TSC deadline, to the tick', () => {
    const { made, cpu } = machine();
    writeMsr(cpu, APIC_BASE, X2APIC);
    writeMsr(cpu, 0x80f, 0x1ffn);
    writeMsr(cpu, 0x832, (2n << 17n) | 0x40n);
    const deadline = BigInt(made.icount + 12_345) + cpu.state.get64(Offset.TSC_ADJUST);
    assert.equal(writeMsr(cpu, 0x6e0, deadline), true);
    const requested = (): bigint => readMsr(cpu, 0x822)! | readMsr(cpu, 0x812)!; // IRR or ISR of vectors 64 to 95
    while (BigInt(made.icount) < deadline - 1n) made.run(Number(deadline - 1n) - made.icount);
    assert.equal(requested(), 0n);
    made.run(2);
    assert.equal(requested() & 1n, 1n);
    assert.equal(readMsr(cpu, 0x6e0), 0n);
  });
});
