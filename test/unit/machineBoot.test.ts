/** Kernels that are started directly: what each protocol promises at the kernel's entry, and what is said about files that do not fit. */
import assert from 'node:assert/strict';
import { UserError } from '../../src/base/errors';
import { Gpr, Offset, Seg } from '../../src/cpu/state';
import { createMachine } from '../../src/machine/machine';
import type { Boot, DiskImage, E820Entry, Machine } from '../../src/machine/machineInterface';

const MIB = 2 ** 20;
const LOAD = 0x10_0000;

interface Segment {
  linear: bigint;
  physical: number;
  bytes: number[];
  memorySize?: number;
  note?: boolean;
}

/** An ELF of either class. */
function elf(wide: boolean, entry: bigint, segments: Segment[], sections: { address: bigint; bytes: number[] }[] = []): DiskImage {
  const bytes = new Uint8Array(0x8000);
  const data = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, wide ? 2 : 1, 1, 1]);
  data.setUint16(16, 2, true);
  data.setUint16(18, wide ? 62 : 3, true);
  let next = 0x1000;
  const put = (content: number[]): number => {
    bytes.set(content, next);
    next += Math.ceil(content.length / 16) * 16;
    return next - Math.ceil(content.length / 16) * 16;
  };
  const header = wide ? 64 : 52;
  const size = wide ? 56 : 32;
  const word = (at: number, value: bigint | number): void => (wide ? data.setBigUint64(at, BigInt(value), true) : data.setUint32(at, Number(value), true));
  word(24, entry);
  word(wide ? 32 : 28, header);
  data.setUint16(wide ? 54 : 42, size, true);
  data.setUint16(wide ? 56 : 44, segments.length, true);
  segments.forEach((s, i) => {
    const at = header + i * size;
    data.setUint32(at, s.note ? 4 : 1, true);
    word(at + (wide ? 8 : 4), put(s.bytes));
    word(at + (wide ? 16 : 8), s.linear);
    word(at + (wide ? 24 : 12), s.physical);
    word(at + (wide ? 32 : 16), s.bytes.length);
    word(at + (wide ? 40 : 20), s.memorySize ?? s.bytes.length);
  });
  if (sections.length > 0) {
    assert.ok(wide);
    const table = 0x7000;
    data.setBigUint64(40, BigInt(table), true);
    data.setUint16(58, 64, true);
    data.setUint16(60, sections.length, true);
    sections.forEach((s, i) => {
      const at = table + i * 64;
      data.setUint32(at + 4, 1, true);
      data.setBigUint64(at + 16, s.address, true);
      data.setBigUint64(at + 24, BigInt(put(s.bytes)), true);
      data.setBigUint64(at + 32, BigInt(s.bytes.length), true);
    });
  }
  return { name: 'dir/kernel.elf', bytes };
}

const words = (...values: number[]): number[] => values.flatMap((v) => [v & 0xff, (v >>> 8) & 0xff, (v >>> 16) & 0xff, v >>> 24]);
const make = (boot: Boot, options: { e820?: E820Entry[] } = {}): Machine => createMachine({ memory: 64 * MIB, cpus: 1, without: [], drives: [], boot, ...options });
const state = (m: Machine) => m.cpus[0]!.state;
const word = (m: Machine, at: number, length = 4): number => [...m.readMemory(at, length)!].reduceRight((sum, b) => sum * 256 + b, 0);
const text = (m: Machine, at: number): string => Buffer.from(m.readMemory(at, 64)!).toString().replace(/\0[^]*/, '');
const wrong = (boot: Boot, code: string, ...parts: RegExp[]): void => {
  assert.throws(() => make(boot), (e) => e instanceof UserError && e.code === code && parts.every((p) => p.test(e.message)), code);
};
const HALT = [0xf4];

describe('resets of kernels that are started directly', () => {
  const kernel = (...code: number[]): Machine => make({ kind: 'elf', image: elf(false, BigInt(LOAD), [{ linear: BigInt(LOAD), physical: LOAD, bytes: code }]) });

  it('the shutdown status in CMOS leads back through 40:67', () => {
    // mov al, 0x2a; out 0xf4, al at 0:6000, which 40:67 names; CMOS register 0x0f = 0x0a; reset by the keyboard controller
    const m = kernel(0xc7, 0x05, ...words(0x6000), 0xb0, 0x2a, 0xe6, 0xf4, 0xc7, 0x05, ...words(0x467), ...words(0x6000), 0xb0, 0x0f, 0xe6, 0x70, 0xb0, 0x0a, 0xe6, 0x71, 0xb0, 0xfe, 0xe6, 0x64, 0xf4);
    assert.equal(m.run(1e6), 'debug-exit');
    assert.equal(m.debugExit, 0x2a);
  });

  it('INIT of the first processor starts the kernel anew', () => {
    // inc [0x5000]; cmp [0x5000], 2; jne; mov al, 7; out 0xf4, al; hlt; INIT to processor 0; hlt
    const m = kernel(0xff, 0x05, ...words(0x5000), 0x83, 0x3d, ...words(0x5000), 2, 0x75, 5, 0xb0, 7, 0xe6, 0xf4, 0xf4, 0xc7, 0x05, ...words(0xfee0_0310, 0), 0xc7, 0x05, ...words(0xfee0_0300, 0x4500), 0xf4);
    assert.equal(m.run(1e6), 'debug-exit');
    assert.equal(m.debugExit, 7);
  });
});

describe('segments of kernels', () => {
  it('lose what a linker has put into the ROM below 1 MiB, the page of the ELF header', () => {
    const segments = [{ linear: 0xf_f000n, physical: 0xf_f000, bytes: [...Array<number>(0x1000).fill(0xee), 0x55] }, { linear: BigInt(LOAD + 0x1000), physical: LOAD + 0x1000, bytes: [0xb0, 7, 0xe6, 0xf4] }];
    const m = make({ kind: 'elf', image: elf(false, BigInt(LOAD + 0x1000), segments) });
    assert.equal(word(m, LOAD, 1), 0x55);
    assert.notEqual(word(m, 0xf_f000, 1), 0xee, 'the BIOS stays');
    assert.equal(m.run(1e5), 'debug-exit');
    wrong({ kind: 'elf', image: elf(false, 0xa_0000n, [{ linear: 0xa_0000n, physical: 0xa_0000, bytes: HALT }]) }, 'boot.noRoom', /asks for memory from 0xa0000/);
  });
});

describe('multiboot 2', () => {
  /** Header with these tags behind magic, architecture, size and checksum; the entry follows at 0x200. */
  const header = (tags: number[], architecture = 0): number[] => {
    const all = [...tags, ...words(0, 8)];
    const size = 16 + all.length;
    const bytes = [...words(0xe852_50d6, architecture, size, -(0xe852_50d6 + architecture + size)), ...all];
    while (bytes.length < 0x200) bytes.push(0);
    return [...bytes, ...HALT];
  };
  const kernel = (tags: number[] = [], architecture = 0): DiskImage => elf(true, BigInt(LOAD + 0x200), [{ linear: BigInt(LOAD), physical: LOAD, bytes: header(tags, architecture), memorySize: 0x3000 }], [{ address: BigInt(LOAD), bytes: [1] }, { address: 0n, bytes: [0x61, 0x62, 0x63] }]);
  const boot = (image = kernel(), append = '', modules: { image: DiskImage; append: string }[] = []): Boot => ({ kind: 'multiboot', image, append, modules });

  /** Tags of the information by type. */
  function tags(m: Machine): Map<number, number[]> {
    const base = Number(state(m).reg(Gpr.RBX));
    const found = new Map<number, number[]>();
    for (let at = base + 8; ; ) {
      assert.equal(at % 8, 0);
      const [type, size] = [word(m, at), word(m, at + 4)];
      found.set(type, [...(found.get(type) ?? []), at]);
      at += Math.ceil(size / 8) * 8;
      if (type !== 0) continue;
      assert.equal(word(m, base), at - base);
      return found;
    }
  }

  it('shows the picture that the kernel requires, the nearest that there is, and text to who can do without one', () => {
    const shown = (flags: number, ...size: number[]): number[] => {
      const m = make(boot(kernel([...words(0x0005 | (flags << 16), 20, ...size), 0, 0, 0, 0])));
      const [at] = tags(m).get(8)!;
      return [word(m, at! + 8, 8), word(m, at! + 16), word(m, at! + 20), word(m, at! + 24), word(m, at! + 28, 1), word(m, at! + 29, 1), ...m.readMemory(at! + 32, word(m, at! + 4) - 32)!];
    };
    const rgb = [16, 8, 8, 8, 0, 8];
    assert.deepEqual(shown(0, 800, 600, 24), [0xfd00_0000, 2400, 800, 600, 24, 1, ...rgb]);
    assert.deepEqual(shown(0, 0, 0, 0), [0xfd00_0000, 4096, 1024, 768, 32, 1, ...rgb]);
    assert.deepEqual(shown(0, 1920, 1080, 16), [0xfd00_0000, 7680, 1920, 1080, 32, 1, ...rgb], 'its size in other colours');
    assert.deepEqual(shown(0, 777, 555, 32), [0xfd00_0000, 4096, 1024, 768, 32, 1, ...rgb]);
    assert.deepEqual(shown(1, 800, 600, 24), [0xb_8000, 160, 80, 25, 16, 2], 'optional');
  });

  it('tells command line, modules, memory, ACPI and the sections of the kernel', () => {
    const m = make(boot(kernel(), 'a b', [{ image: { name: 'x/fs.img', bytes: Uint8Array.of(7, 8) }, append: 'one' }]));
    const s = state(m);
    assert.deepEqual([s.rip, s.reg(Gpr.RAX), s.cr0 & 0x8000_0001, s.efer], [BigInt(LOAD + 0x200), 0x36d7_6289n, 1, 0]);
    const t = tags(m);
    assert.equal(text(m, t.get(1)![0]! + 8), 'kernel.elf a b');
    const [module] = t.get(3)!;
    assert.equal(text(m, module! + 16), 'fs.img one');
    assert.deepEqual([...m.readMemory(word(m, module! + 8), 2)!], [7, 8]);
    const [map] = t.get(6)!;
    assert.deepEqual([word(m, map! + 4), word(m, map! + 8)], [16 + 24 * m.e820().length, 24]);
    assert.equal(text(m, t.get(15)![0]! + 8).slice(0, 8), 'RSD PTR ');
    const [sections] = t.get(9)!;
    assert.deepEqual([word(m, sections! + 8), word(m, sections! + 12)], [2, 64]);
    const placed = word(m, sections! + 20 + 64 + 16);
    assert.ok(placed >= LOAD + 0x3000 && word(m, module! + 8) > placed);
    assert.deepEqual([...m.readMemory(placed, 3)!], [0x61, 0x62, 0x63]);
    assert.equal(m.run(10), 'halt');
  });

  it('is entered at the physical place of an entry point that is linked high, to the byte', () => {
    const high = 0xffff_ffff_8000_0000n;
    const m = make(boot(elf(true, high + BigInt(LOAD + 0x200), [{ linear: high + BigInt(LOAD), physical: LOAD, bytes: header([]) }])));
    assert.equal(state(m).rip, BigInt(LOAD + 0x200));
  });

  it('loads a kernel that is no ELF where its header says', () => {
    const bytes = Uint8Array.from(header([...words(2, 24, LOAD, LOAD, 0, LOAD + 0x1000), ...words(3, 12, LOAD + 0x200, 0)]));
    const m = make(boot({ name: 'flat.bin', bytes }));
    assert.equal(state(m).rip, BigInt(LOAD + 0x200));
    assert.equal(m.run(10), 'halt');
  });

  it('refuses what it cannot grant, unless the kernel says that it can do without', () => {
    wrong(boot(kernel(words(77, 8))), 'boot.multibootFlags', /tag 77/, /^dir\/kernel/);
    wrong(boot(kernel(words(1, 12, 17, 0))), 'boot.multibootFlags', /type 17/);
    wrong(boot(kernel([], 4)), 'boot.machine', /architecture 4/);
    make(boot(kernel(words(0x1_0000 | 77, 8))));
    make(boot(kernel(words(0x1_0001, 12, 17, 0))));
  });
});

describe('PVH', () => {
  const note = (type: number): number[] => [...words(4, 4, type), 0x58, 0x65, 0x6e, 0, ...words(LOAD + 0x10)];
  const kernel = (type = 18): DiskImage =>
    elf(true, 0xffff_ffff_8100_0000n, [
      { linear: 0xffff_ffff_8100_0000n, physical: LOAD, bytes: [...new Array<number>(16).fill(0x90), ...HALT] },
      { linear: 0n, physical: 0, bytes: note(type), note: true },
    ]);

  it('enters at the note with hvm_start_info in EBX', () => {
    const m = make({ kind: 'pvh', image: kernel(), append: 'console=ttyS0', modules: [{ image: { name: 'initrd', bytes: Uint8Array.of(5) }, append: '' }] });
    const s = state(m);
    assert.deepEqual([s.rip, s.cr0 & 0x8000_0001, s.efer], [BigInt(LOAD + 0x10), 1, 0]);
    const info = Number(s.reg(Gpr.RBX));
    assert.deepEqual([word(m, info), word(m, info + 4), word(m, info + 12)], [0x336e_c578, 1, 1]);
    assert.equal(text(m, word(m, info + 24, 6)), 'console=ttyS0');
    assert.equal(text(m, word(m, info + 32, 6)).slice(0, 8), 'RSD PTR ');
    assert.equal(word(m, word(m, word(m, info + 16, 6), 6), 1), 5);
    const map = word(m, info + 40, 6);
    assert.equal(word(m, info + 48), m.e820().length);
    assert.deepEqual([word(m, map + 24, 6), word(m, map + 40)], [Number(m.e820()[1]!.base), m.e820()[1]!.type]);
    assert.equal(m.run(10), 'halt');
  });

  it('needs the note', () => wrong({ kind: 'pvh', image: kernel(6), append: '', modules: [] }, 'boot.noPvhEntry', /^dir\/kernel/));
});

describe('an ELF without a boot protocol', () => {
  it('of 32 bits starts in protected mode', () => {
    const m = make({ kind: 'elf', image: elf(false, BigInt(LOAD), [{ linear: BigInt(LOAD), physical: LOAD, bytes: HALT }]) });
    assert.deepEqual([state(m).rip, state(m).cr0 & 0x8000_0001], [BigInt(LOAD), 1]);
    assert.equal(m.run(10), 'halt');
  });

  it('of 64 bits starts in long mode where it is linked, with memory one to one below 4 GiB', () => {
    const linear = 0xffff_ffff_8020_0000n;
    // mov eax, [0x200000]; push rax; hlt
    const m = make({ kind: 'elf', image: elf(true, linear, [{ linear, physical: 0x20_0000, bytes: [0x8b, 0x04, 0x25, 0, 0, 0x20, 0, 0x50, 0xf4] }]) });
    const s = state(m);
    assert.deepEqual([s.rip, s.selector(Seg.CS), s.get32(Offset.EFER)], [linear, 8, 0x500]);
    assert.equal(m.run(10), 'halt');
    assert.equal(s.reg(Gpr.RAX), 0x2504_8bn & 0xffff_ffffn);
  });

  it('is told why it cannot be mapped', () => {
    wrong({ kind: 'elf', image: elf(true, 0x1000n, [{ linear: 0xffff_ffff_8000_1000n, physical: 0x20_0000, bytes: HALT }]) }, 'boot.elfAddresses', /2 MiB/);
    wrong({ kind: 'elf', image: elf(true, 0x60_0000n, [{ linear: 0x60_0000n, physical: 0x20_0000, bytes: HALT }]) }, 'boot.elfAddresses', /one to one/);
  });
});

describe('Linux by its 16-bit entry', () => {
  /** Setup code that halts, a kernel of one page. */
  const kernel = (version: number, high = true): DiskImage => {
    const bytes = new Uint8Array(512 * 5 + 0x1000);
    const data = new DataView(bytes.buffer);
    data.setUint8(0x1f1, 4);
    data.setUint16(0x1f4, 0x100, true);
    data.setUint16(0x1fe, 0xaa55, true);
    data.setUint32(0x202, 0x5372_6448, true);
    data.setUint16(0x206, version, true);
    data.setUint8(0x211, high ? 1 : 0);
    data.setUint32(0x22c, 0x37ff_ffff, true);
    data.setUint32(0x238, 255, true);
    bytes.fill(0xf4, 512, 0x201);
    return { name: 'vmlinuz', bytes };
  };
  const boot = (image: DiskImage, entry?: 16 | 32 | 64): Boot => ({ kind: 'linux', image, initrd: { name: 'initrd', bytes: Uint8Array.of(9) }, append: 'quiet', entry });

  for (const [version, high] of [[0x0203, true], [0x0200, false], [0x020f, true]] as const) {
    it(`version ${version.toString(16)} of the protocol, kernel loaded ${high ? 'high' : 'low'}`, () => {
      const m = make(boot(kernel(version, high), 16));
      const s = state(m);
      assert.deepEqual([s.rip, s.selector(Seg.CS), s.selector(Seg.SS), s.cr0 & 1], [0n, 0x9020, 0x9000, 0]);
      const line = version >= 0x0202 ? word(m, 0x9_0228) : 0x9_0000 + word(m, 0x9_0022, 2);
      if (version < 0x0202) assert.equal(word(m, 0x9_0020, 2), 0xa33f);
      assert.equal(text(m, line), 'quiet');
      assert.equal(word(m, word(m, 0x9_0218), 1), 9);
      assert.equal(m.run(10), 'halt');
    });
  }

  it('is not taken by a kernel that has a wider one, and is all that an old one has', () => {
    assert.equal(state(make(boot(kernel(0x0203)))).selector(Seg.CS), 0x9020);
    wrong(boot(kernel(0x0203), 32), 'boot.entry', /^vmlinuz has no 32-bit entry/);
  });
});

describe('a memory map that the user gives', () => {
  it('is what the firmware and the loaders report', () => {
    const e820: E820Entry[] = [
      { base: 0n, length: 0x9f400n, type: 1 },
      { base: 0x1_0000_0000n, length: 0x1_a000_0000n, type: 1 },
    ];
    const m = make({ kind: 'pvh', image: elf(true, 0n, [{ linear: 0n, physical: LOAD, bytes: HALT }, { linear: 0n, physical: 0, bytes: [...words(4, 4, 18), 0x58, 0x65, 0x6e, 0, ...words(LOAD)], note: true }]), append: '', modules: [] }, { e820 });
    assert.deepEqual(m.e820(), e820);
    assert.equal(word(m, Number(state(m).reg(Gpr.RBX)) + 48), 2);
  });
});
