/** The VM exits that the user has ticked: they stop the machine, in all sessions, and are kept with the workspace. */
import type * as vscode from 'vscode';
import { HyperstepRequest, type BreakOnExitsArguments } from '../../adapter/messages';
import type { Sessions } from '../sessions';

const STORED = 'hyperstep.tickedExits';

export class TickedExits {
  readonly #names: Set<string>;

  constructor(
    private readonly sessions: Sessions,
    private readonly state: vscode.Memento,
  ) {
    this.#names = new Set(state.get<string[]>(STORED, []));
  }

  get names(): string[] {
    return [...this.#names];
  }
  has(name: string): boolean {
    return this.#names.has(name);
  }

  /** Ticks these, or clears their ticks. Resolves when the sessions know it. */
  async set(changes: Iterable<[name: string, ticked: boolean]>): Promise<void> {
    for (const [name, ticked] of changes) {
      if (ticked) this.#names.add(name);
      else this.#names.delete(name);
    }
    await this.state.update(STORED, this.names);
    // One that is about to start, or to end, has no machine to be told of it.
    await Promise.allSettled([...this.sessions.all].map((session) => session.customRequest(HyperstepRequest.breakOnExits, { names: this.names } satisfies BreakOnExitsArguments)));
  }
}
