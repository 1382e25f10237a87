/**
 * Which world GDB looks at. GDB knows one processor with one set of symbols; a machine with a hypervisor has two worlds,
 * often linked at the same addresses. So a breakpoint belongs to the world that GDB looked at when it first set it.
 */
import type { Target } from '../debug/target';
import type { World } from '../debug/world';

export type Choice = World | 'auto';

export class WorldChoice {
  /** `auto` is the world that runs. */
  choice: Choice = 'auto';
  /** GDB takes every breakpoint out at a stop and puts it in again: the world is remembered meanwhile. */
  private readonly worlds = new Map<bigint, World>();
  private readonly inserted = new Set<bigint>();

  /** `looked` is the processor that GDB looks at. */
  constructor(private readonly looked: () => Target) {}

  private get target(): Target {
    return this.looked();
  }

  /** The world whose registers and memory are shown: that of the choice, once it exists. */
  get shown(): World {
    const { choice, target } = this;
    return choice !== 'auto' && target.exists(choice) ? choice : target.world;
  }

  /** The world to stay in, when GDB looks at one and the processor is in the other. */
  get left(): World | undefined {
    return this.choice !== 'auto' && this.shown === this.choice && this.target.world !== this.choice ? this.choice : undefined;
  }

  insert(address: bigint): void {
    this.inserted.add(address);
    if (!this.worlds.has(address)) this.worlds.set(address, this.choice === 'auto' ? this.target.world : this.choice);
  }

  remove(address: bigint): void {
    this.inserted.delete(address);
  }

  clear(): void {
    this.inserted.clear();
    this.worlds.clear();
  }

  /** GDB continues: a breakpoint that is not there now was deleted. */
  continued(): void {
    for (const address of this.worlds.keys()) if (!this.inserted.has(address)) this.worlds.delete(address);
  }

  get breakpoints(): { address: bigint; world: World }[] {
    return [...this.inserted].map((address) => ({ address, world: this.worlds.get(address)! }));
  }
}
