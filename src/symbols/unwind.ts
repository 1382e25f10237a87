import { CallFrames, FrameRow, RegisterRule } from './dwarf/cfi';
import { compute, ExpressionContext } from './dwarf/expression';
import { Frame, lookupAddress, readWord } from './frame';
import { frameRegister, RBP, RIP, RSP } from './registers';

/** rax to r15, by their DWARF numbers. */
const GENERAL_REGISTERS = 16;

/** The frame that called another one, and how it was found. */
export interface Caller {
  readonly frame: Frame;
  /** Canonical frame address of the called frame: its rsp before the call. */
  readonly cfa: bigint;
  readonly method: 'cfi' | 'orc' | 'frame pointer' | 'prologue' | 'interrupt';
}

/** A frame that a callee was found to have been called from, or to have interrupted. */
export const callerFrame = (frame: Frame, registers: Map<number, bigint>, isCaller: boolean): Frame => ({
  pc: registers.get(RIP) ?? 0n,
  isCaller,
  bits: frame.bits,
  register: (number) => registers.get(number),
  memory: (address, length) => frame.memory(address, length),
});

/** Callers only rely on what is kept. That may be more than the ABI asks for: gcc (-fipa-ra) knows what its own functions leave alone. */
export const keepRegisters = (frame: Frame, registers: Map<number, bigint>): void => {
  for (let number = 0; number < GENERAL_REGISTERS; number++) {
    const value = frame.register(number);
    if (value !== undefined) registers.set(number, value);
  }
};

/** The context in which call frame expressions are evaluated. */
const cfiContext = (frame: Frame, machine: 'x86' | 'x86-64', cfa: bigint | undefined): ExpressionContext => ({
  frame,
  machine,
  addressSize: machine === 'x86' ? 4 : 8,
  cfa: () => cfa,
  frameBase: () => undefined,
});

const cfaOf = (row: FrameRow, frame: Frame, machine: 'x86' | 'x86-64'): bigint | undefined => {
  if (row.cfa.kind === 'expression') return compute(row.cfa.expression, cfiContext(frame, machine, undefined));
  const base = frame.register(frameRegister(row.cfa.register, machine));
  return base === undefined ? undefined : BigInt.asUintN(machine === 'x86' ? 32 : 64, base + row.cfa.offset);
};

const ruled = (rule: RegisterRule, own: number, frame: Frame, machine: 'x86' | 'x86-64', cfa: bigint): bigint | undefined => {
  const size = machine === 'x86' ? 4 : 8;
  const wrap = (value: bigint): bigint => BigInt.asUintN(size * 8, value);
  switch (rule.kind) {
    case 'undefined': return undefined;
    case 'same': return frame.register(own);
    case 'offset': return readWord(frame, wrap(cfa + rule.offset), size);
    case 'valueOffset': return wrap(cfa + rule.offset);
    case 'register': return frame.register(frameRegister(rule.register, machine));
    case 'expression': {
      const address = compute(rule.expression, cfiContext(frame, machine, cfa), cfa);
      return address === undefined ? undefined : readWord(frame, address, size);
    }
    case 'valueExpression': return compute(rule.expression, cfiContext(frame, machine, cfa), cfa);
  }
};

/** Unwinds by an image's call frame information; undefined where it has none or what it needs is lost. */
export const unwindByCfi = (frames: CallFrames, machine: 'x86' | 'x86-64', frame: Frame): Caller | undefined => {
  // Code of another word size than the image's (a 32-bit guest at the same address) is not what the tables describe.
  if (frame.bits !== (machine === 'x86' ? 32 : 64)) return undefined;
  const row = frames.row(lookupAddress(frame));
  const cfa = row && cfaOf(row, frame, machine);
  if (!row || cfa === undefined) return undefined;
  const registers = new Map<number, bigint>();
  keepRegisters(frame, registers);
  registers.set(RSP, cfa);
  for (const [number, rule] of row.rules) {
    const own = frameRegister(number, machine);
    const value = ruled(rule, own, frame, machine, cfa);
    if (value === undefined) registers.delete(own);
    else registers.set(own, value);
  }
  const pc = registers.get(frameRegister(row.returnRegister, machine));
  // An undefined return address marks the outermost frame.
  if (pc === undefined || pc === 0n) return undefined;
  registers.set(RIP, pc);
  return { frame: callerFrame(frame, registers, !row.isSignalFrame), cfa, method: 'cfi' };
};

const RET = 0xc3;
const RET_POP = 0xc2;
const LEAVE = 0xc9;
const PUSH_BP = 0x55;

/** Length of ENDBR64 or ENDBR32 at the start of a function, if it is there. */
const endbranch = (code: Uint8Array): number => (code[0] === 0xf3 && code[1] === 0x0f && code[2] === 0x1e && (code[3] === 0xfa || code[3] === 0xfb) ? 4 : 0);

/** Whether the bytes are a MOV of the stack pointer to the frame pointer; its length. */
const movesFramePointer = (code: Uint8Array, at: number): number => {
  const rex = code[at] === 0x48 ? 1 : 0;
  return (code[at + rex] === 0x89 && code[at + rex + 1] === 0xe5) || (code[at + rex] === 0x8b && code[at + rex + 1] === 0xec) ? rex + 2 : 0;
};

/** Bytes of a near CALL: rel32 (rel16 in 16-bit code), or through a register or memory (FF /2) with and without a displacement. */
const CALL_LENGTHS = [5, 2, 3, 6, 7, 4];

/** Whether a near CALL stands in front of an address. */
const isBehindCall = (frame: Frame, address: bigint): boolean => CALL_LENGTHS.some((length) => {
  const code = frame.memory(address - BigInt(length), length);
  return code !== undefined && ((length === (frame.bits === 16 ? 3 : 5) && code[0] === 0xe8) || (code[0] === 0xff && ((code[1]! >> 3) & 7) === 2));
});

/**
 * Where the return address is, seen from rsp, when the frame pointer is not set up yet or no longer: at a function's
 * first instructions (`push %rbp; mov %rsp,%rbp`) and at its RET, and in one that never sets it up and pushes nothing
 * (a leaf of assembly). Undefined in between.
 */
const returnAddressOffset = (frame: Frame, functionStart: bigint | undefined, word: number): { offset: number; savedBp?: number } | undefined => {
  if (frame.isCaller) return undefined;
  const here = frame.memory(frame.pc, 1);
  if (here && (here[0] === RET || here[0] === RET_POP)) return { offset: 0 };
  if (here && here[0] === LEAVE) return undefined;
  if (functionStart === undefined) return undefined;
  const into = frame.pc - functionStart;
  if (into < 0n) return undefined;
  const code = frame.memory(functionStart, 12);
  if (!code) return into === 0n ? { offset: 0 } : undefined;
  const push = endbranch(code);
  const sp = frame.register(RSP);
  const top = sp === undefined ? undefined : readWord(frame, sp, word);
  const wasCalled = top !== undefined && isBehindCall(frame, top);
  if (code[push] !== PUSH_BP && wasCalled) return { offset: 0 };
  if (into > 8n) return undefined;
  // The firmware jumps to boot sectors, with anything on the stack.
  if (Number(into) <= push) return frame.bits !== 16 || wasCalled ? { offset: 0 } : undefined;
  if (code[push] === PUSH_BP && Number(into) === push + 1 && movesFramePointer(code, push + 1) > 0) return { offset: word, savedBp: 0 };
  return undefined;
};

/**
 * Unwinds by the chain of frame pointers: [rbp] is the caller's rbp, [rbp + word] the return address. Inside a
 * function's first instructions and at its RET, where rbp still is the caller's, the return address is taken from the
 * top of the stack; `functionStart` tells where the function begins. Undefined when the chain ends: a return address of
 * 0, unreadable memory, or a frame that does not lie above the one before.
 */
export const unwindByFramePointer = (frame: Frame, functionStart?: bigint): Caller | undefined => {
  const word = frame.bits / 8;
  const wrap = (value: bigint): bigint => BigInt.asUintN(frame.bits, value);
  const sp = frame.register(RSP);
  const bp = frame.register(RBP);
  const registers = new Map<number, bigint>();
  const early = returnAddressOffset(frame, functionStart, word);
  if (early && sp !== undefined) {
    const pc = readWord(frame, wrap(sp + BigInt(early.offset)), word);
    const callerBp = early.savedBp === undefined ? bp : readWord(frame, wrap(sp), word);
    if (pc === undefined || pc === 0n) return undefined;
    const cfa = wrap(sp + BigInt(early.offset + word));
    keepRegisters(frame, registers);
    if (callerBp === undefined) registers.delete(RBP);
    else registers.set(RBP, callerBp);
    registers.set(RSP, cfa);
    registers.set(RIP, pc);
    return { frame: callerFrame(frame, registers, true), cfa, method: 'prologue' };
  }
  if (bp === undefined || bp === 0n || bp % BigInt(word) !== 0n || (sp !== undefined && bp < sp)) return undefined;
  const callerBp = readWord(frame, bp, word);
  const pc = readWord(frame, wrap(bp + BigInt(word)), word);
  if (callerBp === undefined || pc === undefined || pc === 0n) return undefined;
  const cfa = wrap(bp + BigInt(2 * word));
  registers.set(RBP, callerBp);
  registers.set(RSP, cfa);
  registers.set(RIP, pc);
  return { frame: callerFrame(frame, registers, true), cfa, method: 'frame pointer' };
};
