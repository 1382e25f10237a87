/** Exit breakpoints: which VM exits, and which other events of the processor, stop the machine. */
import { faultOf, UserError } from '../../base/errors';
import type { ExitRecord } from '../../vmx/observe';
import { hitCondition } from '../breakpoints/hitCondition';
import { splitLog } from '../breakpoints/logMessage';
import type { World } from '../world';
import { compileCondition, type Condition, type FirstQuestion, firstQuestion, type Subject } from './condition';
import { compileLog, type ExitLog, type LogSurroundings } from './exitLog';
import { exitSubject } from './exitSubject';
import { eventSubject, type SystemEvent, type SystemEventKind } from './systemEvents';

/** Either a VM exit by the SDM's name of its reason (undefined for every exit), or another event. */
export interface ExitBreakpointRequest {
  name?: string | undefined;
  event?: SystemEventKind | undefined;
  /** With a message to print behind `log:`, where the machine is to run on: see exitLog.ts. */
  condition?: string | undefined;
  /** `% 10` for every tenth: see hitCondition.ts. */
  hitCondition?: string | undefined;
  /** A message that is printed in place of a stop, where it does not stand behind the condition. */
  log?: string | undefined;
}

/** Whether a line is printed in place of a stop. */
export const isLogPoint = ({ condition, log }: ExitBreakpointRequest): boolean => log !== undefined || splitLog(condition ?? '').message !== undefined;

/** Who asked: each replaces only its own. */
export type ExitBreakpointOwner = 'launch' | 'filters' | 'functions' | 'view';

interface ExitBreakpoint extends ExitBreakpointRequest {
  compiled: Condition | undefined;
  /** What the condition asks first, where that alone may rule an exit out. */
  first: FirstQuestion | undefined;
  enough: ((hits: number) => boolean) | undefined;
  prints: ExitLog | undefined;
  /** How often the condition has held, and how often it has asked for `hits`. */
  hits: number;
  asked: number;
}

export interface ExitSurroundings extends LogSurroundings {
  /** Names the function of a world that holds an address. */
  functionAt(world: World, rip: bigint): string;
}

export class ExitBreakpoints {
  private readonly byOwner = new Map<ExitBreakpointOwner, ExitBreakpoint[]>();
  private exits: ExitBreakpoint[] = [];
  /** Of `exits` those that exits of a basic reason can match, by its number; worked out when the first such exit comes, as it is asked at every exit. */
  private byReason: (readonly ExitBreakpoint[])[] = [];
  private events: ExitBreakpoint[] = [];
  /** Told, in a sentence, of a condition that cannot be computed for an exit; the exit then stops the machine, so that nobody waits for ever. */
  onError: (sentence: string) => void = () => {};
  /** Told the line of a log point. */
  onLog: (line: string) => void = () => {};
  /** Told when there are breakpoints on other kinds of events than before. */
  onKinds: () => void = () => {};

  constructor(private readonly surroundings: ExitSurroundings) {}

  /**
   * Replaces those of an owner; a request that was there before keeps its count of hits. Yields, per request, the
   * sentence about a condition or message that cannot be understood (it is then left out), or undefined.
   */
  set(requests: readonly ExitBreakpointRequest[], owner: ExitBreakpointOwner = 'launch'): (string | undefined)[] {
    const before = this.byOwner.get(owner) ?? [];
    const list: ExitBreakpoint[] = [];
    const complaints = requests.map((request) => {
      const old = before.find((b) => b.name === request.name && b.event === request.event && b.condition === request.condition && b.hitCondition === request.hitCondition && b.log === request.log);
      return faultOf(() => list.push(old ?? this.compile(request)));
    });
    this.byOwner.set(owner, list);
    const all = [...this.byOwner.values()].flat();
    this.exits = all.filter((b) => b.event === undefined);
    this.byReason = [];
    this.events = all.filter((b) => b.event !== undefined);
    this.onKinds();
    return complaints;
  }

  /** What an owner has asked for and could be understood. */
  of(owner: ExitBreakpointOwner): readonly ExitBreakpointRequest[] {
    return this.byOwner.get(owner) ?? [];
  }

  private compile(request: ExitBreakpointRequest): ExitBreakpoint {
    const { condition, message = request.log?.trim() } = splitLog(request.condition ?? '');
    return {
      ...request,
      compiled: condition === '' ? undefined : compileCondition(condition, this.surroundings),
      first: condition === '' ? undefined : firstQuestion(condition),
      enough: request.hitCondition?.trim() ? hitCondition(request.hitCondition) : undefined,
      prints: message === undefined ? undefined : compileLog(message, this.surroundings),
      hits: 0,
      asked: 0,
    };
  }

  /** Whether anybody waits for an event of that kind. */
  watches(kind: SystemEventKind): boolean {
    return this.events.some((b) => b.event === kind);
  }

  /** Counts anew: the machine went back to power-on. */
  resetHits(): void {
    for (const b of [...this.exits, ...this.events]) b.hits = b.asked = 0;
  }

  /** What is counted, for a machine that goes back to an earlier instant. */
  saveHits(): () => void {
    const kept = [...this.exits, ...this.events].map((b) => ({ b, hits: b.hits, asked: b.asked }));
    return () => kept.forEach(({ b, hits, asked }) => Object.assign(b, { hits, asked }));
  }

  /** Whether an exit is to stop the machine. Counts hits. */
  matches(record: ExitRecord): boolean {
    if (this.exits.length === 0) return false;
    const exits = this.byReason[record.reason] ?? this.possible(record);
    let subject: Subject | undefined;
    let stop = false;
    // Every one of them counts, also where another has matched already.
    for (const b of exits) {
      if (b.first && (record.number?.(b.first.name) ?? b.first.number) !== b.first.number) continue;
      subject ??= exitSubject(record, (rip) => this.surroundings.functionAt('guest', rip));
      if (this.stops(b, subject, b.name === undefined)) stop = true;
    }
    return stop;
  }

  private possible({ name, reason }: ExitRecord): readonly ExitBreakpoint[] {
    return (this.byReason[reason] = this.exits.filter((b) => b.name === undefined || b.name === name));
  }

  /** Whether another event is to stop the machine. Counts hits. */
  matchesEvent(event: SystemEvent): boolean {
    const subject = eventSubject(event, (world, rip) => this.surroundings.functionAt(world, rip));
    return this.events.filter((b) => b.event === event.kind && this.stops(b, subject, false)).length > 0;
  }

  /**
   * Whether a breakpoint stops at what has happened; a log point prints instead. `lenient`: a condition on every exit
   * may speak of what only some reasons have; it does not hold for the others.
   */
  private stops(breakpoint: ExitBreakpoint, subject: Subject, lenient: boolean): boolean {
    if (breakpoint.compiled) {
      try {
        if (!breakpoint.compiled(subject, () => ++breakpoint.asked)) return false;
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        if (lenient) return false;
        this.onError(`The condition "${splitLog(breakpoint.condition!).condition}" cannot be computed, so the machine stops: ${error.message}`);
        return true;
      }
    }
    const hits = ++breakpoint.hits;
    if (breakpoint.enough && !breakpoint.enough(hits)) return false;
    if (!breakpoint.prints) return true;
    this.onLog(breakpoint.prints(subject, () => hits));
    return false;
  }
}
