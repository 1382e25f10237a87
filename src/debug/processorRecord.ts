/** What the debugger keeps of one processor. */
import type { ExitRecorder } from './exits/exitRecorder';
import type { SystemMonitor } from './exits/systemMonitor';
import { remember } from './exits/tripleFault';
import type { TranslationWatch } from './inspect/translationWatch';
import type { DeliveredEvent } from './run/stopCause';
import type { StackEntry } from './stack/callStack';
import type { Target } from './target';
import type { ExitRecord } from '../vmx/observe';

export class ProcessorRecord {
  /** Both are set at once by the debugger, which they report to. */
  recorder!: ExitRecorder;
  monitor!: SystemMonitor;
  /** The latest events that were delivered, and how many were. */
  events: DeliveredEvent[] = [];
  deliveries = 0;
  /** The exit by which the guest asked for a memory map that it has not got yet. */
  mapExit: ExitRecord | undefined;
  /** In front of how many inlined calls, whose code begins where it stands, the processor is shown at the present stop. */
  outside = 0;
  /** The call stack of the present stop, once it has been asked for. */
  stack: StackEntry[] | undefined;

  constructor(
    readonly target: Target,
    readonly translations: TranslationWatch,
  ) {}

  delivered(event: DeliveredEvent): void {
    this.deliveries++;
    remember(this.events, event);
  }

  /** Forgets everything: the machine is back at power-on. */
  reset(): void {
    this.recorder.reset();
    this.translations.forget();
    this.monitor.restart();
    this.events = [];
    this.mapExit = undefined;
  }

  /** Keeps what is counted and recorded; the function returned puts it back. */
  keep(): () => void {
    const recorder = this.recorder.save();
    const events = [...this.events];
    const { deliveries, mapExit } = this;
    return () => {
      recorder();
      this.monitor.restart();
      Object.assign(this, { events: [...events], deliveries, mapExit });
    };
  }
}
