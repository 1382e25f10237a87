/** References that the client gets for frames, for things with children and for places in sources; all are void when the machine runs on. */
import type { InspectionNode, SourcePlace } from '../debug/inspect/node';
import type { StackEntry } from '../debug/stack/callStack';

type Children = NonNullable<InspectionNode['children']>;

interface Container {
  children: Children;
  /** The elements of an array, of which parts are asked for. */
  indexed: boolean;
  /** All of them, once they have been asked for as a whole. */
  all?: InspectionNode[];
  /** Parts of an array that have been asked for, by their first element. */
  parts: Map<number, InspectionNode[]>;
}

export class References {
  private frames: StackEntry[] = [];
  private readonly containers = new Map<number, Container>();
  private readonly places = new Map<number, SourcePlace>();
  private next = 1;

  /** Forgets everything. Numbers are not used again, so that a late request cannot mean something else. */
  clear(): void {
    this.frames = [];
    this.frameBase = this.next;
    this.containers.clear();
    this.places.clear();
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
  container(children: Children, indexed = false): number {
    const id = this.next++;
    this.containers.set(id, { children, indexed, parts: new Map() });
    return id;
  }

  /** Children from `start` on, `count` of them or all; undefined for a reference that is void. */
  part(id: number, start: number, count: number | undefined): InspectionNode[] | undefined {
    const container = this.containers.get(id);
    if (!container) return undefined;
    if (count === undefined || !container.indexed) return (container.all ??= container.children()).slice(start, count && start + count);
    const part = container.children(start, count);
    container.parts.set(start, part);
    return part;
  }

  /** A child by name, among those that have been told. */
  named(id: number, name: string): InspectionNode | undefined {
    const container = this.containers.get(id);
    if (!container) return undefined;
    const told = [...container.parts.values()].flat().find((n) => n.name === name);
    return told ?? (container.all ??= container.children()).find((n) => n.name === name);
  }

  /** A reference to a line of source. */
  location(place: SourcePlace): number {
    const id = this.next++;
    this.places.set(id, place);
    return id;
  }
  place(id: number): SourcePlace | undefined {
    return this.places.get(id);
  }
}
