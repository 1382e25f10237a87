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
    pattern: /no local __UNIQUE_ID_\w+$/,
    why: 'The same of the markers that macros of Linux declare in such blocks.',
  },
];

/** Why a difference is none to mend; undefined for one that nobody has explained. */
export const explanationOf = (scene: string, sentence: string): string | undefined => EXPLANATIONS.find((e) => (e.scene === undefined || e.scene === scene) && e.pattern.test(sentence))?.why;
