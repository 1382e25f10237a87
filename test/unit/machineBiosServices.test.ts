/** BIOS services that boot loaders and real-mode kernels use beside disk and screen; a boot sector calls each. */
import assert from 'node:assert/strict';
import { createMachine } from '../../src/machine/machine';

interface Call {
  int: number;
  ax: number;
  bx?: number;
  cx?: number;
  dx?: number;
  si?: number;
  di?: number;
}
interface Result {
  ax: number;
  bx: number;
  cx: number;
  dx: number;
  es: number;
  carry: boolean;
}

const RESULTS = 0x7000;
const RESULT_SIZE = 12;
const word = (value: number): number[] => [value & 0xff, value >> 8];

/** What the calls yield; `typed` waits at the serial port. */
function called(calls: Call[], typed = ''): { results: Result[]; warnings: string[]; serial: string } {
  const code = [0x31, 0xc0, 0x8e, 0xd8]; // xor ax, ax; mov ds, ax
  calls.forEach(({ int, ax, bx = 0, cx = 0, dx = 0, si = 0, di = 0 }, n) => {
    code.push(0x31, 0xc0, 0x8e, 0xc0); // xor ax, ax; mov es, ax
    [0xbb, 0xb9, 0xba, 0xbe, 0xbf, 0xb8].forEach((opcode, i) => code.push(opcode, ...word([bx, cx, dx, si, di, ax][i]!)));
    code.push(0xcd, int);
    const to = RESULTS + RESULT_SIZE * n;
    code.push(0xa3, ...word(to)); // mov [to], ax
    [0x1e, 0x0e, 0x16].forEach((register, i) => code.push(0x89, register, ...word(to + 2 + 2 * i))); // mov [...], bx/cx/dx
    code.push(0x8c, 0x06, ...word(to + 8), 0x9c, 0x8f, 0x06, ...word(to + 10)); // mov [...], es; pushf; pop [...]
  });
  code.push(0xfa, 0xf4);
  const bytes = new Uint8Array(512 * 64);
  assert.ok(code.length <= 510);
  bytes.set(code);
  bytes.set([0x55, 0xaa], 510);
  const machine = createMachine({ memory: 16 << 20, cpus: 1, without: [], drives: [{ name: 'boot.img', bytes }], boot: { kind: 'disk' } });
  const warnings: string[] = [];
  let serial = '';
  machine.onWarning = (sentence) => warnings.push(sentence);
  machine.onSerial = (byte) => (serial += String.fromCharCode(byte));
  machine.typeSerial(Buffer.from(typed));
  assert.equal(machine.run(1e7), 'halt');
  const data = Buffer.from(machine.readMemory(RESULTS, RESULT_SIZE * calls.length)!);
  const results = calls.map((_, n) => {
    const [ax, bx, cx, dx, es, flags] = Array.from({ length: 6 }, (__, i) => data.readUInt16LE(RESULT_SIZE * n + 2 * i)) as [number, number, number, number, number, number];
    return { ax, bx, cx, dx, es, carry: (flags & 1) !== 0 };
  });
  return { results, warnings, serial };
}

describe('BIOS services', () => {
  it('INT 14h sends and receives on the serial port', () => {
    const { results, serial, warnings } = called([{ int: 0x14, ax: 0x00e3 }, { int: 0x14, ax: 0x0141 }, { int: 0x14, ax: 0x0200 }, { int: 0x14, ax: 0x0200 }, { int: 0x14, ax: 0x0300, dx: 3 }], 'x');
    assert.equal(serial, 'A');
    assert.equal(results[0]!.ax & 0x60ff, 0x60b0, 'ready, and somebody at the other end');
    assert.equal(results[1]!.ax & 0x80ff, 0x0041);
    assert.deepEqual([results[2]!.ax, results[3]!.ax >> 15], [0x78, 1], 'then nothing comes');
    assert.equal(results[4]!.ax, 0x0300, 'no fourth port');
    assert.deepEqual(warnings, []);
  });

  it('INT 17h finds the printer ready', () => {
    const { results } = called([{ int: 0x17, ax: 0x0200 }, { int: 0x17, ax: 0x0041 }]);
    assert.deepEqual(results.map(({ ax }) => ax), [0x9000, 0xd041]);
  });

  it('INT 1Ah B1h finds PCI functions, and reads and writes their registers', () => {
    const { results } = called([
      { int: 0x1a, ax: 0xb101 },
      { int: 0x1a, ax: 0xb102, cx: 0x7000, dx: 0x8086 },
      { int: 0x1a, ax: 0xb102, cx: 0x1234, dx: 0x5678 },
      { int: 0x1a, ax: 0xb102, cx: 0, dx: 0xffff },
      { int: 0x1a, ax: 0xb109, bx: 0x0008, di: 0 },
      { int: 0x1a, ax: 0xb10b, bx: 0x0008, cx: 0x0a, di: 0x3c },
      { int: 0x1a, ax: 0xb108, bx: 0x0008, di: 0x3d },
      { int: 0x1a, ax: 0xb109, bx: 0x0008, di: 1 },
      { int: 0x1a, ax: 0xb106 },
    ]);
    assert.deepEqual([results[0]!.ax, results[0]!.bx, results[0]!.dx, results[0]!.carry], [0x0001, 0x0210, 0x4350, false]);
    assert.deepEqual([results[1]!.ax, results[1]!.bx], [0x0002, 0x0008]);
    assert.deepEqual(results.slice(2, 4).map(({ ax, carry }) => [ax, carry]), [[0x8602, true], [0x8302, true]]);
    assert.deepEqual([results[4]!.cx, results[5]!.carry, results[6]!.carry], [0x8086, false, false]);
    assert.deepEqual(results.slice(7).map(({ ax, carry }) => [ax >> 8, carry]), [[0x87, true], [0x81, true]]);
  });

  it('INT 15h C2h sets up the mouse, and refuses what is out of range', () => {
    const { results } = called([
      { int: 0x15, ax: 0xc205, bx: 0x0300 },
      { int: 0x15, ax: 0xc200, bx: 0x0100 }, // on, before anybody is to be called
      { int: 0x15, ax: 0xc207, bx: 0x1234 },
      { int: 0x15, ax: 0xc200, bx: 0x0100 },
      { int: 0x15, ax: 0xc202, bx: 0x0300 },
      { int: 0x15, ax: 0xc203, bx: 0x0100 },
      { int: 0x15, ax: 0xc206, bx: 0x0000 },
      { int: 0x15, ax: 0xc204 },
    ]);
    assert.deepEqual(results.map(({ ax, carry }) => [ax >> 8, carry]), [[0, false], [5, true], [0, false], [0, false], [0, false], [0, false], [0, false], [0, false]]);
    assert.equal(results[0]!.bx, 0x00aa);
    assert.deepEqual([results[6]!.bx & 0xff, results[6]!.cx, results[6]!.dx], [0x20, 1, 60], 'status, resolution, rate');
    const refused = called([{ int: 0x15, ax: 0xc202, bx: 0x0700 }, { int: 0x15, ax: 0xc205, bx: 0x0900 }, { int: 0x15, ax: 0xc208 }]);
    assert.deepEqual(refused.results.map(({ ax, carry }) => [ax >> 8, carry]), [[2, true], [3, true], [1, true]]);
  });

  it('INT 15h 53h is power management of a PC on the mains', () => {
    const { results } = called([0x5300, 0x5301, 0x5303, 0x530a, 0x530b, 0x530e, 0x5399].map((ax) => ({ int: 0x15, ax, bx: ax === 0x530a ? 1 : 0 })));
    assert.deepEqual([results[0]!.ax, results[0]!.bx, results[0]!.cx, results[0]!.carry], [0x0102, 0x504d, 3, false]);
    assert.deepEqual([results[2]!.ax, results[2]!.cx, results[2]!.dx], [0xf000, 0xf000, 0xf000]);
    assert.deepEqual([results[3]!.bx, results[3]!.cx, results[3]!.dx], [0x01ff, 0x80ff, 0xffff]);
    assert.deepEqual(results.map(({ carry }) => carry), [false, false, false, false, true, false, true]);
    assert.deepEqual([results[4]!.ax >> 8, results[5]!.ax], [0x80, 0x0102]);
  });

  it('INT 1Ah sets the clock and the date', () => {
    const { results } = called([{ int: 0x1a, ax: 0x0300, cx: 0x1234, dx: 0x5600 }, { int: 0x1a, ax: 0x0500, cx: 0x2025, dx: 0x0716 }, { int: 0x1a, ax: 0x0200 }, { int: 0x1a, ax: 0x0400 }]);
    assert.deepEqual([results[2]!.cx, results[2]!.dx, results[3]!.cx, results[3]!.dx], [0x1234, 0x5600, 0x2025, 0x0716]);
  });

  it('INT 15h C1h tells the extended data area, and 90h and 91h let the caller wait itself', () => {
    const { results } = called([{ int: 0x15, ax: 0xc100 }, { int: 0x15, ax: 0x9000 }]);
    assert.deepEqual(results.map(({ es, carry }) => [es, carry]), [[0x9fc0, false], [0, false]]);
  });

  it('INT 16h tells what the keyboard can do', () => {
    const { results } = called([{ int: 0x16, ax: 0x0900 }, { int: 0x16, ax: 0x0a00 }, { int: 0x16, ax: 0x9200 }]);
    assert.deepEqual([results[0]!.ax, results[1]!.bx, results[2]!.ax], [0x0930, 0x41ab, 0x8000]);
  });

  it('INT 13h refuses what it lacks as disks do, and INT 10h leaves registers alone', () => {
    const { results, warnings } = called([{ int: 0x13, ax: 0x0a01, dx: 0x80 }, { int: 0x13, ax: 0x4500, dx: 0x80 }, { int: 0x13, ax: 0x4600, dx: 0x80 }, { int: 0x13, ax: 0x0281, bx: 0x8000, cx: 1, dx: 0x80 }, { int: 0x10, ax: 0x1c00, bx: 7 }, { int: 0x10, ax: 0xfe00 }]);
    assert.deepEqual(results.slice(0, 4).map(({ ax, carry }) => [ax >> 8, carry]), [[0x01, true], [0x00, false], [0xb2, true], [0x01, true]]);
    assert.deepEqual([results[4]!.ax, results[4]!.bx, results[4]!.carry], [0x1c00, 7, false]);
    assert.equal(warnings.length, 2, 'one for each that is lacking, none for a probe');
  });
});
