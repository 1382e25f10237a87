/**
 * Run-time checks of a VMM, "VMX checks": mistakes that the processor accepts without a word, noticed from what a VMM
 * does between a VM exit and the next VM entry. A check is a row of the table in table.ts; what it watches for is a
 * function that makes its watcher. Watchers only look: the machine runs the same with and without them.
 */
import type { ExitRecord, VmxFailure } from '../../vmx/observe';
import type { Target } from '../target';

export interface VmxCheck {
  /** In capitals for nobody: words with hyphens, as the configuration writes it. */
  readonly id: string;
  /** A few words, for the headline of a stop. */
  readonly title: string;
  /** What it watches for, as a sentence. */
  readonly sentence: string;
  /** Makes the watcher of one processor. */
  readonly watch: (sight: Sight) => Watcher;
}

/** What a check has found. */
export interface Finding {
  check: VmxCheck;
  /** What is wrong, with the values and places at hand. */
  sentence: string;
  /** What else helps, a sentence each. */
  notes: string[];
  /** When it was noticed: after a VM exit, after a VM entry, at an instruction of the VMM, at a VMX instruction that fails, or at the machine's end. */
  at: 'exit' | 'entry' | 'instruction' | 'failure' | 'end';
}

/** The way from a VM exit to the VM entry that follows it. */
export interface RoundTrip {
  /** The exit; undefined for a first entry, or when another VMCS was current at the last exit, or this one perhaps another processor's since. */
  exit: ExitRecord | undefined;
  /** General-purpose registers as pairs of 32 bits: the guest's at the last VM entry, at the exit, and those in the processor now. RSP is the VMCS's and means nothing here. */
  readonly before: Uint32Array;
  readonly atExit: Uint32Array;
  readonly now: Uint32Array;
  /** At the entry: the registers that differ between the exit and now, one bit each by number, but RSP. */
  changed: number;
  /** Whether the guest's registers at the exit differ from those at the exit before it. */
  changedSinceExit: boolean;
}

/** What a watcher sees, and where it tells what it finds. */
export interface Sight {
  readonly target: Target;
  readonly trip: RoundTrip;
  /** Reports once per check and key. */
  report(at: Finding['at'], key: string | number, sentence: string, ...notes: (string | undefined)[]): void;
  /** `function (file:line)` of a VMM address. */
  place(rip: bigint): string;
  /** `function (file:line)` of the guest. */
  guestPlace(rip: bigint): string;
  /** Whether this check's `fieldRead` wants to be told. It makes VMREAD slow, so it is for short whiles. */
  watchReads(on: boolean): void;
  /** A field of the current VMCS, 0 where there is none. */
  field(encoding: number): bigint;
  /** `last written at function (file:line)`, or `never written`. */
  writer(encoding: number): string;
}

/** All members are optional: a watcher is told only of what it has a function for, and there are many exits: it says which ones it has to see. */
export interface Watcher {
  exit?(this: void, record: ExitRecord): void;
  /** The exit reason that `exit` is told of; without it, all. */
  readonly exitsBy?: number;
  /** The entry is complete: registers and RIP are the guest's. */
  entry?(this: void, launch: boolean): void;
  /** `entry` is told of entries after an exit of this VMCS by this reason only. */
  readonly entriesAfter?: number;
  /** `entry` is told only of entries by VMLAUNCH, or of those after an exit of this VMCS before which the VMM changed the guest's registers. */
  readonly entriesWith?: 'vmlaunch' | 'changed registers';
  failure?(this: void, failure: VmxFailure): void;
  /** Told only while the watcher asks for it by `watchReads`. */
  fieldRead?(this: void, encoding: number): void;
  eptInvalidated?(this: void): void;
  eptWalked?(this: void, gpaPage: number, page: number, rights: number): void;
  /** The VMM has halted for ever, or shut down by a triple fault. */
  ended?(this: void, how: 'halt' | 'shutdown'): void;
  reset?(this: void): void;
}
