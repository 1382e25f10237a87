/** The run-time checks at work on one processor: hands what happens to the watchers, and their findings on. */
import { Gpr, Offset } from '../../cpu/state';
import type { ExitRecord, VmxFailure } from '../../vmx/observe';
import { writerPlace } from '../exits/fieldWriter';
import { addressPlace } from '../stack/callStack';
import type { Target } from '../target';
import type { Finding, RoundTrip, Sight, VmxCheck, Watcher } from './check';
import { CHECKS } from './table';

const GPR_WORDS = 32;
/** RSP in a mask of registers: host state has one of its own. */
const RSP = 1 << Gpr.RSP;

/** In place of an exit reason, at the first entry. */
const NO_EXIT = -1;

/** What watchers can be told, by the functions for it. */
type Event = 'exit' | 'entry' | 'failure' | 'fieldRead' | 'eptInvalidated' | 'eptWalked';
type Told<K extends Event> = NonNullable<Watcher[K]>;

export class VmxChecks {
  /** Called when `fieldRead` has come or gone. */
  onReadsWatched: () => void = () => {};
  /** Present only when a check wants it: what nobody watches is not told. */
  readonly eptInvalidated: Told<'eptInvalidated'> | undefined;
  readonly eptWalked: Told<'eptWalked'> | undefined;
  private readonly watchers: Watcher[];
  /** Who is told of an exit, by its reason; of an entry, by its kind. Made as they occur. */
  private readonly exits: Told<'exit'>[][] = [];
  private readonly entries: Told<'entry'>[][] = [];
  private readonly failures: Told<'failure'>[];
  private readonly trip: RoundTrip & { exit: ExitRecord | undefined };
  private readonly told = new Set<string>();
  private exitVmcs: number | undefined;
  /** A VMCS that was cleared may have been another processor's meanwhile. */
  private readonly mayMove: boolean;
  private readonly reads: Told<'fieldRead'> | undefined;
  /** Checks that want to be told of VMREAD now. */
  private readonly readers = new Set<string>();

  /** @param off ids of checks that are switched off */
  constructor(
    private readonly target: Target,
    off: ReadonlySet<string>,
    private readonly found: (finding: Finding) => void,
  ) {
    this.mayMove = target.machine.cpus.length > 1;
    const start = (target.cpu.state.base + Offset.GPR) >>> 2;
    this.trip = {
      exit: undefined,
      before: target.vmx.registersBefore,
      atExit: target.vmx.exitRegisters,
      now: target.cpu.views.u32.subarray(start, start + GPR_WORDS),
      changed: 0,
      changedSinceExit: true,
    };
    this.watchers = CHECKS.filter((c) => !off.has(c.id)).map((c) => c.watch(this.sight(c)));
    this.failures = functions(this.watchers, 'failure');
    this.reads = one(functions(this.watchers, 'fieldRead'));
    this.eptInvalidated = one(functions(this.watchers, 'eptInvalidated'));
    this.eptWalked = one(functions(this.watchers, 'eptWalked'));
  }

  /** What is to be told of each VMREAD, while a check wants it. */
  get fieldRead(): Told<'fieldRead'> | undefined {
    return this.readers.size > 0 ? this.reads : undefined;
  }

  private watchReads(id: string, on: boolean): void {
    if (this.readers.has(id) === on) return;
    const before = this.fieldRead;
    if (on) this.readers.add(id);
    else this.readers.delete(id);
    if (this.fieldRead !== before) this.onReadsWatched();
  }

  /** The machine went to power-on. */
  reset(): void {
    this.told.clear();
    this.rewind();
  }

  /** The machine went to another instant. What was told once is not told again. */
  rewind(): void {
    this.trip.exit = undefined;
    this.trip.changedSinceExit = true;
    this.exitVmcs = undefined;
    for (const w of this.watchers) w.reset?.();
  }

  exit(record: ExitRecord): void {
    const { trip } = this;
    trip.changedSinceExit = (this.target.vmx.exitChanges & ~RSP) !== 0;
    trip.exit = record;
    this.exitVmcs = this.target.vmx.currentVmcs;
    const { reason } = record;
    const told = (this.exits[reason] ??= functions(this.watchers.filter(({ exitsBy = reason }) => exitsBy === reason), 'exit'));
    for (let i = 0; i < told.length; i++) told[i]!(record);
  }

  entry(launch: boolean): void {
    const { trip } = this;
    if (trip.exit && (this.exitVmcs !== this.target.vmx.currentVmcs || (launch && this.mayMove))) trip.exit = undefined;
    trip.changed = this.target.vmx.entryChanges & ~RSP;
    const changed = trip.exit !== undefined && trip.changed !== 0;
    const reason = trip.exit?.reason ?? NO_EXIT;
    const told = (this.entries[((reason + 1) << 2) | (launch ? 2 : 0) | (changed ? 1 : 0)] ??= this.toldOfEntry(reason, launch, changed));
    for (let i = 0; i < told.length; i++) told[i]!(launch);
  }

  private toldOfEntry(reason: number, launch: boolean, changed: boolean): Told<'entry'>[] {
    const suits = ({ entriesAfter = reason, entriesWith }: Watcher): boolean => entriesAfter === reason && (entriesWith === undefined || (entriesWith === 'vmlaunch' ? launch : changed));
    return functions(this.watchers.filter(suits), 'entry');
  }

  failure(failure: VmxFailure): void {
    for (const told of this.failures) told(failure);
  }

  ended(how: 'halt' | 'shutdown'): void {
    for (const w of this.watchers) w.ended?.(how);
  }

  private sight(check: VmxCheck): Sight {
    const { target } = this;
    const place = (rip: bigint): string => addressPlace(target, 'vmm', rip);
    return {
      target,
      trip: this.trip,
      place,
      guestPlace: (rip) => addressPlace(target, 'guest', rip),
      watchReads: (on) => this.watchReads(check.id, on),
      field: (encoding) => target.vmx.readField(encoding) ?? 0n,
      writer: (encoding) => {
        const writer = target.vmx.fieldWriter(encoding);
        return writer ? `last written at ${writerPlace(target, writer)}` : 'never written';
      },
      report: (at, key, sentence, ...notes) => {
        const once = `${check.id} ${key}`;
        if (this.told.has(once)) return;
        this.told.add(once);
        this.found({ check, at, sentence, notes: notes.filter((n): n is string => n !== undefined) });
      },
    };
  }
}

/** The functions that these watchers have for an event, in their order. */
function functions<K extends Event>(watchers: readonly Watcher[], name: K): Told<K>[] {
  return watchers.flatMap((w) => (w[name] ? [w[name] as Told<K>] : []));
}

/** One function that tells all; none when there is nobody to tell. */
function one<A extends unknown[]>(told: readonly ((...args: A) => void)[]): ((...args: A) => void) | undefined {
  if (told.length <= 1) return told[0];
  return (...args) => {
    for (const f of told) f(...args);
  };
}
