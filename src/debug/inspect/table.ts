/** Rows as text with aligned columns, for the Debug Console. */

/** Columns of numbers align to the right. */
export type Column = 'left' | 'right';

/** `head` may be empty. Trailing blanks are cut. */
export function textTable(head: readonly string[], rows: readonly (readonly string[])[], columns: readonly Column[] = []): string {
  const all = head.length > 0 ? [head, ...rows] : rows;
  const widths: number[] = [];
  for (const row of all) row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, cell.length)));
  return all.map((row) => row.map((cell, i) => (columns[i] === 'right' ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!))).join('  ').trimEnd()).join('\n');
}
