/** How a run ends. The exit statuses of the command line are these and no others. */
export const Status = {
  /** What was asked for happened. */
  DONE: 0,
  /** An expected text never came, a text of --fail-on came, or the machine can never run on. */
  FAILED: 1,
  /** Wrong option or file. */
  USAGE: 2,
  /** --max-instructions or --timeout. */
  LIMIT: 3,
  /** The guest wrote a value other than 0 to the debug-exit port. */
  DEBUG_EXIT: 4,
  TRIPLE_FAULT: 5,
  /** Ctrl+C: 128 + SIGINT. */
  INTERRUPTED: 130,
} as const;

export interface Ending {
  status: number;
  /** What Hyperstep has to say about it, if anything. */
  sentence?: string;
}
