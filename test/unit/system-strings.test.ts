/** REP MOVS and REP STOS in 64- and 32-bit code, by runs and singly, against a byte-by-byte model. */
import assert from 'node:assert/strict';
import { Gpr, Seg } from '../../src/cpu/state';
import { BOOT_AT, longMode, Pc, PT } from './systemPc';

const AREA = 0x20_0000;
const AREA_BYTES = 0x4000;

/** A small generator with the same numbers every time. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const OPCODES: Record<string, string> = { movsb: 'f3 a4', movsw: 'f3 66 a5', movsd: 'f3 a5', movsq: 'f3 48 a5', stosb: 'f3 aa', stosw: 'f3 66 ab', stosd: 'f3 ab', stosq: 'f3 48 ab' };
const SIZES: Record<string, number> = { b: 1, w: 2, d: 4, q: 8 };

describe('string instructions', () => {
  for (const [mnemonic, mode] of Object.keys(OPCODES).flatMap((m) => (m.endsWith('q') ? [[m, 64]] : [[m, 64], [m, 32]]) as [string, 64 | 32][])) {
    it(`rep ${mnemonic} in ${mode}-bit code: random places, overlaps, page crossings, both directions`, () => {
      const size = SIZES[mnemonic.at(-1)!]!;
      const moves = mnemonic.startsWith('movs');
      const random = numbers(mnemonic.length * 1000 + size);
      for (let round = 0; round < 4; round++) {
        const down = round >= 2;
        const pc = longMode(`bc 00 70 00 00 ${down ? 'fd' : 'fc'} ${OPCODES[mnemonic]} f4`);
        for (let i = 0; i < 4; i++) pc.put64(PT + i * 8, BigInt(AREA + i * 0x1000) | 7n);
        const model = Uint8Array.from({ length: AREA_BYTES }, () => random(256));
        for (let at = 0; at < AREA_BYTES; at += 8) pc.put64(AREA + at, new DataView(model.buffer).getBigUint64(at, true));
        const count = random(Math.floor(0x1800 / size));
        const from = 0x1800 + random(round % 3 === 0 ? 64 : 0x200);
        const to = 0x1800 + random(round % 3 === 0 ? 64 : 0x200);
        const value = round % 2 === 0 ? 0x1122_3344_5566_7788n : 0x5566_7788_5566_7788n;
        const bytes = new Uint8Array(new BigUint64Array([value]).buffer);
        for (let i = 0; i < count; i++) {
          const offset = (down ? -i : i) * size;
          const element = moves ? model.slice(from + offset, from + offset + size) : bytes.slice(0, size);
          model.set(element, to + offset);
        }
        const s = pc.cpu.state;
        s.setReg(Gpr.RSI, BigInt(AREA + from));
        s.setReg(Gpr.RDI, BigInt(AREA + to));
        // The boot code uses RAX and RCX: they are set at the program's first instruction.
        pc.cpu.setBreakpoints(new Set([0x8000n]));
        assert.equal(pc.cpu.run(1000), 'breakpoint');
        pc.cpu.skipBreakpointOnce();
        if (mode === 32) {
          s.setAccess(Seg.CS, 0xc09b);
          for (const seg of [Seg.DS, Seg.ES]) {
            s.setAccess(seg, 0xc093);
            s.setLimit(seg, 0xffff_ffff);
            s.setSegBase(seg, 0n);
          }
          pc.cpu.stateChanged();
        }
        s.setReg(Gpr.RAX, value);
        s.setReg(Gpr.RCX, BigInt(count));
        assert.equal(pc.cpu.run(1000), 'halt');
        const step = BigInt((down ? -count : count) * size);
        assert.deepEqual([s.reg(Gpr.RCX), s.reg(Gpr.RDI) - BigInt(AREA + to), s.reg(Gpr.RSI) - BigInt(AREA + from)], [0n, step, moves ? step : 0n]);
        const view = new DataView(model.buffer);
        for (let at = 0; at < AREA_BYTES; at += 8) if (pc.get64(AREA + at) !== view.getBigUint64(at, true)) assert.fail(`round ${round}, count ${count}, from ${from} to ${to}, at ${at}`);
      }
    });
  }

  it('a run over code that was executed replaces it', () => {
    const code = (value: number): bigint => BigInt(value) << 8n | 0x9090_c300_0000_00b8n; // mov eax, value; ret
    const pc = longMode(`
      bc 00 70 00 00       ; mov esp, 0x7000
      b8 00 00 20 00 ff d0 ; mov eax, 0x200000; call rax
      89 c3                ; mov ebx, eax
      be 00 10 20 00       ; mov esi, 0x201000
      bf 00 00 20 00       ; mov edi, 0x200000
      b9 00 02 00 00       ; mov ecx, 512
      fc f3 48 a5          ; cld; rep movsq
      b8 00 00 20 00 ff d0 ; mov eax, 0x200000; call rax
      f4                   ; hlt`);
    for (let i = 0; i < 2; i++) pc.put64(PT + i * 8, BigInt(AREA + i * 0x1000) | 7n);
    pc.put64(AREA, code(0x11));
    pc.put64(AREA + 0x1000, code(0x22));
    assert.equal(pc.cpu.run(10_000), 'halt');
    assert.deepEqual([pc.cpu.state.reg(Gpr.RBX), pc.cpu.state.reg(Gpr.RAX)], [0x11n, 0x22n]);
  });

  it('rep movsw in 16-bit code writes the page that it is in, over instructions that were executed too', () => {
    const pc = new Pc();
    pc.put(BOOT_AT, `
      31 c0 8e d8 8e c0    ; xor ax, ax; mov ds, ax; mov es, ax
      e8 f7 00             ; call 0x7d00
      89 c3                ; mov bx, ax
      be 00 02             ; mov si, 0x200
      bf 00 7d             ; mov di, 0x7d00
      b9 80 00             ; mov cx, 128
      fc f3 a5             ; cld; rep movsw
      e8 e6 00             ; call 0x7d00
      f4                   ; hlt`);
    pc.put(0x7d00, '90 b8 11 00 c3 ; nop; mov ax, 0x11; ret');
    pc.put(0x200, '90 b8 22 00 c3 ; nop; mov ax, 0x22; ret');
    pc.put64(0x2f8, 0x1234_5678_9abc_def0n);
    const s = pc.cpu.state;
    s.setSelector(Seg.CS, 0);
    s.setSegBase(Seg.CS, 0n);
    s.rip = BigInt(BOOT_AT);
    s.setReg(Gpr.RSP, 0x7000n);
    pc.cpu.stateChanged();
    assert.equal(pc.cpu.run(100), 'halt');
    assert.deepEqual([s.reg(Gpr.RBX), s.reg(Gpr.RAX), s.reg(Gpr.RCX), s.reg(Gpr.RSI), s.reg(Gpr.RDI)], [0x11n, 0x22n, 0n, 0x300n, 0x7e00n]);
    assert.equal(pc.get64(0x7df8), 0x1234_5678_9abc_def0n);
  });
});
