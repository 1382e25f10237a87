/** ACPI: tables that add up and point to each other, the power-management timer, and switching off. */
import assert from 'node:assert/strict';
import { name, packageOf, integer, pnpId, scope } from '../../src/machine/firmware/aml';
import { acpiTables } from '../../src/machine/firmware/acpi';
import { createMachine } from '../../src/machine/machine';

const AT = 0xf_0000;
const tables = acpiTables(AT, { cpus: 2, signature: 0, features: 0, ioApicInput: (irq) => (irq === 0 ? 2 : irq) });
const data = new DataView(tables.buffer);
const text = (at: number, length: number): string => String.fromCharCode(...tables.subarray(at, at + length));
const sum = (at: number, length: number): number => tables.subarray(at, at + length).reduce((a, b) => a + b, 0) & 0xff;
const xsdt = Number(data.getBigUint64(24, true)) - AT;
const listed = [36, 44, 52, 60].map((at) => Number(data.getBigUint64(xsdt + at, true)) - AT);

describe('ACPI', () => {
  it('the RSDP has both checksums and names the XSDT', () => {
    assert.equal(text(0, 8), 'RSD PTR ');
    assert.equal(sum(0, 20), 0);
    assert.equal(sum(0, 36), 0);
    assert.equal(text(xsdt, 4), 'XSDT');
  });

  it('every table adds up to zero', () => {
    const [fadt] = listed as [number];
    const dsdt = Number(data.getBigUint64(fadt + 140, true)) - AT;
    assert.deepEqual([xsdt, ...listed, dsdt].map((at) => text(at, 4)), ['XSDT', 'FACP', 'APIC', 'HPET', 'MCFG', 'DSDT']);
    for (const at of [xsdt, ...listed, dsdt]) assert.equal(sum(at, data.getUint32(at + 4, true)), 0, text(at, 4));
    assert.equal(data.getUint32(fadt + 40, true), dsdt + AT, 'the 32-bit address of the DSDT is the same');
  });

  it('the FACS is in RAM, aligned, where the FADT says, by one of its two addresses; the DSDT names the processors of the MADT', () => {
    const [fadt] = listed as [number];
    const at = data.getUint32(fadt + 36, true);
    assert.equal(data.getBigUint64(fadt + 132, true), 0n);
    assert.equal(at % 64, 0);
    const machine = boot([]);
    machine.run(10_000);
    assert.deepEqual([...machine.readMemory(at, 8)!], [...Buffer.from('FACS'), 64, 0, 0, 0]);
    assert.equal(machine.writeMemory(at + 16, Uint8Array.of(1)), true, 'the global lock');
    const dsdt = Buffer.from(tables.buffer).subarray(data.getUint32(fadt + 40, true) - AT);
    const named = (n: number): number => dsdt.indexOf(Buffer.from([...Buffer.from(`CPU${n}`), 0x08, ...Buffer.from('_HID'), 0x0d, ...Buffer.from('ACPI0007'), 0]));
    assert.ok(named(0) > 0 && named(1) > named(0));
    assert.equal(named(2), -1);
  });

  it('the MADT names each processor, the I/O APIC and the lines that are wired otherwise', () => {
    const kinds: number[] = [];
    const madt = listed[1]!;
    for (let at = madt + 44; at < madt + data.getUint32(madt + 4, true); at += tables[at + 1]!) kinds.push(tables[at]!);
    assert.deepEqual(kinds, [0, 0, 1, 2, 2, 4]);
  });

  it('the MCFG names the window of configuration spaces, of bus 0 alone', () => {
    const mcfg = listed[3]!;
    assert.deepEqual([data.getUint32(mcfg + 4, true), data.getBigUint64(mcfg + 44, true), data.getUint16(mcfg + 52, true), tables[mcfg + 54], tables[mcfg + 55]], [60, 0xfeb0_0000n, 0, 0, 0]);
  });

  it('AML: package lengths count themselves, names are padded', () => {
    assert.deepEqual(name('_S5', packageOf(integer(0), integer(5))), [0x08, 0x5f, 0x53, 0x35, 0x5f, 0x12, 0x05, 0x02, 0x00, 0x0a, 0x05]);
    assert.deepEqual(pnpId('PNP0A03'), [0x0c, 0x41, 0xd0, 0x0a, 0x03]);
    const long = scope('\\_SB', new Array<number>(100).fill(0));
    assert.deepEqual(long.slice(0, 3), [0x10, 0x40 | (107 & 15), 107 >> 4]);
  });

  /** A boot sector: mov dx, port; mov ax, value; in eax, dx or out dx, ax; hlt. */
  function sector(code: number[]): Uint8Array {
    const bytes = new Uint8Array(512);
    bytes.set([...code, 0xfa, 0xf4]);
    bytes.set([0x55, 0xaa], 510);
    return bytes;
  }
  const boot = (code: number[]) => createMachine({ memory: 2 ** 20, cpus: 1, without: [], drives: [{ name: 'disk', bytes: sector(code) }], boot: { kind: 'disk' } });

  it('writing the sleep bit to the control register switches off', () => {
    const machine = boot([0xba, 0x04, 0x06, 0xb8, 0x00, 0x20, 0xef]);
    machine.run(10_000);
    assert.equal(machine.ended, 'power-off');
  });

  it('the timer counts 3.579545 MHz, and ACPI mode is on', () => {
    const machine = boot([0xba, 0x08, 0x06, 0x66, 0xed, 0x66, 0x89, 0xc3, 0xba, 0x04, 0x06, 0xed]);
    machine.run(10_000);
    const s = machine.cpus[0]!.state;
    const expected = (machine.icount * 3.579545) / 1000;
    assert.ok(Math.abs(s.reg32(3) - expected) < 50, `${s.reg32(3)} is not near ${expected}`);
    assert.equal(s.reg32(0) & 1, 1);
  });
});
