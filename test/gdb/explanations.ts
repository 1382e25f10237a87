/** Where GDB and Hyperstep differ and why Hyperstep stays as it is. */

interface Explanation {
  /** The scene it belongs to; in all when it is absent. */
  scene?: string;
  /** Sentences of agreement.ts that it explains. */
  pattern: RegExp;
  why: string;
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
    // An offset in a page.
    pattern: /^#\d+ page_copy_sane:\d+ offset is optimized out for gdb, ours \d{1,4}\b/,
    why: 'The function adds its third argument to its second, offset, in RSI; GDB gives up the entry value. At 20 calls of 20 Hyperstep\'s value was RSI less RDX.',
  },
];

/** For what the machine has shown to be right. */
export const ENTRY_VALUE_CHECKED = 'An entry value that GDB gives up, or computes with the callee\'s registers instead of the caller\'s: executing the instructions before the stop again has shown that the register had Hyperstep\'s value when the function was entered.';

/** For a function named where debug information says that its inlined call begins. */
export const EMPTY_RANGE = 'An inlined call of gcc -O2 that begins with a range without bytes: GDB drops the range and tells the line in the function around it, Hyperstep in the function whose line it is.';

/** Why a difference is none to mend; undefined for one that nobody has explained. */
export const explanationOf = (scene: string, sentence: string): string | undefined => EXPLANATIONS.find((e) => (e.scene === undefined || e.scene === scene) && e.pattern.test(sentence))?.why;
