/** Names in a line of C that can be variables. */

const KEYWORDS = new Set(
  'auto break case char const continue default do double else enum extern float for goto if inline int long register return short signed sizeof static struct switch typedef union unsigned void volatile while bool true false NULL uint8_t uint16_t uint32_t uint64_t int8_t int16_t int32_t int64_t size_t'.split(' '),
);

/** Each name once, where it stands first: no keyword, call, member, string or comment. */
export function namesIn(line: string): { name: string; at: number }[] {
  // Blanks keep the columns.
  const code = line.replace(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\/\*.*?(\*\/|$)|\/\/.*$/g, (text) => ' '.repeat(text.length));
  if (/^\s*(#|\*)/.test(code)) return [];
  const found = new Map<string, number>();
  for (const match of code.matchAll(/(\.|->)?\s*\b([A-Za-z_][A-Za-z0-9_]*)\b(\s*\()?/g)) {
    const [, member, name, call] = match;
    if (member || call || KEYWORDS.has(name!) || found.has(name!)) continue;
    found.set(name!, code.indexOf(name!, match.index));
  }
  return [...found].map(([name, at]) => ({ name, at }));
}
