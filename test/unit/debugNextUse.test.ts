/** What the check "guest-registers" knows of code: which registers the guest will read, and whether the VMM loads any. */
import assert from 'node:assert/strict';
import { loadsRegisters } from '../../src/debug/checks/loadsRegisters';
import { nextUses } from '../../src/debug/checks/nextUse';

const AT = 0x1000n;
const [RAX, RCX, RBX, RBP, RSI, R15] = [0, 1, 3, 5, 6, 15].map((n) => 1 << n);
const ALL = 0xffef;

const reader = (hex: string) => {
  const bytes = Uint8Array.from(hex.replace(/;.*/gm, '').match(/[0-9a-f]{2}/g) ?? [], (b) => parseInt(b, 16));
  return (address: bigint, length: number): Uint8Array => bytes.slice(Math.max(0, Number(address - AT)), Math.max(0, Number(address - AT) + length));
};
/** Registers that are read, each with the offset of the instruction. */
const uses = (hex: string, wanted = ALL): Record<number, number> => Object.fromEntries([...nextUses(reader(hex), AT, wanted, 64)].map(([register, rip]) => [1 << register, Number(rip - AT)]));

describe('which registers code reads before it writes them', () => {
  it('a source, a base and an index are read, a destination of MOV is written', () => {
    assert.deepEqual(uses('48 89 d8   48 8b 0c f5 00 00 00 00   8b 18   48 01 c8   c3', RAX | RCX | RBX | RSI), { [RBX]: 0, [RSI]: 3 });
  });
  it('XOR of a register with itself reads nothing', () => {
    assert.deepEqual(uses('31 c0   89 c1   c3', RAX | RCX), {});
  });
  it('the upper half of a register survives a write of 16 bits, not one of 32', () => {
    assert.deepEqual(uses('66 b8 01 00   50   48 01 c1   c3', RAX), {});
    assert.deepEqual(uses('66 b8 01 00   48 01 c1   c3', RAX), { [RAX]: 4 });
    assert.deepEqual(uses('b8 01 00 00 00   48 01 c1   c3', RAX), {});
  });
  it('both ways of a branch are followed, and a loop ends', () => {
    assert.deepEqual(uses('74 05   31 c0   eb fc   cc   4c 89 fb   c3', RAX | R15), { [R15]: 7 });
  });
  it('a call is followed, what the callee saves is still wanted behind it', () => {
    // call +6; add rax, rbx; ret; nop; nop; push rbx; mov ebx, 1; pop rbx; ret
    assert.deepEqual(uses('e8 06 00 00 00   48 01 d8   c3   90 90   53   bb 01 00 00 00   5b   c3', RBX), { [RBX]: 5 });
  });
  it('POP gives a register a value, as guests do around an instruction that loses it', () => {
    assert.deepEqual(uses('5d   48 89 6d 00   c3', RBP), {});
  });
  it('repeated string instructions read what they count by', () => {
    assert.deepEqual(Object.keys(uses('f3 48 a5   c3', RAX | RCX | RSI)).map(Number), [RCX, RSI]);
  });
  it('what is behind an instruction that is not known is not known', () => {
    assert.deepEqual(uses('0f 01 c1   48 89 d8', RBX), {});
    assert.deepEqual(uses('', RBX), {});
  });
});

describe('whether the code in front of a VM entry loads registers', () => {
  const before = (hex: string): boolean => {
    const code = hex.replace(/ /g, '').length / 2;
    return loadsRegisters((address, length) => reader('90'.repeat(300 - code) + hex)(address - 0x2000n + 300n + AT, length), 0x2000n, 64);
  };
  it('six or more from memory are a guest\'s', () => {
    assert.equal(before('488b4708 488b4f10 488b5718 488b5f20 488b7728 488b3f'), true);
    assert.equal(before('5b 59 5a 5e 5f 41 58'), true);
  });
  it('a few, and constants, are the VMM\'s own', () => {
    assert.equal(before('488b4708 488b4f10 31c0 31c9 31d2 31db 31f6 31ff'), false);
    assert.equal(before(''), false);
  });
});
