/** Time and turns, as the host provides them. */
export interface Scheduler {
  /** Milliseconds from an arbitrary start, with a fraction. */
  now(): number;
  /** Calls `task` once, after messages that wait have been handled and `delay` milliseconds (0 when absent) have passed. */
  soon(task: () => void, delay?: number): void;
}
