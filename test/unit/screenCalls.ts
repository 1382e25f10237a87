/** A boot disk that calls INT 10h, and what the calls yield. */
import assert from 'node:assert';
import { createMachine } from '../../src/machine/machine';
import type { Machine } from '../../src/machine/machineInterface';

export interface Call {
  ax: number;
  bx?: number;
  cx?: number;
  dx?: number;
  di?: number;
}

const WORD = (value: number): number[] => [value & 0xff, value >> 8];

/** A boot sector that makes these calls of INT 10h and leaves AX, BX, CX and DX of each at 0x7000; then it halts. */
export function afterCalls(...calls: Call[]): Machine & { warnings: string[] } {
  const code = [0x31, 0xc0, 0x8e, 0xd8, 0x8e, 0xc0]; // xor ax, ax; mov ds, ax; mov es, ax
  calls.forEach(({ ax, bx = 0, cx = 0, dx = 0, di = 0 }, n) => {
    [0xbb, 0xb9, 0xba, 0xbf, 0xb8].forEach((opcode, i) => code.push(opcode, ...WORD([bx, cx, dx, di, ax][i]!))); // mov bx/cx/dx/di/ax, imm16
    code.push(0xcd, 0x10);
    const to = 0x7000 + 8 * n;
    code.push(0xa3, ...WORD(to)); // mov [to], ax
    [0x1e, 0x0e, 0x16].forEach((register, i) => code.push(0x89, register, ...WORD(to + 2 + 2 * i))); // mov [...], bx/cx/dx
  });
  code.push(0xfa, 0xf4);
  const bytes = new Uint8Array(512);
  assert.ok(code.length <= 510);
  bytes.set(code);
  bytes.set([0x55, 0xaa], 510);
  const warnings: string[] = [];
  const m = Object.assign(createMachine({ memory: 16 << 20, cpus: 1, without: [], drives: [{ name: 'boot.img', bytes }], boot: { kind: 'disk' } }), { warnings });
  m.onWarning = (sentence) => warnings.push(sentence);
  assert.strictEqual(m.run(1e6), 'halt');
  return m;
}

export const word = (m: Machine, at: number, size = 2): number => m.readMemory(at, size)!.reduceRight((value, byte) => value * 256 + byte, 0);
/** AX, BX, CX, DX after a call. */
export const results = (m: Machine, call: number): number[] => [0, 2, 4, 6].map((offset) => word(m, 0x7000 + 8 * call + offset));
