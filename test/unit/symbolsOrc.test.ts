import assert from 'node:assert/strict';
import type { Frame } from '../../src/symbols/frame';
import { SymbolImage } from '../../src/symbols/image';
import { RBP, RIP, RSP } from '../../src/symbols/registers';

const CODE = 0xffff_ffff_8100_0000n;
const CODE_BYTES = 0x100;
const TABLE = CODE + 0x1000n;
const STACK = 0xffff_c900_0000_1000n;

/** Numbers of the registers in ORC entries. */
const NONE = 0;
const PREVIOUS_SP = 1;
const BP = 4;
const SP = 5;
const R10 = 6;
const SP_INDIRECT = 9;

interface Entry {
  at: number;
  sp: number;
  spOffset?: number;
  bp?: number;
  bpOffset?: number;
  /** Bits 8 and above of the entry's third word: kind, signal, end, as a version of Linux has them. */
  rest: number;
}

/** A kernel with nothing but code and ORC tables, entries in the order given. */
function kernel(entries: readonly Entry[]): SymbolImage {
  const names = ['', '.text', '.orc_unwind_ip', '.orc_unwind', '.shstrtab'];
  const strings = new TextEncoder().encode(names.map((name) => `${name}\0`).join(''));
  const ips = new DataView(new ArrayBuffer(entries.length * 4));
  const rows = new DataView(new ArrayBuffer(entries.length * 6));
  entries.forEach(({ at, sp, spOffset = 0, bp = NONE, bpOffset = 0, rest }, i) => {
    ips.setInt32(i * 4, Number(CODE - TABLE) + at - i * 4, true);
    rows.setInt16(i * 6, spOffset, true);
    rows.setInt16(i * 6 + 2, bpOffset, true);
    rows.setUint16(i * 6 + 4, sp | (bp << 4) | (rest << 8), true);
  });
  const bodies = [new Uint8Array(0), new Uint8Array(CODE_BYTES), new Uint8Array(ips.buffer), new Uint8Array(rows.buffer), strings];
  const bytes = new Uint8Array(0x1000);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, 2, true); // ET_EXEC
  view.setUint16(18, 62, true); // EM_X86_64
  view.setBigUint64(40, 0x800n, true); // section headers
  view.setUint16(58, 64, true);
  view.setUint16(60, names.length, true);
  view.setUint16(62, names.length - 1, true);
  let offset = 0x100;
  let nameOffset = 0;
  names.forEach((name, i) => {
    const header = 0x800 + i * 64;
    view.setUint32(header, nameOffset, true);
    view.setUint32(header + 4, i === 0 ? 0 : i === names.length - 1 ? 3 : 1, true);
    view.setBigUint64(header + 8, name === '.text' ? 6n : 2n, true);
    view.setBigUint64(header + 16, name === '.text' ? CODE : name === '.orc_unwind_ip' ? TABLE : 0n, true);
    view.setBigUint64(header + 24, BigInt(offset), true);
    view.setBigUint64(header + 32, BigInt(bodies[i]!.length), true);
    bytes.set(bodies[i]!, offset);
    offset += bodies[i]!.length;
    nameOffset += name.length + 1;
  });
  return SymbolImage.open('vmlinux', bytes);
}

/** A frame with words on its stack, which begins at STACK. */
function frameAt(at: number, words: readonly bigint[], registers: Record<number, bigint> = {}, isCaller = false): Frame {
  const memory = new BigUint64Array(words);
  return {
    pc: CODE + BigInt(at),
    isCaller,
    bits: 64,
    register: (number) => ({ [RSP]: STACK, [RBP]: 0xbbn, ...registers })[number],
    memory: (address, length) => (address >= STACK && address + BigInt(length) <= STACK + BigInt(memory.byteLength) ? new Uint8Array(memory.buffer, Number(address - STACK), length) : undefined),
  };
}

/** The kinds by version: up to 6.2 two bits, then the end; 6.3 a bit for signals before it; from 6.4 on three bits. */
const VERSIONS = {
  'up to 6.2': { call: 0, registers: 1, interrupt: 2, end: 4 },
  '6.3': { call: 0, registers: 1 | 4, interrupt: 2 | 4, end: 8 },
  'from 6.4 on': { call: 2, registers: 3 | 8, interrupt: 4 | 8, end: 1 },
};

describe('symbols: ORC tables', () => {
  for (const [version, kinds] of Object.entries(VERSIONS)) {
    const image = kernel([
      { at: 0x00, sp: SP, spOffset: 8, rest: kinds.call },
      { at: 0x01, sp: SP, spOffset: 24, bp: PREVIOUS_SP, bpOffset: -16, rest: kinds.call },
      { at: 0x10, sp: BP, spOffset: 16, bp: PREVIOUS_SP, bpOffset: -16, rest: kinds.call },
      { at: 0x20, sp: SP, rest: kinds.registers },
      { at: 0x30, sp: SP, rest: kinds.interrupt },
      { at: 0x40, sp: SP_INDIRECT, spOffset: 8, rest: kinds.call },
      { at: 0x50, sp: R10, rest: kinds.call },
      { at: 0x60, sp: NONE, rest: kinds.end },
      { at: 0x70, sp: NONE, rest: 0 },
      { at: 0x80, sp: SP, spOffset: 8, rest: kinds.call },
    ]);
    const unwind = (...given: Parameters<typeof frameAt>): [rip: bigint, rsp: bigint, rbp: bigint | undefined, isCaller: boolean] | undefined => {
      const caller = image.unwind(frameAt(...given));
      return caller && [caller.frame.register(RIP)!, caller.frame.register(RSP)!, caller.frame.register(RBP), caller.frame.isCaller];
    };
    const CALLER = CODE + 0x84n;

    describe(`of Linux ${version}`, () => {
      it('find the caller by rsp, and leave rbp alone that was not pushed', () => {
        assert.deepEqual(unwind(0x00, [CALLER]), [CALLER, STACK + 8n, 0xbbn, true]);
      });
      it('find an rbp that was pushed', () => {
        assert.deepEqual(unwind(0x05, [1n, 0xabcn, CALLER]), [CALLER, STACK + 24n, 0xabcn, true]);
      });
      it('find the caller by rbp', () => {
        assert.deepEqual(unwind(0x10, [1n, 2n, 0xabcn, CALLER], { [RBP]: STACK + 16n }), [CALLER, STACK + 32n, 0xabcn, true]);
      });
      it('do not claim to know the other registers of a caller', () => {
        assert.equal(image.unwind(frameAt(0x05, [1n, 0xabcn, CALLER], { 3: 7n }))!.frame.register(3), undefined);
      });
      it('but where nothing is on the stack that could be given back', () => {
        const { frame } = image.unwind(frameAt(0x00, [CALLER], { 3: 7n, 2: 9n }))!;
        assert.deepEqual([frame.register(3), frame.register(2), frame.register(RBP)], [7n, 9n, 0xbbn]);
      });
      it('look a return address up in front of it: the next entry may begin there', () => {
        assert.deepEqual(unwind(0x10, [1n, 0xabcn, CALLER], {}, true), [CALLER, STACK + 24n, 0xabcn, true]);
      });
      it('give an interrupted frame all registers of struct pt_regs, and its exact address', () => {
        const saved = Array.from({ length: 21 }, (_, i) => BigInt(i) + 0x100n);
        saved[16] = CALLER;
        assert.deepEqual(unwind(0x20, saved), [CALLER, 0x113n, 0x104n, false]);
        const { frame } = image.unwind(frameAt(0x20, saved))!;
        assert.deepEqual([0, 1, 2, 3, 4, 5, 8, 15].map((number) => frame.register(number)), [0x10an, 0x10cn, 0x10bn, 0x105n, 0x10dn, 0x10en, 0x109n, 0x100n]);
      });
      it('give an interrupted frame what the processor pushed', () => {
        assert.deepEqual(unwind(0x30, [CALLER, 0x10n, 0x202n, STACK + 64n, 0x18n]), [CALLER, STACK + 64n, 0xbbn, false]);
      });
      it('follow a stack pointer that was pushed on another stack', () => {
        assert.deepEqual(unwind(0x40, [STACK + 8n, CALLER]), [CALLER, STACK + 16n, 0xbbn, true]);
      });
      it('take a stack pointer from r10 as it is', () => {
        assert.deepEqual(unwind(0x50, [1n, CALLER], { 10: STACK + 16n }), [CALLER, STACK + 16n, 0xbbn, true]);
      });
      it('end the stack where they say so, whatever rbp points to', () => {
        assert.equal(unwind(0x60, [1n, 2n, CALLER, CALLER], { [RBP]: STACK + 8n }), undefined);
      });
      it('leave code that they do not know to the chain of frame pointers', () => {
        assert.deepEqual(unwind(0x78, [1n, 0xabcn, CALLER], { [RBP]: STACK + 8n }), [CALLER, STACK + 24n, 0xabcn, true]);
      });
    });
  }

  it('are sorted where the linker has not, and what ends a function gives way to the one that begins there', () => {
    const image = kernel([
      { at: 0x10, sp: SP, spOffset: 16, rest: 2 },
      { at: 0x20, sp: NONE, rest: 0 },
      { at: 0x10, sp: NONE, rest: 0 },
      { at: 0x00, sp: SP, spOffset: 8, rest: 2 },
    ]);
    assert.equal(image.unwind(frameAt(0x08, [CODE, 2n]))!.cfa, STACK + 8n);
    assert.equal(image.unwind(frameAt(0x18, [2n, CODE]))!.cfa, STACK + 16n);
  });

  it('are empty in a damaged file without doing harm', () => {
    assert.equal(kernel([]).unwind(frameAt(0, [])), undefined);
  });
});
