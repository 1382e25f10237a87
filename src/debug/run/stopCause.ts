/** Why the machine stands still. */
import type { ExitRecord, VmxFailure } from '../../vmx/observe';
import type { Finding } from '../checks/check';
import type { SystemEvent } from '../exits/systemEvents';
import type { DataAccess } from '../watch/dataBreakpoints';
import type { World } from '../world';

/**
 * `outside`: the processor stands in front of so many inlined calls whose code begins where it is, and is shown at the
 * statement that makes the outermost of them.
 */
export type StopCause =
  /** At power-on, because the user asked for it. */
  | { kind: 'entry' }
  | { kind: 'step'; outside?: number }
  | { kind: 'pause' }
  /** The user has let the processor go on elsewhere. */
  | { kind: 'goto' }
  /** The processor is back where the function of a frame began. */
  | { kind: 'restart-frame' }
  | { kind: 'breakpoint'; ids: number[]; sort: 'source' | 'function' | 'instruction'; outside?: number }
  /** An exit breakpoint matched. */
  | { kind: 'exit'; record: ExitRecord }
  /** A data breakpoint: what it watches was accessed. */
  | { kind: 'data'; access: DataAccess }
  /** A breakpoint on another event of the processor matched. */
  | { kind: 'event'; event: SystemEvent }
  | { kind: 'vmx-failure'; failure: VmxFailure; findings?: Finding[] }
  /** A run-time check has found a mistake of the VMM. */
  | { kind: 'check'; finding: Finding }
  /** A triple fault. In the guest it is a VM exit (`record`), in the VMM the end of the machine. */
  | { kind: 'triple-fault'; world: World; record: ExitRecord | undefined; exceptions: DeliveredEvent[]; findings?: Finding[] }
  /** HLT with interrupts disabled: nothing can wake the processor. */
  | { kind: 'dead-halt'; findings?: Finding[] }
  /** Going back has come to the earliest instant that is kept. */
  | { kind: 'history-begins' }
  /** The machine is over: power-off, or the debug-exit port. */
  | { kind: 'ended'; how: 'power-off' | 'debug-exit'; value: number | undefined }
  /** A defect of Hyperstep or something it cannot do yet, met while running. */
  | { kind: 'error'; sentence: string };

/** An event that the processor began to deliver through the IDT. */
export interface DeliveredEvent {
  /** In the numbering of the VMCS's interruption-type field. */
  type: number;
  vector: number;
  errorCode: number | undefined;
  /** RIP of the instruction that was executing, and of the next one. */
  rip: bigint;
  nextRip: bigint;
  rsp: bigint;
  world: World;
  icount: number;
}
