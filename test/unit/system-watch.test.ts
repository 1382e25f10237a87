/** Watched memory: the debugger's data breakpoints in whole programs on the real engine. */
import assert from 'node:assert/strict';
import type { Watch } from '../../src/cpu/processor';
import { Gpr, Offset } from '../../src/cpu/state';
import { BODY_AT, LOG_POINTER, longMode, PT } from './systemPc';

const watch = (start: number, length: number, read: boolean, write: boolean, space: Watch['space'] = 'linear', id = 1): Watch => ({ id, space, start: BigInt(start), length, read, write });

/** A program that touches 0x200100 in several ways, after as many NOPs as the icount of its first instruction needs. */
const TOUCH = `
      bc 00 70 00 00             ; mov esp, 0x7000
      45 31 ff                   ; xor r15d, r15d
      45 31 f6                   ; xor r14d, r14d
      c7 04 25 00 02 20 00 05 00 00 00 ; mov dword ptr [0x200200], 5
      8b 04 25 00 01 20 00       ; mov eax, [0x200100]
      89 04 25 00 01 20 00       ; mov [0x200100], eax
      ff 04 25 02 01 20 00       ; inc dword ptr [0x200102]
      48 8b 0c 25 fc 00 20 00    ; mov rcx, [0x2000fc]
      f4                         ; hlt
`;

describe('watched memory', () => {
  /** Runs to the end and yields the RIP (as an offset in the program) after each access that was told, with its direction. */
  function stops(program: string, watches: Watch[]): string[] {
    const pc = longMode(program);
    pc.cpu.setWatches(watches);
    const seen: string[] = [];
    for (;;) {
      const reason = pc.cpu.run(1_000_000);
      if (reason !== 'watch') {
        assert.equal(reason, 'halt');
        return seen;
      }
      const at = (Number(pc.cpu.state.rip) - BODY_AT).toString(16);
      for (const h of pc.cpu.watchHits) seen.push(`${at}: ${h.id} ${h.write ? 'write' : 'read'} ${h.size} at ${h.linear.toString(16)} ${h.hpa.toString(16)}`);
    }
  }

  it('a write watch stops behind MOV and INC, at the address of the access, and not at reads', () => {
    assert.deepEqual(stops(TOUCH, [watch(0x20_0100, 4, false, true)]), ['24: 1 write 4 at 200100 200100', '2b: 1 write 4 at 200102 200102']);
  });

  it('a read watch stops behind MOV from memory, at INC too, and at a wider access that covers it', () => {
    assert.deepEqual(stops(TOUCH, [watch(0x20_0100, 4, true, false)]), ['1d: 1 read 4 at 200100 200100', '2b: 1 write 4 at 200102 200102', '33: 1 read 8 at 2000fc 2000fc']);
  });

  it('a physical watch is met through another linear address', () => {
    const pc = longMode(TOUCH);
    pc.put64(PT, 0x10_0007n);
    pc.cpu.setWatches([watch(0x10_0103, 1, false, true, 'physical', 7)]);
    assert.equal(pc.cpu.run(10_000), 'watch');
    assert.deepEqual(pc.cpu.watchHits, [{ id: 7, linear: 0x20_0100n, hpa: 0x10_0100, size: 4, write: true, source: 'processor' }]);
  });

  it('the count is that of the instruction, and watching changes no state', () => {
    const plain = longMode(TOUCH);
    assert.equal(plain.cpu.run(10_000), 'halt');
    const pc = longMode(TOUCH);
    pc.cpu.setWatches([watch(0x20_0000, 0x1000, true, true)]);
    const counts: number[] = [];
    while (pc.cpu.run(10_000) === 'watch') counts.push(pc.cpu.state.icount);
    assert.deepEqual(counts.map((c) => c - counts[0]!), [0, 1, 2, 3, 4]);
    assert.equal(pc.cpu.state.icount, plain.cpu.state.icount);
    assert.deepEqual([0, 1, 2].map((n) => pc.cpu.state.reg(n)), [0, 1, 2].map((n) => plain.cpu.state.reg(n)));
  });

  it('an access that is the last of the budget is told before the budget', () => {
    const pc = longMode(TOUCH);
    pc.cpu.setWatches([watch(0x20_0200, 4, false, true)]);
    assert.equal(pc.cpu.run(10_000), 'watch');
    const count = pc.cpu.state.icount;
    const again = longMode(TOUCH);
    again.cpu.setWatches([watch(0x20_0200, 4, false, true)]);
    assert.equal(again.cpu.run(count), 'watch');
    assert.equal(again.cpu.run(0), 'budget');
  });

  const BESIDE = `
      bc 00 70 00 00             ; mov esp, 0x7000
      b9 20 4e 00 00             ; mov ecx, 20000
      89 0c 25 00 02 20 00       ; mov [0x200200], ecx
      8b 04 25 00 02 20 00       ; mov eax, [0x200200]
      83 f9 05                   ; cmp ecx, 5
      75 07                      ; jne over the next one
      89 0c 25 fd 00 20 00       ; mov [0x2000fd], ecx
      ff c9                      ; dec ecx
      75 e2                      ; jnz to the first mov
      f4                         ; hlt
`;
  for (const [kind, read, write] of [['written', false, true], ['read', true, false], ['accessed', true, true]] as const) {
    it(`of twenty thousand accesses beside bytes that are watched for being ${kind} none is told, of the one that meets them the write`, () => {
      assert.deepEqual(stops(BESIDE, [watch(0x20_0100, 1, read, write)]), write ? ['24: 1 write 4 at 2000fd 2000fd'] : []);
    });
  }

  it('a page that is already in the TLB is watched from the call on, and no longer after the next', () => {
    const pc = longMode(`bc 00 70 00 00 45 31 ff 45 31 f6
      ff 04 25 00 01 20 00 ; inc dword ptr [0x200100]
      eb f7                ; jmp back to it`);
    assert.equal(pc.cpu.run(1000), 'budget');
    pc.cpu.setWatches([watch(0x20_0100, 4, false, true)]);
    assert.equal(pc.cpu.run(1000), 'watch');
    assert.equal(pc.cpu.run(1000), 'watch');
    pc.cpu.setWatches([]);
    assert.equal(pc.cpu.run(1000), 'budget');
  });

  it('an access that crosses into a watched page is met', () => {
    const program = `48 c7 04 25 fc 0f 20 00 01 00 00 00 ; mov qword ptr [0x200ffc], 1
      f4`;
    const pc = longMode(program);
    pc.put64(PT + 8, 0x20_1007n);
    pc.cpu.setWatches([watch(0x20_1000, 1, false, true)]);
    assert.equal(pc.cpu.run(10_000), 'watch');
    assert.deepEqual(pc.cpu.watchHits, [{ id: 1, linear: 0x20_1000n, hpa: 0x20_1000, size: 4, write: true, source: 'processor' }]);
    assert.equal(pc.get64(0x20_0ffc), 1n);
  });

  it('REP STOS stops after the iteration that met it, with RIP still on it, and goes on', () => {
    const program = `
      bf 00 01 20 00 ; mov edi, 0x200100
      b9 08 00 00 00 ; mov ecx, 8
      f3 ab          ; rep stosd
      f4             ; hlt`;
    const pc = longMode(program);
    pc.cpu.setWatches([watch(0x20_0108, 4, false, true)]);
    assert.equal(pc.cpu.run(10_000), 'watch');
    const s = pc.cpu.state;
    assert.deepEqual([s.rip, s.reg(Gpr.RCX), s.reg(Gpr.RDI)], [BigInt(BODY_AT + 10), 5n, 0x20_010cn]);
    assert.equal(pc.cpu.run(10_000), 'halt');
    assert.equal(s.reg(Gpr.RCX), 0n);
    const plain = longMode(program);
    plain.cpu.run(10_000);
    assert.equal(s.icount, plain.cpu.state.icount);
  });

  it('the access of an instruction that then faults does not count', () => {
    const pc = longMode(`bc 00 70 00 00 45 31 f6
      4c 8d 3d 09 00 00 00 ; lea r15, [rip+next]
      48 8d 24 25 08 20 20 00 ; lea rsp, [0x202008]
      ff 34 25 00 01 20 00 ; push [0x200100]: the stack page is not there
      f4`);
    pc.gate(14, 0x9000 + 14 * 16, 0x8e, 1);
    pc.cpu.setWatches([watch(0x20_0100, 8, true, false)]);
    assert.notEqual(pc.cpu.run(40), 'watch');
  });

  it('the frame that an interrupt pushes is met when it has been delivered', () => {
    const pc = longMode(`bc 00 70 00 00 45 31 ff 45 31 f6
      cc ; int3
      f4`);
    pc.cpu.setWatches([watch(0x6ff8, 8, false, true)]);
    assert.equal(pc.cpu.run(10_000), 'watch');
    assert.equal(pc.cpu.state.rip, BigInt(0x9000 + 3 * 16));
  });

  it('SIMD stores and loads of 16 bytes are met', () => {
    assert.deepEqual(
      stops(
        `0f 20 e0 0d 00 06 00 00 0f 22 e0 ; CR4.OSFXSR, OSXMMEXCPT
        0f 28 04 25 00 01 20 00 ; movaps xmm0, [0x200100]
        0f 11 04 25 11 01 20 00 ; movups [0x200111], xmm0
        66 0f fe 04 25 00 01 20 00 ; paddd xmm0, [0x200100]
        f4`,
        [watch(0x20_010f, 3, true, true)],
      ),
      ['13: 1 read 16 at 200100 200100', '1b: 1 write 16 at 200111 200111', '24: 1 read 16 at 200100 200100'],
    );
  });

  it('a device that writes watched physical memory is told when it has, by itself or through an OUT', () => {
    const pc = longMode('e6 10 90 f4 ; out 0x10, al; nop; hlt');
    pc.cpu.setWatches([watch(0x10_0000, 0x100, false, true, 'physical', 3)]);
    pc.onPort = () => pc.cpu.deviceWrote(0x0f_fff0, 0x20);
    assert.equal(pc.cpu.run(10_000), 'watch');
    assert.equal(pc.cpu.state.rip, BigInt(BODY_AT + 2));
    assert.deepEqual(pc.cpu.watchHits, [{ id: 3, linear: 0n, hpa: 0x10_0000, size: 0x10, write: true, source: 'device' }]);
    pc.onPort = undefined;
    pc.cpu.deviceWrote(0x10_00ff, 1);
    assert.equal(pc.cpu.run(10_000), 'watch');
    assert.equal(pc.cpu.state.rip, BigInt(BODY_AT + 2), 'at once, before the next instruction');
  });

  it('what is no range is refused', () => {
    const pc = longMode('f4');
    assert.throws(() => pc.cpu.setWatches([watch(0x1000, 0, true, true)]), RangeError);
  });

  it('the descriptor tables and the log pointer stay usable while watched', () => {
    const pc = longMode('bc 00 70 00 00 45 31 ff 45 31 f6 cc f4');
    pc.cpu.setWatches([watch(LOG_POINTER, 8, true, true)]);
    let n = 0;
    while (pc.cpu.run(10_000) === 'watch') n++;
    assert.equal(n, 2, 'the handler reads it and writes it');
    assert.deepEqual(pc.log(), ['3(0) @800c']);
    assert.equal(pc.cpu.state.get32(Offset.ACTIVITY), 1);
  });
});
