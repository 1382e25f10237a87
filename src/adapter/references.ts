/** References that the client gets for frames and for things with children; all are void when the machine runs on. */
import type { InspectionNode } from '../debug/inspect/node';
import type { StackEntry } from '../debug/stack/callStack';

export class References {
  private frames: StackEntry[] = [];
  private readonly containers = new Map<number, () => InspectionNode[]>();
  private next = 1;

  /** Forgets everything. Numbers are not used again, so that a late request cannot mean something else. */
  clear(): void {
    this.frames = [];
    this.frameBase = this.next;
    this.containers.clear();
  }
  private frameBase = 1;

  /** Numbers the frames of a stack; the same stack keeps its numbers. */
  frameId(stack: readonly StackEntry[], index: number): number {
    if (this.frames !== stack) {
      this.frames = stack as StackEntry[];
      this.frameBase = this.next;
      this.next += stack.length;
    }
    return this.frameBase + index;
  }
  frame(id: number): StackEntry | undefined {
    return this.frames[id - this.frameBase];
  }

  /** A reference to children, computed when asked for and then kept. */
  container(children: () => InspectionNode[]): number {
    const id = this.next++;
    let kept: InspectionNode[] | undefined;
    this.containers.set(id, () => (kept ??= children()));
    return id;
  }
  children(id: number): InspectionNode[] | undefined {
    return this.containers.get(id)?.();
  }
}
