/**
 * Reads `.e820` text, the format in which the course's kernel prints its memory map: an optional title line
 * `e820 MEMORY MAP`, then one range a line, `address: 0x..., length: 0x..., type: USABLE`. Empty lines and `#` comments
 * are allowed. Text copied from a console may carry a prefix; it must not, because then it is not this format.
 */

/** A stretch of one line: columns from 0, `end` exclusive. */
export interface Span {
  line: number;
  start: number;
  end: number;
}

/** A piece of text that was understood, and where it stands. */
export interface Located<T> {
  value: T;
  span: Span;
}

export interface Range {
  /** The whole line without surrounding blanks. */
  span: Span;
  address: Located<bigint>;
  length: Located<bigint>;
  /** The word as written; `types.ts` knows which exist. */
  type: Located<string>;
}

export interface SyntaxError {
  span: Span;
  message: string;
}

export interface E820File {
  ranges: Range[];
  errors: SyntaxError[];
}

const TITLE = /^e820 memory map:?$/i;
const NUMBER = /^(0x[0-9a-f]+|[0-9]+)$/i;

/** What stands between the parts of a line, in order. */
const PARTS = [
  { key: 'address', what: 'a number such as 0x100000' },
  { key: 'length', what: 'a number such as 0x1000' },
  { key: 'type', what: 'a type such as USABLE' },
] as const;

/** Reads a whole text. Never throws: what cannot be read is in `errors`, one per line at most. */
export function parseE820(text: string): E820File {
  const file: E820File = { ranges: [], errors: [] };
  let titleAllowed = true;
  text.split(/\r\n|\r|\n/).forEach((raw, line) => {
    const content = raw.replace(/#.*$/, '').trimEnd();
    const start = content.length - content.trimStart().length;
    if (start === content.length) return;
    if (TITLE.test(content.slice(start))) {
      if (!titleAllowed) file.errors.push({ span: { line, start, end: content.length }, message: 'The title can only stand above the first range.' });
      titleAllowed = false;
      return;
    }
    titleAllowed = false;
    const read = readRange(content, line, start);
    if ('message' in read) file.errors.push(read);
    else file.ranges.push(read);
  });
  return file;
}

/** Reads `address: A, length: L, type: T` from column `start`. */
function readRange(content: string, line: number, start: number): Range | SyntaxError {
  const words: Located<string>[] = [];
  let at = start;
  for (const [index, { key, what }] of PARTS.entries()) {
    const rest = content.slice(at);
    const opening = new RegExp(`^\\s*${key}\\s*:\\s*`, 'i').exec(rest);
    if (!opening) {
      const message =
        index === 0
          ? 'A line has the form "address: 0x..., length: 0x..., type: USABLE".'
          : `"${key}: ..." must follow here, after a comma.`;
      return { span: spanFrom(line, content, at), message };
    }
    at += opening[0].length;
    const word = /^[^\s,]*/.exec(content.slice(at))![0];
    if (!word || (key !== 'type' && !NUMBER.test(word))) {
      const found = word ? `"${word}" is not ${what}` : `${what} is missing`;
      return { span: { line, start: word ? at : at - opening[0].trimStart().length, end: at + word.length }, message: `The ${key}: ${found}.` };
    }
    words.push({ value: word, span: { line, start: at, end: at + word.length } });
    at += word.length;
    if (index < PARTS.length - 1) {
      const comma = /^\s*,/.exec(content.slice(at));
      if (!comma) return { span: spanFrom(line, content, at), message: `A comma and "${PARTS[index + 1].key}: ..." must follow the ${key}.` };
      at += comma[0].length;
    }
  }
  if (content.slice(at).trim()) return { span: spanFrom(line, content, at), message: 'Nothing may follow the type.' };
  const [address, length, type] = words;
  const number = (word: Located<string>): Located<bigint> => ({ value: BigInt(word.value), span: word.span });
  return { span: { line, start, end: content.length }, address: number(address), length: number(length), type };
}

/** From the first character that is not a blank at or after `at`, or the last of the line where there is none. */
function spanFrom(line: number, content: string, at: number): Span {
  const blanks = /^\s*/.exec(content.slice(at))![0].length;
  const start = Math.min(at + blanks, content.length - 1);
  return { line, start, end: content.length };
}
