/** Memory that the client has read and may be showing: it is told when that can have become another. */
import type { DebugProtocol } from '@vscode/debugprotocol';

type MemoryRange = DebugProtocol.MemoryEvent['body'];

export class ShownMemory {
  /** By reference: where reading began, relative to the reference and at most 0, and where it ended. */
  private readonly read = new Map<string, { from: number; to: number }>();

  /** The client reads `count` bytes, `offset` behind a reference. */
  reads(memoryReference: string, offset: number, count: number): void {
    const { from, to } = this.read.get(memoryReference) ?? { from: 0, to: 0 };
    this.read.set(memoryReference, { from: Math.min(from, offset), to: Math.max(to, offset + count) });
  }

  /** The events for all that was read since the last time; a client that still shows it reads it again. */
  take(): MemoryRange[] {
    const ranges = [...this.read].map(([memoryReference, { from, to }]) => ({ memoryReference, offset: from, count: to - from }));
    this.read.clear();
    return ranges;
  }
}
