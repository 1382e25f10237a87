/**
 * Going back. The machine cannot run backwards; it is put to an earlier snapshot and run again, twice: once to see what
 * happened before the present, and once to stop at the last of it. Both runs are the same to the instruction.
 */
import { UserError } from '../../base/errors';
import { Offset } from '../../cpu/state';
import { instructionKind } from '../run/instructionKind';
import type { Part, Plan } from '../run/plan';
import { codeBitsOf, positionOf, worldOf } from '../run/position';
import type { RunControl } from '../run/runControl';
import type { StopCause } from '../run/stopCause';
import { callerOf } from '../stack/callStack';
import { innermostFrame } from '../stack/innermostFrame';
import type { Target } from '../target';
import type { World } from '../world';
import { Handlers } from './handlers';
import type { History, Moment } from './history';
import { isBefore, type Instant } from './instant';
import { statementsOf, type Statements } from './statements';

/** How far back, in ticks, the search for the previous instruction or statement looks first, and by what it grows. */
const FIRST_WINDOW = 2_000;
const WINDOW_GROWTH = 40;
/** A statement that is farther back than this is not searched for: the step goes back by one instruction. */
const FARTHEST = 400e6;
/** Handlers of interrupts are shorter than this. */
const ENOUGH_FOR_HANDLERS = 80_000;
const MOST_BYTES = 15;

const NONE: ReadonlySet<bigint> = new Set();

export interface ReverseEnvironment {
  /** The processor that goes back. */
  target(): Target;
  readonly history: History;
  readonly run: RunControl;
  now(): Instant;
  /** The event delivered last, and how many were. */
  deliveries(): { count: number; last: { world: World; rip: bigint; nextRip: bigint; rsp: bigint } | undefined };
  /** What happens from here on has been told before, until the function returned is called. */
  quietly(): () => void;
  /** What follows a stop for a cause: the run to the first C line behind a VM exit. */
  afterCause(cause: StopCause): Part;
}

export class Reverse {
  constructor(private readonly env: ReverseEnvironment) {}

  /** Back to the last breakpoint, exit or other cause to stop before the present one; the beginning of what is kept when there is none. */
  *toPreviousCause(): Plan {
    return yield* this.goingBack(this.previousCause(this.env.run.stoppedAt ?? this.env.now()));
  }

  /** Back by one instruction of this world: what VM exits and interrupts did in between is gone over. */
  *byInstruction(): Plan {
    return yield* this.goingBack(this.previousInstruction(this.env.now()));
  }

  /** Back to the beginning of the statement, or when it stands there already, of the one before it in this function or its caller. */
  *byStatement(): Plan {
    return yield* this.goingBack(this.previousStatement(this.env.now()));
  }

  /** Back to where the call of a function began whose canonical frame address is `cfa`, and on behind its prologue. */
  *toFunctionStart(entry: bigint, cfa: bigint, body: bigint): Plan {
    return yield* this.goingBack(this.functionStart(this.env.now(), entry, cfa, body));
  }

  private *functionStart(present: Instant, entry: bigint, cfa: bigint, body: bigint): Part<StopCause> {
    const addresses = new Set([entry]);
    for (let window = FIRST_WINDOW; ; window *= WINDOW_GROWTH) {
      const { moment, isAll } = yield* this.before(present, window);
      let events = 0;
      let last = 0;
      yield {
        kind: 'repeat', to: present.icount + 1, addresses,
        event: () => {
          if (!isBefore(this.env.now(), present)) return true;
          events++;
          if (this.frame().cfa === cfa) last = events;
          return false;
        },
      };
      if (last > 0) {
        this.goTo(moment);
        events = 0;
        yield { kind: 'repeat', to: present.icount + 1, addresses, event: () => ++events === last };
        if (body !== entry) yield { kind: 'repeat', to: present.icount + 1, addresses: new Set([body]), event: () => this.frame().cfa === cfa };
        return { kind: 'restart-frame' };
      }
      if (isAll) throw new UserError('restart-frame', 'The function began before the history that is kept.');
    }
  }

  /** Does what all have in common: silence, and the way back to the present when the search is broken off. */
  private *goingBack(search: Part<StopCause>): Plan {
    const { history } = this.env;
    const present = history.take();
    present.pins++;
    const loud = this.env.quietly();
    let arrived = false;
    try {
      const cause = yield* search;
      arrived = true;
      return cause;
    } finally {
      present.pins--;
      if (!arrived) this.goTo(present);
      // Going back over a change of the user's leaves it behind: the run goes on as if it had not been made.
      else if (history.changedAfter(this.env.now())) history.diverge();
      history.thin();
      loud();
    }
  }

  private goTo(moment: Moment): void {
    this.env.history.goTo(moment);
    this.env.run.restored();
  }

  private *previousCause(present: Instant): Part<StopCause> {
    const { history } = this.env;
    for (let end = present; ; ) {
      const moment = history.before(end);
      if (!moment) break;
      const limit = end;
      let seen = 0;
      let last = 0;
      let found: StopCause | undefined;
      this.goTo(moment);
      yield {
        kind: 'repeat',
        to: limit.icount + 1,
        event: (cause) => {
          if (!isBefore(this.env.now(), limit)) return true;
          seen++;
          if (cause) [last, found] = [seen, cause];
          return false;
        },
      };
      if (found) {
        this.goTo(moment);
        let again = 0;
        yield { kind: 'repeat', to: limit.icount + 1, event: (cause) => ((found = cause), ++again === last) };
        this.env.run.causedAt(this.env.now());
        yield* this.env.afterCause(found);
        return found;
      }
      end = moment.at;
    }
    this.goTo(history.earliest);
    return { kind: 'history-begins' };
  }

  /**
   * Puts the machine so many ticks before an instant; `isAll` says that there is no way farther back: to the earliest
   * moment that is kept, or to the user's last change, as a run from before it would not come to the same present.
   */
  private *before(instant: Instant, ticks: number): Part<{ moment: Moment; isAll: boolean }> {
    const { history } = this.env;
    const wanted: Instant = { icount: instant.icount - ticks, transitions: 0, rcx: 0n };
    const limit = history.changeBefore(instant) ?? history.earliest;
    if (!isBefore(limit.at, wanted)) {
      this.goTo(limit);
      return { moment: limit, isAll: true };
    }
    this.goTo(history.before(wanted)!);
    yield { kind: 'repeat', to: wanted.icount };
    const moment = history.take();
    this.env.run.restored();
    return { moment, isAll: false };
  }

  private *previousInstruction(present: Instant): Part<StopCause> {
    const target = this.env.target();
    const world = target.world;
    for (let window = FIRST_WINDOW; ; window *= WINDOW_GROWTH) {
      const { moment: start, isAll } = yield* this.before(present, window);
      // In a guest that has just been entered for the first time there is only the VMM before.
      const firstEntry = world === 'guest' && target.vmx.exits === 0;
      const handlers = new Handlers();
      let steps = 0;
      // The last instruction at each depth of handlers.
      const byDepth: ({ steps: number; returns: boolean } | undefined)[] = [];
      let before = this.env.deliveries().count;
      for (let at = this.env.now(); isBefore(at, present); at = this.env.now()) {
        // A processor that waits is in the middle of its HLT.
        const counts = !this.halted() && (world === 'vmm' || firstEntry || target.world === world);
        if (counts) byDepth[handlers.depth] = { steps, returns: this.returnsFromInterrupt() };
        yield* this.turn(present);
        steps++;
        const { count, last } = this.env.deliveries();
        handlers.step(positionOf(target.cpu, target.vmx), count === before ? undefined : last);
        before = count;
        // A handler that has returned is gone over.
        byDepth.length = Math.min(byDepth.length, handlers.depth + 1);
      }
      const best = byDepth.filter((candidate) => candidate !== undefined).at(-1);
      // What returned from a handler whose beginning was not seen is hardly what came before.
      if (best && (!best.returns || window >= ENOUGH_FOR_HANDLERS || isAll)) {
        this.goTo(start);
        for (let i = 0; i < best.steps; i++) yield* this.turn(present);
        return { kind: 'step' };
      }
      if (!isAll) continue;
      this.goTo(start);
      if (start === this.env.history.earliest) return { kind: 'history-begins' };
      [present, window] = [start.at, FIRST_WINDOW / WINDOW_GROWTH];
    }
  }

  private returnsFromInterrupt(): boolean {
    const target = this.env.target();
    const { pc, world } = positionOf(target.cpu, target.vmx);
    const bytes = target.read(world, pc, MOST_BYTES);
    return instructionKind(bytes, codeBitsOf(target.cpu.state) === 64) === 'return' && bytes.subarray(0, 2).includes(0xcf);
  }

  private halted(): boolean {
    return this.env.target().cpu.state.get32(Offset.ACTIVITY) !== 0;
  }

  /** One instruction, or the whole of a wait. */
  private *turn(present: Instant): Part {
    if (!this.halted()) yield { kind: 'instruction', repeats: true };
    else yield { kind: 'repeat', to: present.icount + 1, addresses: NONE, transitions: true, event: () => true };
  }

  private *previousStatement(start: Instant): Part<StopCause> {
    const target = this.env.target();
    let present = start;
    const here = statementsOf(target);
    if (!here) return yield* this.previousInstruction(present);
    const world = target.world;
    for (let window = FIRST_WINDOW; ; window *= WINDOW_GROWTH) {
      const { moment, isAll } = yield* this.before(present, window);
      const found = yield* this.statementsUntil(present, world, here);
      if (found && (found.certain || isAll)) {
        this.goTo(moment);
        let events = 0;
        yield { kind: 'repeat', to: present.icount + 1, addresses: here.addresses, event: () => ++events === found.event };
        return { kind: 'step' };
      }
      if (isAll && moment !== this.env.history.earliest) [present, window] = [moment.at, FIRST_WINDOW / WINDOW_GROWTH];
      else if (isAll || window > FARTHEST) break;
    }
    this.goTo(this.env.history.before(start, true)!);
    return yield* this.previousInstruction(start);
  }

  /** Runs to the present and yields the last arrival at a statement before it; `certain` says that its beginning was seen. */
  private *statementsUntil(present: Instant, world: World, here: Statements): Part<{ event: number; certain: boolean } | undefined> {
    let events = 0;
    let own: { event: number; certain: boolean } | undefined;
    let callers: { event: number; certain: boolean } | undefined;
    let line: string | undefined;
    let callersLine: string | undefined;
    yield {
      kind: 'repeat',
      to: present.icount + 1,
      addresses: here.addresses,
      event: () => {
        if (!isBefore(this.env.now(), present)) return true;
        events++;
        if (worldOf(this.env.target().vmx) !== world) return false;
        const { pc, cfa } = this.frame();
        // The function is called anew: what its stack was used for before is another call.
        if (pc === here.entry && here.sameFrame(cfa)) [own, line] = [undefined, ''];
        const ownLine = here.lineAt(pc);
        const at = here.callersLineAt(pc);
        if (ownLine !== undefined && here.sameFrame(cfa)) {
          if (ownLine !== line) own = { event: events, certain: line !== undefined };
          line = ownLine;
        } else if (at !== undefined && here.callersFrame(cfa)) {
          if (at !== callersLine) callers = { event: events, certain: callersLine !== undefined };
          callersLine = at;
          // The function has returned: its next statement belongs to another call.
          [own, line] = [undefined, undefined];
        }
        return false;
      },
    };
    return own ?? callers;
  }

  private frame(): { pc: bigint; cfa: bigint | undefined } {
    const target = this.env.target();
    target.images.forget();
    const frame = innermostFrame(target, target.registers(target.world));
    return { pc: frame?.pc ?? 0n, cfa: frame && callerOf(target, target.world, frame)?.cfa };
  }
}

