/** What was typed, with the tick at which it reaches the machine: replaying it makes a run repeat exactly. */

import type { RecordedInput } from './machineInterface';

export type InputEvent = RecordedInput;

export class InputLog {
  private events: InputEvent[] = [];
  private delivered = 0;

  get all(): readonly InputEvent[] {
    return this.events;
  }
  /** Tick of the next byte, or Infinity. */
  get nextDeadline(): number {
    return this.events[this.delivered]?.icount ?? Infinity;
  }

  /** Adds a byte behind everything that arrives no later. */
  add(event: InputEvent): void {
    let at = this.events.length;
    while (at > this.delivered && this.events[at - 1]!.icount > event.icount) at--;
    this.events.splice(at, 0, event);
  }

  /** Hands out what has arrived at tick `now`. */
  deliver(now: number, to: (event: InputEvent) => void): void {
    while (this.nextDeadline <= now) to(this.events[this.delivered++]!);
  }

  save(): { events: readonly InputEvent[]; delivered: number } {
    return { events: [...this.events], delivered: this.delivered };
  }
  /** Goes back to a saved instant; `future` replaces what is known to arrive after it. */
  restore({ events, delivered }: { events: readonly InputEvent[]; delivered: number }, future?: readonly InputEvent[]): void {
    this.events = [...(future ?? events)];
    this.delivered = delivered;
  }
}
