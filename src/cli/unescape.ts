/** Texts of the command line, where a shell makes it hard to write a control character. */
import { UserError } from '../base/errors';

const SIMPLE: Record<string, string> = { n: '\n', r: '\r', t: '\t', '\\': '\\', e: '\x1b' };

/** Replaces `\n`, `\r`, `\t`, `\e`, `\\` and `\xNN` by the character. Throws a UserError for any other backslash. */
export function unescape(text: string): string {
  return text.replace(/\\(x[0-9a-fA-F]{2}|[^]|$)/g, (whole, code: string) => {
    if (/^x../.test(code)) return String.fromCharCode(parseInt(code.slice(1), 16));
    const simple = SIMPLE[code];
    if (simple === undefined) throw new UserError('usage', `${whole} in ${JSON.stringify(text)} means nothing: write \\n, \\r, \\t, \\e, \\xNN, or \\\\ for a backslash.`);
    return simple;
  });
}
