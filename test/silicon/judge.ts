/** What differs between a case's end here and on silicon, in words. */
import type { Instruction } from '../../src/cpu/decode/instruction';
import { mnemonics } from '../../src/cpu/decode/mnemonics';
import { RF, STATUS_FLAGS } from '../../src/cpu/flags';
import { At, DATA_SIZE, Selector, VENDOR, YMM_SIZE } from './testCase';
import { APPROXIMATE, comparedBits, undefinedFlagsOf } from './undefined';

const PAGE_FAULT = 14;
/** Linux says of faults from here on, its half of the address space and the page in front of it, that the page is present, whatever it is. */
const USER_END = 0x7fff_ffff_f000n;
const PRESENT = 1;
const C1 = 0x200;
const UE = 0x10;
const EXCEPTION_SUMMARY = 0x80;
/** Offsets in an FXSAVE area of what it says of the last instruction, and of its operand. AMD's processors save and load that only with an exception that waits. */
const POINTERS = 6;
const DATA_POINTER = 16;
/** Units in the last place by which a transcendental result may differ. */
const TOLERANCE = 1n;
const GPR_NAMES = ['rax', 'rcx', 'rdx', 'rbx', 'rsp', 'rbp', 'rsi', 'rdi', 'r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15'];
const SELECTORS = [['es', At.ES], ['cs', At.CS], ['ss', At.SS], ['ds', At.DS], ['fs', At.FS], ['gs', At.GS]] as const; // prettier-ignore
const MEMORY_UNDEFINED = /^xsaveopt$/;

const MASK64 = 0xffff_ffff_ffff_ffffn;

const hex = (bytes: Uint8Array): string => [...bytes].reverse().map((b) => b.toString(16).padStart(2, '0')).join('');

/** Distance of two 80-bit values in units of the last place; -1 when they are not comparable. */
function distance(a: bigint, b: bigint): bigint {
  if (a >> 79n !== b >> 79n) return -1n;
  const ordinal = (x: bigint): bigint => ((x >> 64n) & 0x7fffn) * (1n << 63n) + (x & ((1n << 63n) - 1n));
  const d = ordinal(a) - ordinal(b);
  return d < 0n ? -d : d;
}

function sameX87(own: Buffer, native: Buffer, approximate: boolean): boolean {
  const [a, b] = [own.subarray(At.X87, At.X87 + 160), native.subarray(At.X87, At.X87 + 160)];
  const end = VENDOR === 'AuthenticAMD' ? ((b[2]! & EXCEPTION_SUMMARY) === 0 ? POINTERS : DATA_POINTER) : 24;
  for (let i = 0; i < end; i++) {
    if (a[i] === b[i] || i === 5) continue;
    if (approximate && i === 3 && (a[i]! ^ b[i]!) === C1 >> 8) continue;
    // AMD's results at the border of the denormal numbers.
    if (!(approximate && VENDOR === 'AuthenticAMD' && i === 2 && (a[i]! ^ b[i]!) === UE)) return false;
  }
  for (let i = 0; i < 8; i++) {
    const at = 32 + i * 16;
    if (a.compare(b, at, at + 10, at, at + 10) === 0) continue;
    if (!approximate) return false;
    const value = (image: Buffer): bigint => image.readBigUInt64LE(at) | (BigInt(image.readUInt16LE(at + 8)) << 64n);
    const d = distance(value(a), value(b));
    if (d < 0n || d > TOLERANCE) return false;
  }
  return true;
}

/** What differs, by name, in words. Empty: nothing does. */
export function differences(insn: Instruction, input: Buffer, own: Buffer, native: Buffer): Map<string, string> {
  const problems = new Map<string, string>();
  const tell = (what: string, here: bigint | number, there: bigint | number): void => {
    problems.set(what, `${what} ${here.toString(16)} here, ${there.toString(16)} there`);
  };
  // Outside 64-bit code the upper halves of the registers are undefined.
  const wide = input.readUInt16LE(At.CS) === Selector.CODE64 && native.readUInt16LE(At.CS) === Selector.CODE64;
  const vector = native.readUInt16LE(At.VECTOR);
  const word = (what: string, at: number, from = 0): void => {
    const [here, there] = [own.readUInt16LE(at), native.readUInt16LE(at)];
    if (here !== there && !(here < from && there < from)) tell(what, here, there);
  };
  const quadword = (what: string, at: number, mask = 0xffff_ffff_ffff_ffffn): void => {
    const [here, there] = [own.readBigUInt64LE(at), native.readBigUInt64LE(at)];
    if ((here ^ there) & mask) tell(what, here, there);
  };
  word('vector', At.VECTOR);
  let ownError = own.readUInt32LE(At.ERROR);
  if (vector === PAGE_FAULT) {
    quadword('CR2', At.ADDRESS);
    if (own.readBigUInt64LE(At.ADDRESS) >= USER_END) ownError |= PRESENT;
  }
  if (ownError !== native.readUInt32LE(At.ERROR)) tell('error code', ownError, native.readUInt32LE(At.ERROR));
  quadword('RIP', At.RIP);
  // The kernel's IRET clears the privilege bits of null selectors.
  for (const [name, at] of SELECTORS) word(name, at, 4);
  quadword('FS base', At.FS_BASE);
  quadword('GS base', At.GS_BASE);
  for (let n = 0; n < 16; n++) quadword(GPR_NAMES[n]!, At.REGS + n * 8, comparedBits(insn, n) & (wide ? MASK64 : 0xffff_ffffn));
  // What has faulted has set no flags.
  const ended = native.readBigUInt64LE(At.RIP) !== input.readBigUInt64LE(At.RIP);
  const undefinedFlags = ended ? undefinedFlagsOf(insn, Number(input.readBigUInt64LE(At.REGS + 8) & 0xffn)) : 0;
  quadword('flags', At.FLAGS, BigInt(0x3f_7fd5 & ~RF & ~(undefinedFlags & STATUS_FLAGS)));
  if (own.readUInt32LE(At.MXCSR) !== native.readUInt32LE(At.MXCSR)) tell('MXCSR', own.readUInt32LE(At.MXCSR), native.readUInt32LE(At.MXCSR));
  if (own.compare(native, At.YMM, At.DATA, At.YMM, At.DATA) !== 0) {
    for (let n = 0; n < 16; n++) {
      const at = At.YMM + n * YMM_SIZE;
      if (own.compare(native, at, at + YMM_SIZE, at, at + YMM_SIZE) === 0) continue;
      const text = (run: Buffer): string => hex(run.subarray(at, at + YMM_SIZE));
      problems.set(`ymm${n}`, `ymm${n} ${text(own)} here, ${text(native)} there, ${text(input)} before`);
    }
  }
  if (!sameX87(own, native, APPROXIMATE.test(mnemonics[insn.op]!))) {
    const text = (run: Buffer): string => `${run.subarray(At.X87, At.X87 + 24).toString('hex')} ${[0, 1, 7].map((i) => hex(run.subarray(At.X87 + 32 + i * 16, At.X87 + 42 + i * 16))).join(' ')}`;
    problems.set('x87', `\n   x87 from  ${text(input)}\n   x87 here  ${text(own)}\n   x87 there ${text(native)}\n  `);
  }
  if (!MEMORY_UNDEFINED.test(mnemonics[insn.op]!) && own.compare(native, At.DATA, At.DATA + DATA_SIZE, At.DATA, At.DATA + DATA_SIZE) !== 0) {
    let first = 0;
    while (own[At.DATA + first] === native[At.DATA + first]) first++;
    const text = (run: Buffer): string => run.subarray(At.DATA + first, At.DATA + Math.min(first + 16, DATA_SIZE)).toString('hex');
    problems.set('memory', `memory +${first.toString(16)} ${text(own)} here, ${text(native)} there, ${text(input)} before`);
  }
  return problems;
}
