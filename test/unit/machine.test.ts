/** The whole PC: boot sectors and multiboot kernels run on it, and every instant can be saved and brought back. */
import assert from 'node:assert';
import { UserError } from '../../src/base/errors';
import { readFlags } from '../../src/cpu/flags';
import { createMachine } from '../../src/machine/machine';
import type { DiskImage, Machine, MachineOptions } from '../../src/machine/machineInterface';
import { BIOS_CALLS, BIOS_POLLING, BIOS_TYPING, BIOS_WAIT, ECHO, LAPIC_TIMER, PIT_INTERRUPTS, PIT_POLLING, STAGE1 } from './machinePrograms';

const MIB = 0x10_0000;

/** A disk of 64 sectors: boot sector, then the program from sector 1. Unused bytes of sector n are n. */
function disk(bootSector: Uint8Array, program: Uint8Array = new Uint8Array()): DiskImage {
  const bytes = Uint8Array.from({ length: 64 * 512 }, (_, at) => at >> 9);
  bytes.fill(0, 0, 512);
  bytes.set(bootSector);
  bytes.set([0x55, 0xaa], 510);
  bytes.set(program, 512);
  return { name: 'boot.img', bytes };
}

function machine(options: Partial<MachineOptions> & { program?: Uint8Array; sector?: Uint8Array } = {}): Machine & { console: string; warnings: string[] } {
  const { program, sector, ...rest } = options;
  const m = Object.assign(createMachine({ memory: 64 * MIB, cpus: 1, without: [], drives: [disk(sector ?? STAGE1, program)], boot: { kind: 'disk' }, ...rest }), { console: '', warnings: [] as string[] });
  m.onSerial = (byte) => (m.console += String.fromCharCode(byte));
  m.onWarning = (sentence) => m.warnings.push(sentence);
  return m;
}

const word = (m: Machine, at: number, size = 2): number => m.readMemory(at, size)!.reduceRight((value, byte) => value * 256 + byte, 0);
const state = (m: Machine): string => {
  const s = m.cpus[0]!.state;
  return [m.icount, m.instructions, s.rip, readFlags(s), ...Array.from({ length: 16 }, (_, n) => s.reg(n))].map((v) => v.toString(16)).join(' ');
};

describe('PC booting from a disk', () => {
  it('offers the BIOS services that boot sectors use', () => {
    const m = machine({ sector: BIOS_CALLS });
    assert.strictEqual(m.run(200e6), 'budget', 'waits for a key');
    assert.ok(m.icount - m.instructions > 199e6, 'asleep');
    m.typeKeyboard!('x');
    assert.strictEqual(m.run(1e9), 'debug-exit');
    assert.strictEqual(m.debugExit, 0);
    assert.strictEqual(m.screenText()[0], 'Hi');
    assert.strictEqual(word(m, 0x7000, 1), 0x80, 'boot drive in DL');
    const entries = (word(m, 0x7002) - 0x8000) / 20;
    assert.strictEqual(entries, m.e820().length);
    m.e820().forEach(({ base, length, type }, n) => {
      const at = 0x8000 + n * 20;
      assert.deepStrictEqual([BigInt(word(m, at, 8)), BigInt(word(m, at + 8, 8)), word(m, at + 16, 4)], [base, length, type]);
    });
    assert.strictEqual(word(m, 0x7004), 639);
    assert.strictEqual(word(m, 0x7006), 63 * 1024);
    assert.strictEqual(word(m, 0x9000), 0x0101, 'CHS read');
    assert.strictEqual(word(m, 0x9200), 0x0202, 'LBA read');
    assert.strictEqual(word(m, 0x700c), 0x2d78, 'scan code and character of x');
  });

  it('INT 15h 86h waits as long as it is asked to, asleep; the firmware left the caches on', () => {
    const m = machine({ sector: BIOS_WAIT });
    assert.strictEqual(m.run(1e9), 'debug-exit');
    assert.strictEqual(m.debugExit, 0);
    // 0x186A0 microseconds, to the next of 1024 periods a second.
    assert.ok(m.icount >= 100e6 && m.icount < 102e6, String(m.icount));
    assert.ok(m.instructions < 50_000, String(m.instructions));
  });

  it('INT 16h 01h and INT 1Ah 00h without news take time but no instructions: who waits for seconds is not executed for seconds', () => {
    const m = machine({ sector: BIOS_POLLING });
    assert.strictEqual(m.run(1e9), 'budget');
    assert.ok(m.instructions < 2e6, String(m.instructions));
    m.typeKeyboard!('x');
    assert.strictEqual(m.run(1e6), 'debug-exit');
    assert.ok(m.debugExit === 18 || m.debugExit === 19, `18.2 timer ticks in a second: ${m.debugExit}`);
  });

  it('a long line typed at once reaches a program that reads key after key by INT 16h', () => {
    const m = machine({ sector: BIOS_TYPING });
    m.run(20e6);
    m.typeKeyboard!('The quick brown fox jumps over the lazy dog.\n');
    assert.strictEqual(m.run(2e9), 'debug-exit');
    assert.strictEqual(m.screenText()[0], 'The quick brown fox jumps over the lazy dog.');
  });

  it('A20, protected mode, PIO reads: the program is at 1 MiB after a few thousand instructions', () => {
    const m = machine({ program: Uint8Array.of(0xb0, 0x07, 0xe6, 0xf4) }); // mov al, 7; out 0xf4, al
    assert.strictEqual(m.run(1e6), 'debug-exit');
    assert.strictEqual(m.debugExit, 7);
    assert.ok(m.instructions < 5000, String(m.instructions));
    assert.strictEqual(m.run(100), 'debug-exit', 'an ended machine stays ended');
    assert.deepStrictEqual(m.warnings, []);
  });

  it('local APIC timer interrupts arrive through the IDT and end HLT', () => {
    const m = machine({ program: LAPIC_TIMER });
    assert.strictEqual(m.run(1e6), 'debug-exit');
    assert.strictEqual(m.debugExit, 5);
    // Five periods of 1000 counts of 1 ns; nearly all of it asleep.
    assert.ok(m.icount - m.instructions > 4000);
  });

  it('8254 interrupts arrive through the 8259', () => {
    const m = machine({ program: PIT_INTERRUPTS });
    assert.strictEqual(m.run(20e6), 'debug-exit');
    assert.strictEqual(m.debugExit, 10);
    assert.ok(m.icount > 9.9e6 && m.icount < 10.1e6, String(m.icount));
  });

  it('serial console: echoes what is typed', () => {
    const m = machine({ program: ECHO });
    m.run(1e5);
    const before = m.console;
    m.typeSerial(new TextEncoder().encode('Z'));
    m.run(100);
    assert.strictEqual(m.console.replace(before, ''), 'Z');
    m.typeSerial(new TextEncoder().encode('q'));
    assert.strictEqual(m.run(1e6), 'debug-exit');
  });

  it('a reset restarts it from the disk; time goes on', () => {
    const m = machine({ program: Uint8Array.of(0xb0, 0xfe, 0xe6, 0x64, 0xeb, 0xfe) }); // mov al, 0xfe; out 0x64, al; jmp $
    assert.strictEqual(m.run(5000), 'budget');
    assert.strictEqual(m.icount, 5000);
    assert.strictEqual(m.ended, undefined);
  });

  it('a triple fault ends it', () => {
    const m = machine({ program: Uint8Array.of(0x0f, 0x01, 0x1d, 0, 0, 0, 0x40, 0x0f, 0x0b) }); // lidt of zeros; ud2
    assert.strictEqual(m.run(1e6), 'shutdown');
    assert.strictEqual(m.ended, 'shutdown');
  });

  it('HLT with interrupts off is a halt, at once', () => {
    const m = machine({ program: Uint8Array.of(0xf4) });
    assert.strictEqual(m.run(1e12), 'halt');
    assert.ok(m.icount < 1e5);
  });

  it('stops from a callback after the instruction', () => {
    const m = machine({ program: ECHO });
    m.onSerial = () => m.requestStop();
    assert.strictEqual(m.run(1e9), 'request');
    const at = m.icount;
    assert.ok(at < 1e5);
    assert.strictEqual(m.run(10), 'budget');
    assert.strictEqual(m.icount, at + 10);
  });
});

describe('PC in slices of any length', () => {
  for (const [name, program, length] of [
    ['serial', ECHO, 60_000],
    ['local APIC timer', LAPIC_TIMER, 60_000],
  ] as const)
    it(`comes to the same state: ${name}`, () => {
      const whole = machine({ program });
      whole.run(length);
      const sliced = machine({ program });
      let seed = 1;
      while (sliced.icount < length && !sliced.ended) {
        seed = (seed * 48271) % 0x7fff_ffff;
        sliced.run(Math.min(length - sliced.icount, 1 + (seed % (seed & 64 ? 5000 : 7))));
      }
      assert.strictEqual(sliced.console, whole.console);
      assert.strictEqual(state(sliced), state(whole));
    });
});

describe('PC with a port that is polled', () => {
  it('answers at every instruction as if each input asked the device', () => {
    const asking = machine({ program: PIT_POLLING });
    Object.assign(asking.cpus[0]!.bus, { steadyUntil: undefined });
    const keeping = machine({ program: PIT_POLLING });
    let asked = 0;
    const { bus } = keeping.cpus[0]!;
    const read = bus.in.bind(bus);
    bus.in = (port, size) => (asked++, read(port, size));
    let seed = 5;
    while (!keeping.ended) {
      seed = (seed * 48271) % 0x7fff_ffff;
      const slice = 1 + (seed % (seed & 64 ? 200_000 : 7));
      if (seed & 128) {
        const saved = keeping.snapshot();
        keeping.run(1 + (seed % 5000));
        keeping.restore(saved);
        keeping.release(saved);
      }
      keeping.run(slice);
      asking.run(slice);
      assert.strictEqual(state(keeping), state(asking));
    }
    assert.ok(asking.ended && keeping.icount > 1.9e6 && asked < 5000, `${asked} inputs of ${keeping.icount} instructions`);
  });
});

describe('PC snapshots', () => {
  it('run on, restore, run again: the same console, registers and memory, at any instruction', () => {
    const m = machine({ program: ECHO });
    let seed = 7;
    for (let round = 0; round < 12; round++) {
      seed = (seed * 48271) % 0x7fff_ffff;
      m.run(seed % 20_000);
      const saved = m.snapshot();
      const at = state(m);
      m.console = '';
      m.run(30_011);
      m.typeSerial(new TextEncoder().encode('abc'));
      m.run(20_000);
      const first = [m.console, state(m), word(m, 0x200000, 4), Buffer.from(m.readMemory(0x300000, 0x40000)!).toString('base64')];
      const log = m.recordedInput!;
      m.restore(saved, log);
      assert.strictEqual(state(m), at);
      assert.strictEqual(m.icount, saved.icount);
      m.console = '';
      m.run(50_011);
      assert.deepStrictEqual([m.console, state(m), word(m, 0x200000, 4), Buffer.from(m.readMemory(0x300000, 0x40000)!).toString('base64')], first);
      m.release(saved);
    }
  });

  it('bring back timers, disks and an ended machine', () => {
    const m = machine({ program: PIT_INTERRUPTS });
    const begin = m.snapshot();
    m.run(5e6);
    const middle = m.snapshot();
    assert.strictEqual(m.run(20e6), 'debug-exit');
    const end = [m.icount, state(m)];
    for (const snapshot of [middle, begin, middle, begin]) {
      m.restore(snapshot);
      assert.strictEqual(m.ended, undefined);
      assert.strictEqual(m.run(20e6), 'debug-exit');
      assert.deepStrictEqual([m.icount, state(m)], end);
    }
  });

  it('a restart is a restore, and takes milliseconds', () => {
    const m = machine({ program: ECHO });
    const begin = m.snapshot();
    m.run(3e5);
    const first = m.console;
    m.console = '';
    const started = process.hrtime.bigint();
    m.restore(begin);
    assert.ok(Number(process.hrtime.bigint() - started) < 200e6);
    m.run(3e5);
    assert.strictEqual(m.console, first);
  });

  it('forget input that was typed after them, unless it is given back', () => {
    const m = machine({ program: ECHO });
    m.run(50_000);
    const saved = m.snapshot();
    m.typeSerial(new TextEncoder().encode('qqq'));
    m.restore(saved);
    assert.strictEqual(m.run(50_000), 'budget');
  });
});

describe('PC booting a multiboot kernel', () => {
  /** A 32-bit ELF, linked at 1 MiB: header, code that reports EAX and the information's first words, 4 KiB of BSS. */
  function kernel(change: (bytes: Uint8Array, data: DataView) => void = () => {}): DiskImage {
    const bytes = new Uint8Array(0x1100);
    const data = new DataView(bytes.buffer);
    bytes.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]);
    data.setUint16(16, 2, true);
    data.setUint16(18, 3, true);
    data.setUint32(24, 0x10_000c, true);
    data.setUint32(28, 52, true);
    data.setUint16(42, 32, true);
    data.setUint16(44, 1, true);
    [1, 0x1000, 0x10_0000, 0x10_0000, 0x100, 0x2000, 7, 0x1000].forEach((v, i) => data.setUint32(52 + 4 * i, v, true));
    [0x1badb002, 3, -(0x1badb002 + 3) >>> 0].forEach((v, i) => data.setUint32(0x1000 + 4 * i, v, true));
    bytes.set([0xb9, 0x00, 0x20, 0x10, 0x00, 0xa3, 0x00, 0x18, 0x10, 0x00, 0x89, 0x1d, 0x04, 0x18, 0x10, 0x00, 0xe6, 0xf4], 0x100c); // mov ecx, ..; mov [101800h], eax; mov [101804h], ebx; out 0f4h, al
    change(bytes, data);
    return { name: 'dir/kernel.elf', bytes };
  }
  const boot = (image: DiskImage, append = '', modules: { image: DiskImage; append: string }[] = []): ReturnType<typeof machine> => machine({ drives: [], boot: { kind: 'multiboot', image, append, modules } });
  const text = (m: Machine, at: number): string => String.fromCharCode(...m.readMemory(at, 64)!).replace(/\0[^]*/, '');

  it('with the state and the information that the specification promises', () => {
    const module = { image: { name: 'fs.img', bytes: new TextEncoder().encode('module') }, append: 'one two' };
    const m = boot(kernel(), 'console=ttyS0', [module]);
    assert.strictEqual(m.run(1000), 'debug-exit');
    assert.strictEqual(m.instructions, 4);
    assert.strictEqual(word(m, 0x101800, 4), 0x2badb002);
    const info = word(m, 0x101804, 4);
    const field = (offset: number): number => word(m, info + offset, 4);
    assert.strictEqual(field(0) & 0x4d, 0x4d);
    assert.strictEqual(field(4), 639);
    assert.strictEqual(field(8), 63 * 1024);
    assert.strictEqual(text(m, field(16)), 'kernel.elf console=ttyS0');
    assert.strictEqual(field(20), 1);
    const start = word(m, field(24), 4);
    assert.strictEqual(start & 0xfff, 0);
    assert.strictEqual(text(m, start), 'module');
    assert.strictEqual(word(m, field(24) + 4, 4), start + 6);
    assert.strictEqual(text(m, word(m, field(24) + 8, 4)), 'fs.img one two');
    assert.strictEqual(field(44), m.e820().length * 24);
    assert.strictEqual(word(m, field(48), 4), 20);
  });

  it('with a picture when its header asks for graphics, and with none when it asks for text', () => {
    const asks = (mode: number): Machine => {
      const header = [0x1badb002, 7, -(0x1badb002 + 7) >>> 0, 0, 0, 0, 0, 0, mode, 640, 480, 32];
      // Behind the code, in place of the one before it.
      return boot(kernel((_, data) => {
        data.setUint32(0x1000, 0, true);
        header.forEach((v, i) => data.setUint32(0x1040 + 4 * i, v, true));
      }));
    };
    const shown = asks(0);
    shown.run(1000);
    const info = word(shown, 0x101804, 4);
    assert.strictEqual(word(shown, info, 4) & 0x1000, 0x1000);
    assert.deepStrictEqual([word(shown, info + 88, 8), word(shown, info + 96, 4), word(shown, info + 100, 4), word(shown, info + 104, 4)], [0xfd00_0000, 2560, 640, 480]);
    assert.deepStrictEqual([...shown.readMemory(info + 108, 8)!], [32, 1, 16, 8, 8, 8, 0, 8]);
    const text = asks(1);
    text.run(1000);
    assert.strictEqual(word(text, word(text, 0x101804, 4), 4) & 0x1000, 0);
  });

  it('says in one sentence, with the name, what is wrong with a file', () => {
    const wrong = (image: DiskImage, code: string): void => {
      assert.throws(() => boot(image), (e) => e instanceof UserError && e.code === code && e.message.startsWith('dir/kernel.elf'), code);
    };
    wrong(kernel((b) => b.fill(0)), 'boot.notElf');
    wrong(kernel((_, d) => d.setUint16(18, 183, true)), 'boot.machine');
    wrong(kernel((_, d) => d.setUint32(0x1000, 0, true)), 'boot.noMultibootHeader');
    wrong(kernel((_, d) => d.setUint32(52 + 16, 0x9000, true)), 'boot.truncated');
    wrong(kernel((_, d) => d.setUint32(52 + 12, 0xb000_0000, true)), 'boot.noRoom');
    const whole = kernel();
    for (const length of [0, 3, 20, 60, 0x1004, 0x1080]) assert.throws(() => boot({ name: whole.name, bytes: whole.bytes.slice(0, length) }), UserError, String(length));
  });
});

describe('PC options', () => {
  const wrong = (options: Partial<MachineOptions>, code: string): void => assert.throws(() => machine(options), (e) => e instanceof UserError && e.code === code, code);
  it('that cannot be give one sentence', () => {
    for (const memory of [0, -1, NaN, MIB - 1, 2 ** 50]) wrong({ memory }, 'machine.memory');
    wrong({ cpus: 0 }, 'machine.cpus');
    wrong({ cpus: 9 }, 'machine.cpus');
    wrong({ drives: [] }, 'boot.disk');
    wrong({ drives: [{ name: 'x', bytes: new Uint8Array(512) }] }, 'boot.signature');
    wrong({ drives: [{ name: 'x', bytes: new Uint8Array(0) }] }, 'disk.empty');
    wrong({ drives: Array.from({ length: 5 }, () => disk(STAGE1)) }, 'drives');
    wrong({ without: ['no-such-feature'] }, 'unknown-feature');
  });
  it('a disk that ends inside a sector is padded, with a warning', () => {
    const image = disk(STAGE1, LAPIC_TIMER);
    const m = machine({ drives: [{ name: 'odd.img', bytes: image.bytes.subarray(0, 1500) }] });
    m.run(1);
    assert.ok(m.warnings[0]!.includes('odd.img'));
  });
  it('memory of 1 TiB costs what is used', () => {
    const m = machine({ memory: 2 ** 40, program: LAPIC_TIMER });
    assert.strictEqual(m.run(1e6), 'debug-exit');
    assert.strictEqual(m.e820().at(-1)!.length, 2n ** 40n - 0xc000_0000n);
  });
});
