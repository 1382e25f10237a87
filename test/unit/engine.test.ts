import assert from 'node:assert/strict';
import type { Cpu } from '../../src/cpu/engine/cpu';
import { mnemonics } from '../../src/cpu/decode/mnemonics';
import { interpreterBytes } from '../../src/cpu/engine/engine';
import { leftOperations } from '../../src/cpu/engine/leftOperations';
import { AF, CF, DF, IF, OF, PF, readFlags, SF, writeFlags, ZF } from '../../src/cpu/flags';
import { instructionSet } from '../../src/cpu/isa/index';
import { withSimd } from '../../src/cpu/simd/operations';
import { Gpr, Offset } from '../../src/cpu/state';
import { slowOperations } from '../../src/cpu/system/operations';
import { createFlatMachine, noVmx } from '../silicon/flatMachine';
import { bytes, LOOP, stateOf } from './machineCode';

const CODE = 0x20_0000;
const STACK = 0x30_0000n;
const DATA = 0x40_0000n;

function load(program: string, at = CODE): { cpu: Cpu; ram: number } {
  const machine = createFlatMachine(16);
  const { cpu, ram } = machine;
  cpu.views.u8.set(bytes(program), ram + at);
  cpu.state.rip = BigInt(at);
  cpu.state.setReg(Gpr.RSP, STACK);
  cpu.state.setReg(Gpr.RDI, DATA);
  cpu.state.setReg(Gpr.RDX, 0n);
  return machine;
}

describe('engine', () => {
  it('runs to HLT and counts every instruction', () => {
    const { cpu } = load(LOOP);
    assert.equal(cpu.run(1e6), 'halt');
    assert.equal(cpu.state.icount, 1 + 1000 * 12 + 1);
    assert.equal(cpu.state.rip, BigInt(CODE + 0x23));
  });

  it('fences are no work for TypeScript: clocks are read between them', () => {
    const { cpu } = load('0f ae e8 0f ae f0 0f ae f8 f4 ; lfence; mfence; sfence; hlt');
    let performed = 0;
    cpu.onOperation = () => performed++;
    assert.equal(cpu.run(10), 'halt');
    assert.deepEqual([performed, cpu.state.icount], [1, 4]); // HLT
  });

  it('single steps give the same state as one run', () => {
    const whole = load(LOOP).cpu;
    const steps = load(LOOP).cpu;
    for (let i = 0; i < 3000; i++) assert.equal(steps.run(1), 'budget');
    assert.equal(whole.run(3000), 'budget');
    assert.equal(stateOf(steps.state), stateOf(whole.state));
  });

  it('slices of any length give the same state', () => {
    const whole = load(LOOP).cpu;
    const sliced = load(LOOP).cpu;
    for (let i = 1, n = 0; n < 9000; i = (i * 7) % 101) {
      const slice = Math.min(i, 9000 - n);
      sliced.run(slice);
      whole.run(slice);
      n += slice;
      assert.equal(sliced.state.icount, n);
    }
    assert.equal(stateOf(sliced.state), stateOf(whole.state));
  });

  it('an instruction that crosses a page runs, and again from the records', () => {
    // mov rax, imm64 laid over the boundary at 0x201000, in a loop of three
    const { cpu } = load(
      `b9 03 00 00 00                ; mov ecx, 3
       eb 02                         ; jmp over
       f4 f4
       48 b8 88 77 66 55 44 33 22 11 ; mov rax, 0x1122334455667788
       48 01 c2                      ; add rdx, rax
       ff c9 75 ef                   ; dec ecx; jnz the mov
       f4`,
      0x20_1000 - 13,
    );
    assert.equal(cpu.run(1000), 'halt');
    assert.equal(cpu.state.reg(Gpr.RDX), 0x1122334455667788n * 3n);
  });

  it('code that changes the next instruction executes the new one', () => {
    const { cpu } = load(
      `c7 05 04 00 00 00 b8 2a 00 00 ; mov dword [rip+4], 0x00002ab8: over the "mov eax, 1" below but its last byte
       90 90 90 90
       b8 01 00 00 00                ; mov eax, 1
       f4`,
    );
    cpu.run(100);
    assert.equal(cpu.state.reg(Gpr.RAX), 0x2an);
  });

  it('a loop whose body is rewritten each time sees each version', () => {
    // add eax, imm8 with the immediate incremented by the loop itself
    const { cpu } = load(
      `b9 0a 00 00 00       ; mov ecx, 10
       83 c0 00             ; add eax, 0
       fe 05 f9 ff ff ff    ; inc byte [rip-7]: the immediate above... of the add
       ff c9                ; dec ecx
       75 f3                ; jnz the add
       f4`,
    );
    // The displacement above names the add's immediate: -7 from the end of the inc at +14 is +7.
    assert.equal(cpu.run(1000), 'halt');
    assert.equal(cpu.state.reg(Gpr.RAX), BigInt(0 + 1 + 2 + 3 + 4 + 5 + 6 + 7 + 8 + 9));
  });

  it('a breakpoint stops before its instruction, once per pass, and costs no instruction', () => {
    const { cpu } = load(LOOP);
    const push = BigInt(CODE + 8);
    cpu.setBreakpoints(new Set([push]));
    for (let pass = 0; pass < 5; pass++) {
      assert.equal(cpu.run(1e6), 'breakpoint');
      assert.equal(cpu.state.rip, push);
      assert.equal(cpu.state.icount, 2 + pass * 12);
      cpu.skipBreakpointOnce();
    }
    cpu.setBreakpoints(new Set());
    assert.equal(cpu.run(1e6), 'halt');
    assert.equal(cpu.state.icount, 1 + 1000 * 12 + 1);
  });

  it('a breakpoint in a page that was decoded anew at another of its addresses stops at its own', () => {
    const { cpu, ram } = load('f4 90 f4 ; hlt; nop; hlt');
    const alias = 0x80_0000;
    cpu.views.data.setBigUint64(ram + 0x3000 + 4 * 8, BigInt(CODE) | 0x87n, true);
    cpu.flushTlb();
    const runAt = (at: number): string => {
      cpu.state.set32(Offset.ACTIVITY, 0);
      cpu.state.rip = BigInt(at);
      return cpu.run(10);
    };
    cpu.setBreakpoints(new Set([BigInt(CODE + 1)]));
    assert.equal(runAt(CODE), 'halt');
    cpu.memoryChanged(CODE / 0x1000);
    assert.equal(runAt(alias), 'halt');
    assert.equal(runAt(CODE + 1), 'breakpoint');
  });

  it('a breakpoint at the end of a slice is not passed over', () => {
    const { cpu } = load(LOOP);
    cpu.run(2);
    cpu.setBreakpoints(new Set([BigInt(CODE + 8)]));
    assert.equal(cpu.run(100), 'breakpoint');
    assert.equal(cpu.state.icount, 2);
  });

  it('memory changed from outside drops what was decoded', () => {
    const { cpu, ram } = load('b8 01 00 00 00 eb fe'); // mov eax, 1; jmp $
    cpu.run(10);
    cpu.views.u8.set(bytes('b8 02 00 00 00 f4'), ram + CODE);
    cpu.memoryChanged(CODE >>> 12);
    cpu.state.rip = BigInt(CODE);
    assert.equal(cpu.run(10), 'halt');
    assert.equal(cpu.state.reg(Gpr.RAX), 2n);
  });

  it('the scratch bytes of a store across pages reach both pages', () => {
    const { cpu, ram } = load('48 89 47 fc f4'); // mov [rdi-4], rax; hlt
    cpu.state.setReg(Gpr.RAX, 0x1122334455667788n);
    cpu.run(10);
    const at = ram + Number(DATA) - 4;
    assert.deepEqual([...cpu.views.u8.subarray(at, at + 8)], [0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11]);
  });

  it('CMPXCHG16B exchanges or loads, and changes ZF alone', () => {
    const { cpu, ram } = load('f0 48 0f c7 0f f0 48 0f c7 0f f4 ; lock cmpxchg16b [rdi], twice; hlt');
    const { data } = cpu.views;
    const s = cpu.state;
    let performed = 0;
    cpu.onOperation = () => performed++;
    const [found, wanted] = [[1n, 2n], [3n, 4n]] as const;
    found.forEach((half, i) => data.setBigUint64(ram + Number(DATA) + i * 8, half, true));
    [Gpr.RAX, Gpr.RDX].forEach((register, i) => s.setReg(register, found[i]!));
    [Gpr.RBX, Gpr.RCX].forEach((register, i) => s.setReg(register, wanted[i]!));
    const others = CF | PF | AF | SF | OF;
    writeFlags(s, others);
    cpu.run(1);
    assert.deepEqual([0, 8].map((at) => data.getBigUint64(ram + Number(DATA) + at, true)), wanted);
    assert.equal(readFlags(s) & (others | ZF), others | ZF);
    cpu.run(1);
    assert.deepEqual([s.reg(Gpr.RAX), s.reg(Gpr.RDX)], wanted);
    assert.equal(readFlags(s) & (others | ZF), others);
    assert.equal(performed, 0);
  });
  it('CMPXCHG16B of what is not aligned faults', () => {
    const { cpu } = load('48 0f c7 0f f4 ; cmpxchg16b [rdi]; hlt');
    cpu.state.setReg(Gpr.RDI, DATA + 8n);
    assert.equal(cpu.run(10), 'shutdown', 'no handler is there');
    assert.equal(cpu.state.icount, 0);
  });

  it('addresses of 64 bits, and 2 GiB from RIP', () => {
    const { cpu, ram } = load(
      `48 a1 00 00 40 00 80 00 00 00 ; mov rax, [0x8000400000]
       48 a3 08 00 40 00 80 00 00 00 ; mov [0x8000400008], rax
       48 8d 1d ff ff ff 7f          ; lea rbx, [rip+0x7fffffff]
       48 8b 0d ff ff ff 7f          ; mov rcx, [rip+0x7fffffff]: the last byte of the instruction, and the next
       f4`,
    );
    const { data } = cpu.views;
    data.setBigUint64(ram + 0x1008, 0x2007n, true); // 512 GiB further, and 2 GiB further, the same RAM
    data.setBigUint64(ram + 0x2010, 0x3007n, true);
    data.setBigUint64(ram + Number(DATA), 0x1122334455667788n, true);
    assert.equal(cpu.run(10), 'halt');
    assert.equal(data.getBigUint64(ram + Number(DATA) + 8, true), 0x1122334455667788n);
    assert.equal(cpu.state.reg(Gpr.RBX), BigInt(CODE + 27) + 0x7fff_ffffn);
    assert.equal(cpu.state.reg(Gpr.RCX), 0xf47fn);
  });

  it('starts up below 300 ms', () => {
    const started = performance.now();
    createFlatMachine(512);
    // Not a benchmark: ten times the bar, so that only a change of kind fails here; npm run bench measures.
    assert.ok(performance.now() - started < 3000);
  });

  it('the interpreter module stays below the size at which V8 stops optimising it', () => {
    const size = interpreterBytes().length;
    assert.ok(size < 250_000, `${size} bytes`);
  });

  it('division by zero leaves the state as it was before the instruction', () => {
    const { cpu } = load('48 f7 f1 f4'); // div rcx
    cpu.state.setReg(Gpr.RAX, 5n);
    cpu.state.set32(Offset.IDTR_LIMIT, 0); // delivery fails: triple fault
    assert.equal(cpu.run(10), 'shutdown');
    assert.equal(cpu.state.reg(Gpr.RAX), 5n);
    assert.equal(cpu.state.icount, 0);
  });

  it('PUSHF and POPF carry every combination of the status flags', () => {
    const { cpu } = load('9c 58 53 9d f4'); // pushfq; pop rax; push rbx; popfq; hlt
    for (let i = 0; i < 64; i++) {
      const pattern = (n: number): number => [CF, PF, AF, ZF, SF, OF].reduce((flags, flag, b) => ((n >> b) & 1 ? flags | flag : flags), 2);
      writeFlags(cpu.state, pattern(i));
      cpu.state.rip = BigInt(CODE);
      cpu.state.setReg(Gpr.RBX, BigInt(pattern(63 - i)));
      cpu.run(4);
      assert.equal(cpu.state.reg(Gpr.RAX), BigInt(pattern(i)));
      assert.equal(readFlags(cpu.state), pattern(63 - i));
    }
  });

  it('POPF that sets IF is left to the rules of privilege', () => {
    const { cpu } = load('53 9d 9c 58 f4'); // push rbx; popfq; pushfq; pop rax
    cpu.state.setReg(Gpr.RBX, BigInt(IF | DF | 2));
    cpu.run(4);
    assert.equal(cpu.state.reg(Gpr.RAX), BigInt(IF | DF | 2));
  });

  /** Vectors of the exceptions that a program raises, up to the first. */
  function vectorOf(program: string, prepare: (cpu: Cpu) => void): number | undefined {
    const { cpu } = load(program);
    prepare(cpu);
    let raised: number | undefined;
    const none = noVmx();
    cpu.intercepts = Object.assign(Object.create(none), none, {
      nonRoot: false,
      boundary: () => false,
      ticksToBoundary: () => Infinity,
      event: (_type: number, vector: number) => (raised ??= vector),
      tripleFault: () => undefined,
      delivering: () => undefined,
    });
    cpu.state.set32(Offset.IDTR_LIMIT, 0);
    cpu.run(3);
    return raised;
  }
  const NOT_CANONICAL = 0x8000_0000_0000_0000n;

  it('a non-canonical address raises #GP, with an RBP base #SS', () => {
    assert.equal(vectorOf('48 8b 07 f4', (cpu) => cpu.state.setReg(Gpr.RDI, NOT_CANONICAL)), 13); // mov rax, [rdi]
    assert.equal(vectorOf('48 8b 45 00 f4', (cpu) => cpu.state.setReg(Gpr.RBP, NOT_CANONICAL)), 12); // mov rax, [rbp]
    assert.equal(vectorOf('50 f4', (cpu) => cpu.state.setReg(Gpr.RSP, NOT_CANONICAL)), 12); // push rax
  });

  it('every instruction that the decoder knows is performed', () => {
    const hot = new Set(instructionSet.flatMap(({ mnemonic, aliases }) => [mnemonic, ...(aliases ?? [])]));
    assert.deepEqual(mnemonics.filter((name) => !withSimd(name, leftOperations[name] ?? slowOperations[name]) && !hot.has(name)), []);
  });
});
