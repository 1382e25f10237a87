/**
 * VM-entry checks that need not be made again. A check is a function of what it reads; while it runs, the words of fields
 * that it reads are noted, and at the next VM entry only those checks run whose words have other values than when all
 * checks last held. Nobody has to announce changes: the values themselves are compared, whoever wrote them and whichever VMCS it is.
 *
 * Other values that the context has (the VMM's own mode) are treated alike. Checks that call its functions (memory) run at
 * every VM entry.
 */
import { type CpuState, type MemoryViews, Offset } from '../cpu/state';
import { Private } from './privateState';
import type { EntryCheck, EntryContext } from './tables/entryChecks';
import { FIELDS, Slot } from './tables/fields';
import { STATUS_FLAGS } from '../cpu/flags';
import { Held } from './held';
import type { Transfer } from './transfer';

/** Two words per slot; four in what Transfer compares at once. */
const WORDS = FIELDS.length * 2;
const WORDS_PER_PAIR = 4;
/** No check is about the status flags, which are others at every exit. */
const RFLAGS_WORD = Slot.GUEST_RFLAGS * 2;

/** A value of the context besides fields. */
interface Input {
  readonly key: keyof EntryContext;
  held: unknown;
  readonly readers: number[];
}

export class CheckMemo {
  /** Number of the present copy of the fields in the state (Private.HELD): it is of use when the state has the same, which a restored one has not. 0 when there is none. */
  private copy = 0;
  private copies = 0;
  /** Checks that read a word. */
  private readonly readers: number[][] = Array.from({ length: (WORDS + WORDS_PER_PAIR - 1) & ~(WORDS_PER_PAIR - 1) }, () => []);
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
  private readonly views: MemoryViews;
  /** Indices of slot 0 and of its copy in 32-bit words, and the address of what Transfer finds changed. */
  private readonly words: number;
  private readonly held: number;
  private readonly changed: number;

  /** `context` must give the present values. What it holds itself never changes; its class's getters give values that may change, and its methods besides `low` and `high` anything. */
  constructor(
    private readonly checks: readonly EntryCheck[],
    private readonly context: EntryContext,
    private readonly state: CpuState,
    private readonly transfer: Transfer,
  ) {
    this.views = state.views;
    this.knows = new Uint8Array(checks.length * WORDS);
    this.isAlways = new Uint8Array(checks.length);
    this.ranAt = new Float64Array(checks.length);
    this.words = (state.base + Offset.VMCS) >>> 2;
    this.held = (state.base + Held.FIELDS) >>> 2;
    this.changed = state.base + Held.CHANGED;
    this.noting = this.notingContext(context);
  }

  /** A context that reads as the one given and notes what is read. */
  private notingContext(context: EntryContext): EntryContext {
    const { u32 } = this.state;
    const noteWord = (word: number): number => {
      const at = this.running * WORDS + word;
      if (this.knows[at] === 0) {
        this.knows[at] = 1;
        this.readers[word]!.push(this.running);
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
    if (this.copy === 0 || this.state.get32(Private.HELD) !== this.copy) return this.begin();
    let holds = true;
    const differing = this.transfer.compare(this.state.base);
    for (let i = 0; i < differing; i++) holds = this.pairHolds(this.views.u8[this.changed + i]! * WORDS_PER_PAIR) && holds;
    for (let i = 0; i < this.inputs.length; i++) {
      const input = this.inputs[i]!;
      const value: unknown = this.context[input.key];
      if (value === input.held) continue;
      input.held = value;
      this.renumber(); // the value is not in the state: a state from before it must not pass for this one
      for (let r = 0; r < input.readers.length; r++) holds = this.make(input.readers[r]!) && holds;
    }
    for (let a = 0; a < this.always.length; a++) holds = this.make(this.always[a]!) && holds;
    if (!holds) this.copy = 0;
    return holds;
  }

  /** Makes the checks that read one of four words if it has changed, and keeps the new values. */
  private pairHolds(first: number): boolean {
    const { u32 } = this.views;
    let holds = true;
    for (let word = first; word < first + WORDS_PER_PAIR; word++) {
      const now = u32[this.words + word]!;
      const change = u32[this.held + word]! ^ now;
      if (change === 0) continue;
      u32[this.held + word] = now;
      if (word === RFLAGS_WORD && (change & ~STATUS_FLAGS) === 0) continue;
      const readers = this.readers[word]!;
      // The list may grow while a check runs, by that check itself: it does not run twice.
      for (let r = 0; r < readers.length; r++) holds = this.make(readers[r]!) && holds;
    }
    return holds;
  }

  /** Makes all checks, and the copy if they hold. */
  private begin(): boolean {
    const holds = this.makeAll();
    this.copy = 0;
    if (!holds) return false;
    this.views.u32.copyWithin(this.held, this.words, this.words + WORDS);
    this.renumber();
    return true;
  }

  private renumber(): void {
    this.copy = ++this.copies;
    this.state.set32(Private.HELD, this.copy);
  }

  private makeAll(): boolean {
    let holds = true;
    for (let i = 0; i < this.checks.length; i++) holds = this.make(i) && holds;
    for (const input of this.inputs) input.held = this.context[input.key];
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
