/**
 * The VM exits that the user has ticked: they stop the machine, in all sessions, and are kept with the workspace. Each may
 * have a condition, and a message that is printed in place of a stop.
 */
import type * as vscode from 'vscode';
import { HyperstepRequest, type BreakOnExitsArguments, type BreakOnExitsResponse } from '../../adapter/messages';
import type { Sessions } from '../sessions';

const STORED = 'hyperstep.tickedExits';
const STORED_CONDITIONS = 'hyperstep.exitConditions';

export class TickedExits {
  readonly #names: Set<string>;
  readonly #conditions: Map<string, string>;

  constructor(
    private readonly sessions: Sessions,
    private readonly state: vscode.Memento,
  ) {
    this.#names = new Set(state.get<string[]>(STORED, []));
    this.#conditions = new Map(Object.entries(state.get<Record<string, string>>(STORED_CONDITIONS, {})));
  }

  get names(): string[] {
    return [...this.#names];
  }
  get conditions(): Record<string, string> {
    return Object.fromEntries(this.#conditions);
  }
  has(name: string): boolean {
    return this.#names.has(name);
  }
  conditionOf(name: string): string | undefined {
    return this.#conditions.get(name);
  }

  /** Ticks these, or clears their ticks. Resolves when the sessions know it. */
  async set(changes: Iterable<[name: string, ticked: boolean]>): Promise<void> {
    for (const [name, ticked] of changes) this.#tick(name, ticked);
    await this.#tell();
  }

  /** Ticks an exit and gives it a condition or message, as the Breakpoints view takes them; '' for none. Yields what is wrong with it, in which case all is as it was. */
  async setCondition(name: string, condition: string): Promise<string | undefined> {
    const before = { ticked: this.#names.has(name), condition: this.#conditions.get(name) };
    this.#put(name, true, condition.trim() === '' ? undefined : condition);
    const complaint = (await this.#tell()).map(({ complaints }) => complaints[name]).find((c) => c !== undefined);
    if (complaint === undefined) return undefined;
    this.#put(name, before.ticked, before.condition);
    await this.#tell();
    return complaint;
  }

  #tick(name: string, ticked: boolean): void {
    if (ticked) this.#names.add(name);
    else this.#names.delete(name);
  }
  #put(name: string, ticked: boolean, condition: string | undefined): void {
    this.#tick(name, ticked);
    if (condition === undefined) this.#conditions.delete(name);
    else this.#conditions.set(name, condition);
  }

  /** Keeps them, and tells the sessions. */
  async #tell(): Promise<BreakOnExitsResponse[]> {
    const { names, conditions } = this;
    await this.state.update(STORED, names);
    await this.state.update(STORED_CONDITIONS, conditions);
    // One that is about to start, or to end, has no machine to be told of it.
    const answers = await Promise.allSettled([...this.sessions.all].map((session) => session.customRequest(HyperstepRequest.breakOnExits, { names, conditions } satisfies BreakOnExitsArguments) as Thenable<BreakOnExitsResponse>));
    return answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
  }
}
