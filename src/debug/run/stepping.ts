/**
 * Steps. The unit is `instruction`: it executes one instruction and runs through whatever lands on it: interrupt
 * handlers, and in the guest the VM exits that the VMM handles. Everything else is built of it and of runs to a temporary
 * breakpoint. A stack pointer that must match tells a return from the same code run by a deeper call.
 */
import { UserError } from '../../base/errors';
import { EventType } from '../../cpu/intercepts';
import { Offset } from '../../cpu/state';
import type { VmxInspection } from '../../vmx/observe';
import type { CodeLine } from '../symbols/codeMap';
import type { InstructionKind } from './instructionKind';
import { type CodeEnvironment, KnownCode } from './knownCode';
import type { Mark } from './mark';
import type { Part, Plan, Until } from './plan';
import { codeBitsOf, positionOf, worldOf, type Position } from './position';
import type { DeliveredEvent, StopCause } from './stopCause';

export type Granularity = 'line' | 'instruction';

/** Where stepping gets what it knows of the target. */
export interface StepEnvironment extends CodeEnvironment {
  readonly vmx: VmxInspection;
  /** The event delivered last, and how many were; `run(1)` that raises the number did not (only) execute its instruction. */
  deliveries(): { count: number; last: DeliveredEvent | undefined };
  readInteger(address: bigint, size: number): bigint | undefined;
  /** The callers of the innermost frame, or of what was at another position with the registers of now, as many as are known up to `most`: where they go on, and the stack pointer that they then have at least. */
  callers(most: number, from?: Position): { pc: bigint; cfa: bigint }[];
  /** Where a stop after a VM exit belongs. */
  stopAt(): 'source' | 'exit';
  /** In front of how many inlined calls the processor is shown that begin where it stands. */
  outside(): number;
  /** Keeps the present instant, to go back to it. */
  mark(): Mark;
}

/** Where a step begins: a line, which in front of an inlined call is that of the call. */
type StepStart = CodeLine & { line: number; path: string };

const STEP: StopCause = { kind: 'step' };
/** How far to look for a C line behind a VM exit before giving up: far more than any assembly stub has. */
const MOST_STUB_INSTRUCTIONS = 20_000;
/** A call may be left for a statement of as many callers without returning (longjmp). */
const MOST_LEFT = 4;

/** A call's return finds the stack pointer where it was, or higher by the arguments that RET n takes off; another task's stack is farther away. */
const MOST_ARGUMENTS = 0x200n;

const isBelow = (outer: readonly number[], inner: readonly number[]): boolean => inner.length > outer.length && outer.every((call, i) => call === inner[i]);

const isSameStatement = (a: CodeLine, b: CodeLine): boolean => a.entry.line === b.entry.line && a.entry.file.path === b.entry.file.path && a.functionLow === b.functionLow;

/**
 * What a step leaves that has come into the middle of a statement, as by a return: that statement, so that it ends at
 * the next one, as GDB's. Of code that optimisers have moved away from its statement the beginning (`begins`) is none.
 */
const goingOn = (line: CodeLine, begins: boolean): StepStart => (begins ? { ...line, line: 0, path: '' } : { ...line, line: line.entry.line, path: line.entry.file.path });

const isSoftware = (event: DeliveredEvent): boolean =>
  event.type === EventType.SOFTWARE_INTERRUPT || event.type === EventType.PRIVILEGED_SOFTWARE || event.type === EventType.SOFTWARE_EXCEPTION;

export class Stepping {
  private readonly code: KnownCode;

  constructor(private readonly env: StepEnvironment) {
    this.code = new KnownCode(env);
  }

  private here(): Position {
    return positionOf(this.env.cpu, this.env.vmx);
  }
  /** Where a plan begins. */
  private begin(): Position {
    this.code.forget();
    return this.here();
  }
  /** Lets the machine run: by then other code may be anywhere. */
  private *running(until: Until): Part {
    yield { kind: 'run', until };
    this.code.forget();
  }
  private halted(): boolean {
    return this.env.cpu.state.get32(Offset.ACTIVITY) !== 0;
  }

  /** Runs until one of the addresses is reached in `world` with a stack pointer of which `stack` approves. */
  private *runTo(addresses: readonly bigint[], world: Position['world'], stack: (rsp: bigint) => boolean): Part {
    yield* this.running({ addresses, accept: () => worldOf(this.env.vmx) === world && stack(this.env.cpu.state.reg(4)) });
  }

  /** Executes the instruction at hand; with `into`, a software interrupt's handler is entered instead of run through. A VM entry ends in the guest, or in the VMM when it fails. */
  private *instruction(into: boolean): Part {
    for (;;) {
      const start = this.here();
      if (this.halted()) {
        // The processor waits behind a HLT: let the event that ends it happen, and its handler run.
        yield* this.runTo([start.pc], start.world, (rsp) => rsp === start.rsp);
        continue;
      }
      const kind = this.code.kind(start.pc);
      const before = this.env.deliveries().count;
      const paging = this.env.cpu.state.cr3;
      yield { kind: 'instruction' };
      if (worldOf(this.env.vmx) !== start.world || this.env.cpu.state.cr3 !== paging) this.code.forget();
      // In the guest, an exit that the VMM handles belongs to the instruction.
      const exited = start.world === 'guest' && worldOf(this.env.vmx) === 'vmm';
      if (exited) yield* this.running({ event: 'entry' });
      const now = this.here();
      const { count, last } = this.env.deliveries();
      if (count !== before && last && last.world === start.world && now.world === start.world) {
        if (into && isSoftware(last)) return;
        yield* this.throughHandler(last, start);
      } else if (kind !== 'repeat' && !exited) return;
      // Not executed yet: the interrupt came first, or the fault was repaired. A repeated string instruction takes one turn per element.
      const after = this.here();
      if (after.pc !== start.pc || after.rsp !== start.rsp || after.world !== start.world) return;
    }
  }

  /** An event has been delivered in place of the instruction at `start`, or behind it: runs until its handler is left. */
  private *throughHandler(event: DeliveredEvent, start: Position): Part {
    const back = [event.rip, event.nextRip];
    // Handlers of exceptions go on elsewhere too: in code that mends, or by a longjmp.
    if (event.type === EventType.HARDWARE_EXCEPTION || isSoftware(event)) yield* this.untilLeft({ ...start, rsp: event.rsp }, back, 0n);
    else yield* this.runTo(back, start.world, (rsp) => rsp === event.rsp);
  }

  /** Executes the instruction at hand; a call or system call runs until it returns. */
  private *over(kind: InstructionKind): Part {
    const start = this.here();
    yield* this.instruction(false);
    const entered = this.here();
    if (entered.world !== start.world) return;
    if (kind === 'call') {
      const size = Number(start.rsp - entered.rsp);
      const back = size === 2 || size === 4 || size === 8 ? this.env.readInteger(entered.rsp, size) : undefined;
      if (back !== undefined) yield* this.untilLeft(start, [back], MOST_ARGUMENTS);
    } else if (kind === 'system-call') {
      const back = this.env.cpu.state.reg(1);
      yield* this.runTo([back], start.world, (rsp) => rsp === start.rsp);
    }
  }

  /**
   * Within a call made at `start`, or a handler: runs until it returns to one of `back`, having taken at most `most` bytes
   * off the stack, or is left (longjmp) for another statement of the function at `start` or of a caller.
   */
  private *untilLeft(start: Position, back: readonly bigint[], most: bigint): Part {
    this.env.focus();
    // By address, the least stack pointer that the function has there: a deeper call of the same function is none of these.
    const landings = new Map<bigint, bigint>();
    const add = (pc: bigint, rsp: bigint): void => {
      for (const address of this.env.code.statementsAround(start.world, pc)) if (!landings.has(address)) landings.set(address, rsp);
    };
    add(start.pc, start.rsp);
    let outermost = start.rsp;
    for (const { pc, cfa } of this.env.callers(MOST_LEFT, start)) {
      add(pc - 1n, cfa);
      if (cfa > outermost) outermost = cfa;
    }
    const accept = (rsp: bigint): boolean => {
      const { pc } = this.here();
      const least = landings.get(pc);
      return (back.includes(pc) && rsp >= start.rsp && rsp <= start.rsp + most) || (least !== undefined && rsp >= least && rsp <= outermost + MOST_ARGUMENTS);
    };
    yield* this.runTo([...back, ...landings.keys()], start.world, accept);
  }

  /** Step by instruction. */
  *stepInstruction(mode: 'in' | 'over'): Plan {
    const { pc, world } = this.begin();
    const kind = this.code.kind(pc);
    if (mode === 'in') yield* this.instruction(true);
    else if (kind === 'vm-entry' && world === 'vmm') yield* this.throughGuest('exit');
    else yield* this.over(kind);
    return STEP;
  }

  /** Executes the VM entry at hand and runs the guest until it comes back. */
  private *throughGuest(stopAt: 'source' | 'exit'): Part {
    yield* this.instruction(false);
    // The entry may have failed: then the VMM goes on by itself.
    if (worldOf(this.env.vmx) !== 'guest') return;
    yield* this.running({ event: 'exit' });
    if (stopAt === 'source') yield* this.toSource();
  }

  /** Step by line (DAP's statement). */
  *stepLine(mode: 'in' | 'over'): Plan {
    let start = this.begin();
    const outside = this.env.outside();
    // Into an inlined call: nothing is to be executed for it.
    if (outside > 0 && mode === 'in') return { kind: 'step', outside: outside - 1 };
    let from = this.startOf(start, outside);
    if (!from) return yield* this.stepInstruction(mode);
    /** Where the row of the line table begins that the step is in. */
    let row = from.entry.address;
    /** Where a caller has gone on that the step has returned to. */
    let wentOn: { pc: bigint; line: CodeLine } | undefined;
    for (;;) {
      const before = this.here();
      const kind = this.code.kind(before.pc);
      if (kind === 'vm-entry' && before.world === 'vmm') {
        if (mode === 'in') yield* this.instruction(false);
        else yield* this.throughGuest(this.env.stopAt());
        if (mode === 'over' || worldOf(this.env.vmx) === 'guest') {
          const now = this.here();
          // A failed entry is an instruction like others: the line goes on behind it.
          if (now.world === 'guest' || this.code.line(now)?.entry.address !== from.entry.address) return STEP;
        }
      } else if (kind === 'call' && mode === 'in') {
        yield* this.instruction(false);
        if (yield* this.entered()) return this.inFront();
        const back = this.env.readInteger(this.here().rsp, Number(before.rsp - this.here().rsp));
        if (back !== undefined) yield* this.runTo([back], before.world, (rsp) => rsp >= before.rsp && rsp <= before.rsp + MOST_ARGUMENTS);
      } else if (kind === 'call' || kind === 'system-call') yield* this.over(kind);
      else yield* this.instruction(mode === 'in');

      const now = this.here();
      const line = this.code.line(now);
      if (now.world !== start.world) return STEP;
      const returned = kind === 'return' && now.rsp > start.rsp;
      if (!line) {
        if (!returned) yield* this.leaveUnknown(now);
        continue;
      }
      const begins = line.entry.address === now.pc;
      const cameIntoMiddle = !begins && line.entry.address !== row;
      row = line.entry.address;
      if (returned) {
        if (begins && line.entry.isStmt) return this.inFront();
        start = now;
        from = goingOn(line, begins);
        wentOn = { pc: now.pc, line };
        continue;
      }
      const call = line.functionLow === from.functionLow ? this.inFrontOf(now, line, from, mode) : undefined;
      if (call) return call;
      // An inlined call is stepped over like any other.
      if (mode === 'over' && line.functionLow === from.functionLow && isBelow(from.inlines, line.inlines)) continue;
      const sameLine = line.entry.line === from.line && line.entry.file.path === from.path && line.functionLow === from.functionLow;
      if (begins && line.entry.isStmt && !sameLine) return this.inFront();
      // A loop of one statement begins anew: `for (;;) work();` would never come to another one.
      if (begins && mode === 'over' && wentOn && now.pc < wentOn.pc && isSameStatement(line, wentOn.line)) return this.inFront();
      if (cameIntoMiddle) from = goingOn(line, false);
    }
  }

  /** The statement that a step begins in: in front of inlined calls the one that makes them. */
  private startOf(at: Position, outside: number): StepStart | undefined {
    this.env.focus();
    const line = this.env.code.lineAt(at.world, at.pc, true);
    if (!line) return undefined;
    const site = outside > 0 ? this.code.callsBeginning(at).at(-outside) : undefined;
    const { path } = line.entry.file;
    return { ...line, line: site?.line ?? line.entry.line, path: site?.path ?? path, inlines: site ? line.inlines.slice(0, -outside) : line.inlines };
  }

  /**
   * Inlined calls begin where the step has come to: it ends at the statement that makes them, when that is another one
   * than the step's. Of its own statement a step in enters them.
   */
  private inFrontOf(now: Position, line: CodeLine, from: StepStart, mode: 'in' | 'over'): StopCause | undefined {
    if (line.inlines.length === 0) return undefined;
    const calls = this.code.callsBeginning(now);
    const [site] = calls;
    const entered = line.inlines.slice(0, line.inlines.length - calls.length);
    if (!site || isBelow(from.inlines, entered)) return undefined;
    if (site.line !== from.line || site.path !== from.path) return { kind: 'step', outside: calls.length };
    return mode === 'in' ? { kind: 'step', outside: calls.length - 1 } : undefined;
  }

  /** Runs on within the line to the call (or VM entry) at an address, and into it; the step ends where the line ends, when the call is never reached. */
  *stepIntoCall(address: bigint): Plan {
    const start = this.begin();
    const from = this.code.line(start);
    for (;;) {
      const now = this.here();
      if (now.world !== start.world) return STEP;
      if (now.pc === address && now.rsp <= start.rsp + MOST_ARGUMENTS) break;
      const line = this.code.line(now);
      const sameLine = line === undefined || from === undefined || (line.entry.line === from.entry.line && line.entry.file === from.entry.file) || isBelow(from.inlines, line.inlines);
      if (!sameLine && line.entry.isStmt && line.entry.address === now.pc) return STEP;
      yield* this.over(this.code.kind(now.pc));
    }
    yield* this.instruction(false);
    return (yield* this.entered()) ? this.inFront() : STEP;
  }

  /** The end of a step at the first statement of a function: in front of the calls that it is made of. */
  private inFront(): StopCause {
    return { kind: 'step', outside: this.code.callsBeginning(this.here()).length };
  }

  /** Behind a CALL: when the function called has lines, runs through its prologue. */
  private *entered(): Part<boolean> {
    const now = this.here();
    const line = this.code.line(now);
    if (!line) return false;
    const body = this.env.code.bodyOf(now.world, now.pc);
    if (body !== undefined && body !== now.pc) yield* this.runTo([body], now.world, () => true);
    return true;
  }

  /** Jumped to a function without lines (a stub, a tail call into assembly): runs it to its return when it has just begun. */
  private *leaveUnknown(now: Position): Part {
    if (!this.env.code.isFunctionStart(now.world, now.pc)) return;
    const bits = codeBitsOf(this.env.cpu.state);
    const back = this.env.readInteger(now.rsp, bits / 8);
    if (back !== undefined && this.env.code.lineAt(now.world, back)) yield* this.runTo([back], now.world, (rsp) => rsp > now.rsp);
  }

  /** Runs until the present function returns; in the guest, until the next VM exit. */
  *stepOut(): Plan {
    const start = this.begin();
    if (start.world === 'guest') {
      yield* this.running({ event: 'exit' });
      if (this.env.stopAt() === 'source') yield* this.toSource();
      return STEP;
    }
    const here = this.code.line(start);
    const inside = here?.inlines.slice(0, here.inlines.length - this.env.outside()) ?? [];
    if (inside.length > 0) return yield* this.outOfInlined(start, inside);
    const [caller] = this.env.callers(1);
    if (!caller) throw new UserError('step-out', 'This frame has no caller to step out to: use Continue, or step over.');
    yield* this.runTo([caller.pc], start.world, (rsp) => rsp >= caller.cfa);
    return STEP;
  }

  /** Runs until the code of an inlined call is left. */
  private *outOfInlined(start: Position, inside: readonly number[]): Plan {
    const within = (inlines: readonly number[]): boolean => inside.every((call, i) => call === inlines[i]);
    for (;;) {
      yield* this.over(this.code.kind(this.here().pc));
      const now = this.here();
      const line = this.code.line(now);
      if (now.world !== start.world || now.rsp > start.rsp + MOST_ARGUMENTS || (line && !within(line.inlines))) return STEP;
    }
  }

  /**
   * From HOST_RIP on to the first VMM instruction that has a C line: a handler's body, or the line behind inline
   * assembly. An exit that is handled in assembly alone comes to none: the machine stays at HOST_RIP.
   */
  *toSource(): Part {
    const mark = this.sourceAt(this.begin()) === undefined ? this.env.mark() : undefined;
    try {
      if (!(yield* this.reachesSource())) mark?.back();
    } finally {
      mark?.release();
    }
  }

  /** Runs to the first C line of the VMM; false at a VM entry, or after a while, without one. */
  private *reachesSource(): Part<boolean> {
    for (let i = 0; i < MOST_STUB_INSTRUCTIONS; i++) {
      const now = this.here();
      if (now.world !== 'vmm') return false;
      const source = this.sourceAt(now);
      if (source !== undefined) {
        if (source !== now.pc) yield* this.runTo([source], now.world, () => true);
        return true;
      }
      if (this.code.kind(now.pc) === 'vm-entry') return false;
      yield* this.instruction(true);
    }
    return false;
  }

  /** Where a C line begins for a processor that has come to `now` from assembly; undefined within a line. */
  private sourceAt(now: Position): bigint | undefined {
    const line = this.code.line(now);
    if (!line || line.assembly) return undefined;
    // The arguments of a function that has just been entered are in place behind the prologue.
    const body = this.env.code.bodyOf(now.world, now.pc);
    if (body !== undefined) return body;
    // Within a row means within inline assembly: its statement is over at the next row.
    return line.entry.address === now.pc && line.entry.isStmt ? now.pc : undefined;
  }
}
