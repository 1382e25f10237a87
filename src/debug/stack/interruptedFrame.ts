/**
 * What an exception or interrupt has interrupted, seen from its handler's stub of assembly: such stubs seldom have call
 * frame information, and what called them is no call but the processor, which has pushed where it was. SDM volume 3,
 * "Exception- and Interrupt-Handler Procedures" and "64-Bit Mode Stack Frame".
 */
import { type Frame, readWord } from '../../symbols/frame';
import { CALLEE_SAVED_32, CALLEE_SAVED_64, RBP, RIP, RSP } from '../../symbols/registers';
import { type Caller, callerFrame } from '../../symbols/unwind';
import { readNamed } from '../registers/registerFile';
import type { Target } from '../target';
import type { World } from '../world';

/** A stub pushes the general registers, some segments, a vector and an error code before it calls C. */
const SEARCHED_WORDS = 40;
/** A frame pointer farther away is of something else. */
const FARTHEST_FRAME = 0x1_0000n;
/** RFLAGS as the processor pushes it: bit 1 is always 1, bits 3, 5, 15 and those from 22 on always 0. */
const FLAGS_FIXED = 0xffff_ffff_ffc0_802an;
const FLAGS_ONE = 2n;
const RPL = 3n;
const LOCAL_TABLE = 4n;
/** Bits 12 and 11 of a descriptor's upper half: of code or data, and of code. */
const CODE = 0x1800;

/** Whether a selector is one of code in the GDT. */
function selectsCode(target: Target, world: World, selector: bigint): boolean {
  if (selector < 8n || selector > 0xffffn || selector & LOCAL_TABLE) return false;
  const table = readNamed(target.registers(world), 'gdtr_base');
  const upper = table === undefined ? undefined : target.readInteger(world, table + (selector & ~7n) + 4n, 4);
  return upper !== undefined && (Number(upper) & CODE) === CODE;
}

interface Pushed {
  rip: bigint;
  rsp: bigint;
}

/** What the processor has pushed from `slot` on, if it looks like that. */
function pushedAt(target: Target, world: World, frame: Frame, slot: bigint): Pushed | undefined {
  const size = frame.bits === 64 ? 8 : 4;
  const word = (n: number): bigint | undefined => readWord(frame, slot + BigInt(n * size), size);
  const [rip, cs, flags] = [word(0), word(1), word(2)];
  if (rip === undefined || cs === undefined || flags === undefined) return undefined;
  if ((flags & FLAGS_FIXED) !== FLAGS_ONE || !selectsCode(target, world, cs)) return undefined;
  // 64-bit mode pushes SS:RSP always, protected mode only from a lower privilege.
  const own = readNamed(target.registers(world), 'cs') ?? 0n;
  const whole = frame.bits === 64 || (cs & RPL) > (own & RPL);
  const [rsp, ss] = whole ? [word(3), word(4)] : [slot + 12n, 0n];
  if (rsp === undefined || ss === undefined || ss > 0xffffn || frame.memory(rsp, size) === undefined) return undefined;
  // In 64-bit mode all five words speak for it, so RIP may be anything: a jump to nowhere is what people look for.
  return frame.bits === 64 || frame.memory(rip, 1) ? { rip, rsp } : undefined;
}

/**
 * The frame that was interrupted for the sake of `frame`, which is of assembly without call frame information; undefined
 * where nothing on its stack looks like what the processor pushes. `wasCalled`: its return address is on top.
 */
export function interruptedFrame(target: Target, world: World, frame: Frame, wasCalled: boolean): Caller | undefined {
  const sp = frame.register(RSP);
  if (sp === undefined || frame.bits === 16) return undefined;
  const size = frame.bits === 64 ? 8n : 4n;
  const bp = frame.register(RBP);
  // Beyond the frame that the frame pointer points to is what is older than it.
  const known = bp !== undefined && bp > sp && bp < sp + FARTHEST_FRAME;
  for (let n = 0n; n < SEARCHED_WORDS; n++) {
    const slot = sp + n * size;
    if ((known && slot >= bp) || (wasCalled && n > 0n)) return undefined;
    const pushed = pushedAt(target, world, frame, slot);
    if (!pushed) continue;
    const registers = new Map<number, bigint>([[RIP, pushed.rip], [RSP, pushed.rsp]]);
    // The others have been pushed too, in an order that only the stub knows.
    for (const number of frame.bits === 64 ? CALLEE_SAVED_64 : CALLEE_SAVED_32) {
      const value = frame.register(number);
      if (value !== undefined) registers.set(number, value);
    }
    return { frame: callerFrame(frame, registers, false), cfa: pushed.rsp, method: 'interrupt' };
  }
  return undefined;
}

/** Error codes have 16 bits. */
const LAST_ERROR_CODE = 0xffffn;
/** Registers with DWARF numbers 0 to 15. */
const GENERAL_REGISTERS = 16;

/** The longest CALL, behind its prefixes: FF /2 with a SIB byte and a displacement of 32 bits. */
const MOST_CALL_BYTES = 7;

/** Whether a call stands in front of an address: E8, or FF /2 and /3. */
function isBehindCall(frame: Frame, pc: bigint): boolean {
  const bytes = frame.memory(pc - BigInt(MOST_CALL_BYTES), MOST_CALL_BYTES);
  if (!bytes) return false;
  if (bytes[MOST_CALL_BYTES - 5] === 0xe8) return true;
  return [2, 3, 4, 6, 7].some((length) => bytes[MOST_CALL_BYTES - length] === 0xff && [2, 3].includes((bytes[MOST_CALL_BYTES - length + 1]! >>> 3) & 7));
}

/**
 * The caller of a 64-bit frame as call frame information tells it, mended where that frame is a handler in C
 * (`__attribute__((interrupt))`): its call frame information is as of a function that was called, and so knows nothing of
 * the stack pointer that the processor has pushed; clang's takes an error code for the return address. `caller` itself
 * where it stands behind a call, or what is above the return address is not what the processor pushes.
 */
export function interruptedOrCaller(target: Target, world: World, frame: Frame, caller: Caller): Caller {
  const returns = caller.frame.pc;
  if (frame.bits !== 64 || isBehindCall(frame, returns)) return caller;
  const pushed = pushedAt(target, world, frame, caller.cfa - 8n) ?? (returns <= LAST_ERROR_CODE ? pushedAt(target, world, frame, caller.cfa) : undefined);
  if (!pushed || (pushed.rip !== returns && returns > LAST_ERROR_CODE)) return caller;
  const registers = new Map<number, bigint>();
  for (let number = 0; number < GENERAL_REGISTERS; number++) {
    const value = caller.frame.register(number);
    if (value !== undefined) registers.set(number, value);
  }
  registers.set(RIP, pushed.rip).set(RSP, pushed.rsp);
  return { frame: callerFrame(frame, registers, false), cfa: pushed.rsp, method: 'interrupt' };
}
