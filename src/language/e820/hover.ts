/** What a hover over a range says. */
import { byteSize } from '../../base/byteSize';
import { hex } from '../../base/bits';
import { endOf } from './check';
import type { E820File, Span } from '../../base/e820Text';
import { rangeType } from '../../base/rangeTypes';

export interface HoverText {
  /** Markdown. */
  markdown: string;
  /** What the hover is about. */
  span: Span;
}

/** The hover at a position (line and column from 0), if a range stands there. */
export function hoverE820(file: E820File, line: number, column: number): HoverText | undefined {
  const range = file.ranges.find(({ span }) => span.line === line && span.start <= column && column <= span.end);
  if (!range) return undefined;
  const type = rangeType(range.type.value);
  const lines = [`**${range.type.value.toUpperCase()}** ${byteSize(range.length.value)} (${range.length.value.toLocaleString('en-US')} bytes)`];
  if (range.length.value > 0n && endOf(range) <= 1n << 64n) {
    lines.push(`From \`${hex(range.address.value, 16)}\` to \`${hex(endOf(range) - 1n, 16)}\`, its last byte`);
  }
  if (type) lines.push(`Type ${type.value}: ${type.meaning}`);
  return { markdown: lines.join('  \n'), span: range.span };
}
