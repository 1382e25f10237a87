/** The trace of VM exits as JSON, one object a line. The same run gives the same bytes. */
import type { ExitRecord } from '../vmx/observe';
import { exitReasonName } from '../vmx/tables';

const hex = (value: bigint | number): string => '0x' + value.toString(16);

/**
 * One line, without its end. What may not fit a JavaScript number exactly, and addresses, are strings `0x...`; what the
 * reason does not have is null. `symbol` is the guest's symbol at its RIP, `several` whether the machine has more than one processor.
 */
export function exitLine(record: ExitRecord, symbol: string | undefined, several = false): string {
  return JSON.stringify({
    n: record.n,
    // With one processor there is nothing to tell apart.
    ...(several ? { cpu: record.cpu } : {}),
    icount: record.icount,
    reason: record.reason,
    name: record.name,
    qualification: hex(record.qualification),
    guestRip: hex(record.guestRip),
    instructionLength: record.instructionLength,
    linear: record.linear === undefined ? null : hex(record.linear),
    gpa: record.gpa === undefined ? null : hex(record.gpa),
    symbol: symbol ?? null,
    details: record.details,
  });
}

/** Exits counted by name, in the order of their numbers. */
export class ExitCounts {
  /** By reason. */
  private readonly counts: number[] = [];

  add({ reason }: ExitRecord): void {
    while (this.counts.length <= reason) this.counts.push(0);
    this.counts[reason]!++;
  }

  get total(): number {
    return this.counts.reduce((sum, count) => sum + count, 0);
  }

  /** Reason number, name, count; ascending by number. */
  rows(): [reason: number, name: string, count: number][] {
    return this.counts.flatMap((count, reason) => (count === 0 ? [] : [[reason, exitReasonName(reason), count] as [number, string, number]]));
  }

  byName(): Record<string, number> {
    return Object.fromEntries(this.rows().map(([, name, count]) => [name, count]));
  }

  /** A table for people. */
  table(): string {
    if (this.total === 0) return 'There was no VM exit.\n';
    const rows = [['reason', 'VM exit', 'count'], ...this.rows().map((row) => row.map(String)), ['', 'all', String(this.total)]];
    const width = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]!.length)));
    return rows.map(([reason, name, count]) => `${reason!.padStart(width[0]!)}  ${name!.padEnd(width[1]!)}  ${count!.padStart(width[2]!)}\n`).join('');
  }
}
