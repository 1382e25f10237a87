/** The room for records and what goes with them: handed out from the one end, taken back as a whole. */
import { RECORDS_BASE, RECORDS_SIZE } from './layout';
import { RECORD_SIZE } from './record';

/** A straight line is cut after so many instructions, so that decoding never runs far ahead of executing. */
export const RUN_LENGTH = 128;
/** A run needs at most so much room. */
const RUN_SIZE = (RUN_LENGTH * 3 + 4) * RECORD_SIZE;

/** Room for one instruction that is not kept, at the start. */
export const SINGLE_BASE = RECORDS_BASE;
const FIRST_RECORD = RECORDS_BASE + 4 * RECORD_SIZE;
/** Decoding stops short of the end, so that crossing instructions, which need few records, always find room. */
const RECORDS_END = RECORDS_BASE + RECORDS_SIZE - 4 * RUN_SIZE;

export class RecordArena {
  /** Address of the first byte that is free. */
  next = FIRST_RECORD;
  /** The furthest that it has been: what lies behind has never been written. */
  private furthest = FIRST_RECORD;

  /** Whether so many bytes, and a run, could be taken. */
  holds(bytes: number): boolean {
    return this.next + bytes + RUN_SIZE <= RECORDS_END;
  }
  /** The same at the very end, for an instruction that crosses into another page. */
  holdsCrossing(): boolean {
    return this.next + RUN_SIZE <= RECORDS_BASE + RECORDS_SIZE;
  }
  /** Takes so many bytes. */
  take(bytes: number): number {
    const at = this.next;
    this.next += bytes;
    return at;
  }
  /** The same, the bytes being 0. */
  takeEmpty(bytes: number, u32: Uint32Array): number {
    const at = this.take(bytes);
    if (at < this.furthest) u32.fill(0, at >>> 2, (at + bytes) >>> 2);
    return at;
  }
  reset(): void {
    this.furthest = Math.max(this.furthest, this.next);
    this.next = FIRST_RECORD;
  }
}
