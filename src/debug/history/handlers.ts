/** Which interrupt and exception handlers a run by single instructions is in. */
import type { Position } from '../run/position';
import type { World } from '../world';

interface Delivered {
  world: World;
  rip: bigint;
  nextRip: bigint;
  rsp: bigint;
}

export class Handlers {
  private readonly open: Delivered[] = [];

  get depth(): number {
    return this.open.length;
  }

  /** An instruction was executed; `delivered` is the event that came with it. */
  step(now: Position, delivered: Delivered | undefined): void {
    if (delivered && now.world === delivered.world) this.open.push(delivered);
    const last = this.open.at(-1);
    if (!last || last === delivered || last.world !== now.world || last.rsp !== now.rsp || (now.pc !== last.rip && now.pc !== last.nextRip)) return;
    this.open.pop();
  }
}
