/** virtio devices over PCI, by the legacy and by the modern registers, with queues laid out as a driver does. */
import assert from 'node:assert';
import { setUpPci } from '../../src/machine/firmware/pciSetup';
import { board } from './machineBoard';

type Rig = ReturnType<typeof board>;

const [CONSOLE, ENTROPY, BLOCK] = [3, 4, 5];
const disk = { name: 'v.img', bytes: Uint8Array.from({ length: 16 * 512 }, (_, at) => at >> 9), attachment: 'virtio' as const };
const setConfig = (r: Rig, device: number, register: number, value: number): void => {
  r.out32(0xcf8, (0x8000_0000 | (device << 11) | register) >>> 0);
  r.out32(0xcfc, value);
};
/** Offset of a capability. */
const capability = (r: Rig, device: number, id: number): number => {
  let at = config(r, device, 0x34) & 0xff;
  while ((config(r, device, at) & 0xff) !== id) at = (config(r, device, at) >> 8) & 0xff;
  return at;
};
const config = (r: Rig, device: number, register: number): number => {
  r.out32(0xcf8, (0x8000_0000 | (device << 11) | register) >>> 0);
  return r.in32(0xcfc);
};

/** A driver of one device: its queues are where the legacy layout puts them. */
class Driver {
  readonly ports: number;
  readonly memory: number;
  private used: number[] = [];
  constructor(readonly r: Rig, readonly device: number) {
    this.ports = config(r, device, 0x10) & 0xfffc;
    this.memory = (config(r, device, 0x20) & 0xffff_fff0) >>> 0;
  }
  page(queue: number): number {
    return 0x20_0000 + this.device * 0x4_0000 + queue * 0x4000;
  }
  size(queue: number): number {
    this.r.out16(this.ports + 14, queue);
    return this.r.in16(this.ports + 12);
  }
  legacy(queues: number, features = 0): this {
    this.r.out8(this.ports + 18, 3);
    this.r.out32(this.ports + 4, features);
    for (let n = 0; n < queues; n++) {
      this.r.out16(this.ports + 14, n);
      this.r.out32(this.ports + 8, this.page(n) / 4096);
    }
    this.r.out8(this.ports + 18, 7);
    return this;
  }
  modern(queues: number): this {
    const write = (at: number, size: number, value: number): void => this.r.bus.write(this.memory + at, size, value);
    write(0x14, 1, 3);
    write(0x08, 4, 1);
    write(0x0c, 4, 1); // VERSION_1
    write(0x14, 1, 0x0b);
    assert.strictEqual(this.r.bus.read(this.memory + 0x14, 1), 0x0b, 'features accepted');
    for (let n = 0; n < queues; n++) {
      const size = this.size(n);
      write(0x16, 2, n);
      const available = this.page(n) + 16 * size;
      write(0x20, 4, this.page(n));
      write(0x28, 4, available);
      write(0x30, 4, Math.ceil((available + 6 + 2 * size) / 4096) * 4096);
      write(0x1c, 2, 1);
    }
    write(0x14, 1, 0x0f);
    return this;
  }
  /** Offers a chain of buffers: bytes to give, or a number of bytes to get. Yields where the buffers are. */
  offer(queue: number, ...buffers: (number[] | number)[]): number[] {
    const { r } = this;
    const page = this.page(queue);
    const size = this.size(queue);
    const places = buffers.map((_, n) => 0x40_0000 + queue * 0x8000 + n * 0x1000);
    buffers.forEach((buffer, n) => {
      const length = typeof buffer === 'number' ? buffer : buffer.length;
      if (typeof buffer !== 'number') r.memory.writeBytes(places[n]!, Uint8Array.from(buffer));
      r.memory.store(page + 16 * n, 4, places[n]!);
      r.memory.store(page + 16 * n + 8, 4, length);
      r.memory.store(page + 16 * n + 12, 2, (typeof buffer === 'number' ? 2 : 0) | (n + 1 < buffers.length ? 1 : 0));
      r.memory.store(page + 16 * n + 14, 2, n + 1);
    });
    const available = page + 16 * size;
    const index = r.memory.load(available + 2, 2);
    r.memory.store(available + 4 + 2 * (index % size), 2, 0);
    r.memory.store(available + 2, 2, index + 1);
    return places;
  }
  notify(queue: number, modern = false): void {
    if (modern) this.r.bus.write(this.memory + 0x3000 + 4 * queue, 2, queue);
    else this.r.out16(this.ports + 16, queue);
  }
  /** Bytes written to the next request that came back, or undefined. */
  back(queue: number): number | undefined {
    const size = this.size(queue);
    const used = Math.ceil((this.page(queue) + 16 * size + 6 + 2 * size) / 4096) * 4096;
    const seen = this.used[queue] ?? 0;
    if (this.r.memory.load(used + 2, 2) === seen) return undefined;
    this.used[queue] = seen + 1;
    return this.r.memory.load(used + 4 + 8 * (seen % size) + 4, 4);
  }
}

const ready = (...of: Parameters<typeof board>): Rig => {
  const r = board(...of);
  setUpPci(r.board);
  return r;
};
const header = (type: number, sector: number): number[] => [type, 0, 0, 0, 0, 0, 0, 0, sector, 0, 0, 0, 0, 0, 0, 0];

describe('virtio', () => {
  it('shows transitional devices with their capabilities', () => {
    const r = ready([], [disk]);
    assert.deepStrictEqual([CONSOLE, ENTROPY, BLOCK].map((d) => config(r, d, 0).toString(16)), ['10031af4', '10051af4', '10011af4']);
    assert.strictEqual(config(r, BLOCK, 0x2c), 0x0002_1af4);
    assert.strictEqual(config(r, BLOCK + 1, 0), 0xffff_ffff);
    const types: number[] = [];
    for (let at = config(r, BLOCK, 0x34) & 0xff; at; at = (config(r, BLOCK, at) >> 8) & 0xff) if ((config(r, BLOCK, at) & 0xff) === 9) types.push(config(r, BLOCK, at) >>> 24);
    assert.deepStrictEqual(types, [1, 3, 4, 2, 5]);
  });

  it('the configuration space alone reaches the regions', () => {
    const r = ready([], [disk]);
    let at = config(r, BLOCK, 0x34) & 0xff;
    while (config(r, BLOCK, at) >>> 24 !== 5 || (config(r, BLOCK, at) & 0xff) !== 9) at = (config(r, BLOCK, at) >> 8) & 0xff;
    const aim = (offset: number, length: number, bar = 4): void => {
      setConfig(r, BLOCK, at + 4, bar);
      setConfig(r, BLOCK, at + 8, offset);
      setConfig(r, BLOCK, at + 12, length);
    };
    aim(0x2000, 4);
    assert.strictEqual(config(r, BLOCK, at + 16), 16, "the disk's capacity");
    aim(0x14, 1);
    setConfig(r, BLOCK, at + 16, 3);
    assert.strictEqual(config(r, BLOCK, at + 16), 3, 'the device status');
    assert.strictEqual(r.bus.read(((config(r, BLOCK, 0x20) & 0xffff_fff0) >>> 0) + 0x14, 1), 3);
    for (const [offset, length, bar] of [[0x2000, 3, 4], [0x2001, 4, 4], [0x4000, 4, 4], [0, 4, 2]] as const) {
      aim(offset, length, bar);
      setConfig(r, BLOCK, at + 16, 0xffff_ffff);
      assert.strictEqual(config(r, BLOCK, at + 16), 0, `${offset} ${length} ${bar}`);
    }
  });

  for (const modern of [false, true])
    it(`block device, ${modern ? 'modern' : 'legacy'}: reads, writes, refuses what is behind the end`, () => {
      const r = ready([], [disk]);
      r.initialisePics();
      const d = new Driver(r, BLOCK);
      if (modern) d.modern(1);
      else d.legacy(1);
      const capacity = modern ? r.bus.read(d.memory + 0x2000, 4) : r.in32(d.ports + 20);
      assert.strictEqual(capacity, 16);
      const [, data, status] = d.offer(0, header(0, 3), 1024, 1);
      d.notify(0, modern);
      assert.strictEqual(d.back(0), 1025);
      assert.deepStrictEqual([r.memory.load(data!, 1), r.memory.load(data! + 512, 1), r.memory.load(status!, 1)], [3, 4, 0]);
      assert.deepStrictEqual(r.interrupts(), [0x2a], 'INTA# of device 5 is PIRQA#: line 10');
      const isr = (): number => (modern ? r.bus.read(d.memory + 0x1000, 1) : r.in8(d.ports + 19));
      assert.deepStrictEqual([isr(), isr()], [1, 0], 'reading it ends the interrupt');

      d.offer(0, header(1, 5), new Array<number>(512).fill(0xcd), 1);
      d.notify(0, modern);
      assert.strictEqual(d.back(0), 1);
      assert.strictEqual(r.drives[0]!.read(5)[0], 0xcd);
      const [, , failed] = d.offer(0, header(0, 15), 1024, 1);
      d.notify(0, modern);
      assert.strictEqual(r.memory.load(failed!, 1), 1);
      assert.match(r.warnings.join(), /behind the end of v\.img, which has 16/);
      const [, unknown] = d.offer(0, header(99, 0), 1);
      d.notify(0, modern);
      assert.strictEqual(r.memory.load(unknown!, 1), 2);
    });

  it('entropy: different bytes each time, the same in every run', () => {
    const bytes = (): string => {
      const r = ready();
      const d = new Driver(r, ENTROPY).legacy(1);
      return [0, 1].map(() => {
        const [at] = d.offer(0, 16);
        d.notify(0);
        assert.strictEqual(d.back(0), 16);
        return Buffer.from(r.memory.readBytes(at!, 16)).toString('hex');
      }).join(' ');
    };
    const [first, second] = [bytes(), bytes()];
    assert.strictEqual(first, second);
    assert.notStrictEqual(first.split(' ')[0], first.split(' ')[1]);
  });

  it('console: what the guest writes is shown, what is typed reaches the console that it wrote to last', () => {
    const r = ready();
    let shown = '';
    r.board.onConsole = (byte) => (shown += String.fromCharCode(byte));
    const d = new Driver(r, CONSOLE).modern(2);
    const [at] = d.offer(0, 64);
    d.notify(0, true);
    r.board.typeConsole(0x61);
    assert.strictEqual(d.back(0), undefined);
    assert.strictEqual(r.in8(0x3f8), 0x61, 'the serial port, as nothing was written yet');
    d.offer(1, [0x68, 0x69]);
    d.notify(1, true);
    assert.strictEqual(shown, 'hi');
    r.board.typeConsole(0x62);
    assert.strictEqual(d.back(0), 1);
    assert.strictEqual(r.memory.load(at!, 1), 0x62);
  });

  it('asks for a reset when the rings cannot be, and says so once', () => {
    const r = ready([], [disk]);
    const d = new Driver(r, BLOCK).legacy(1);
    d.offer(0, header(0, 0), 512, 1);
    r.memory.store(d.page(0) + 14, 2, 0); // the first descriptor follows itself
    d.notify(0);
    assert.strictEqual(r.in8(d.ports + 18) & 0x40, 0x40);
    assert.strictEqual(r.warnings.length, 1);
    r.out8(d.ports + 18, 0);
    assert.strictEqual(r.in8(d.ports + 18), 0);
  });

  it('saves and restores in the midst of its work', () => {
    const r = ready([], [disk]);
    const d = new Driver(r, BLOCK).legacy(1);
    const saved = r.board.devices.map((device) => structuredClone(device.state));
    r.out8(d.ports + 18, 0);
    r.board.devices.forEach((device, n) => (device.state = saved[n]!));
    r.board.restored();
    assert.strictEqual(r.in8(d.ports + 18), 7);
    d.offer(0, header(8, 0), 20, 1);
    d.notify(0);
    assert.strictEqual(d.back(0), 21);
  });

  it('indirect descriptors: a table of its own, only when the driver accepted them, only at the end of a chain', () => {
    const attempt = (features: number, flags: number): number => {
      const r = ready([], [disk]);
      const d = new Driver(r, BLOCK).legacy(1, features);
      const places = d.offer(0, header(0, 3), 512, 1);
      // The three descriptors move to a table; the ring's first descriptor names it.
      r.memory.writeBytes(0x50_0000, r.memory.readBytes(d.page(0), 48));
      r.memory.store(d.page(0), 4, 0x50_0000);
      r.memory.store(d.page(0) + 8, 4, 48);
      r.memory.store(d.page(0) + 12, 2, flags);
      d.notify(0);
      if (r.in8(d.ports + 18) & 0x40) return -1;
      assert.strictEqual(d.back(0), 513);
      assert.strictEqual(r.memory.load(places[1]!, 1), 3);
      return r.memory.load(places[2]!, 1);
    };
    assert.strictEqual(attempt(1 << 28, 4), 0);
    assert.strictEqual(attempt(1 << 28, 4 | 2), 0, 'whether it is writable does not matter');
    assert.strictEqual(attempt(1 << 28, 4 | 1), -1, 'a chain goes on behind it');
    assert.strictEqual(attempt(0, 4), -1, 'not accepted');
  });

  it('event index: the driver names the request whose end it wants to be told of, the device the one it waits for', () => {
    const r = ready([], [disk]);
    r.initialisePics();
    const d = new Driver(r, BLOCK).legacy(1, 1 << 29);
    const size = d.size(0);
    const wantedByDriver = d.page(0) + 16 * size + 4 + 2 * size;
    const used = Math.ceil((d.page(0) + 16 * size + 6 + 2 * size) / 4096) * 4096;
    const serve = (): number[] => {
      d.offer(0, header(0, 0), 512, 1);
      d.notify(0);
      assert.strictEqual(d.back(0), 513);
      const vectors = r.interrupts();
      r.in8(d.ports + 19);
      if (vectors.length > 0) for (const port of [0xa0, 0x20]) r.out8(port, 0x20);
      return vectors;
    };
    r.memory.store(wantedByDriver, 2, 1);
    assert.deepStrictEqual(serve(), [], 'the first is not wanted');
    assert.strictEqual(r.memory.load(used + 4 + 8 * size, 2), 1, 'the next request is to be told');
    assert.deepStrictEqual(serve(), [0x2a]);
    assert.deepStrictEqual(serve(), [], 'passed already');
  });
});

describe('message-signalled interrupts', () => {
  const MSIX_TABLE = (r: Rig, device: number): number => (config(r, device, 0x14) & 0xffff_fff0) >>> 0;
  const entry = (r: Rig, device: number, n: number, address: number, data: number, masked = 0): void => [address, 0, data, masked].forEach((value, i) => r.bus.write(MSIX_TABLE(r, device) + 16 * n + 4 * i, 4, value));
  const request = (d: Driver, modern: boolean): void => {
    d.offer(0, header(0, 0), 512, 1);
    d.notify(0, modern);
  };
  const taken = (r: Rig): string[] => r.board.localApics.flatMap((apic, n) => {
    const vectors: string[] = [];
    while (apic.pending()) {
      vectors.push(`${n}:${apic.acknowledge().toString(16)}`);
      apic.endOfInterrupt();
    }
    return vectors;
  });
  /** Two processors whose local APICs are enabled, and a block device with MSI-X on. */
  const withTable = (modern: boolean): { r: Rig; d: Driver; control: number } => {
    const r = ready([], [disk], 2);
    r.board.localApics.forEach((apic) => apic.initialise());
    r.initialisePics();
    const control = capability(r, BLOCK, 0x11);
    setConfig(r, BLOCK, control, 0x8000_0000);
    const d = new Driver(r, BLOCK);
    return { r, d: modern ? d.modern(1) : d.legacy(1), control };
  };

  for (const modern of [false, true])
    it(`MSI-X, ${modern ? 'modern' : 'legacy'}: a queue's vector goes to the processor that its table entry names; the pin stays low`, () => {
      const { r, d, control } = withTable(modern);
      assert.strictEqual(config(r, BLOCK, control) >>> 16, 0x8001, 'two entries: a queue and the configuration');
      const [select, vector] = modern ? [d.memory + 0x16, d.memory + 0x1a] : [d.ports + 14, d.ports + 22];
      const write = (at: number, value: number): void => (modern ? r.bus.write(at, 2, value) : r.out16(at, value));
      const read = (at: number): number => (modern ? r.bus.read(at, 2) : r.in16(at));
      entry(r, BLOCK, 1, 0xfee0_1000, 0x0071);
      write(select, 0);
      assert.strictEqual(read(vector), 0xffff, 'none at first');
      request(d, modern);
      assert.deepStrictEqual(taken(r), []);
      write(vector, 7);
      assert.strictEqual(read(vector), 0xffff, 'there is no such entry');
      write(vector, 1);
      assert.strictEqual(read(vector), 1);
      request(d, modern);
      assert.deepStrictEqual(taken(r), ['1:71']);
      if (!modern) assert.strictEqual(r.in32(d.ports + 24), 16, 'the configuration moves behind the vectors');
      setConfig(r, BLOCK, control, 0);
      request(d, modern);
      assert.deepStrictEqual(taken(r), ['0:2a'], 'the pin again');
    });

  it('MSI-X: what is masked waits, and is told in the pending bits', () => {
    const { r, d, control } = withTable(true);
    entry(r, BLOCK, 0, 0xfee0_0000, 0x0072, 1);
    r.bus.write(d.memory + 0x1a, 2, 0);
    const pending = (): number => r.bus.read(MSIX_TABLE(r, BLOCK) + 0x800, 4);
    request(d, true);
    assert.deepStrictEqual([taken(r), pending()], [[], 1]);
    setConfig(r, BLOCK, control, 0xc000_0000);
    entry(r, BLOCK, 0, 0xfee0_0000, 0x0072, 0);
    assert.deepStrictEqual([taken(r), pending()], [[], 1], 'the function is masked');
    setConfig(r, BLOCK, control, 0x8000_0000);
    assert.deepStrictEqual([taken(r), pending()], [['0:72'], 0]);
  });

  it('MSI: one message, each time the device has news; delivery modes and logical destinations', () => {
    const r = ready([], [disk], 2);
    r.board.localApics.forEach((apic) => apic.initialise());
    for (const n of [0, 1]) {
      r.current = n;
      r.setApic(0xd0, (1 << n) << 24);
    }
    r.current = 0;
    const d = new Driver(r, BLOCK).legacy(1);
    const at = capability(r, BLOCK, 0x05);
    setConfig(r, BLOCK, at + 4, 0xfee0_3004); // both, logically
    setConfig(r, BLOCK, at + 12, 0x0073);
    setConfig(r, BLOCK, at, 0x0001_0000);
    request(d, false);
    assert.deepStrictEqual(taken(r), ['0:73', '1:73']);
    request(d, false);
    assert.deepStrictEqual(taken(r), [], 'the driver has not looked yet');
    r.in8(d.ports + 19);
    setConfig(r, BLOCK, at + 4, 0xfee0_300c); // one of them
    request(d, false);
    assert.deepStrictEqual(taken(r), ['0:73']);
    r.in8(d.ports + 19);
    setConfig(r, BLOCK, at + 4, 0xfee0_1000);
    setConfig(r, BLOCK, at + 12, 0x0400);
    request(d, false);
    assert.deepStrictEqual(r.events, ['NMI 1']);
  });

  it('are part of a snapshot', () => {
    const { r, d } = withTable(true);
    entry(r, BLOCK, 0, 0xfee0_0000, 0x0074);
    r.bus.write(d.memory + 0x1a, 2, 0);
    const saved = r.board.devices.map((device) => structuredClone(device.state));
    r.board.reset();
    r.board.devices.forEach((device, n) => (device.state = saved[n]!));
    r.board.restored();
    request(d, true);
    assert.deepStrictEqual(taken(r), ['0:74']);
  });
});
