/** Code that overwrites itself, in both tiers, beside a processor that decodes every instruction anew. */
import assert from 'node:assert/strict';
import { Gpr, Offset } from '../../src/cpu/state';
import { CODE, DATA, HANDLERS, makeRig, type Rig } from '../translator/rig';

/** The program writes around here, in two pages. */
const MIDDLE = CODE + 0x1000;
const REACH = 0x60;

class Dice {
  constructor(private seed: number) {}
  below(n: number): number {
    this.seed = (Math.imul(this.seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((this.seed / 0x1_0000_0000) * n);
  }
  of<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }
}

/** One instruction; most are alike in length and differ in kind, so that what is written fits where another has been, or nearly. */
function instruction(dice: Dice): number[] {
  const byte = (): number => dice.below(256);
  const word = (): number[] => [byte(), byte(), 0, 0];
  const near = (): number => (dice.below(80) - 40) & 0xff;
  return dice.of<() => number[]>([
    () => [0x90],
    () => [0xff, 0xc0 + dice.of([0, 1, 2, 3])], // inc
    () => [0x83, 0xc0 + dice.of([0, 1, 2, 3]), byte()], // add imm8
    () => [0x05, ...word()], // add eax, imm32
    () => [0xb8 + dice.of([0, 1, 2, 3]), ...word()], // mov imm32
    () => [dice.of([0xeb, 0x74, 0x75, 0x72]), near()], // jmp, jcc
    () => [0x65, 0x8b, 0x04, 0x25, byte(), 0, 0, 0], // mov eax, gs:[disp]
    () => [0x8b, 0x46, byte() & 0x7c], // mov eax, [rsi+disp8]
    () => [0xf3, 0x0f, 0x58, 0x06], // addss xmm0, [rsi]
    () => [0x0f, 0xa2], // cpuid
    () => [0xe8, near(), 0, 0, 0], // call
    ...Array.from({ length: 5 }, () => (): number[] => [0xc6, 0x47, near(), dice.of([0x90, 0x05, 0xeb, 0xb8, byte()])]), // mov byte [rdi+disp8], imm8
    () => [0xc7, 0x47, near(), ...instruction(dice), 0x90, 0x90, 0x90].slice(0, 7), // mov dword [rdi+disp8], imm32
    () => [0xfe, 0x47, near()], // inc byte [rdi+disp8]
  ])();
}

/** Handlers go on one byte further. */
function addHandlers({ cpu, ram }: Rig): void {
  for (let vector = 0; vector < 32; vector++) {
    const pops = [8, 10, 11, 12, 13, 14, 17].includes(vector) ? [0x48, 0x83, 0xc4, 8] : [];
    cpu.views.u8.set([...pops, 0x48, 0x83, 0x04, 0x24, 1, 0x48, 0xcf], ram + HANDLERS + vector * 16); // add qword [rsp], 1; iretq
  }
}

function begin(translate: boolean, seed: number): Rig {
  const rig = makeRig(64, translate);
  addHandlers(rig);
  const dice = new Dice(seed);
  const program: number[] = [];
  while (program.length < 2 * REACH) program.push(...instruction(dice));
  program.push(0xe9, ...new Uint8Array(Int32Array.of(-program.length - 5).buffer)); // jmp to the start
  rig.cpu.views.u8.fill(0x90, rig.ram + CODE, rig.ram + CODE + 0x2000);
  rig.cpu.views.u8.set(program, rig.ram + MIDDLE - REACH);
  for (const end of [CODE + 0x1ff0, MIDDLE + 0x400]) rig.cpu.views.u8.set([0xe9, ...new Uint8Array(Int32Array.of(MIDDLE - REACH - end - 5).buffer)], rig.ram + end);
  rig.cpu.state.rip = BigInt(MIDDLE - REACH);
  rig.cpu.state.setReg(Gpr.RDI, BigInt(MIDDLE));
  rig.cpu.state.setReg(Gpr.RSI, BigInt(DATA));
  return rig;
}

/** Runs so many instructions, each decoded from memory as it is then. */
function runAnew({ cpu }: Rig, count: number): void {
  for (let i = 0; i < count; i++) {
    for (let page = 0; page < 2; page++) cpu.memoryChanged(CODE / 0x1000 + page);
    cpu.run(1);
  }
}

/** Registers and flags, where the processor is, and the program. */
function stateOf({ cpu, ram }: Rig): unknown {
  const s = cpu.state;
  return { icount: s.icount, rip: s.rip, registers: [...Array(16).keys()].map((n) => s.reg(n)), xmm0: s.get64(Offset.YMM), code: Buffer.from(cpu.views.u8.subarray(ram + CODE, ram + CODE + 0x2000)).toString('latin1') };
}

describe('code that overwrites itself', () => {
  for (const translate of [false, true]) {
    it(`${translate ? 'translated' : 'interpreted'}, is executed as it is in memory`, function () {
      this.timeout(60_000);
      for (let seed = 1; seed <= 4; seed++) {
        const [kept, anew] = [begin(translate, seed), begin(false, seed)];
        const dice = new Dice(seed * 77);
        for (let run = 0; run < 40; run++) {
          const count = 1 + dice.below(60);
          kept.cpu.run(count);
          runAnew(anew, count);
          assert.deepEqual(stateOf(kept), stateOf(anew), `seed ${seed}, run ${run}`);
        }
      }
    });
  }
});
