/** SMBIOS: found and checked as kernels do it, every structure of the length that its type has, memory told to the last MiB. */
import assert from 'node:assert/strict';
import { smbiosTables } from '../../src/machine/firmware/smbios';
import { createMachine } from '../../src/machine/machine';

const GIB = 2 ** 30;
const mp = { cpus: 3, signature: 0x306c3, features: 0x331, ioApicInput: (irq: number) => irq };
const sum = (bytes: Uint8Array): number => bytes.reduce((a, b) => a + b, 0) & 0xff;

interface Found {
  type: number;
  data: DataView;
  strings: string[];
}
/** Walks the structures from an entry point at offset 0 of `bytes`, which lie at `address`. */
function walk(bytes: Uint8Array, address: number): Found[] {
  const entry = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  assert.equal(Buffer.from(bytes.subarray(0, 4)).toString(), '_SM_');
  assert.equal(sum(bytes.subarray(0, entry.getUint8(5))), 0);
  assert.equal(Buffer.from(bytes.subarray(0x10, 0x15)).toString(), '_DMI_');
  assert.equal(sum(bytes.subarray(0x10, 0x1f)), 0);
  const found: Found[] = [];
  let at = entry.getUint32(0x18, true) - address;
  const end = at + entry.getUint16(0x16, true);
  while (at < end) {
    const length = bytes[at + 1]!;
    const from = at + length;
    let to = from;
    while (bytes[to] !== 0 || bytes[to + 1] !== 0) to++;
    assert.equal(entry.getUint16(at + 2, true), found.length, 'handles count up');
    found.push({ type: bytes[at]!, data: new DataView(bytes.buffer, bytes.byteOffset + at, length), strings: Buffer.from(bytes.subarray(from, to)).toString().split('\0') });
    assert.ok(to + 2 - at <= entry.getUint16(8, true), 'the largest structure');
    at = to + 2;
  }
  assert.equal(at, end);
  assert.equal(found.length, entry.getUint16(0x1c, true));
  return found;
}

describe('SMBIOS', () => {
  it('has the structures of version 2.8 in their lengths', () => {
    const found = walk(smbiosTables(0xf_7000, mp, 64 << 20), 0xf_7000);
    assert.deepEqual(found.map(({ type, data }) => [type, data.byteLength]), [[0, 0x18], [1, 0x1b], [3, 0x16], [4, 0x2a], [16, 0x17], [17, 0x28], [19, 0x1f], [32, 0x0b], [127, 4]]);
    const processor = found[3]!;
    assert.deepEqual([processor.data.getUint32(8, true), processor.data.getUint8(0x23), processor.data.getUint8(0x25)], [mp.signature, 3, 3]);
    assert.equal(found[1]!.strings[found[1]!.data.getUint8(5) - 1], 'Virtual PC');
  });

  it('tells memory in MiB and where it is, also above 4 GiB and beyond what the short fields hold', () => {
    for (const size of [64 << 20, 4 * GIB, 64 * GIB, 1024 * GIB]) {
      const found = walk(smbiosTables(0, mp, size), 0);
      const device = found.find(({ type }) => type === 17)!.data;
      const short = device.getUint16(0x0c, true);
      assert.equal((short === 0x7fff ? device.getUint32(0x1c, true) : short) * 2 ** 20, size);
      let mapped = 0;
      for (const { data } of found.filter(({ type }) => type === 19)) {
        const [first, last] = [data.getUint32(4, true), data.getUint32(8, true)];
        mapped += first === 0xffff_ffff ? Number(data.getBigUint64(0x17, true) - data.getBigUint64(0x0f, true)) + 1 : (last - first + 1) * 1024;
      }
      assert.equal(mapped, size);
    }
  });

  it('is in the ROM of a machine, at a 16th byte', () => {
    const machine = createMachine({ memory: 2 ** 20, cpus: 1, without: [], drives: [{ name: 'disk', bytes: Uint8Array.from({ length: 512 }, (_, at) => (at === 510 ? 0x55 : at === 511 ? 0xaa : 0xf4)) }], boot: { kind: 'disk' } });
    const rom = machine.readMemory(0xf_0000, 0x1_0000)!;
    const at = Buffer.from(rom).indexOf('_SM_');
    assert.ok(at > 0 && at % 16 === 0);
    walk(rom.slice(at), 0xf_0000 + at);
  });
});
