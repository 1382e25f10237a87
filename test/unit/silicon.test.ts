/** Small programs in user mode with the results that real silicon gave: what the comparisons of test/silicon found wrong once. */
import assert from 'node:assert/strict';
import { AC } from '../../src/cpu/flags';
import { Gpr } from '../../src/cpu/state';
import { At, CASE_SIZE, CODE, DATA, Selector } from '../silicon/testCase';
import { UserMachine } from '../silicon/userMachine';
import { MXCSR_DEFAULT } from '../silicon/vectorValues';

const [BREAKPOINT, UNDEFINED, GENERAL_PROTECTION, PAGE_FAULT] = [3, 6, 13, 14];
const START = 0x400;
const STACK = 0x200;

interface Setup {
  registers?: Partial<Record<keyof typeof Gpr, bigint>>;
  flags?: number;
  /** Bytes of the data page by offset. */
  data?: Record<number, string>;
  cs?: number;
  ds?: number;
  fsw?: number;
}

const machine = new UserMachine();
const bytesOf = (text: string): Buffer => Buffer.from(text.replace(/\s+/g, ''), 'hex');

/** Executes bytes until they fault or end. */
function run(code: string, setup: Setup = {}) {
  const one = Buffer.alloc(CASE_SIZE);
  const bytes = bytesOf(code);
  const cs = setup.cs ?? Selector.CODE64;
  one.writeUInt16LE(START, At.START);
  one[At.LENGTH] = bytes.length;
  bytes.copy(one, At.CODE);
  const base = cs === Selector.LOCAL_CODE16 ? BigInt(CODE) : 0n;
  one.writeBigUInt64LE(BigInt(CODE + START) - base, At.RIP);
  one.writeBigUInt64LE(BigInt(DATA + STACK), At.REGS + Gpr.RSP * 8);
  for (const [name, value] of Object.entries(setup.registers ?? {})) one.writeBigUInt64LE(value, At.REGS + Gpr[name as keyof typeof Gpr] * 8);
  one.writeBigUInt64LE(BigInt(0x202 | (setup.flags ?? 0)), At.FLAGS);
  one.writeUInt16LE(cs, At.CS);
  one.writeUInt16LE(Selector.DATA, At.SS);
  for (const field of [At.ES, At.DS]) one.writeUInt16LE(setup.ds ?? Selector.DATA, field);
  one.writeUInt16LE(0x37f, At.X87);
  one.writeUInt16LE(setup.fsw ?? 0, At.X87 + 2);
  one.writeUInt32LE(MXCSR_DEFAULT, At.MXCSR);
  for (const [offset, text] of Object.entries(setup.data ?? {})) bytesOf(text).copy(one, At.DATA + Number(offset));
  const end = Buffer.alloc(CASE_SIZE);
  machine.run(one, end, 0);
  return {
    vector: end.readUInt16LE(At.VECTOR),
    error: end.readUInt32LE(At.ERROR),
    address: end.readBigUInt64LE(At.ADDRESS),
    rip: end.readBigUInt64LE(At.RIP),
    cs: end.readUInt16LE(At.CS),
    fsw: end.readUInt16LE(At.X87 + 2),
    reg: (name: keyof typeof Gpr): bigint => end.readBigUInt64LE(At.REGS + Gpr[name] * 8),
    data: (offset: number, size: number): string => end.subarray(At.DATA + offset, At.DATA + offset + size).toString('hex'),
  };
}

describe('user-mode programs as silicon executes them', () => {
  it('an access that wraps from the highest address to 0 is a page fault, not a non-canonical address', () => {
    const { vector, address } = run('8b 07', { registers: { RDI: 0xffff_ffff_ffff_fffen } }); // mov eax, [rdi]
    assert.deepEqual([vector, address], [PAGE_FAULT, 0xffff_ffff_ffff_fffen]);
  });
  it('a bit string moves inside its address size, and its segment is asked where it arrives', () => {
    const truncated = run('67 48 0f a3 0f', { registers: { RDI: 0xffff_fff0n, RCX: 0x100n } }); // bt [edi], rcx
    assert.deepEqual([truncated.vector, truncated.address], [PAGE_FAULT, 0x10n]);
    const found = run('67 0f a3 0f', { registers: { RDI: BigInt(DATA), RCX: 40n }, data: { 5: '01' } }); // bt [edi], ecx
    assert.equal(found.vector, BREAKPOINT);
    const beyond = run('0f ab 0f', { cs: Selector.LOCAL_CODE16, ds: Selector.LOCAL_DATA16, registers: { RBX: 0n, RCX: 0x4000n } }); // bts [bx], cx
    assert.deepEqual([beyond.vector, beyond.error], [GENERAL_PROTECTION, 0]);
    const inside = run('0f ab 0f', { cs: Selector.LOCAL_CODE16, ds: Selector.LOCAL_DATA16, registers: { RBX: 0x80n, RCX: 0xfffen } }); // bts [bx], cx: bit 14 of the word before
    assert.equal(inside.data(0x7e, 2), '0040');
  });
  it('ENTER asks whether its new top can be written', () => {
    const { vector, error, address, rip } = run('c8 00 10 00'); // enter 0x1000, 0
    assert.deepEqual([vector, error, address, rip], [PAGE_FAULT, 6, BigInt(DATA + STACK - 8 - 0x1000), BigInt(CODE + START)]);
  });
  it('ENTER writes as much of RBP as its operands have', () => {
    const { reg } = run('66 c8 00 00 00', { registers: { RBP: 0x1234_5678n } });
    assert.equal(reg('RBP'), 0x1234_01fen);
  });
  it('IRETD in 64-bit mode pops the stack pointer too', () => {
    // CODE64 at CODE + 0x800, with another stack.
    const { vector, rip, reg } = run('cf', { data: { [STACK]: '00080010 33000000 02020000 00010020 2b000000' } });
    assert.deepEqual([vector, rip, reg('RSP')], [BREAKPOINT, BigInt(CODE + 0x801), BigInt(DATA + 0x100)]);
  });
  it('a far RET and a far CALL into compatibility code go to 32 bits of their offset', () => {
    const returned = run('48 cb', { data: { [STACK]: '00080010 01000000 23000000 00000000' } });
    assert.deepEqual([returned.vector, returned.rip, returned.cs], [BREAKPOINT, BigInt(CODE + 0x801), Selector.CODE32]);
    const called = run('48 ff 1f', { registers: { RDI: BigInt(DATA) }, data: { 0: '00080010 01000000 2300' } });
    assert.deepEqual([called.vector, called.rip, called.cs], [BREAKPOINT, BigInt(CODE + 0x801), Selector.CODE32]);
  });
  it('MOV DR asks for privilege before it knows DR4 and DR5', () => {
    assert.equal(run('0f 21 e0').vector, GENERAL_PROTECTION); // mov rax, dr4
    assert.equal(run('0f 20 c8').vector, UNDEFINED); // mov rax, cr1
  });
  it('BSWAP of 16 bits is no invalid instruction', () => {
    const { vector, reg } = run('66 0f c9', { registers: { RCX: 0x1234_5678n } });
    assert.deepEqual([vector, reg('RCX')], [BREAKPOINT, 0x1234_0000n]);
  });
  it('CVTPI2PS from memory leaves the x87 stack alone', () => {
    const { vector, fsw } = run('0f 2a 07', { registers: { RDI: BigInt(DATA) }, fsw: 0x2800 });
    assert.deepEqual([vector, fsw], [BREAKPOINT, 0x2800]);
  });
  it('MOVS reads its source before it asks for its destination', () => {
    const { vector, address } = run('a4', { registers: { RSI: 0x1000n, RDI: 1n << 50n } });
    assert.deepEqual([vector, address], [PAGE_FAULT, 0x1000n]);
  });
  it('REP with 32-bit addresses clears the upper halves of its counters even when there is nothing to do', () => {
    const { reg } = run('67 f3 a4', { registers: { RCX: 1n << 32n, RSI: 0x1_0000_0001n, RDI: 0x2_0000_0002n } });
    assert.deepEqual([reg('RCX'), reg('RSI'), reg('RDI')], [0n, 1n, 2n]);
  });
  it('VPCMPESTRI takes 32-bit lengths outside 64-bit code, whatever VEX.W is', () => {
    const { reg } = run('c4 e3 f9 61 c0 00', { cs: Selector.CODE32, registers: { RAX: 1n << 32n, RDX: 1n << 32n } }); // xmm0, xmm0, equal any: both are empty
    assert.equal(reg('RCX') & 0xffff_ffffn, 16n);
  });
  it('VMASKMOVPD reaches beyond 4 GiB with a 32-bit address in 64-bit code', () => {
    // pcmpeqd xmm13, xmm13; pslldq xmm13, 8; vmaskmovpd xmm13, xmm13, [r10d]: the upper element alone is chosen
    const { vector, address } = run('66 45 0f 76 ed 66 41 0f 73 fd 08 67 c4 42 11 2d 2a', { registers: { R10: 0xffff_ffffn } });
    assert.deepEqual([vector, address], [PAGE_FAULT, 0x1_0000_0007n]);
  });
  it('a NOP with a memory operand asks no segment', () => {
    assert.equal(run('0f 1f 07', { cs: Selector.LOCAL_CODE16, ds: 0 }).vector, BREAKPOINT);
  });
  it('vectors and the registers of FSAVE are not subject to alignment checks', () => {
    assert.equal(run('c5 f8 58 07', { flags: AC, registers: { RDI: BigInt(DATA + 4) } }).vector, BREAKPOINT); // vaddps xmm0, xmm0, [rdi]
    assert.equal(run('c4 e2 79 13 07', { flags: AC, registers: { RDI: BigInt(DATA + 4) } }).vector, BREAKPOINT); // vcvtph2ps xmm0, [rdi]
    assert.equal(run('c4 e3 79 1d 07 00', { flags: AC, registers: { RDI: BigInt(DATA + 4) } }).vector, BREAKPOINT); // vcvtps2ph [rdi], xmm0, 0
    assert.equal(run('dd 37', { flags: AC, registers: { RDI: BigInt(DATA + 4) } }).vector, BREAKPOINT); // fnsave [rdi]
  });
});
