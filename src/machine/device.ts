/**
 * What every device of the PC looks like. To add one: a file in devices/ with one class that implements Device, its
 * ports claimed in `devices/board.ts`, a test beside the others (devices/port92.ts is the smallest example).
 */

export interface Device {
  /** For messages and as the key of its state in a snapshot. */
  readonly name: string;
  /**
   * The device's whole state, plain data only: a snapshot clones it with structuredClone and a restore assigns a clone.
   * Nothing that outlives a call may be kept elsewhere.
   */
  state: object;
  /** Power-on state. */
  reset(): void;
  /** Absolute tick at which the device next has to act by itself, or Infinity. */
  nextDeadline(): number;
  /** Acts on everything that is due at tick `now`. */
  advance(now: number): void;
}

/** A device's ports. `port` is the absolute port number; values are unsigned. */
export interface PortDevice {
  readPort(port: number, size: number): number;
  /**
   * For ports that software polls: the tick up to which a read that was just made would have the same answer, without any effect,
   * unless a port of the device is written or its state replaced. 0 when that is not known.
   */
  steadyUntil?(port: number): number;
  writePort(port: number, value: number, size: number): void;
}

/** A device's registers in physical memory. `offset` is relative to the start of its page; `size` is 1, 2 or 4. */
export interface MemoryDevice {
  readRegister(offset: number, size: number): number;
  writeRegister(offset: number, size: number, value: number): void;
}

/** What the machine does for its devices. */
export interface DeviceHost {
  /** The present tick, exact inside an instruction's port or memory access. */
  now(): number;
  /** An interrupt line changed: the processor looks at its interrupts after the present instruction. */
  attention(): void;
  /** A deadline changed: the machine computes the end of its slice anew after the present instruction. */
  reschedule(): void;
  /** One sentence for the user about something that is not there; shown once per sentence. */
  warn(sentence: string): void;
}

/** For devices that never act by themselves. */
export const NEVER = Infinity;
