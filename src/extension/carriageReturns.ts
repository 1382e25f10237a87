/** Line ends between a guest and a terminal. */

/**
 * Yields a function that puts a carriage return before each line feed that has none, which kernels send but terminals
 * do not take for the start of a line. It remembers where the last piece of text ended.
 */
export function carriageReturns(): (text: string) => string {
  let last = '';
  return (text) => {
    const result = text.replace(/\n/g, (_, at: number) => ((at > 0 ? text[at - 1] : last) === '\r' ? '\n' : '\r\n'));
    last = text.at(-1) ?? last;
    return result;
  };
}
