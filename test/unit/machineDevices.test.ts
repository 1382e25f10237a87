/** The PC's devices on their board, driven through ports and registers as software does. */
import assert from 'node:assert';
import { clocksAt, PIT_HERTZ, ticksAt } from '../../src/machine/clock';
import { IO_APIC } from '../../src/machine/memory/addressMap';
import { board } from './machineBoard';

describe('clock', () => {
  it('converts between ticks and the timer clock exactly, even after years', () => {
    for (const clock of [1, 2, 65536, PIT_HERTZ, PIT_HERTZ * 1e5 + 7]) {
      const tick = ticksAt(clock, PIT_HERTZ);
      assert.strictEqual(clocksAt(tick, PIT_HERTZ), clock);
      assert.strictEqual(clocksAt(tick - 1, PIT_HERTZ), clock - 1);
    }
  });
});

describe('8259 interrupt controllers', () => {
  it('deliver by priority, in service until the end of interrupt', () => {
    const r = board();
    r.initialisePics();
    r.board.pic.setLine(4, true);
    r.board.pic.setLine(1, true);
    assert.deepStrictEqual(r.interrupts(), [0x21]);
    r.out8(0x20, 0x20);
    assert.deepStrictEqual(r.interrupts(), [0x24]);
  });
  it('cascade the second into line 2 of the first, and both need an end of interrupt', () => {
    const r = board();
    r.initialisePics();
    r.board.pic.setLine(14, true);
    assert.deepStrictEqual(r.interrupts(), [0x2e]);
    r.out8(0x20, 0x0b); // OCW3: read the ISR
    assert.strictEqual(r.in8(0x20), 0x04);
    r.board.pic.setLine(12, true);
    r.out8(0x20, 0x20);
    assert.deepStrictEqual(r.interrupts(), [0x2c]);
  });
  it('are edge-triggered: a line that stays high interrupts once', () => {
    const r = board();
    r.initialisePics();
    r.board.pic.setLine(4, true);
    r.interrupts();
    r.out8(0x20, 0x20);
    r.board.pic.setLine(4, true);
    assert.deepStrictEqual(r.interrupts(), []);
  });
  it('with automatic end of interrupt keep nothing in service', () => {
    const r = board();
    r.initialisePics(0x03);
    r.board.pic.setLine(1, true);
    assert.deepStrictEqual(r.interrupts(), [0x21]);
    r.board.pic.setLine(4, true);
    assert.deepStrictEqual(r.interrupts(), [0x24]);
  });
  it('hold masked requests back', () => {
    const r = board();
    r.initialisePics();
    r.out8(0x21, 0x10);
    r.board.pic.setLine(4, true);
    assert.deepStrictEqual(r.interrupts(), []);
    assert.strictEqual(r.in8(0x21), 0x10);
    r.out8(0x21, 0);
    assert.deepStrictEqual(r.interrupts(), [0x24]);
  });
  it('level-triggered lines (ELCR) go away with their request', () => {
    const r = board();
    r.initialisePics();
    r.out8(0x4d1, 0x08);
    r.board.pic.setLine(11, true);
    r.board.pic.setLine(11, false);
    assert.deepStrictEqual(r.interrupts(), []);
  });
});

describe('8254 timer', () => {
  it('interrupts at the programmed rate, exactly', () => {
    const r = board();
    r.initialisePics(0x03);
    r.out8(0x43, 0x34);
    r.out8(0x40, 0xa9, 0x04); // 1193 counts: about a millisecond
    let n = 0;
    for (let i = 0; i < 1000; i++) {
      r.pass(1_000_000);
      n += r.interrupts().length;
    }
    assert.strictEqual(n, Math.floor(PIT_HERTZ / 1193));
  });
  it('a latched count stays until it is read, low byte first', () => {
    const r = board();
    r.out8(0x43, 0x34);
    r.out8(0x40, 0x00, 0x10);
    r.time += ticksAt(0x10, PIT_HERTZ);
    r.out8(0x43, 0x00);
    r.time += 1e6;
    assert.strictEqual(r.in8(0x40) | (r.in8(0x40) << 8), 0x0ff0);
    assert.notStrictEqual(r.in8(0x40) | (r.in8(0x40) << 8), 0x0ff0);
  });
  it("channel 2 counts while port 0x61's gate is open and shows its output there", () => {
    const r = board();
    r.out8(0x61, 0x00);
    r.out8(0x43, 0xb0);
    r.out8(0x42, 0xe8, 0x03); // 1000 counts
    r.pass(1e9);
    assert.strictEqual(r.in8(0x61) & 0x20, 0);
    r.out8(0x61, 0x01);
    r.pass(ticksAt(999, PIT_HERTZ));
    assert.strictEqual(r.in8(0x61) & 0x20, 0);
    r.pass(ticksAt(2, PIT_HERTZ));
    assert.strictEqual(r.in8(0x61) & 0x20, 0x20);
  });
  it('what it promises of port 0x61 holds in every mode, to the tick', () => {
    for (const mode of [0, 1, 2, 3, 4, 5]) {
      for (const count of [1, 2, 3, 50]) {
        const r = board();
        r.out8(0x61, 0x01);
        r.out8(0x43, 0x90 | (mode << 1), 0x90 | (mode << 1));
        r.out8(0x42, count);
        let answer = -1;
        let until = 0;
        for (const end = r.time + 120_000; r.time < end; r.time += 7) {
          if (r.time === 59_997) r.out8(0x61, 0x00);
          if (r.time === 59_997 || r.time >= until) [answer, until] = [r.in8(0x61), r.bus.steadyUntil(0x61)];
          else assert.strictEqual(r.in8(0x61), answer, `mode ${mode}, count ${count}, tick ${r.time}`);
          assert.ok(until > r.time);
        }
      }
    }
  });
  it('modes 1 and 5 wait for their gate to rise, with the output high, and start again at each rise', () => {
    for (const mode of [1, 5]) {
      const r = board();
      const high = (): boolean => (r.in8(0x61) & 0x20) !== 0;
      r.out8(0x61, 0x00);
      r.out8(0x43, 0xb0 | (mode << 1));
      assert.ok(high(), 'after the control word');
      r.out8(0x42, 100, 0);
      r.pass(ticksAt(1000, PIT_HERTZ));
      assert.ok(high(), 'before the gate has risen');
      r.out8(0x61, 0x01);
      r.pass(ticksAt(50, PIT_HERTZ));
      assert.strictEqual(high(), mode === 5);
      r.out8(0x42, 10, 0); // for the next time
      r.pass(ticksAt(49, PIT_HERTZ));
      assert.strictEqual(high(), mode === 5, 'the count that runs is still the old one');
      r.pass(ticksAt(10, PIT_HERTZ));
      assert.ok(high());
      r.out8(0x61, 0x00);
      r.out8(0x61, 0x01);
      r.pass(ticksAt(9, PIT_HERTZ));
      assert.strictEqual(high(), mode === 5);
      r.pass(ticksAt(3, PIT_HERTZ));
      assert.ok(high());
    }
  });
  it('mode 3 is high for half of the period, of an odd count for the longer half', () => {
    for (const [count, high] of [[2, 1], [4, 2], [5, 3]] as const) {
      const r = board();
      r.out8(0x61, 0x01);
      r.out8(0x43, 0x96);
      r.out8(0x42, count);
      const levels = Array.from({ length: count }, (_, n) => {
        r.time = ticksAt(n, PIT_HERTZ);
        return (r.in8(0x61) >> 5) & 1;
      });
      assert.strictEqual(levels.reduce((a, b) => a + b, 0), high, `count ${count}`);
    }
  });
  it('one-shot (mode 0) interrupts once', () => {
    const r = board();
    r.initialisePics(0x03);
    r.out8(0x43, 0x30);
    r.interrupts();
    r.out8(0x40, 0x10, 0x00);
    r.pass(1e9);
    assert.deepStrictEqual(r.interrupts(), [0x20]);
  });
});

describe('local APIC', () => {
  const TIMER = 0x320;
  it('one-shot timer: divided by 2 it takes 2 ns a count', () => {
    const r = board();
    r.setApic(TIMER, 0x40);
    r.setApic(0x3e0, 0x0);
    r.setApic(0x380, 100);
    r.pass(199);
    assert.deepStrictEqual(r.interrupts(), []);
    assert.strictEqual(r.apic(0x390), 1);
    r.pass(1);
    assert.deepStrictEqual(r.interrupts(), [0x40]);
    assert.strictEqual(r.apic(0x390), 0);
    r.pass(1e6);
    assert.deepStrictEqual(r.interrupts(), []);
  });
  it('periodic timer: goes on, divided by 1', () => {
    const r = board();
    r.setApic(TIMER, 0x2_0040);
    r.setApic(0x3e0, 0xb);
    r.setApic(0x380, 1000);
    let n = 0;
    for (let i = 0; i < 10; i++) {
      r.pass(1000);
      n += r.interrupts().length;
      r.setApic(0xb0, 0);
    }
    assert.strictEqual(n, 10);
  });
  it('TSC-deadline timer', () => {
    const r = board();
    r.setApic(TIMER, 0x4_0041);
    assert.ok(r.board.localApic.write(0x6e0, 5000n));
    r.pass(4999);
    assert.deepStrictEqual(r.interrupts(), []);
    r.pass(1);
    assert.deepStrictEqual(r.interrupts(), [0x41]);
    assert.strictEqual(r.board.localApic.read(0x6e0), 0n);
  });
  it('holds back what is not above the task priority or what is in service', () => {
    const r = board();
    r.board.localApic.setTaskPriority(4);
    r.board.localApic.request(0x41, false);
    assert.deepStrictEqual(r.interrupts(), []);
    r.setApic(0x80, 0);
    assert.deepStrictEqual(r.interrupts(), [0x41]);
    r.board.localApic.request(0x42, false);
    assert.deepStrictEqual(r.interrupts(), []);
    assert.strictEqual(r.apic(0xa0), 0x40);
    r.setApic(0xb0, 0);
    assert.deepStrictEqual(r.interrupts(), [0x42]);
  });
  it('sends itself interrupts, and its delivery status is idle at once', () => {
    const r = board();
    r.setApic(0x300, 0x4_0050);
    assert.strictEqual(r.apic(0x300) & 0x1000, 0);
    assert.deepStrictEqual(r.interrupts(), [0x50]);
    r.setApic(0x300, 0x4_0400);
    assert.deepStrictEqual(r.events, ['NMI']);
    r.setApic(0x300, 0x8_8500); // INIT, level de-assert, to all: what kernels broadcast at start
    assert.strictEqual(r.apic(0x300) & 0x1000, 0);
    assert.deepStrictEqual(r.warnings, []);
  });
  it('passes the 8259s through LINT0 only while it is ExtINT and unmasked', () => {
    const r = board();
    r.initialisePics(0x03);
    r.setApic(0x350, 0x1_0000);
    r.board.pic.setLine(1, true);
    assert.deepStrictEqual(r.interrupts(), []);
    r.setApic(0x350, 0x700);
    assert.deepStrictEqual(r.interrupts(), [0x21]);
  });
  it('disabled by IA32_APIC_BASE it leaves its page, and the 8259s drive the processor', () => {
    const r = board();
    r.initialisePics(0x03);
    r.board.localApic.setBase(0xfee00100n);
    assert.strictEqual(r.apic(0x30), 0xffff_ffff);
    r.board.pic.setLine(1, true);
    assert.deepStrictEqual(r.interrupts(), [0x21]);
    r.board.localApic.setBase(0xfee00900n);
    assert.strictEqual(r.apic(0x30), 0x50014);
  });
  it('x2APIC: the same registers as MSRs', () => {
    const r = board();
    assert.strictEqual(r.board.localApic.read(0x802), undefined);
    r.board.localApic.setBase(0xfee00d00n);
    r.setApic(0x80, 0x20);
    assert.strictEqual(r.board.localApic.read(0x808), 0n);
    assert.ok(r.board.localApic.write(0x80f, 0x1ffn));
    assert.ok(r.board.localApic.write(0x83f, 0x55n));
    assert.deepStrictEqual(r.interrupts(), [0x55]);
    assert.strictEqual(r.board.localApic.write(0x802, 1n), false);
  });
});

describe('I/O APIC', () => {
  it('delivers an edge by its redirection entry; IRQ 0 is input 2', () => {
    const r = board();
    const set = (index: number, value: number): void => {
      r.bus.write(IO_APIC, 4, index);
      r.bus.write(IO_APIC + 0x10, 4, value);
    };
    set(0x10 + 2 * 2 + 1, 0);
    set(0x10 + 2 * 2, 0x61);
    r.out8(0x21, 0xff);
    r.out8(0x43, 0x34);
    r.out8(0x40, 0, 0x10);
    r.pass(ticksAt(0x1000, PIT_HERTZ));
    assert.deepStrictEqual(r.interrupts(), [0x61]);
  });
});

describe('serial port', () => {
  it('is ready to transmit at once, and hands bytes out', () => {
    const r = board();
    const sent: number[] = [];
    r.board.com1.transmit = (byte) => sent.push(byte);
    assert.strictEqual(r.in8(0x3fd), 0x60);
    r.out8(0x3f8, 0x48, 0x69);
    assert.deepStrictEqual(sent, [0x48, 0x69]);
    assert.strictEqual(r.in8(0x3fd) & 0x20, 0x20);
  });
  it('interrupts for received bytes when enabled and OUT2 is set', () => {
    const r = board();
    r.initialisePics(0x03);
    r.out8(0x3f9, 0x01);
    r.out8(0x3fc, 0x08);
    r.board.com1.receive(0x41);
    assert.deepStrictEqual(r.interrupts(), [0x24]);
    assert.strictEqual(r.in8(0x3fa) & 0x0f, 0x04);
    assert.strictEqual(r.in8(0x3fd) & 1, 1);
    assert.strictEqual(r.in8(0x3f8), 0x41);
    assert.strictEqual(r.in8(0x3fa) & 0x0f, 0x01);
  });
  it('the transmit interrupt comes when it is enabled and goes when it is identified', () => {
    const r = board();
    r.initialisePics(0x03);
    r.out8(0x3fc, 0x08);
    r.out8(0x3f9, 0x02);
    assert.deepStrictEqual(r.interrupts(), [0x24]);
    assert.strictEqual(r.in8(0x3fa) & 0x0f, 0x02);
    assert.strictEqual(r.in8(0x3fa) & 0x0f, 0x01);
    r.out8(0x3f8, 0x41);
    assert.deepStrictEqual(r.interrupts(), [0x24]);
  });
  it('loops back, divisor latch apart, FIFO detectable', () => {
    const r = board();
    r.out8(0x3fc, 0x1e);
    assert.strictEqual(r.in8(0x3fe), 0xd0);
    r.out8(0x3f8, 0x77);
    assert.strictEqual(r.in8(0x3f8), 0x77);
    r.out8(0x3fb, 0x80);
    r.out8(0x3f8, 0x01);
    assert.strictEqual(r.in8(0x3f8), 0x01);
    r.out8(0x3fa, 0x01);
    assert.strictEqual(r.in8(0x3fa) & 0xc0, 0xc0);
  });
});

describe('CMOS', () => {
  const cmos = (r: ReturnType<typeof board>, index: number): number => {
    r.out8(0x70, index);
    return r.in8(0x71);
  };
  it('has the memory sizes', () => {
    const r = board();
    assert.strictEqual(cmos(r, 0x15) | (cmos(r, 0x16) << 8), 640);
    assert.strictEqual(cmos(r, 0x17) | (cmos(r, 0x18) << 8), 63 * 1024);
    assert.strictEqual(cmos(r, 0x34) | (cmos(r, 0x35) << 8), (48 << 20) / 0x10000);
    assert.strictEqual(cmos(r, 0x5b), 0);
  });
  it('tells the same date in every run, and its time passes with the machine', () => {
    const r = board();
    const date = (): number[] => [0x32, 9, 8, 7, 4, 2, 0].map((i) => cmos(r, i));
    assert.deepStrictEqual(date(), [0x20, 0x24, 0x01, 0x01, 0x00, 0x00, 0x00]);
    r.time = 3661e9;
    assert.deepStrictEqual(date().slice(4), [0x01, 0x01, 0x01]);
  });
  it('tells an update 244 us before each second, unless the clock is stopped', () => {
    const r = board();
    const updating = (time: number): number => {
      r.time = time;
      return cmos(r, 0x0a) & 0x80;
    };
    assert.deepStrictEqual([5e8, 999_755_999, 999_756_000, 999_999_999, 1e9].map(updating), [0, 0, 0x80, 0x80, 0]);
    r.out8(0x70, 0x0b);
    r.out8(0x71, 0x82);
    assert.strictEqual(updating(1_999_900_000), 0);
  });
  it('interrupts periodically on IRQ 8, and register C acknowledges', () => {
    const r = board();
    r.initialisePics();
    r.out8(0x70, 0x0b);
    r.out8(0x71, 0x42);
    r.pass(1e6);
    assert.deepStrictEqual(r.interrupts(), [0x28]);
    assert.strictEqual(cmos(r, 0x0c), 0xc0);
    assert.strictEqual(cmos(r, 0x0c), 0);
  });
});

describe('keyboard controller', () => {
  it('switches A20 by its output port, as boot sectors do', () => {
    const r = board();
    r.out8(0x64, 0xd1);
    r.out8(0x60, 0xdd);
    assert.strictEqual(r.memory.a20Enabled, false);
    assert.strictEqual(r.in8(0x64) & 2, 0, 'its input buffer is free at once');
    r.out8(0x64, 0xd1);
    r.out8(0x60, 0xdf);
    assert.strictEqual(r.memory.a20Enabled, true);
    assert.strictEqual(r.in8(0x92) & 2, 2);
  });
  it('passes its self test and resets the machine by a pulse', () => {
    const r = board();
    r.out8(0x64, 0xaa);
    assert.strictEqual(r.in8(0x64) & 1, 1);
    assert.strictEqual(r.in8(0x60), 0x55);
    assert.strictEqual(r.in8(0x64) & 1, 0);
    r.out8(0x64, 0xfe);
    assert.deepStrictEqual(r.events, ['reset']);
  });
  it('types in scan code set 1, one interrupt per byte', () => {
    const r = board();
    r.initialisePics(0x03);
    r.board.keyboard.type('aB\n');
    const codes: number[] = [];
    while (r.in8(0x64) & 1) {
      assert.deepStrictEqual(r.interrupts(), [0x21]);
      codes.push(r.in8(0x60));
    }
    assert.deepStrictEqual(codes, [0x1e, 0x9e, 0x2a, 0x30, 0xb0, 0xaa, 0x1c, 0x9c]);
  });
});

describe('IDE', () => {
  const read = (r: ReturnType<typeof board>, lba: number, count: number, device: number, command: number, base = 0x1f0): void => {
    r.out8(base + 2, count);
    r.out8(base + 3, lba & 0xff);
    r.out8(base + 4, (lba >> 8) & 0xff);
    r.out8(base + 5, (lba >> 16) & 0xff);
    r.out8(base + 6, device | ((lba >> 24) & 15));
    r.out8(base + 7, command);
  };
  const words = (r: ReturnType<typeof board>, n: number, base = 0x1f0): number[] => Array.from({ length: n }, () => r.bus.in(base, 4));

  it('reads a sector by LBA28 in 32-bit words, ready at once', () => {
    const r = board([100]);
    read(r, 7, 1, 0xe0, 0x20);
    assert.strictEqual(r.in8(0x1f7), 0x58);
    assert.ok(words(r, 128).every((w) => w === 0x07070707));
    assert.strictEqual(r.in8(0x1f7), 0x50);
  });
  it('interrupts once per sector, on IRQ 14', () => {
    const r = board([100]);
    r.initialisePics();
    read(r, 1, 2, 0xe0, 0x20);
    const eoi = (): void => (r.out8(0xa0, 0x20), r.out8(0x20, 0x20));
    assert.deepStrictEqual(r.interrupts(), [0x2e]);
    eoi();
    words(r, 128);
    assert.deepStrictEqual(r.interrupts(), [0x2e]);
    eoi();
    assert.strictEqual(words(r, 128)[0], 0x02020202);
    assert.deepStrictEqual(r.interrupts(), []);
  });
  it('has two disks on the primary channel', () => {
    const r = board([100, 200]);
    read(r, 9, 1, 0xf0, 0x20);
    assert.strictEqual(words(r, 1)[0], 0x0a0a0a0a);
  });
  it('identifies itself: size in both address widths', () => {
    const r = board([100]);
    r.out8(0x1f6, 0xe0);
    r.out8(0x1f7, 0xec);
    const data = words(r, 128);
    assert.strictEqual(data[30], 100);
    assert.strictEqual(data[50], 100);
  });
  it('writes to the overlay; the image keeps its bytes', () => {
    const r = board([100]);
    read(r, 5, 1, 0xe0, 0x30);
    assert.strictEqual(r.in8(0x1f7), 0x58);
    for (let i = 0; i < 256; i++) r.bus.out(0x1f0, 2, 0xbeef);
    assert.strictEqual(r.in8(0x1f7), 0x50);
    assert.ok(r.drives[0]!.image.bytes.subarray(5 * 512, 6 * 512).every((b) => b === 5));
    read(r, 5, 1, 0xe0, 0x20);
    assert.strictEqual(words(r, 1)[0], 0xbeefbeef);
    assert.strictEqual(r.drives[0]!.merged()[5 * 512], 0xef);
  });
  it('reads and writes 48-bit addresses, several sectors a block', () => {
    const r = board([100]);
    r.out8(0x1f6, 0xe0);
    r.out8(0x1f2, 0, 3);
    r.out8(0x1f3, 0, 20);
    r.out8(0x1f4, 0, 0);
    r.out8(0x1f5, 0, 0);
    r.out8(0x1f7, 0x29);
    const data = words(r, 384);
    assert.deepStrictEqual([data[0], data[128], data[256]], [0x14141414, 0x15151515, 0x16161616]);
    assert.strictEqual(r.in8(0x1f7), 0x50);
  });
  it('refuses sectors beyond its end and commands of CD-ROM drives', () => {
    const r = board([100]);
    read(r, 100, 1, 0xe0, 0x20);
    assert.strictEqual(r.in8(0x1f7) & 1, 1);
    assert.strictEqual(r.in8(0x1f1), 0x10);
    r.out8(0x1f7, 0xa1);
    assert.strictEqual(r.in8(0x1f1), 0x04);
  });
  it('an empty channel floats high; an absent second disk reads as 0', () => {
    const r = board([100]);
    assert.strictEqual(r.in8(0x177), 0xff);
    r.out8(0x1f6, 0xf0);
    assert.strictEqual(r.in8(0x1f7), 0);
  });
});

describe('the rest of the board', () => {
  it('LPT1 is ready', () => assert.strictEqual(board().in8(0x379) & 0x80, 0x80));
  it('ports 0xF4, 0xCF9, 0x92 and the power-off ports do what they are for', () => {
    const r = board();
    r.bus.out(0xf4, 1, 3);
    r.bus.out(0xcf9, 1, 0x06);
    r.bus.out(0x92, 1, 0x03);
    r.bus.out(0x604, 2, 0x2000);
    assert.deepStrictEqual(r.events, ['exit 3', 'reset', 'reset', 'power off']);
  });
  it('an unknown port reads all ones and is reported; what PCs commonly lack is not', () => {
    const r = board();
    assert.strictEqual(r.bus.in(0x1234, 4), 0xffff_ffff);
    assert.deepStrictEqual(r.warnings, ['The guest reads port 0x1234, where Hyperstep has no device.']);
    const n = r.warnings.length;
    r.bus.out(0x80, 1, 0);
    r.bus.in(0x84, 1);
    r.bus.in(0x2f8, 1);
    assert.strictEqual(r.warnings.length, n);
  });
  it('CRTC keeps the cursor', () => {
    const r = board();
    r.bus.out(0x3d4, 2, 0x120e);
    r.bus.out(0x3d4, 2, 0x340f);
    assert.strictEqual(r.board.vga.cursor, 0x1234);
  });
  it('every device keeps its whole state in one plain object', () => {
    const r = board([100]);
    r.initialisePics();
    r.out8(0x43, 0x34);
    r.out8(0x40, 0, 0x10);
    const saved = r.board.devices.map((d) => structuredClone(d.state));
    r.pass(5e6);
    r.setApic(0x380, 1000);
    r.out8(0x3f9, 3);
    r.board.keyboard.type('x');
    r.board.devices.forEach((d, n) => (d.state = structuredClone(saved[n]!)));
    assert.deepStrictEqual(r.board.devices.map((d) => d.state), saved);
  });

  it('the configuration device tells memory, processors and named files', () => {
    const r = board();
    const item = (key: number, n: number): number[] => {
      r.out16(0x510, key);
      return Array.from({ length: n }, () => r.in8(0x511));
    };
    assert.strictEqual(String.fromCharCode(...item(0, 4)), 'QEMU');
    assert.deepStrictEqual(item(3, 9), [0, 0, 0, 4, 0, 0, 0, 0, 0], '64 MiB, and zeros behind the end');
    assert.deepStrictEqual(item(5, 2), [1, 0]);
    const file = item(0x19, 68).slice(4);
    assert.strictEqual(String.fromCharCode(...file.slice(8)).replace(/\0+$/, ''), 'etc/e820');
    assert.strictEqual(file[3]! % 20, 0);
    assert.deepStrictEqual(item(file[4]! * 256 + file[5]!, 20).slice(0, 16), [0, 0, 0, 0, 0, 0, 0, 0, 0, 0xfc, 9, 0, 0, 0, 0, 0]);
    assert.deepStrictEqual(item(0x77, 2), [0, 0], 'not there');
  });
  it('a mouse answers, on its own line and marked in the status', () => {
    const r = board();
    r.initialisePics();
    r.out8(0x64, 0xa8, 0x60);
    r.out8(0x60, 0x47); // both interrupts on
    r.out8(0x64, 0xd4);
    r.out8(0x60, 0xff);
    const bytes: number[] = [];
    while (r.in8(0x64) & 1) {
      assert.strictEqual(r.in8(0x64) & 0x20, 0x20);
      bytes.push(r.in8(0x60));
    }
    assert.deepStrictEqual(bytes, [0xfa, 0xaa, 0x00]);
    assert.deepStrictEqual(r.interrupts(), [0x2c]);
    r.out8(0x64, 0xd4);
    r.out8(0x60, 0xf2);
    assert.deepStrictEqual([r.in8(0x60), r.in8(0x60)], [0xfa, 0]);
  });
  it('COM1 and COM3 share a line', () => {
    const r = board();
    r.initialisePics();
    r.out8(0x3ec, 0x08);
    r.out8(0x3e9, 0x02); // transmitter interrupt
    assert.deepStrictEqual(r.interrupts(), [0x24]);
    r.out8(0x3f9, 0x01);
    assert.strictEqual(r.in8(0x3ea), 0x02, 'COM1 does not lower what COM3 raises');
  });
});
