import assert from 'node:assert/strict';
import type { Cpu } from '../../src/cpu/engine/cpu';
import { translatorPolicy } from '../../src/cpu/engine/translator';
import { Gpr, Offset, Seg, Segment, SEGMENT_STRIDE } from '../../src/cpu/state';
import { createFlatMachine } from '../silicon/flatMachine';
import { compare } from '../translator/compare';
import { bytes, LOOP, stateOf } from './machineCode';

const CODE = 0x20_0000;
const DATA = 0x40_0000n;
const STACK = 0x30_0000n;

interface Translated {
  cpu: Cpu;
  ram: number;
  /** Regions made, and those that exist. */
  regions(): { made: number; drops: number; live: number };
  /** What its regions look at beside watched bytes. */
  watched(): { reads: boolean; writes: boolean };
}

/** A machine in which every sample, taken each 64 instructions, makes a region. */
function load(program: string, at = CODE, policy: Partial<typeof translatorPolicy> = {}): Translated {
  const before = { ...translatorPolicy };
  Object.assign(translatorPolicy, { enabled: true, threshold: 0, slice: 64, straight: 0, leaves: 0, ...policy });
  const { cpu, ram } = createFlatMachine(16);
  Object.assign(translatorPolicy, before);
  cpu.views.u8.set(bytes(program), ram + at);
  cpu.state.rip = BigInt(at);
  cpu.state.setReg(Gpr.RSP, STACK);
  cpu.state.setReg(Gpr.RDI, DATA);
  const { translator } = cpu as unknown as { translator: { made: number; drops: number; regions: Set<{ watched: { reads: boolean; writes: boolean } }> } };
  const watched = (): ReturnType<Translated['watched']> => ({ reads: [...translator.regions].some((r) => r.watched.reads), writes: [...translator.regions].some((r) => r.watched.writes) });
  return { cpu, ram, watched, regions: () => ({ made: translator.made, drops: translator.drops, live: translator.regions.size }) };
}

describe('translator', () => {
  for (const mode of [64, 32, 16] as const) {
    it(`both tiers are in the same state after every run of random ${mode}-bit programs`, function () {
      this.timeout(60_000);
      let regions = 0;
      for (let seed = 1; seed <= 5; seed++) {
        const outcome = compare(seed, mode, 14, 60);
        assert.equal(outcome.difference, undefined);
        regions += outcome.regions;
      }
      assert.ok(regions >= 20, `only ${regions} regions were made`);
    });
  }

  it('a loop is translated, and every slice ends at its instruction', () => {
    const translated = load(LOOP);
    const { cpu } = translated;
    const plain = createPlain(LOOP);
    for (let n = 0, i = 1; n < 9000; i = (i * 7) % 101) {
      cpu.run(i);
      plain.cpu.run(i);
      n += i;
      assert.equal(cpu.state.icount, n);
      assert.equal(stateOf(translated.cpu.state), stateOf(plain.cpu.state));
    }
    assert.ok(translated.regions().live > 0);
  });

  it('a few instructions without a loop, as a return thunk, stay with the interpreter', () => {
    // mov ecx, 1000; 1: call 0x1000 further; dec ecx; jnz 1b; hlt
    const program = 'b9 e8 03 00 00 e8 f6 0f 00 00 ff c9 75 f7 f4';
    const pagesWithRegions = (straight: number): number => {
      const { cpu, ram } = load(program, CODE, { slice: 63, straight });
      cpu.views.u8[ram + CODE + 0x1000] = 0xc3;
      cpu.run(3000);
      const { translator } = cpu as unknown as { translator: { regions: Set<{ page: object }> } };
      return new Set([...translator.regions].map(({ page }) => page)).size;
    };
    assert.equal(pagesWithRegions(0), 2);
    assert.equal(pagesWithRegions(8), 1);
  });

  it('a sign that POPF has set is seen at the head of a loop', () => {
    // SF alone says it: the result that the flags are kept by is not negative.
    const program = `b9 e8 03 00 00 ; mov ecx, 1000
      31 db ; xor ebx, ebx
      79 02 ; top: jns 1f
      ff c3 ; inc ebx
      ff c9 ; 1: dec ecx
      74 08 ; jz 2f
      68 82 00 00 00 ; push 0x82
      9d ; popf
      eb f0 ; jmp top
      eb fe ; 2: jmp 2b`;
    const { cpu, regions } = load(program);
    for (let i = 0; i < 200; i++) cpu.run(50);
    assert.ok(regions().made > 0);
    assert.equal(cpu.state.reg(Gpr.RCX), 0n);
    assert.equal(cpu.state.reg(Gpr.RBX), 999n);
  });

  it('single steps go through a region one instruction at a time', () => {
    const translated = load(LOOP);
    const plain = createPlain(LOOP);
    translated.cpu.run(2000);
    plain.cpu.run(2000);
    for (let i = 0; i < 40; i++) {
      assert.equal(translated.cpu.run(1), 'budget');
      plain.cpu.run(1);
      assert.equal(stateOf(translated.cpu.state), stateOf(plain.cpu.state));
    }
  });

  it('a breakpoint set later is hit at every pass, and regions are made around it', () => {
    const translated = load(LOOP);
    const { cpu } = translated;
    cpu.run(2000);
    assert.ok(translated.regions().live > 0);
    const push = BigInt(CODE + 8);
    cpu.setBreakpoints(new Set([push]));
    const { made } = translated.regions();
    let icount = 0;
    for (let pass = 0; pass < 100; pass++) {
      assert.equal(cpu.run(1e6), 'breakpoint');
      assert.equal(cpu.state.rip, push);
      if (pass > 0) assert.equal(cpu.state.icount - icount, 12);
      icount = cpu.state.icount;
      cpu.skipBreakpointOnce();
    }
    assert.ok(translated.regions().made > made);
    cpu.setBreakpoints(new Set());
    assert.equal(cpu.run(1e6), 'halt');
    assert.equal(cpu.state.icount, 1 + 1000 * 12 + 1);
    assert.ok(translated.regions().live > 0);
  });

  it('a breakpoint that is not reached leaves its page translated', () => {
    const translated = load(LOOP);
    const { cpu } = translated;
    cpu.setBreakpoints(new Set([BigInt(CODE + 0xff0)]));
    assert.equal(cpu.run(1e6), 'halt');
    assert.equal(cpu.state.icount, 1 + 1000 * 12 + 1);
    assert.ok(translated.regions().live > 0);
  });

  it('a breakpoint set beside a region leaves it, and one inside makes it anew at the next sample', () => {
    const translated = load(LOOP);
    const { cpu } = translated;
    cpu.run(2000);
    const { made, drops } = translated.regions();
    cpu.setBreakpoints(new Set([BigInt(CODE + 0xff0)]));
    cpu.run(2000);
    assert.deepEqual([translated.regions().made, translated.regions().drops], [made, drops]);
    const never = BigInt(CODE + 8);
    cpu.setBreakpoints(new Set([BigInt(CODE + 0xff0), never]));
    assert.equal(cpu.run(1), 'budget');
    cpu.setBreakpoints(new Set());
    cpu.run(200);
    assert.equal(translated.regions().live > 0, true);
    assert.equal(cpu.run(1e6), 'halt');
    assert.equal(cpu.state.icount, 1 + 1000 * 12 + 1);
  });

  it('a region that writes its own code runs what it has written', () => {
    // add eax, imm8; the loop increments the immediate in each round
    const { cpu, regions } = load(`
      b9 c8 00 00 00       ; mov ecx, 200
      83 c0 00             ; add eax, 0
      fe 05 f9 ff ff ff    ; inc byte: the immediate of the add
      ff c9                ; dec ecx
      75 f3                ; jnz the add
      f4`);
    assert.equal(cpu.run(1e6), 'halt');
    let sum = 0;
    for (let i = 0; i < 200; i++) sum += (i << 24) >> 24;
    assert.equal(cpu.state.reg(Gpr.RAX), BigInt.asUintN(32, BigInt(sum)));
    assert.ok(regions().live > 0, 'the rest of the loop stays translated');
  });

  for (const size of [2, 4, 8]) {
    it(`a loop goes over the ends of pages with accesses of ${size} bytes of which half is in the next, which lies elsewhere`, () => {
      const prefix = { 2: '66', 4: '', 8: '48' }[size]!;
      const body = `${prefix} 8b 07 ; mov rax, [rdi]
        ${prefix} 01 c2 ; add rdx, rax
        ${prefix} 89 17 ; mov [rdi], rdx
        48 83 c7 0${size / 2} ; add rdi, size / 2
        ff c9 75 ${(256 - 14 - (prefix ? 3 : 0)).toString(16)} ; dec ecx; jnz`;
      const rounds = 0x4000 / (size / 2) - 2;
      const program = `b9 ${(rounds & 0xff).toString(16)} ${(rounds >> 8).toString(16)} 00 00 ; mov ecx, rounds
        ${body}
        f4`;
      const run = (machine: { cpu: Cpu; ram: number }): string => {
        const { cpu, ram } = machine;
        const table = 0x50_0000;
        // Linear 0x800000: four pages, each two of which have changed places.
        cpu.views.data.setBigUint64(ram + 0x3000 + 4 * 8, BigInt(table) | 7n, true);
        for (let i = 0; i < 4; i++) cpu.views.data.setBigUint64(ram + table + i * 8, BigInt(0x60_0000 + (i ^ 1) * 0x1000) | 7n, true);
        for (let i = 0; i < 0x4000; i++) cpu.views.u8[ram + 0x60_0000 + i] = Math.imul(i, 0x9e37_79b1) >>> 24;
        cpu.flushTlb();
        cpu.state.setReg(Gpr.RDI, 0x80_0000n);
        assert.equal(cpu.run(1e6), 'halt');
        return Buffer.from(cpu.views.u8.slice(ram + 0x60_0000, ram + 0x60_4000)).toString('hex');
      };
      const translated = load(program, CODE, { slice: 97 }); // no slice ends where a page does
      assert.equal(run(translated), run(createPlain(program)));
      assert.ok(translated.regions().live > 0);
    });
  }

  it('a region is made anew with where jumps leave it for, where they do so often', () => {
    // The second half of the rounds is made by way of a place that was never executed when the region was made.
    const program = `b9 00 20 00 00 ; mov ecx, 0x2000
      ff c3 ; top: inc ebx
      81 f9 00 10 00 00 ; cmp ecx, 0x1000
      0f 82 0d 01 00 00 ; jb far
      ff c9 ; dec ecx
      75 ee ; jnz top
      f4 ${'90 '.repeat(264)}
      ff c9 ; far: dec ecx
      0f 85 dd fe ff ff ; jnz top
      f4`;
    const regionsWith = (leaves: number): number => {
      const { cpu, regions } = load(program, CODE, { leaves });
      assert.equal(cpu.run(1e6), 'halt');
      assert.equal(cpu.state.reg(Gpr.RBX), 0x2000n);
      return regions().live;
    };
    assert.equal(regionsWith(0), 1);
    assert.equal(regionsWith(1000), 2);
  });

  for (const [kind, read] of [['written', false], ['accessed', true]] as const) {
    it(`a loop beside bytes that are watched for being ${kind} is made anew for that, and stops behind each access that meets them`, () => {
      const program = `b9 10 27 00 00 ; mov ecx, 10000
        48 89 8f f8 00 00 00 ; top: mov [rdi+0xf8], rcx
        48 8b 87 08 01 00 00 ; mov rax, [rdi+0x108]
        89 87 04 01 00 00 ; mov [rdi+0x104], eax
        01 8f fc 00 00 00 ; add [rdi+0xfc], ecx
        f7 c1 ff 03 00 00 ; test ecx, 0x3ff
        75 06 ; jne 1f
        89 8f 00 01 00 00 ; mov [rdi+0x100], ecx
        ff c9 ; 1: dec ecx
        75 d4 ; jnz top
        f4 ; hlt`;
      const [translated, plain] = [load(program, CODE, { letBy: 2 }), createPlain(program)];
      const watch = { id: 1, space: 'linear', start: DATA + 0x100n, length: 4, read, write: true } as const;
      for (const { cpu } of [translated, plain]) cpu.setWatches([watch]);
      const hits: number[] = [];
      for (;;) {
        const reason = translated.cpu.run(1e6);
        while (plain.cpu.run(1) === 'budget');
        assert.equal(stateOf(translated.cpu.state), stateOf(plain.cpu.state));
        if (reason !== 'watch') break;
        assert.deepEqual(translated.cpu.watchHits, plain.cpu.watchHits);
        hits.push(Number(translated.cpu.state.reg(Gpr.RCX)));
      }
      assert.deepEqual(hits, [9, 8, 7, 6, 5, 4, 3, 2, 1].map((n) => n * 1024));
      const watched = translated.watched();
      assert.deepEqual(watched, { reads: read, writes: true });
    });
  }

  for (const [who, unwatch] of [
    ['the debugger', (cpu: Cpu): void => cpu.setWatches([])],
    ['guest software', (cpu: Cpu): void => (cpu.state.set32(Offset.DR7, 0x400), cpu.stateChanged())],
  ] as const) {
    it(`once ${who} watches nothing any more, loops are made anew as if it never had`, () => {
      const { cpu, watched, regions } = load('48 89 07 48 8b 04 25 00 00 40 00 ff c9 75 f1 f4', CODE, { letBy: 2 }); // top: mov [rdi], rax; mov rax, [0x400000]; dec ecx; jnz top; hlt
      cpu.state.setReg(Gpr.RCX, 0xffff_ffffn);
      cpu.setWatches([{ id: 1, space: 'linear', start: DATA + 0x100n, length: 4, read: true, write: true }]);
      if (who === 'guest software') {
        cpu.setWatches([]);
        cpu.state.set64(Offset.DR0, DATA + 0x100n);
        cpu.state.set32(Offset.DR7, 0x401 | (3 << 16));
        cpu.stateChanged();
      }
      cpu.run(10_000);
      assert.deepEqual(watched(), { reads: true, writes: true });
      unwatch(cpu);
      cpu.run(80_000);
      assert.deepEqual(watched(), { reads: false, writes: false });
      assert.ok(regions().live > 0);
    });
  }

  it('one page of code that is mapped twice runs in either place, with its own RIP', () => {
    // call next; next: pop rax; xor rbx, rax; loop the call
    const { cpu, ram } = load('b9 00 02 00 00 e8 00 00 00 00 58 48 31 c3 e2 f5 f4');
    cpu.views.data.setBigUint64(ram + 0x3000 + 4 * 8, BigInt(CODE) | 0x87n, true); // 0x800000 shows the same 2 MiB
    cpu.run(1e5);
    assert.equal(cpu.state.reg(Gpr.RAX), BigInt(CODE + 10));
    cpu.state.set32(Offset.ACTIVITY, 0);
    cpu.flushTlb();
    cpu.state.rip = 0x80_0000n;
    cpu.run(1e5);
    assert.equal(cpu.state.reg(Gpr.RAX), 0x80_000an);
  });

  it('a page fault in a region leaves the registers as they were before the instruction', () => {
    // xchg [rdi], rax; add rdi, 0x10000; jmp: until rdi leaves the RAM. There is no handler: the processor shuts down.
    const program = '48 87 07 48 ff c0 48 81 c7 00 00 01 00 eb f1';
    const translated = load(program);
    const plain = createPlain(program);
    assert.equal(translated.cpu.run(1e6), 'shutdown');
    assert.equal(plain.cpu.run(1e6), 'shutdown');
    assert.equal(stateOf(translated.cpu.state), stateOf(plain.cpu.state));
    assert.equal(translated.cpu.state.get64(Offset.CR2), plain.cpu.state.get64(Offset.CR2));
    assert.ok(translated.regions().made > 0);
  });

  it('a region made for flat segments leaves others to the interpreter, and is made anew for them', () => {
    // mov eax, [edi+ecx]; add ebx, eax; push eax; pop edx; inc ecx; jmp: 32-bit code.
    const program = '8b 04 0f 01 c3 50 5a 41 eb f6';
    const [translated, plain] = [load(program, CODE, { misses: 2 }), createPlain(program)];
    const segment = (field: number, value: number, seg: number = Seg.DS): void => {
      for (const { cpu } of [translated, plain]) {
        cpu.state.set32(Offset.SEGMENTS + seg * SEGMENT_STRIDE + field, value);
        cpu.stateChanged();
      }
    };
    for (const { cpu, ram } of [translated, plain]) {
      for (let i = 0; i < 0x8000; i++) cpu.views.u8[ram + Number(DATA) + i] = (i * 0x9d) >>> 3;
      cpu.state.set32(Offset.SEGMENTS + Seg.CS * SEGMENT_STRIDE + Segment.ACCESS, 0xc09b);
    }
    for (const seg of [Seg.DS, Seg.SS]) for (const [field, value] of [[Segment.ACCESS, 0xc093], [Segment.LIMIT, -1], [Segment.BASE, 0]] as const) segment(field, value, seg);
    const same = (instructions: number, stop: string): void => {
      for (const { cpu } of [translated, plain]) assert.equal(cpu.run(instructions), stop);
      assert.equal(stateOf(translated.cpu.state), stateOf(plain.cpu.state));
    };
    same(2000, 'budget');
    assert.ok(translated.regions().live > 0);
    const { made } = translated.regions();
    segment(Segment.BASE, 0x1000);
    same(2000, 'budget');
    segment(Segment.ACCESS, 0x8093, Seg.SS); // a stack of 16 bits
    same(100_000, 'budget');
    assert.ok(translated.regions().made > made);
    segment(Segment.LIMIT, Number(DATA) + 0x8000);
    same(100_000, 'shutdown');
  });

  it('a near branch in a region to a non-canonical address faults itself, with the stack as it was', () => {
    const outcome = (branch: string, translate: boolean): unknown => {
      // the loop goes round by the branch, to RDX; at last RDX is non-canonical
      const { cpu, regions } = load(`
        b9 c8 00 00 00          ; mov ecx, 200
        48 8d 15 00 00 00 00    ; lea rdx, the next instruction
        ff c9                   ; dec ecx
        75 0a                   ; jnz the branch
        48 ba 00 00 00 00 00 80 00 00 ; mov rdx, 0x800000000000
        ${branch}`);
      if (translate) assert.equal(cpu.run(1e6), 'shutdown');
      else while (cpu.run(1) !== 'shutdown');
      assert.ok(!translate || regions().live > 0);
      return { rip: cpu.state.rip, rsp: cpu.state.reg(Gpr.RSP), icount: cpu.state.icount };
    };
    for (const branch of ['ff e2 ; jmp rdx', 'ff d2 ; call rdx', '52 c3 ; push rdx; ret']) {
      const found = outcome(branch, true) as { rip: bigint };
      assert.deepEqual(found, outcome(branch, false), branch);
      assert.equal(found.rip, BigInt(CODE + 26 + (branch.startsWith('52') ? 1 : 0)), branch);
    }
  });

  it('RDTSC in a region reads the exact clock', () => {
    // rdtsc; mov [rdi+rcx*4], eax; dec ecx; jnz
    const program = 'b9 00 01 00 00 0f 31 89 04 8f ff c9 75 f7 f4';
    const [translated, plain] = [load(program), createPlain(program)];
    for (const { cpu } of [translated, plain]) assert.equal(cpu.run(1e6), 'halt');
    const dump = ({ cpu, ram }: { cpu: Cpu; ram: number }): Buffer => Buffer.from(cpu.views.u8.slice(ram + Number(DATA), ram + Number(DATA) + 0x404));
    assert.ok(dump(translated).equals(dump(plain)));
  });

  it('a jump table gets its targets into the region', () => {
    // A loop that jumps through rax to one of two places by the parity of ecx.
    const { cpu, regions } = load(`
      b9 00 20 00 00             ; mov ecx, 0x2000
      48 8d 05 0e 00 00 00       ; lea rax, [rip+14]: the first place
      89 ca 83 e2 01             ; mov edx, ecx; and edx, 1
      48 8d 04 d0                ; lea rax, [rax+rdx*8]
      ff e0                      ; jmp rax
      90 90 90
      48 ff c3 eb 08 90 90 90    ; inc rbx; jmp
      49 ff c0 eb 00 90 90 90    ; inc r8; jmp
      ff c9 75 d7                ; dec ecx; jnz the lea
      f4`);
    assert.equal(cpu.run(1e6), 'halt');
    assert.equal(cpu.state.reg(Gpr.RBX) + cpu.state.reg(Gpr.R8), 0x2000n);
    assert.ok(regions().live > 0);
  });
});

function createPlain(program: string): { cpu: Cpu; ram: number } {
  const before = { ...translatorPolicy };
  translatorPolicy.enabled = false;
  const machine = createFlatMachine(16);
  Object.assign(translatorPolicy, before);
  machine.cpu.views.u8.set(bytes(program), machine.ram + CODE);
  machine.cpu.state.rip = BigInt(CODE);
  machine.cpu.state.setReg(Gpr.RSP, STACK);
  machine.cpu.state.setReg(Gpr.RDI, DATA);
  return machine;
}
