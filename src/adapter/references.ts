/** References that the client gets for frames, for things with children and for places in sources; all are void when the machine runs on. */
import type { InspectionNode, SourcePlace } from '../debug/inspect/node';
import type { StackEntry } from '../debug/stack/callStack';
import type { World } from '../debug/world';

type Children = NonNullable<InspectionNode['children']>;

interface Container {
  children: Children;
  /** The processor that was in focus when the reference was made. */
  cpu: number;
  /** The elements of an array, of which parts are asked for. */
  indexed: boolean;
  /** All of them, once they have been asked for as a whole. */
  all?: InspectionNode[] | undefined;
  /** Parts of an array that have been asked for: how many elements, by the first. */
  parts: Map<number, number>;
}

/** Which processor is in focus, and how to do something with another one in focus. */
export interface Focus {
  cpu(): number;
  on<T>(cpu: number, action: () => T): T;
}

interface Numbered {
  stack: readonly StackEntry[];
  first: number;
  cpu: number;
}

export class References {
  /** The stacks of the present stop, one for each processor that was asked for. */
  private stacks: Numbered[] = [];
  private readonly containers = new Map<number, Container>();
  private readonly places = new Map<number, () => SourcePlace | undefined>();
  private readonly targets = new Map<number, { world: World; address: bigint }>();
  private next = 1;

  constructor(private readonly focus: Focus) {}

  /** A number for a place in code. */
  target(place: { world: World; address: bigint }): number {
    this.targets.set(this.next, place);
    return this.next++;
  }
  targetAt(id: number): { world: World; address: bigint } | undefined {
    return this.targets.get(id);
  }

  /** Forgets everything. Numbers are not used again, so that a late request cannot mean something else. */
  clear(): void {
    this.stacks = [];
    this.containers.clear();
    this.targets.clear();
    this.places.clear();
  }

  /** Registers or memory are others now: references stay, and what they lead to is computed anew. */
  changed(): void {
    for (const container of this.containers.values()) container.all = undefined;
  }

  /** Numbers the frames of a processor's stack; the same stack keeps its numbers. */
  frameId(stack: readonly StackEntry[], index: number, cpu: number): number {
    let known = this.stacks.find((s) => s.cpu === cpu);
    if (known?.stack !== stack) {
      known = { stack, first: this.next, cpu };
      this.stacks = [...this.stacks.filter((s) => s.cpu !== cpu), known];
      this.next += stack.length;
    }
    return known.first + index;
  }
  private stackOf(id: number): Numbered | undefined {
    return this.stacks.find(({ stack, first }) => id >= first && id < first + stack.length);
  }
  frame(id: number): StackEntry | undefined {
    const numbered = this.stackOf(id);
    return numbered?.stack[id - numbered.first];
  }
  /** The processor whose stack a frame is of. */
  processor(id: number): number | undefined {
    return this.stackOf(id)?.cpu;
  }

  /** A reference to children, computed when asked for, for the processor that is in focus now, and then kept. */
  container(children: Children, indexed = false): number {
    const id = this.next++;
    const cpu = this.focus.cpu();
    this.containers.set(id, { children: (start, count) => this.focus.on(cpu, () => children(start, count)), cpu, indexed, parts: new Map() });
    return id;
  }

  /** The processor that a reference to children is of. */
  owner(id: number): number | undefined {
    return this.containers.get(id)?.cpu;
  }

  /** Children from `start` on, `count` of them or all, of one sort or both; undefined for a reference that is void. */
  part(id: number, start: number, count: number | undefined, only?: 'indexed' | 'named'): InspectionNode[] | undefined {
    const container = this.containers.get(id);
    if (!container) return undefined;
    // The elements of an array are its only children.
    if (only !== undefined && (only === 'indexed') !== container.indexed) return [];
    if (count === undefined || !container.indexed) return (container.all ??= container.children()).slice(start, count && start + count);
    container.parts.set(start, count);
    return container.children(start, count);
  }

  /** A child by name, among those that have been told. */
  named(id: number, name: string): InspectionNode | undefined {
    const container = this.containers.get(id);
    if (!container) return undefined;
    for (const [start, count] of container.parts) {
      const told = container.children(start, count).find((n) => n.name === name);
      if (told) return told;
    }
    return (container.all ??= container.children()).find((n) => n.name === name);
  }

  /** A reference to a line of source. */
  location(place: () => SourcePlace | undefined): number {
    const id = this.next++;
    this.places.set(id, place);
    return id;
  }
  place(id: number): SourcePlace | undefined {
    return this.places.get(id)?.();
  }
}
