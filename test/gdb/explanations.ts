/** Where GDB and Hyperstep differ and why Hyperstep stays as it is. */

interface Explanation {
  /** The scene it belongs to; in all when it is absent. */
  scene?: string;
  /** Sentences of agreement.ts that it explains. */
  pattern: RegExp;
  why: string;
  /** What the innermost function has to be called. */
  where?: RegExp;
}

const EXPLANATIONS: readonly Explanation[] = [
  {
    pattern: /no local \w+, which is optimized out$/,
    why: 'GDB lists variables of inner blocks of which the compiler has left nothing, as optimized out; Hyperstep lists those of blocks that have code.',
  },
  {
    scene: 'linux',
    pattern: /no local (__UNIQUE_ID_\w+|__already_done|__warned|___tp_str)$/,
    why: 'The same of the static variables that macros of Linux declare in such blocks.',
  },
  {
    scene: 'linux',
    pattern: /rw_verify_area:\d+ pos is optimized out for gdb/,
    why: 'Read through the entry value of the parameter ppos, which GDB gives up.',
  },
  {
    scene: 'linux',
    // The addresses of struct page, of which a folio is the first.
    pattern: /^#\d+ folio_mark_accessed:\d+ folio is .* for gdb, ours 0xffffea[0-9a-f]{10}\b/,
    why: 'An entry value that GDB gives up, as among the tail calls that it follows one has no known target (__rcu_report_exp_rnp). At 20 stops of 20 at ffffffff812835fd Hyperstep\'s value was what RDI still held.',
  },
  {
    scene: 'linux',
    pattern: /^#0 __rmqueue_smallest:\d+ area: gdb 0x[0-9a-f]+ \(\d+\), ours 0xffff8880[0-9a-f]{8}$/,
    why: 'Computed with an entry value of rmqueue_bulk\'s zone, for which GDB takes another register\'s value: at ffffffff812e4eab Hyperstep\'s is what RSI, which walks over zone->free_area, and the parameter zone in the frames around bear out.',
  },
  {
    scene: 'linux',
    pattern: /^#1 \S+: not in ours$/,
    why: 'Linux\'s unwind tables end the stack in retpolines, whose return address is being replaced; GDB takes what lies on the stack for the caller\'s.',
    where: /^__x86_indirect_thunk_/,
  },
];

/** For what the machine has shown to be right. */
export const ENTRY_VALUE_CHECKED = 'An entry value that GDB gives up, or computes with the callee\'s registers instead of the caller\'s: executing the instructions before the stop again has shown what the registers had when the function was entered, and that is Hyperstep\'s value.';

/** For a function named where debug information says that its inlined call begins. */
export const EMPTY_RANGE = 'An inlined call of gcc -O2 that begins with a range without bytes: GDB drops the range and tells the line in the function around it, Hyperstep in the function whose line it is.';

/** For a line that the table repeats, and whose end or first row is without a statement. */
export const REPEATED_LINE = 'GDB drops rows that repeat the line of a row before them, and begins a line with its statement alone: of a statement that is repeated with a discriminator, or of rows that follow one without a statement, it tells the line around. Hyperstep tells the row that the table has for the address.';

/** Why a difference is none to mend; undefined for one that nobody has explained. `innermost` is the function of the stop. */
export const explanationOf = (scene: string, sentence: string, innermost: string): string | undefined =>
  EXPLANATIONS.find((e) => (e.scene === undefined || e.scene === scene) && e.pattern.test(sentence) && (e.where === undefined || e.where.test(innermost)))?.why;
