/** The decoder's contract: fields that a comparison with another decoder does not see, and the edges. */
import assert from 'node:assert/strict';
import { decode, mnemonicId, mnemonics } from '../../src/cpu/decode/decode';
import { compileTables } from '../../src/cpu/decode/compile';
import { Instruction, Kind, NO_REGISTER, Prefix, RIP_REGISTER, type CodeSize } from '../../src/cpu/decode/instruction';
import { warmUpDecoder } from '../../src/cpu/decode/warmUp';
import { Seg } from '../../src/cpu/state';
import { explain } from '../decode/explained';
import { IcedReader, ourSignature, STRIDE } from '../decode/icedSignature';
import { fillInputs, Random } from '../decode/inputs';

const bytesOf = (hex: string): Uint8Array => Uint8Array.from(hex.trim().split(/\s+/), (byte) => parseInt(byte, 16));

/** Decodes, and checks that all bytes given belong to the instruction. */
function decodeAll(hex: string, codeSize: CodeSize = 64): Instruction & { name: string } {
  const bytes = bytesOf(hex);
  const insn = new Instruction();
  assert.equal(decode(bytes, 0, bytes.length, codeSize, insn), bytes.length, `length of ${hex}`);
  assert.equal(insn.length, bytes.length);
  return Object.assign(insn, { name: mnemonics[insn.op]! });
}
const nameOf = (hex: string, codeSize: CodeSize = 64): string => {
  const insn = new Instruction();
  const bytes = bytesOf(hex);
  assert.ok(decode(bytes, 0, bytes.length, codeSize, insn) > 0);
  return mnemonics[insn.op]!;
};

describe('decode', () => {
  it('mov rax,[rbp+rcx*4-16]: every field', () => {
    const i = decodeAll('48 8b 44 8d f0');
    assert.deepEqual(
      { ...i, operands: i.operands.slice(0, 2).map((o) => ({ ...o })), op: 0 },
      {
        op: 0, name: 'mov', length: 5, codeSize: 64, operandSize: 8, addressSize: 8, prefixes: Prefix.REX | Prefix.REX_W, opcode: 0x8b, modrm: 0x44,
        condition: 0, segment: Seg.SS, segmentOverride: -1, base: 5, index: 1, scale: 2, dispLow: -16, dispHigh: -1, dispSize: 1, immLow: 0, immHigh: 0, immSize: 0, imm2: 0,
        operands: [
          { kind: Kind.REG, size: 8, number: 0, high: false },
          { kind: Kind.MEM, size: 8, number: 0, high: false },
        ],
        operandCount: 2,
      },
    ); // prettier-ignore
  });

  it('leaves nothing of the previous instruction', () => {
    const used = new Instruction();
    const fresh = new Instruction();
    const previous = bytesOf('f0 65 48 81 84 8d 01 02 03 04 05 06 07 08');
    for (const hex of ['90', '0f a2', 'c8 10 00 01', '9a 01 00 00 00 08 00', '88 e0', '70 02', 'ff ff']) {
      for (const codeSize of [16, 32, 64] as const) {
        assert.ok(decode(previous, 0, previous.length, 64, used) > 0);
        decode(bytesOf('c8 10 00 01'), 0, 4, 64, used);
        const bytes = Uint8Array.from([...bytesOf(hex), ...new Array<number>(15).fill(0)]);
        decode(bytes, 0, 15, codeSize, used);
        decode(bytes, 0, 15, codeSize, fresh);
        const facts = (i: Instruction): object => ({ ...i, operands: i.operands.slice(0, i.operandCount).map((o) => ({ ...o })), kinds: i.operands.map((o) => o.kind) });
        assert.deepEqual(facts(used), facts(fresh), hex);
      }
    }
  });

  it('asks for more bytes at the end of a page, and reads none behind it', () => {
    const insn = new Instruction();
    const long = bytesOf('66 48 0f 38 f1 84 8d 01 02 03 04');
    for (let n = 0; n < long.length; n++) assert.equal(decode(long, 0, n, 64, insn), 0, `${n} bytes`);
    assert.equal(decode(long, 0, long.length, 64, insn), long.length);
    const invalid = bytesOf('0f 0b');
    assert.equal(decode(invalid, 0, 1, 64, insn), 0);
  });

  it('agrees with itself whatever the number of available bytes', () => {
    const random = new Random(3);
    const bytes = new Uint8Array(STRIDE * 2000);
    fillInputs(bytes, 2000, random);
    const insn = new Instruction();
    for (let slot = 0; slot < 2000; slot++) {
      const length = decode(bytes, slot * STRIDE, 16, 64, insn);
      const op = insn.op;
      for (let n = 0; n < 15; n++) assert.equal(decode(bytes, slot * STRIDE, n, 64, insn), n < length ? 0 : length);
      assert.equal(decode(bytes, slot * STRIDE, 15, 64, insn), length);
      assert.equal(insn.op, op);
    }
  });

  it('more than 15 bytes are too long, 15 are not', () => {
    const insn = new Instruction();
    const nops = (prefixes: number): Uint8Array => Uint8Array.from([...new Array<number>(prefixes).fill(0x2e), 0x90]);
    assert.equal(decode(nops(14), 0, 15, 64, insn), 15);
    assert.equal(mnemonics[insn.op], 'nop');
    assert.equal(decode(nops(15), 0, 16, 64, insn), 15);
    assert.equal(mnemonics[insn.op], 'too_long');
    assert.equal(decode(nops(15), 0, 14, 64, insn), 0);
    const mov = Uint8Array.from([0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x48, 0xc7, 0x84, 0x8d, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert.equal(decode(mov, 0, 17, 64, insn), 15);
    assert.equal(mnemonics[insn.op], 'too_long');
  });

  it('decodes behind 2 GiB of a large memory', () => {
    const memory = new Uint8Array(0x8000_1000); // lazily backed
    memory.set(bytesOf('48 89 c3'), 0x8000_0800);
    assert.equal(decode(memory, 0x8000_0800, 0x800, 64, new Instruction()), 3);
  });

  it('knows its mnemonics by name, and refuses others', () => {
    assert.equal(mnemonics[0], 'invalid');
    assert.equal(mnemonics[mnemonicId('vmlaunch')], 'vmlaunch');
    assert.throws(() => mnemonicId('vmlunch'), /knows no mnemonic "vmlunch"/);
  });

  it('can be warmed up', () => warmUpDecoder());
});

describe('decode: operand and address sizes', () => {
  const sizes: [hex: string, codeSize: CodeSize, operandSize: number, addressSize: number][] = [
    ['01 c0', 16, 2, 2], ['66 01 c0', 16, 4, 2], ['67 01 c0', 16, 2, 4], ['01 c0', 32, 4, 4], ['66 67 01 c0', 32, 2, 2],
    ['01 c0', 64, 4, 8], ['66 01 c0', 64, 2, 8], ['48 01 c0', 64, 8, 8], ['66 48 01 c0', 64, 8, 8], ['67 01 c0', 64, 4, 4],
    ['48 66 01 c0', 64, 2, 8], // a REX before another prefix does not count
    ['50', 64, 8, 8], ['66 50', 64, 2, 8], ['9c', 64, 8, 8], ['0f a0', 64, 8, 8], ['c9', 64, 8, 8], ['6a 01', 64, 8, 8], ['c8 10 00 00', 64, 8, 8],
    ['c3', 64, 8, 8], ['66 c3', 64, 8, 8], ['e8 00 00 00 00', 64, 8, 8], ['66 e8 00 00 00 00', 64, 8, 8], ['66 e8 00 00', 32, 2, 4], ['ff d0', 64, 8, 8],
    ['cf', 64, 4, 8], ['48 cf', 64, 8, 8], ['66 cf', 64, 2, 8], ['cf', 16, 2, 2], ['66 cf', 16, 4, 2], ['cb', 64, 4, 8], ['48 cb', 64, 8, 8], ['0f 07', 64, 4, 8], ['48 0f 07', 64, 8, 8],
    ['e3 00', 64, 8, 8], ['67 e3 00', 64, 8, 4], ['a4', 64, 1, 8], ['66 a5', 64, 2, 8], ['48 a5', 64, 8, 8], ['48 6d', 64, 4, 8], ['f3 48 ab', 64, 8, 8],
    ['66 0f 38 82 00', 64, 4, 8], ['66 0f c7 30', 64, 4, 8], ['66 f3 0f b8 c0', 64, 2, 8],
  ]; // prettier-ignore
  for (const [hex, codeSize, operandSize, addressSize] of sizes)
    it(`${hex} in ${codeSize}-bit code: ${operandSize}, ${addressSize}`, () => {
      const i = decodeAll(hex, codeSize);
      assert.deepEqual([i.operandSize, i.addressSize], [operandSize, addressSize]);
    });
});

describe('decode: prefixes', () => {
  it('the last of REP and REPNE wins, and is absent where it is part of the opcode', () => {
    assert.equal(decodeAll('f2 f3 a4').prefixes, Prefix.REP);
    assert.equal(decodeAll('f3 f2 a6').prefixes, Prefix.REPNE);
    assert.equal(decodeAll('f3 0f b8 c0').prefixes, 0);
    assert.equal(decodeAll('66 f3 0f b8 c0').prefixes, Prefix.OPERAND_SIZE);
    assert.equal(decodeAll('66 0f 38 80 00').prefixes, 0);
  });
  it('in 64-bit code ES, CS, SS and DS overrides are recorded and without effect', () => {
    assert.deepEqual([decodeAll('2e 8b 00').segment, decodeAll('2e 8b 00').segmentOverride], [Seg.DS, Seg.CS]);
    assert.deepEqual([decodeAll('64 3e 8b 45 00').segment, decodeAll('3e 64 8b 45 00').segment], [Seg.FS, Seg.FS]);
    assert.equal(decodeAll('3e 8b 45 00').segment, Seg.SS);
    assert.equal(decodeAll('3e 8b 45 00', 32).segment, Seg.DS);
    assert.equal(decodeAll('65 d7').segment, Seg.GS);
    assert.equal(decodeAll('65 a1 01 02 03 04 05 06 07 88').segment, Seg.GS);
  });
  it('LOCK wants a memory destination of an instruction that allows it', () => {
    assert.equal(nameOf('f0 01 00'), 'add');
    assert.equal(nameOf('f0 01 c0'), 'invalid');
    assert.equal(nameOf('f0 03 00'), 'invalid');
    assert.equal(nameOf('f0 39 00'), 'invalid');
    assert.equal(nameOf('f0 89 00'), 'invalid');
    assert.equal(nameOf('f0 0f c7 08'), 'cmpxchg8b');
    assert.equal(nameOf('f0 48 0f c7 08'), 'cmpxchg16b');
    assert.equal(nameOf('f0 90'), 'invalid');
  });
  it('NOP, PAUSE and the exchange with R8 share an opcode', () => {
    assert.equal(nameOf('90'), 'nop');
    assert.equal(nameOf('f3 90'), 'pause');
    assert.equal(nameOf('41 90'), 'xchg');
    assert.equal(nameOf('f3 41 90'), 'pause'); // as silicon has it
    assert.equal(nameOf('f3 0f 1e fa'), 'nop');
  });
});

describe('decode: operands', () => {
  it('immediates are sign-extended to 64 bits or not, as the instruction wants', () => {
    const immediate = (hex: string, codeSize: CodeSize = 64): [number, number] => {
      const i = decodeAll(hex, codeSize);
      return [i.immLow, i.immHigh];
    };
    assert.deepEqual(immediate('48 83 c0 80'), [-128, -1]);
    assert.deepEqual(immediate('04 80'), [0x80, 0]);
    assert.deepEqual(immediate('48 05 00 00 00 80'), [-0x8000_0000, -1]);
    assert.deepEqual(immediate('48 b8 01 00 00 00 02 00 00 80'), [1, -0x7fff_fffe]);
    assert.deepEqual(immediate('66 b8 00 80'), [-0x8000, -1]);
    assert.deepEqual(immediate('cd 80'), [0x80, 0]);
    assert.deepEqual(immediate('c2 00 80'), [0x8000, 0]);
    assert.deepEqual(immediate('eb fe'), [-2, -1]);
    assert.deepEqual(immediate('e9 00 80', 16), [-0x8000, -1]);
    assert.deepEqual(immediate('d1 e0'), [1, 0]);
  });
  it('ENTER has two immediates, a far jump an offset and a selector', () => {
    const enter = decodeAll('c8 10 00 03');
    assert.deepEqual([enter.immLow, enter.imm2, enter.operands[1].kind], [0x10, 3, Kind.IMM2]);
    const far = decodeAll('ea 78 56 34 12 08 00', 32);
    assert.deepEqual([far.name, far.operands[0].kind, far.operands[0].size, far.immLow, far.imm2], ['jmp_far', Kind.FAR, 6, 0x12345678, 8]);
    assert.equal(decodeAll('ff 28', 32).operands[0].size, 6);
    assert.equal(decodeAll('48 ff 28').operands[0].size, 10);
  });
  it('a direct offset may have 64 bits', () => {
    const i = decodeAll('48 a1 01 02 03 84 05 06 07 88');
    assert.deepEqual([i.name, i.base, i.dispLow, i.dispHigh], ['mov', NO_REGISTER, 0x84030201 | 0, 0x88070605 | 0]);
    assert.deepEqual([decodeAll('67 a1 01 02 03 84').dispLow, decodeAll('67 a1 01 02 03 84').dispHigh], [0x84030201 | 0, 0]);
  });
  it('displacements without a register count from the next instruction in 64-bit code alone', () => {
    assert.equal(decodeAll('8b 05 00 00 00 00').base, RIP_REGISTER);
    assert.equal(decodeAll('8b 05 00 00 00 00', 32).base, NO_REGISTER);
    assert.equal(decodeAll('8b 04 25 00 00 00 00').base, NO_REGISTER);
  });
  it('R12 needs a SIB byte as a base and serves as an index, R13 needs a displacement', () => {
    assert.deepEqual([decodeAll('41 8b 04 24').base, decodeAll('41 8b 04 24').segment], [12, Seg.DS]);
    assert.equal(decodeAll('42 8b 04 20').index, 12);
    assert.equal(decodeAll('8b 04 20').index, NO_REGISTER);
    assert.deepEqual([decodeAll('41 8b 45 00').base, decodeAll('41 8b 45 00').segment], [13, Seg.DS]);
  });
  it('AH to BH without REX, SPL to DIL with it', () => {
    assert.deepEqual({ ...decodeAll('88 e0').operands[1] }, { kind: Kind.REG, size: 1, number: 0, high: true });
    assert.deepEqual({ ...decodeAll('40 88 e0').operands[1] }, { kind: Kind.REG, size: 1, number: 4, high: false });
  });
  it('conditions, widths of widening moves, string elements', () => {
    assert.equal(decodeAll('0f 8f 00 00 00 00').condition, 15);
    assert.deepEqual(decodeAll('0f b6 00').operands.slice(0, 2).map((o) => o.size), [4, 1]);
    assert.deepEqual(decodeAll('48 63 00').operands.slice(0, 2).map((o) => o.size), [8, 4]);
    assert.deepEqual(decodeAll('66 a5').operands.slice(0, 2).map((o) => [o.kind, o.size]), [[Kind.DST_STRING, 2], [Kind.SRC_STRING, 2]]);
  }); // prettier-ignore
  it('MOV to and from control registers ignores ModRM.mod', () => {
    for (const modrm of ['18', '58', '98', 'd8']) {
      const i = decodeAll(`0f 20 ${modrm}`);
      assert.deepEqual([i.name, i.operands[0].number, i.operands[0].size, i.operands[1].number], ['mov_from_cr', 0, 8, 3]);
    }
    assert.equal(nameOf('0f 20 c8'), 'invalid');
    assert.equal(nameOf('44 0f 20 c0'), 'mov_from_cr');
    assert.equal(nameOf('8e c8'), 'invalid');
  });
  it('VMX instructions by their prefixes', () => {
    const names = { '0f 01 c1': 'vmcall', '0f 01 c2': 'vmlaunch', '0f 01 c3': 'vmresume', '0f 01 c4': 'vmxoff', '0f c7 30': 'vmptrld', '66 0f c7 30': 'vmclear', 'f3 0f c7 30': 'vmxon', '0f c7 38': 'vmptrst', '0f 78 c8': 'vmread', '0f 79 c8': 'vmwrite', '66 0f 38 80 00': 'invept', '66 0f 38 81 00': 'invvpid', '66 0f 38 82 00': 'invpcid', '0f 01 d4': 'vmfunc', '0f c7 f0': 'rdrand' }; // prettier-ignore
    for (const [hex, name] of Object.entries(names)) assert.equal(decodeAll(hex).name, name);
    assert.deepEqual(decodeAll('0f 78 c8').operands.slice(0, 2).map((o) => [o.number, o.size]), [[0, 8], [1, 8]]); // prettier-ignore
    assert.equal(decodeAll('0f 78 c8', 32).operands[0].size, 4);
    assert.equal(nameOf('66 0f 01 c1'), 'invalid');
  });
});

describe('opcode tables', () => {
  it('refuse two lines for the same bytes, and words that mean nothing', () => {
    assert.throws(() => compileTables(['00 | add Eb,Gb\n00 /3 | sub Eb,Gb'], ['invalid']), /claim the same bytes/);
    assert.throws(() => compileTables(['00 | add Eq7'], ['invalid']), /unknown operand/);
    assert.throws(() => compileTables(['00 | add Eb | o63'], ['invalid']), /unknown flag/);
  });
});

describe('decode against iced-x86', function () {
  this.timeout(60_000);
  const COUNT = 100_000; // inputs, each in three modes; test/decode/iced.ts runs millions
  const bytes = new Uint8Array(COUNT * STRIDE);
  fillInputs(bytes, COUNT, new Random(0x360));
  for (const codeSize of [16, 32, 64] as const)
    it(`agrees on ${COUNT} inputs in ${codeSize}-bit code`, () => {
      const iced = new IcedReader(bytes, codeSize);
      for (let slot = 0; slot < COUNT; slot++) {
        const theirs = iced.at(slot * STRIDE);
        const ours = ourSignature(bytes, slot * STRIDE, codeSize);
        if (ours?.text === theirs.text || explain(theirs, ours) !== undefined) continue;
        const hex = Buffer.from(bytes.subarray(slot * STRIDE, slot * STRIDE + 15)).toString('hex');
        assert.fail(`${hex}\n  iced ${theirs.text}\n  ours ${ours?.text}`);
      }
    });
});
