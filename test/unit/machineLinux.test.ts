/** The Linux boot protocol: what a kernel finds at its entries, and what is said about files that are none. */
import assert from 'node:assert/strict';
import { kernelRom } from '../../src/machine/firmware/kernelRom';
import { createMachine } from '../../src/machine/machine';
import { Gpr, Offset, Seg } from '../../src/cpu/state';

const MEBIBYTE = 2 ** 20;
const PREFERRED = 2 * MEBIBYTE;

interface HeaderFields {
  version?: number;
  wide?: boolean;
  initSize?: number;
  relocatable?: boolean;
  entry32?: number;
}

/** A kernel that halts at its 32-bit entry, and at its 64-bit entry 0x200 bytes behind it. */
function kernel({ version = 0x020f, wide = true, initSize = MEBIBYTE, relocatable = true, entry32 = MEBIBYTE }: HeaderFields = {}): Uint8Array {
  const bytes = new Uint8Array(512 * 2 + 0x1000);
  const data = new DataView(bytes.buffer);
  data.setUint8(0x1f1, 1);
  data.setUint32(0x1f4, 0x100, true);
  data.setUint16(0x1fe, 0xaa55, true);
  data.setUint8(0x201, 0x6a);
  data.setUint32(0x202, 0x5372_6448, true);
  data.setUint16(0x206, version, true);
  data.setUint8(0x211, 1);
  data.setUint32(0x214, entry32, true);
  data.setUint32(0x22c, 0x7fff_ffff, true);
  data.setUint32(0x230, 0x20_0000, true);
  data.setUint8(0x234, relocatable ? 1 : 0);
  data.setUint16(0x236, wide ? 1 : 0, true);
  data.setUint32(0x238, 32, true);
  data.setBigUint64(0x258, BigInt(PREFERRED), true);
  data.setUint32(0x260, initSize, true);
  bytes.fill(0xf4, 1024); // hlt
  return bytes;
}

function boot(image: Uint8Array, { append = '', initrd = undefined as Uint8Array | undefined, memory = 16 * MEBIBYTE } = {}) {
  return createMachine({ memory, cpus: 1, without: [], drives: [], boot: { kind: 'linux', image: { name: 'vmlinuz', bytes: image }, initrd: initrd && { name: 'initrd.img', bytes: initrd }, append } });
}
const word = (bytes: Uint8Array, at: number): number => new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true);

describe('Linux boot protocol', () => {
  it('64-bit entry: long mode, boot_params in RSI, command line, RAM disk and memory map', () => {
    const machine = boot(kernel(), { append: 'console=ttyS0', initrd: Uint8Array.of(1, 2, 3) });
    const s = machine.cpus[0]!.state;
    assert.equal(s.rip, BigInt(PREFERRED + 0x200));
    assert.equal(s.selector(Seg.CS), 0x10);
    assert.equal(s.selector(Seg.DS), 0x18);
    const params = machine.readMemory(Number(s.reg(Gpr.RSI)), 4096)!;
    assert.equal(Buffer.from(machine.readMemory(word(params, 0x228), 14)!).toString(), 'console=ttyS0\0');
    assert.deepEqual([...machine.readMemory(word(params, 0x218), 3)!], [1, 2, 3]);
    assert.equal(word(params, 0x21c), 3);
    assert.equal(params[0x1e8], machine.e820().length);
    assert.equal(params[0x210], 0xff);
    machine.run(1);
    assert.equal(s.rip, BigInt(PREFERRED + 0x201), 'the first instruction is executed in long mode');
  });

  it('a boot program that names no 32-bit code starts in real mode, as its boot loaders start it', () => {
    const s = boot(kernel({ version: 0x0207, entry32: 0 })).cpus[0]!.state;
    assert.deepEqual([s.cr0 & 1, s.selector(Seg.CS) - s.selector(Seg.DS), s.rip], [0, 0x20, 0n]);
  });

  it('32-bit entry: protected mode without paging', () => {
    const machine = boot(kernel({ wide: false }));
    const s = machine.cpus[0]!.state;
    assert.equal(s.rip, BigInt(PREFERRED));
    assert.equal(s.get64(Offset.CR0) & 0x8000_0001n, 1n);
    machine.run(1);
    assert.equal(s.rip, BigInt(PREFERRED + 1));
  });

  const refused: readonly [string, () => unknown, RegExp][] = [
    ['no kernel', () => boot(new Uint8Array(4096)), /^vmlinuz is not a Linux kernel to boot: it has no boot signature/],
    ['a short file', () => boot(new Uint8Array(10)), /^vmlinuz is not a Linux kernel to boot: it has only 10 bytes/],
    ['a truncated kernel', () => boot(kernel().subarray(0, 2000)), /^vmlinuz is truncated: its setup header describes 5120 bytes, the file has 2000/],
    ['too little RAM', () => boot(kernel({ initSize: 64 * MEBIBYTE })), /^vmlinuz does not fit: it needs RAM up to 66 MiB, and the machine has 16 MiB/],
    ['too large a RAM disk', () => boot(kernel(), { initrd: new Uint8Array(14 * MEBIBYTE) }), /^initrd\.img does not fit behind the kernel/],
    ['too long a command line', () => boot(kernel(), { append: 'x'.repeat(33) }), /^boot\.append has 33 bytes, but vmlinuz takes a command line of at most 32/],
  ];
  for (const [what, act, sentence] of refused) it(`refuses ${what} with one sentence`, () => assert.throws(act, (error: Error) => sentence.test(error.message) || assert.fail(error.message)));

  it('a BIOS of others starts it by an option ROM, which fetches its pieces', () => {
    const image = kernel();
    image[0x200] = 0xf4; // hlt, where the setup code begins
    const dword = (value: number): number[] => [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff);
    const store = (at: number, value: number): number[] => [0x66, 0xc7, 0x06, at & 0xff, at >> 8, ...dword(value)]; // mov dword [at], value
    // A firmware that fetches the ROM, the ninth file of the configuration device, to 0x20000, and starts it as what is booted.
    const code = [0x31, 0xc0, 0x8e, 0xd8, ...store(0x7000, 0x0a00_2800), ...store(0x7004, 0x0002_0000), ...store(0x7008, 0), ...store(0x700c, 0x0000_0200), 0x66, 0xb8, ...dword(0x0070_0000), 0xba, 0x18, 0x05, 0x66, 0xef, 0xea, 0x60, 0x00, 0x00, 0x20];
    const flash = new Uint8Array(0x1_0000).fill(0xff);
    flash.set(code, 0xe000);
    flash.set([0xea, 0x00, 0xe0, 0x00, 0xf0], 0xfff0);
    const machine = createMachine({ memory: 16 * MEBIBYTE, cpus: 1, without: [], drives: [], boot: { kind: 'firmware', images: [{ name: 'bios.bin', bytes: flash }], kernel: { name: 'vmlinuz', bytes: image }, initrd: { name: 'initrd.img', bytes: Uint8Array.of(1, 2, 3) }, append: 'quiet' } });
    assert.equal(machine.run(1e5), 'halt');
    const [[, rom]] = kernelRom({ kind: 'linux', image: { name: 'vmlinuz', bytes: image }, initrd: undefined, append: '' }, 16 * MEBIBYTE).files as [[string, Uint8Array]];
    assert.deepEqual([...rom.subarray(0, 3)], [0x55, 0xaa, 1]);
    assert.equal(rom.reduce((sum, byte) => (sum + byte) & 0xff, 0), 0, 'checksum');
    const s = machine.cpus[0]!.state;
    assert.deepEqual([s.selector(Seg.CS), s.rip, s.selector(Seg.SS), s.reg(Gpr.RSP)], [0x9020, 1n, 0x9000, 0xe000n]);
    const setup = machine.readMemory(0x9_0000, 1024)!;
    assert.equal(Buffer.from(machine.readMemory(word(setup, 0x228), 6)!).toString(), 'quiet\0');
    assert.deepEqual([...machine.readMemory(word(setup, 0x218), word(setup, 0x21c))!], [1, 2, 3]);
    assert.equal(machine.readMemory(MEBIBYTE, 1)![0], 0xf4);
  });
});
