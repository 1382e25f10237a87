/** What generated code does itself where the TLB has no plain translation for an access: see engine/missCode.ts. */
import assert from 'node:assert/strict';
import { Gpr, Offset } from '../../src/cpu/state';
import { createFlatMachine, type FlatMachine } from '../silicon/flatMachine';
import { bytes } from './machineCode';

const WRITER = 0x20_0000;
const PAGE = 0x40_0000;

/** Runs the program at WRITER to its HLT. */
function run({ cpu }: FlatMachine, at = WRITER): void {
  cpu.state.set32(Offset.ACTIVITY, 0);
  cpu.state.rip = BigInt(at);
  assert.equal(cpu.run(100), 'halt');
}

describe('engine: writes beside code', () => {
  /** A function that returns a number, and a program that writes AL, AX, EAX or RAX at RDI and calls it. `told`: writes of which TypeScript was told. */
  function machine(write: string): FlatMachine & { told: number } {
    const made = Object.assign(createFlatMachine(16), { told: 0 });
    const { cpu, ram } = made;
    cpu.views.u8.set(bytes(`${write} ff d6 f4 ; mov [rdi], rax; call rsi; hlt`), ram + WRITER);
    const { codePages } = cpu;
    const written = codePages.written.bind(codePages);
    codePages.written = (page, offset, length) => {
      made.told++;
      return written(page, offset, length);
    };
    cpu.state.setReg(Gpr.RSP, 0x30_0000n);
    return made;
  }
  const FUNCTION = 'b9 11 22 33 44 89 c8 c3'; // mov ecx, 44332211h; mov eax, ecx; ret

  for (const [size, write] of [[1, '88 07'], [2, '66 89 07'], [4, '89 07'], [8, '48 89 07']] as const) {
    for (const at of [0x10e, 0]) {
      it(`${size} bytes written at any distance from the instructions at ${at} of their page are seen where they reach them, and hardly told elsewhere`, () => {
        const m = machine(write);
        const { cpu, ram } = m;
        const code = ram + PAGE + at;
        cpu.state.setReg(Gpr.RSI, BigInt(PAGE + at));
        let [beside, besideTold] = [0, 0];
        for (let round = 0; round < 3; round++) {
          for (let offset = Math.max(0, at - 0x28); offset < at + 0x28; offset++) {
            cpu.views.u8.set(bytes(FUNCTION), code);
            cpu.memoryChanged(PAGE / 0x1000);
            cpu.state.setReg(Gpr.RAX, 0n);
            cpu.state.setReg(Gpr.RDI, 0x50_0000n);
            run(m); // decodes the function
            assert.equal(cpu.state.reg(Gpr.RAX), 0x4433_2211n);
            const reaches = offset + size > at && offset < at + 8;
            // Opcodes stay what they are.
            const value = Uint8Array.from({ length: 8 }, (_, i) => (offset + i > at && offset + i < at + 5 ? 0x60 + i : (bytes(FUNCTION)[offset + i - at] ?? 0x90)));
            m.told = 0;
            cpu.state.setReg(Gpr.RAX, Buffer.from(value).readBigUInt64LE());
            cpu.state.setReg(Gpr.RDI, BigInt(PAGE + offset));
            run(m);
            const expected = Buffer.from(bytes(FUNCTION));
            for (let i = 0; i < size; i++) if (offset + i >= at && offset + i < at + 8) expected[offset + i - at] = value[i]!;
            assert.equal(cpu.state.reg(Gpr.RAX), BigInt(expected.readUInt32LE(1)), `a write at ${offset}`);
            if (reaches) assert.ok(m.told > 0);
            else {
              beside++;
              besideTold += m.told;
            }
          }
        }
        assert.ok(besideTold <= beside / 16, `${besideTold} of ${beside} writes beside the code were told`);
      });
    }
  }

  it('the last byte of a line of code is seen, wherever the instruction began', () => {
    const m = machine('88 07');
    const { cpu, ram } = m;
    for (let end = 0x100; end < 0x140; end++) {
      const at = PAGE + end - 8;
      cpu.views.u8.set(bytes('b8 11 22 33 44 c2 00 00 ; mov eax, 44332211h; ret 0'), ram + at);
      cpu.memoryChanged(PAGE / 0x1000);
      cpu.state.setReg(Gpr.RSI, BigInt(at));
      for (const [value, to] of [[0, 0x50_0000], [1, PAGE + end - 1]] as const) {
        cpu.state.setReg(Gpr.RSP, 0x30_0000n);
        cpu.state.setReg(Gpr.RAX, BigInt(value));
        cpu.state.setReg(Gpr.RDI, BigInt(to));
        run(m);
        assert.equal(cpu.state.reg(Gpr.RSP), 0x30_0000n + BigInt(value * 0x100), `a line that ends at ${end}`);
      }
    }
  });

  it('bytes at the beginning of a page are told where an instruction of the page before ends in them', () => {
    const m = machine('88 07');
    const { cpu, ram } = m;
    const at = PAGE - 3;
    cpu.views.u8.set(bytes(FUNCTION), ram + at);
    cpu.state.setReg(Gpr.RSI, BigInt(at));
    for (let value = 0x40; value < 0x80; value++) {
      cpu.state.setReg(Gpr.RAX, BigInt(value));
      cpu.state.setReg(Gpr.RDI, BigInt(PAGE + 1)); // the last byte of the first instruction
      run(m);
      assert.equal(cpu.state.reg(Gpr.RAX), 0x33_2211n + (BigInt(value) << 24n));
    }
  });
});

describe('engine: accesses to two pages', () => {
  /** 4-KiB pages from linear 0x800000 on, in reverse order; `rights` are those of the second. */
  function machine(program: string, rights = 7n): FlatMachine {
    const made = createFlatMachine(16);
    const { cpu, ram } = made;
    const table = 0x50_0000;
    cpu.views.data.setBigUint64(ram + 0x3000 + 4 * 8, BigInt(table) | 7n, true);
    for (let i = 0; i < 4; i++) cpu.views.data.setBigUint64(ram + table + i * 8, BigInt(0x60_3000 - i * 0x1000) | (i === 1 ? rights : 7n), true);
    cpu.flushTlb();
    cpu.views.u8.set(bytes(program), ram + WRITER);
    return made;
  }
  const first = 0x60_3ffd;
  const second = 0x60_2000;

  it('what is written goes into both, and is read back', () => {
    const m = machine('48 89 07 48 8b 1e 48 01 07 f4 ; mov [rdi], rax; mov rbx, [rsi]; add [rdi], rax; hlt');
    const before = bytes('01 02 03 04 05 06 07 08');
    m.cpu.views.u8.set(before.slice(0, 5), m.ram + 0x60_1ffb);
    m.cpu.views.u8.set(before.slice(5), m.ram + 0x60_0000);
    m.cpu.state.setReg(Gpr.RSI, 0x80_2ffbn);
    m.cpu.state.setReg(Gpr.RAX, 0x1122_3344_5566_7788n);
    m.cpu.state.setReg(Gpr.RDI, 0x80_0ffdn);
    for (let i = 0; i < 3; i++) run(m);
    assert.equal(m.cpu.state.reg(Gpr.RBX), 0x0807_0605_0403_0201n);
    const hex = (at: number, length: number): string => Buffer.from(m.cpu.views.u8.subarray(m.ram + at, m.ram + at + length)).toString('hex');
    assert.deepEqual([hex(first, 3), hex(second, 5)], ['10efcc', 'aa88664422']);
  });

  it('where the second may not be written nothing is, and CR2 has its address', () => {
    const m = machine('48 8b 1f 48 8b 1f 48 89 07 f4 ; mov rbx, [rdi] twice, so that generated code has both pages; mov [rdi], rax; hlt', 5n);
    m.cpu.state.set32(Offset.CR0, m.cpu.state.cr0 | 0x1_0000); // WP
    m.cpu.stateChanged();
    m.cpu.state.setReg(Gpr.RAX, -1n & 0xffff_ffff_ffff_ffffn);
    m.cpu.state.setReg(Gpr.RDI, 0x80_0ffdn);
    m.cpu.state.rip = BigInt(WRITER);
    assert.equal(m.cpu.run(100), 'shutdown');
    assert.equal(m.cpu.state.get64(Offset.CR2), 0x80_1000n);
    assert.deepEqual([m.cpu.views.u8[m.ram + first], m.cpu.views.u8[m.ram + second]], [0, 0]);
  });
});
