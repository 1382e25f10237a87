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

type Told<K extends keyof Watcher> = NonNullable<Watcher[K]>;

export class VmxChecks {
  /** Called when `fieldRead` has come or gone. */
  onReadsWatched: () => void = () => {};
  /** Present only when a check wants it: what nobody watches is not told. */
  readonly eptInvalidated: Told<'eptInvalidated'> | undefined;
  readonly eptWalked: Told<'eptWalked'> | undefined;
  private readonly watchers: Watcher[];
  private readonly exits: Told<'exit'>[];
  private readonly entries: Told<'entry'>[];
  private readonly failures: Told<'failure'>[];
  private readonly trip: RoundTrip & { exit: ExitRecord | undefined };
  private readonly told = new Set<string>();
  private exitVmcs: number | undefined;
  private readonly reads: Told<'fieldRead'> | undefined;
  /** Checks that want to be told of VMREAD now. */
  private readonly readers = new Set<string>();

  /** @param off ids of checks that are switched off */
  constructor(
    private readonly target: Target,
    off: ReadonlySet<string>,
    private readonly found: (finding: Finding) => void,
  ) {
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
    this.exits = this.all('exit');
    this.entries = this.all('entry');
    this.failures = this.all('failure');
    this.reads = one(this.all('fieldRead'));
    this.eptInvalidated = one(this.all('eptInvalidated'));
    this.eptWalked = one(this.all('eptWalked'));
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

  private all<K extends keyof Watcher>(name: K): Told<K>[] {
    return this.watchers.flatMap((w) => (w[name] ? [w[name] as Told<K>] : []));
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
    for (let i = 0; i < this.exits.length; i++) this.exits[i]!(record);
  }

  entry(launch: boolean): void {
    const { trip } = this;
    if (trip.exit && this.exitVmcs !== this.target.vmx.currentVmcs) trip.exit = undefined;
    trip.changed = this.target.vmx.entryChanges & ~RSP;
    for (let i = 0; i < this.entries.length; i++) this.entries[i]!(launch);
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

/** One function that tells all; none when there is nobody to tell. */
function one<A extends unknown[]>(functions: readonly ((...args: A) => void)[]): ((...args: A) => void) | undefined {
  if (functions.length <= 1) return functions[0];
  return (...args) => {
    for (const f of functions) f(...args);
  };
}
