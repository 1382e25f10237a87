/**
 * VM-entry checks that need not be made again. A check is a function of what it reads; while it runs, the words of fields
 * that it reads are noted, and at the next VM entry only those checks run whose words have other values than when all
 * checks last held. Nobody has to announce changes: the values themselves are compared, whoever wrote them and whichever VMCS it is.
 *
 * Other values that the context has (the VMM's own mode) are treated alike. Checks that call its functions (memory) run at
 * every VM entry.
 */
import type { CpuState } from '../cpu/state';
import { Offset } from '../cpu/state';
import type { EntryCheck, EntryContext } from './tables/entryChecks';
import { FIELDS, Slot } from './tables/fields';
import { STATUS_FLAGS } from '../cpu/flags';

/** Two words per slot. */
const WORDS = FIELDS.length * 2;
/** No check is about the status flags, which are others at every exit. */
const RFLAGS_WORD = Slot.GUEST_RFLAGS * 2;

/** A value of the context besides fields. */
interface Input {
  readonly key: keyof EntryContext;
  held: unknown;
  readonly readers: number[];
}

export class CheckMemo {
  /** Fields as they were when all checks held. */
  private readonly held = new Uint32Array(WORDS);
  private valid = false;
  /** Checks that read a word, and the words that some check reads. */
  private readonly readers: number[][] = Array.from({ length: WORDS }, () => []);
  private readonly read: number[] = [];
  private readonly knows: Uint8Array;
  private readonly inputs: Input[] = [];
  /** Checks that call a function of the context, always made. */
  private readonly always: number[] = [];
  private readonly isAlways: Uint8Array;
  /** The check that is running, and the number of the entry in which a check ran last. */
  private running = 0;
  private readonly ranAt: Float64Array;
  private entry = 0;
  private readonly noting: EntryContext;
  /** Index of slot 0 in 32-bit words. */
  private readonly words: number;

  /** `context` must give the present values. What it holds itself never changes; its class's getters give values that may change, and its methods besides `low` and `high` anything. */
  constructor(
    private readonly checks: readonly EntryCheck[],
    private readonly context: EntryContext,
    private readonly state: CpuState,
  ) {
    this.knows = new Uint8Array(checks.length * WORDS);
    this.isAlways = new Uint8Array(checks.length);
    this.ranAt = new Float64Array(checks.length);
    this.words = (state.base + Offset.VMCS) >>> 2;
    this.noting = this.notingContext(context);
  }

  /** A context that reads as the one given and notes what is read. */
  private notingContext(context: EntryContext): EntryContext {
    const { u32 } = this.state;
    const noteWord = (word: number): number => {
      const at = this.running * WORDS + word;
      if (this.knows[at] === 0) {
        this.knows[at] = 1;
        const readers = this.readers[word]!;
        if (readers.push(this.running) === 1) this.read.push(word);
      }
      return u32[this.words + word]!;
    };
    const noteCall = (): void => {
      if (this.isAlways[this.running] !== 0) return;
      this.isAlways[this.running] = 1;
      this.always.push(this.running);
    };
    const noteInput = (key: keyof EntryContext, held: unknown): void => {
      let input = this.inputs.find((i) => i.key === key);
      if (!input) this.inputs.push((input = { key, held, readers: [] }));
      if (!input.readers.includes(this.running)) input.readers.push(this.running);
    };
    const noting = Object.create(context) as EntryContext;
    Object.defineProperty(noting, 'low', {
      value: (slot: number): number => noteWord(slot * 2),
    });
    Object.defineProperty(noting, 'high', {
      value: (slot: number): number => noteWord(slot * 2 + 1),
    });
    for (const name of Object.getOwnPropertyNames(Object.getPrototypeOf(context))) {
      if (name === 'constructor' || name === 'low' || name === 'high') continue;
      const key = name as keyof EntryContext;
      Object.defineProperty(noting, name, {
        get: (): unknown => {
          const value: unknown = context[key];
          if (typeof value !== 'function') {
            noteInput(key, value);
            return value;
          }
          noteCall();
          return (value as (...all: unknown[]) => unknown).bind(context);
        },
      });
    }
    return noting;
  }

  /** Whether every check holds now. When not, the caller makes them all, in order, to learn which fails. */
  allHold(): boolean {
    this.entry++;
    if (!this.valid) return this.remember(this.makeAll());
    const { u32 } = this.state;
    const { held, words, read } = this;
    let holds = true;
    for (let i = 0; i < read.length; i++) {
      const word = read[i]!;
      const change = held[word]! ^ u32[words + word]!;
      if (change !== 0 && (word !== RFLAGS_WORD || (change & ~STATUS_FLAGS) !== 0)) {
        const readers = this.readers[word]!;
        // The list may grow while a check runs, by that check itself: it does not run twice.
        for (let r = 0; r < readers.length; r++) holds = this.make(readers[r]!) && holds;
      }
    }
    for (let i = 0; i < this.inputs.length; i++) {
      const input = this.inputs[i]!;
      const value: unknown = this.context[input.key];
      if (value === input.held) continue;
      input.held = value;
      for (let r = 0; r < input.readers.length; r++) holds = this.make(input.readers[r]!) && holds;
    }
    for (let a = 0; a < this.always.length; a++) holds = this.make(this.always[a]!) && holds;
    return this.remember(holds);
  }

  private remember(holds: boolean): boolean {
    this.valid = holds;
    if (holds) {
      const { held, words } = this;
      const { u32 } = this.state;
      for (const word of this.read) held[word] = u32[words + word]!;
    }
    return holds;
  }

  private makeAll(): boolean {
    let holds = true;
    for (let i = 0; i < this.checks.length; i++) holds = this.make(i) && holds;
    return holds;
  }

  /** Makes a check, once per entry. */
  private make(index: number): boolean {
    if (this.ranAt[index] === this.entry) return true;
    this.ranAt[index] = this.entry;
    this.running = index;
    return this.checks[index]!.holds(this.noting);
  }
}
