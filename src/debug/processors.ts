/** The machine's processors, and the one in focus: what is asked for without naming a processor is its. */
import type { Machine } from '../machine/machineInterface';
import { TranslationWatch } from './inspect/translationWatch';
import { ProcessorRecord } from './processorRecord';
import { Target } from './target';

export class Processors {
  /** One for each processor. */
  readonly records: readonly ProcessorRecord[];
  private focused = 0;

  constructor(machine: Machine) {
    const first = new Target(machine, 0);
    this.records = machine.cpus.map((_, n) => {
      const target = n === 0 ? first : new Target(machine, n, first);
      return new ProcessorRecord(target, new TranslationWatch(target));
    });
  }

  /** What is kept of the processor in focus. */
  get at(): ProcessorRecord {
    return this.records[this.focused]!;
  }
  get target(): Target {
    return this.at.target;
  }
  /** The number of the processor in focus. */
  get index(): number {
    return this.focused;
  }

  /** Looks at another processor. */
  focus(cpu: number): void {
    if (cpu === this.focused) return;
    this.focused = cpu;
    this.target.activate();
  }

  /** Does something with another processor in focus. */
  on<T>(cpu: number, action: () => T): T {
    const before = this.focused;
    this.focus(cpu);
    try {
      return action();
    } finally {
      this.focus(before);
    }
  }

  /** Deliveries of events by all of them. */
  get deliveries(): number {
    let deliveries = 0;
    for (const record of this.records) deliveries += record.deliveries;
    return deliveries;
  }

  /** Registers, memory or code are no longer what they were: what was told of them holds no more. */
  changed(): void {
    for (const record of this.records) record.stack = undefined;
    this.target.images.forget();
  }
}
