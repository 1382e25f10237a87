/** What an exception has interrupted, as a stub of assembly finds it on the stack. */
import assert from 'node:assert';
import { interruptedFrame, interruptedOrCaller } from '../../src/debug/stack/interruptedFrame';
import type { Target } from '../../src/debug/target';
import { bytesOf, type Frame } from '../../src/symbols/frame';
import { RBP, RBX, RSP } from '../../src/symbols/registers';

const STACK = 0x8000n;
const GDT = 0x1000n;
const CODE = 0x5000n;
/** Upper halves: code of DPL 0 at selector 8, data at 0x10, code of DPL 3 at 0x18. */
const DESCRIPTORS: Readonly<Record<string, bigint>> = { [`${GDT + 12n}`]: 0x00cf_9b00n, [`${GDT + 20n}`]: 0x00cf_9300n, [`${GDT + 28n}`]: 0x00cf_fb00n };
const FLAGS = 0x246n;
const RBX_OF_CALLER = 77n;

describe('what an exception has interrupted', () => {
  const target = {
    registers: () => ({ world: 'vmm', live: true, read: ({ name }: { name: string }) => ({ gdtr_base: GDT, cs: 8n })[name] }),
    readInteger: (_: unknown, address: bigint) => DESCRIPTORS[`${address}`],
  } as unknown as Target;

  /** The frame of a stub in whose stack there are these words; code and user stack are readable from CODE on, below the stack. */
  const find = (bits: 32 | 64, words: readonly bigint[], options: { bp?: bigint; called?: boolean; returns?: bigint; before?: readonly number[] } = {}): [rip: bigint, rsp: bigint, isCaller: boolean] | undefined => {
    const size = bits / 8;
    const bytes = new Uint8Array(words.length * size);
    words.forEach((word, n) => bytes.set(bytesOf(word, size), n * size));
    const frame: Frame = {
      pc: CODE, isCaller: false, bits,
      register: (n) => ({ [RSP]: STACK, [RBP]: options.bp ?? 0n })[n],
      memory: (address, length) => {
        if (address >= STACK && address + BigInt(length) <= STACK + BigInt(bytes.length)) return bytes.subarray(Number(address - STACK), Number(address - STACK) + length);
        return address >= CODE - 8n && address < STACK ? new Uint8Array(length).map((_, n) => options.before?.[n - length + options.before.length] ?? 0) : undefined;
      },
    };
    if (options.returns !== undefined) {
      const asCalled = { pc: options.returns, isCaller: true, bits, register: () => RBX_OF_CALLER, memory: frame.memory };
      const mended = interruptedOrCaller(target, 'vmm', frame, { frame: asCalled, cfa: STACK + 8n, method: 'cfi' });
      assert.strictEqual(mended.frame.register(RBX), RBX_OF_CALLER, 'what call frame information knows stays');
      return [mended.frame.pc, mended.frame.register(RSP)!, mended.frame.isCaller];
    }
    const found = interruptedFrame(target, 'vmm', frame, options.called ?? false);
    return found && [found.frame.pc, found.frame.register(RSP)!, found.frame.isCaller];
  };

  const own64 = [CODE + 4n, 8n, FLAGS, STACK + 0x48n, 0x10n, 1n, 2n, 3n, 4n, 5n];
  it('in 64-bit code: RIP, CS, RFLAGS, RSP, SS', () => assert.deepStrictEqual(find(64, own64), [CODE + 4n, STACK + 0x48n, false]));
  it('behind a vector, an error code and registers that the stub has pushed', () => assert.deepStrictEqual(find(64, [1n, 2n, 14n, 0n, ...own64]), [CODE + 4n, STACK + 0x48n, false]));
  it('RIP may be anything in 64-bit code, as behind a jump to nowhere', () => assert.strictEqual(find(64, [0xdead_0000_0000_0000n, ...own64.slice(1)])?.[0], 0xdead_0000_0000_0000n));
  it('in 32-bit code of the same privilege: EIP, CS, EFLAGS', () => assert.deepStrictEqual(find(32, [14n, 0n, CODE + 4n, 8n, FLAGS, 7n, 7n]), [CODE + 4n, STACK + 20n, false]));
  it('from user mode ESP and SS too', () => assert.deepStrictEqual(find(32, [14n, 0n, CODE + 4n, 0x1bn, FLAGS, 0x6000n, 0x23n]), [CODE + 4n, 0x6000n, false]));
  it('not where EIP is of no memory, CS no code segment, or EFLAGS impossible', () => {
    assert.strictEqual(find(32, [0x10n, 8n, FLAGS, 7n, 7n]), undefined);
    assert.strictEqual(find(32, [CODE + 4n, 0x10n, FLAGS, 7n, 7n]), undefined);
    assert.strictEqual(find(32, [CODE + 4n, 8n, FLAGS & ~2n, 7n, 7n]), undefined);
  });
  it('not beyond the frame that the frame pointer points to: there it belongs to an outer handler', () => {
    assert.strictEqual(find(64, [1n, 2n, ...own64], { bp: STACK + 8n }), undefined);
    assert.notStrictEqual(find(64, [1n, 2n, ...own64], { bp: STACK + 0x58n }), undefined);
  });
  it('not behind the return address of a function that was called', () => {
    assert.strictEqual(find(64, [CODE, ...own64], { called: true }), undefined);
    assert.notStrictEqual(find(64, own64, { called: true }), undefined);
  });

  describe('by a handler in C, whose call frame information is as of a function that was called', () => {
    const wrong = [CODE + 4n, RBX_OF_CALLER, true];
    it('the stack pointer is the one that was pushed', () => assert.deepStrictEqual(find(64, own64, { returns: CODE + 4n }), [CODE + 4n, STACK + 0x48n, false]));
    it('behind an error code that was taken for the return address', () => assert.deepStrictEqual(find(64, [6n, ...own64], { returns: 6n }), [CODE + 4n, STACK + 0x48n, false]));
    it('not where a call stands in front of the return address', () => {
      for (const call of [[0xe8, 0, 0, 0, 0], [0xff, 0xd0], [0x41, 0xff, 0x54, 0x24, 0x10], [0xff, 0x14, 0xc5, 0, 0, 0, 0]]) assert.deepStrictEqual(find(64, own64, { returns: CODE + 4n, before: call }), wrong);
    });
    it('not where the words above are others', () => assert.deepStrictEqual(find(64, [CODE + 4n, 1n, 2n, 3n, 4n], { returns: CODE + 4n }), wrong));
  });
});
