/**
 * Watches what the console shows: the texts that are expected, in order, what is typed between them, and the texts that
 * must not come. It is told every byte inside the machine's run, so what it types arrives at the same instruction in
 * every run.
 */
import type { Step } from './runOptions';

export type Verdict =
  /** Every expected text has come, and the last step was one. */
  | { kind: 'done' }
  | { kind: 'failed'; text: string };

/** Text as the serial port carries it: UTF-8, one character per byte, carriage returns aside. */
const asBytes = (text: string): string => Array.from(new TextEncoder().encode(text), (b) => String.fromCharCode(b)).join('').replaceAll('\r', '');

export class ConsoleScript {
  private readonly steps: readonly Step[];
  private readonly forbidden: readonly { text: string; bytes: string }[];
  private readonly longestForbidden: number;
  private next = 0;
  /** The bytes that the present expectation may match in: those since the one before. */
  private seen = '';
  private tail = '';
  private readonly wanted: readonly string[];

  /** `type` is called with what is to be typed. */
  constructor(
    steps: readonly Step[],
    failOn: readonly string[],
    private readonly type: (bytes: Uint8Array) => void,
    /** The same for the PS/2 keyboard. */
    private readonly press: (text: string) => void = () => {},
  ) {
    this.steps = steps;
    this.wanted = steps.map((s) => asBytes(s.text));
    this.forbidden = failOn.map((text) => ({ text, bytes: asBytes(text) }));
    this.longestForbidden = Math.max(0, ...this.forbidden.map((f) => f.bytes.length));
  }

  /** Types what stands before the first expectation. */
  start(): void {
    this.typeDue();
  }

  /** The expectation that has not come yet, if there is one. */
  get pending(): string | undefined {
    return this.steps.slice(this.next).find((s) => s.kind === 'expect' || s.kind === 'expect-screen')?.text;
  }

  /** Whether a text is expected on the VGA screen now. */
  get waitsForScreen(): boolean {
    return this.steps[this.next]?.kind === 'expect-screen';
  }

  /** What the VGA screen shows. */
  screen(rows: readonly string[]): Verdict | undefined {
    const step = this.steps[this.next];
    if (step?.kind !== 'expect-screen' || !rows.some((row) => row.includes(step.text))) return undefined;
    return this.advance();
  }

  /** One byte of the console. */
  byte(value: number): Verdict | undefined {
    const c = String.fromCharCode(value);
    if (c === '\r') return undefined;
    if (this.longestForbidden > 0) {
      this.tail = (this.tail + c).slice(-this.longestForbidden);
      const hit = this.forbidden.find((f) => this.tail.endsWith(f.bytes));
      if (hit) return { kind: 'failed', text: hit.text };
    }
    if (this.steps[this.next]?.kind !== 'expect') return undefined;
    const wanted = this.wanted[this.next]!;
    this.seen = (this.seen + c).slice(-wanted.length);
    if (this.seen !== wanted) return undefined;
    return this.advance();
  }

  /** The present expectation has come. */
  private advance(): Verdict | undefined {
    this.seen = '';
    this.next++;
    if (this.next === this.steps.length) return { kind: 'done' };
    this.typeDue();
    return undefined;
  }

  private typeDue(): void {
    for (let step = this.steps[this.next]; step?.kind === 'type' || step?.kind === 'press'; step = this.steps[++this.next]) {
      if (step.kind === 'type') this.type(new TextEncoder().encode(step.text));
      else this.press(step.text);
    }
  }
}
