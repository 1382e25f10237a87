/**
 * Watches one processor's VM entries and exits. It runs inside the machine at every one of them, so it only copies
 * numbers; sentences are made later, when somebody looks.
 */
import { join64 } from '../../base/bits';
import type { Processor } from '../../cpu/processor';
import { Offset } from '../../cpu/state';
import { type ExitRecord, LASTING_EXITS, type PassingExit, type VmxFailure, type VmxInspection, type VmxObserver } from '../../vmx/observe';
import { exitReasonName } from '../../vmx/tables';
import type { VmxChecks } from '../checks/vmxChecks';
import type { RecordedGprs } from '../registers/registerFile';
import { worldOf } from '../run/position';
import type { DeliveredEvent } from '../run/stopCause';

/** How many of the last exits are kept for the exits view: those whose records are still theirs. */
const KEPT_EXITS = LASTING_EXITS;

/** The last VM entry: where the VMM made it. */
export interface EntryRecord {
  /** 1 for the first. */
  n: number;
  icount: number;
  launch: boolean;
  /** RIP of VMLAUNCH or VMRESUME. */
  rip: bigint;
}

export interface ExitListener {
  fieldAccessed?(encoding: number, write: boolean): void;
  /** VMPTRLD has made the VMCS at a host-physical address current. */
  vmcsLoaded?(address: number): void;
  exit(record: PassingExit): void;
  entry(): void;
  failure(failure: VmxFailure): void;
  /** An event is about to be delivered through the IDT. */
  delivering(event: DeliveredEvent): void;
}

export class ExitRecorder implements VmxObserver {
  fieldRead: VmxObserver['fieldRead'];
  readonly eptInvalidated: VmxObserver['eptInvalidated'];
  readonly eptWalked: VmxObserver['eptWalked'];
  /** Host-physical addresses of the VMCSs that have been current, in the order in which they became so. */
  readonly knownVmcs = new Set<number>();
  /** How many exits there were, by reason. */
  private times: number[] = [];
  private readonly ring: PassingExit[] = [];
  /** What `save` kept last: copies, which the next takes over as far as they are of the same exits. */
  private saved: readonly PassingExit[] = [];
  private entries = 0;
  private seen = false;
  /** The last VM entry; what is asked of it is put together then. Words are kept signed: such numbers cost nothing to keep. */
  private entered = false;
  private entryClock = 0;
  private entryLaunched = false;
  private entryRipLow = 0;
  private entryRipHigh = 0;

  constructor(
    private readonly cpu: Processor,
    private readonly vmx: VmxInspection,
    private readonly listener: ExitListener,
    /** The run-time checks, if there are to be any. They are told first: what they find belongs to the stop that follows. */
    readonly checks?: VmxChecks,
  ) {
    if (checks) {
      checks.onReadsWatched = () => {
        this.fieldRead = checks.fieldRead;
        if (vmx.observer === this) vmx.observer = this;
      };
      this.eptInvalidated = checks.eptInvalidated;
      this.eptWalked = checks.eptWalked;
    }
    this.entries = vmx.entries;
  }

  /** Forgets everything: the machine went back to power-on. */
  reset(): void {
    this.times = [];
    this.knownVmcs.clear();
    this.ring.length = 0;
    this.saved = [];
    this.entered = false;
    this.seen = false;
    this.entries = this.vmx.entries;
    this.checks?.reset();
  }

  /** Keeps what is recorded at an instant; the function returned puts it back, when the machine has gone back there. */
  save(): () => void {
    const times = [...this.times];
    const ring = this.lastingRecords();
    this.saved = ring;
    const { entries, seen, entered, entryClock, entryLaunched, entryRipLow, entryRipHigh } = this;
    return () => {
      this.times = [...times];
      this.ring.splice(0, this.ring.length, ...ring);
      this.saved = ring;
      Object.assign(this, { entries, seen, entered, entryClock, entryLaunched, entryRipLow, entryRipHigh });
      this.checks?.rewind();
    };
  }

  private lastingRecords(): PassingExit[] {
    const { saved } = this;
    let i = 0;
    return this.ring.slice(-KEPT_EXITS).map((record) => {
      while (i < saved.length && saved[i]!.n < record.n) i++;
      return saved[i]?.n === record.n ? saved[i]! : record.copy();
    });
  }

  exit(record: PassingExit): void {
    this.seen = true;
    const { times } = this;
    while (times.length <= record.reason) times.push(0);
    times[record.reason]!++;
    this.ring.push(record);
    if (this.ring.length >= 2 * KEPT_EXITS) this.ring.splice(0, KEPT_EXITS);
    this.checks?.exit(record);
    this.listener.exit(record);
  }

  entry(icount: number, launch: boolean): void {
    const { state } = this.cpu;
    this.entries++;
    this.entered = true;
    this.entryClock = icount;
    this.entryLaunched = launch;
    this.entryRipLow = state.get32(Offset.INSTRUCTION_RIP) | 0;
    this.entryRipHigh = state.high(Offset.INSTRUCTION_RIP) | 0;
    this.checks?.entry(launch);
    this.listener.entry();
  }

  get lastEntry(): EntryRecord | undefined {
    return this.entered ? { n: this.entries, icount: this.entryClock, launch: this.entryLaunched, rip: join64(this.entryRipLow, this.entryRipHigh) } : undefined;
  }

  vmcsLoaded(address: number): void {
    this.knownVmcs.add(address);
    this.listener.vmcsLoaded?.(address);
  }

  fieldAccessed(encoding: number, write: boolean): void {
    this.listener.fieldAccessed?.(encoding, write);
  }

  failure(failure: VmxFailure): void {
    this.checks?.failure(failure);
    this.listener.failure(failure);
  }

  delivering(type: number, vector: number, errorCode: number | undefined, length: number): void {
    const s = this.cpu.state;
    const { rip } = s;
    this.listener.delivering({ type, vector, errorCode, rip, nextRip: rip + BigInt(length), rsp: s.reg(4), world: worldOf(this.vmx), icount: s.icount });
  }

  /** How many exits there were, by name. */
  get counts(): ReadonlyMap<string, number> {
    return new Map(this.times.flatMap((times, reason) => (times === 0 ? [] : [[exitReasonName(reason), times] as const])));
  }

  /** The latest exits, oldest first. */
  last(count: number): ExitRecord[] {
    return this.ring.slice(-Math.min(count, KEPT_EXITS));
  }

  get lastExit(): ExitRecord | undefined {
    return this.ring.at(-1);
  }

  /** The guest's general-purpose registers as the last exit left them. */
  guestGprs(): RecordedGprs | undefined {
    if (!this.seen) return undefined;
    const gprs = this.vmx.exitRegisters;
    const values = Array.from({ length: 16 }, (_, n) => join64(gprs[n * 2]!, gprs[n * 2 + 1]!));
    return { values, stillInProcessor: this.cpu.state.icount === this.lastExit?.icount };
  }
}
