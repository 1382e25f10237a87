/**
 * The call stack as one story of two worlds: the frames of the world that runs, a label that tells how it came to run,
 * and the frames of the other world as the VMCS keeps them.
 */
import { hex } from '../../base/bits';
import { lookupAddress, type Frame } from '../../symbols/frame';
import type { SourceFile, SymbolImage } from '../../symbols/image';
import { unwindByFramePointer } from '../../symbols/unwind';
import { exitBrief } from '../exits/exitWords';
import type { RegisterFile } from '../registers/registerFile';
import type { SourcePlace } from '../inspect/node';
import { ASSEMBLY } from '../symbols/codeMap';
import type { LoadedImage } from '../symbols/imageSet';
import type { Target } from '../target';
import { otherWorld, type World } from '../world';
import { fileWords } from './fileWords';
import { innermostFrame, type Place } from './innermostFrame';
import { interruptedFrame, interruptedOrCaller } from './interruptedFrame';

/** A frame of code. */
export interface CodeFrame {
  kind: 'code';
  world: World;
  /** Function, or symbol and offset, or the bare address. */
  name: string;
  frame: Frame;
  /** Registers of the world; those of an outer frame come from `frame`. */
  registers: RegisterFile;
  /** 0 for the innermost of its world. */
  level: number;
  /** Which of the calls inlined at its address the frame is: 0 the innermost, the last the function that holds the code. */
  nesting: number;
  image: LoadedImage | undefined;
  file: SourceFile | undefined;
  /** 0 when there is no line. */
  line: number;
  column: number;
  /** Canonical frame address, when the frame could be unwound. */
  cfa: bigint | undefined;
}

/** A row between the worlds. */
export interface LabelFrame {
  kind: 'label';
  name: string;
  /** World of the frames below it. */
  world: World;
}

export type StackEntry = CodeFrame | LabelFrame;

/** Deeper stacks than this are runaway recursion or a broken chain. */
const MOST_FRAMES = 128;

/** CALL rel32 is so long. */
const CALL_BYTES = 5;

/** Whether the image has a call in front of a return address: CALL rel32, or CALL through a register or memory (FF /2). */
function isBehindCall({ image }: LoadedImage, address: bigint): boolean {
  const bytes = image.loadedBytes(address - BigInt(CALL_BYTES), CALL_BYTES);
  return bytes !== undefined && (bytes[0] === 0xe8 || [2, 3].some((length) => bytes[CALL_BYTES - length] === 0xff && ((bytes[CALL_BYTES - length + 1]! >>> 3) & 7) === 2));
}

/** The image of a frame's code. Code that has been thrown away since (a kernel's start-up) cannot be compared: it is of the image that it called. */
function imageOf(target: Target, world: World, frame: Frame, callee: LoadedImage | undefined): LoadedImage | undefined {
  return target.images.at(world, lookupAddress(frame)) ?? (callee && frame.isCaller && isBehindCall(callee, frame.pc) ? callee : undefined);
}

/** Code of an assembly file, or that only a symbol names. */
const isAssembly = (image: SymbolImage, address: bigint): boolean => {
  const row = image.lineAt(address);
  return row === undefined ? image.functionAt(address) === undefined : ASSEMBLY.test(row.file.path);
};

/** The caller of a frame, by call frame information; of a handler's stub what it interrupts; else by the frame pointer where code and chain make sense. */
export function callerOf(target: Target, world: World, frame: Frame, loaded = target.images.at(world, lookupAddress(frame))): { frame: Frame; cfa: bigint } | undefined {
  const image = loaded?.image;
  const caller = image ? image.unwind(frame) : frame.bits === 64 ? unwindByFramePointer(frame) : undefined;
  if (image && caller?.method !== 'cfi' && caller?.method !== 'orc' && isAssembly(image, lookupAddress(frame))) {
    const interrupted = interruptedFrame(target, world, frame, caller?.method === 'prologue');
    if (interrupted) return interrupted;
  }
  if (!caller) return undefined;
  if (caller.method === 'cfi') {
    const interrupted = interruptedOrCaller(target, world, frame, caller);
    if (interrupted !== caller) return interrupted;
  }
  // A return address that is not mapped is no return address.
  return caller.frame.memory(caller.frame.pc - 1n, 1) ? caller : undefined;
}

/**
 * The callers of the innermost frame of the world that runs, as many as are known up to `most`: where they go on, and the
 * CFA of what each has called. `from` is where the innermost frame is, if only the program counter and the stack pointer
 * have changed since.
 */
export function callersOf(target: Target, most: number, from?: Place): { pc: bigint; cfa: bigint }[] {
  const callers: { pc: bigint; cfa: bigint }[] = [];
  let frame = innermostFrame(target, target.registers(target.world), from);
  while (frame && callers.length < most) {
    const caller = callerOf(target, target.world, frame);
    if (!caller) break;
    callers.push({ pc: caller.frame.pc, cfa: caller.cfa });
    frame = caller.frame;
  }
  return callers;
}

/** The name of an address of a world: function, else symbol with offset, else hexadecimal. */
export const addressName = (target: Target, world: World, address: bigint): string => nameIn(target.images.at(world, address)?.image, address);

function nameIn(image: SymbolImage | undefined, address: bigint): string {
  const fn = image?.functionAt(address);
  if (fn) return fn.name;
  const symbol = image?.symbolAt(address);
  if (!symbol) return hex(address);
  return symbol.offset === 0n ? symbol.symbol.name : `${symbol.symbol.name}+${hex(symbol.offset)}`;
}

/** `function (file:line)` of an address, for sentences; where a function was inlined there, the line that calls it comes first. */
export function addressPlace(target: Target, world: World, address: bigint): string {
  const line = target.code.lineAt(world, address)?.entry;
  const name = addressName(target, world, address);
  if (!line) return name;
  const here = `${fileWords(line.file)}:${line.line}`;
  const calls = target.images.at(world, address)?.image.inlinedAt(address) ?? [];
  const outermost = calls.at(-1);
  if (!outermost?.callFile || outermost.callLine === undefined) return `${name} (${here})`;
  return `${name} (${fileWords(outermost.callFile)}:${outermost.callLine}), by ${calls[0]!.name} (${here}) inlined there`;
}

/** The line of an address of code, if symbols know one: where a function was inlined there, its own. */
export function sourcePlace(target: Target, world: World, address: bigint): SourcePlace | undefined {
  const image = target.images.at(world, address)?.image;
  const row = image?.lineAt(address);
  return image && row && row.line > 0 ? { image, file: row.file, line: row.line } : undefined;
}

/** The line of an address; of a function that was inlined there, the line that calls the outermost one: where people look for it. */
export function callingPlace(target: Target, world: World, address: bigint): SourcePlace | undefined {
  const image = target.images.at(world, address)?.image;
  const call = image?.inlinedAt(address).at(-1);
  return image && call?.callFile && call.callLine !== undefined ? { image, file: call.callFile, line: call.callLine } : sourcePlace(target, world, address);
}

/** The frames of one world, innermost first; empty when its registers are not known. */
export function worldFrames(target: Target, world: World): CodeFrame[] {
  const registers = target.registers(world);
  const frames: CodeFrame[] = [];
  let frame = innermostFrame(target, registers);
  let image: LoadedImage | undefined;
  for (let level = 0; frame && level < MOST_FRAMES; level++) {
    image = imageOf(target, world, frame, image);
    const caller = callerOf(target, world, frame, image);
    frames.push(...describe(world, registers, frame, level, image, caller?.cfa));
    frame = caller?.frame;
  }
  return frames;
}

/** A frame and the calls that the compiler inlined into it, innermost first. */
function describe(world: World, registers: RegisterFile, frame: Frame, level: number, image: LoadedImage | undefined, cfa: bigint | undefined): CodeFrame[] {
  const at = lookupAddress(frame);
  const row = image?.image.lineAround(at);
  const common = { kind: 'code' as const, world, frame, registers, level, image, cfa };
  let position = { file: row && row.line > 0 ? row.file : undefined, line: row?.line ?? 0, column: row?.column ?? 0 };
  const frames: CodeFrame[] = [];
  for (const call of image?.image.inlinedAt(at) ?? []) {
    frames.push({ ...common, nesting: frames.length, name: call.name, ...position });
    position = { file: call.callFile, line: call.callLine ?? 0, column: call.callColumn ?? 0 };
  }
  frames.push({ ...common, nesting: frames.length, name: nameIn(image?.image, at), ...position });
  return frames;
}

/** The whole stack, innermost first. */
export function callStack(target: Target): StackEntry[] {
  const here = target.world;
  const there = otherWorld(here);
  const stack: StackEntry[] = worldFrames(target, here);
  if (!target.exists(there)) return stack;
  const label = here === 'vmm' ? exitLabel(target) : entryLabel(target);
  if (label === undefined) return stack;
  return [...stack, { kind: 'label', name: label, world: there }, ...worldFrames(target, there)];
}

const exitLabel = (target: Target): string | undefined => (target.recorder.lastExit ? exitBrief(target.recorder.lastExit) : undefined);

function entryLabel(target: Target): string | undefined {
  const entry = target.recorder.lastEntry;
  return entry && `VM entry ${entry.n} by ${addressName(target, 'vmm', entry.rip)}`;
}
