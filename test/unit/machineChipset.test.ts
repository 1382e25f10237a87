/** Small parts of the chip set: the coprocessor's error line, the power-management ports, transfers of the configuration device. */
import assert from 'node:assert/strict';
import { createMachine } from '../../src/machine/machine';
import type { Machine } from '../../src/machine/machineInterface';
import { board } from './machineBoard';
import { bytes } from './machineCode';

/** A machine that boots a sector with this program. */
function boot(program: string): Machine & { warnings: string[] } {
  const sector = new Uint8Array(512);
  sector.set(bytes(program));
  sector.set([0x55, 0xaa], 510);
  const m = Object.assign(createMachine({ memory: 2 ** 20, cpus: 1, without: [], drives: [{ name: 'disk', bytes: sector }], boot: { kind: 'disk' } }), { warnings: [] as string[] });
  m.onWarning = (sentence) => m.warnings.push(sentence);
  return m;
}

/** Divides by zero twice with that exception unmasked and CR0.NE clear; the handler of INT 2 counts. `interrupts`: sti or cli; `handler`: what it does. */
const DIVISIONS = (interrupts: string, handler: string): string => `
  31 c0                ; xor ax, ax
  8e d8                ; mov ds, ax
  8e d0                ; mov ss, ax
  bc 00 7c             ; mov sp, 7C00h
  c7 06 08 00 40 7c    ; mov word [8], 7C40h
  a3 0a 00             ; mov [10], ax
  e4 a1                ; in al, 0A1h
  24 df                ; and al, 0DFh: line 13
  e6 a1                ; out 0A1h, al
  db e3                ; fninit
  d9 2e 3c 7c          ; fldcw [7C3Ch]
  ${interrupts}
  d9 e8                ; fld1
  de 36 50 7c          ; fidiv word [7C50h]
  9b                   ; fwait
  de 36 50 7c          ; fidiv word [7C50h]
  d9 e8                ; fld1
  a0 4e 7c             ; mov al, [7C4Eh]
  e6 f4                ; out 0F4h, al
  90 90 90 90 90 90 90 90 90 90 90
  7b 03 00 00          ; 7C3Ch: divide by zero is unmasked
  fe 06 4e 7c          ; 7C40h: inc byte [7C4Eh]
  ${handler}
`;

describe('x87 exceptions without CR0.NE', () => {
  it('interrupt by line 13 in front of the next instruction; port 0xF0 lets the handler use the x87; the next one comes again', () => {
    const m = boot(DIVISIONS('fb ; sti', 'd9 e8 dd d8 db e2 cf ; fld1; fstp st0; fnclex; iret'));
    assert.equal(m.run(1e7), 'debug-exit');
    assert.equal(m.debugExit, 2);
    assert.deepEqual(m.warnings, []);
  });

  it('without interrupts the processor waits for ever, as it does on a PC', () => {
    const m = boot(DIVISIONS('fa ; cli', 'cf'));
    assert.equal(m.run(1e7), 'halt');
  });

  it('while nobody clears it, IGNNE# lets the program go on', () => {
    const m = boot(DIVISIONS('fb ; sti', 'cf ; iret'));
    assert.equal(m.run(1e7), 'debug-exit');
    assert.equal(m.debugExit, 1);
  });

  it('an error that is reported stays reported through a snapshot', () => {
    const r = board();
    r.initialisePics();
    r.board.coprocessor.reportError();
    const saved = structuredClone(r.board.coprocessor.state);
    r.out8(0xf0, 0);
    assert.equal(r.board.coprocessor.ignoresErrors, true);
    r.board.coprocessor.state = saved;
    assert.equal(r.board.coprocessor.ignoresErrors, false);
    r.out8(0xf0, 0);
    assert.equal(r.board.coprocessor.ignoresErrors, true);
    r.board.coprocessor.errorGone();
    r.out8(0xf0, 0);
    assert.equal(r.board.coprocessor.ignoresErrors, false, 'nothing to ignore');
  });
});

describe('the power-management ports', () => {
  it('keep what software writes, and no SMI follows', () => {
    const m = boot(`
      b0 5a e6 b2   ; mov al, 5Ah; out 0B2h, al
      b0 a6 e6 b3   ; mov al, 0A6h; out 0B3h, al
      e4 b2 88 c4   ; in al, 0B2h; mov ah, al
      e4 b3 00 e0   ; in al, 0B3h; add al, ah
      e6 f4         ; out 0F4h, al`);
    assert.equal(m.run(1e6), 'debug-exit');
    assert.equal(m.debugExit, 0);
    assert.deepEqual(m.warnings, []);
  });
});

describe('transfers of the configuration device', () => {
  const big = (value: number): number[] => [value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff];
  const swapped = (value: number): number => new DataView(Uint8Array.from(big(value)).buffer).getUint32(0, true);
  const AT = 0x5000;
  const TO = 0x6000;
  type Rig = ReturnType<typeof board>;
  /** Yields the control word afterwards. */
  const transfer = (r: Rig, control: number, length: number): number => {
    r.memory.writeBytes(AT, Uint8Array.from([...big(control), ...big(length), ...big(0), ...big(TO)]));
    r.out32(0x514, 0);
    r.out32(0x518, swapped(AT));
    return swapped(r.memory.load(AT, 4));
  };

  it('are announced', () => {
    const r = board();
    r.out16(0x510, 1);
    assert.equal(r.in8(0x511), 3);
    assert.equal([0, 1].map((n) => Buffer.from(Uint32Array.of(r.in32(0x514 + 4 * n)).buffer).toString()).join(''), 'QEMU CFG');
  });
  it('select, read, skip; behind an end there are zeros; writing is refused', () => {
    const r = board();
    r.memory.writeBytes(TO, new Uint8Array(16).fill(0xee));
    assert.equal(transfer(r, 0x0000_000a, 6), 0, 'select item 0 and read');
    assert.equal(Buffer.from(r.memory.readBytes(TO, 7)).toString('latin1'), 'QEMU\0\0\xee');
    assert.equal(transfer(r, 0x0003_000c, 3), 0, 'select the memory size and skip');
    assert.equal(transfer(r, 0x0000_0002, 2), 0);
    assert.deepEqual([...r.memory.readBytes(TO, 3)], [4, 0, 'M'.charCodeAt(0)], 'its bytes 3 and 4: 64 MiB');
    assert.equal(transfer(r, 0x0003_0018, 4), 1, 'an error');
  });
});
