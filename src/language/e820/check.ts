/** What can be wrong with a memory map whose lines can all be read: one rule each, walked by `checkE820`. */
import { byteSize } from '../../base/byteSize';
import { hex } from '../../base/bits';
import type { E820File, Range, Span } from '../../base/e820Text';
import { RANGE_TYPES, rangeType } from '../../base/rangeTypes';

export type Severity = 'error' | 'warning' | 'hint';

export interface Finding {
  /** Which rule, for the code of the diagnostic. */
  rule: string;
  severity: Severity;
  message: string;
  span: Span;
  /** Another line that the sentence speaks of. */
  related?: { span: Span; message: string };
}

type Report = Omit<Finding, 'rule' | 'severity'>;

interface Rule {
  id: string;
  severity: Severity;
  /** Looks at one range and those above it, nearest last. */
  check(range: Range, above: readonly Range[]): Report | undefined;
}

/** First address after the range; may be 2^64 or more. */
export const endOf = (range: Range): bigint => range.address.value + range.length.value;

const address = (value: bigint): string => hex(value, 16);
const SPACE = 1n << 64n;
const PAGE = 0x1000n;

const RULES: readonly Rule[] = [
  {
    id: 'number-too-large',
    severity: 'error',
    check: ({ address, length }) => {
      const [what, number] = address.value >= SPACE ? ['address', address] : ['length', length];
      if (number.value < SPACE) return undefined;
      return { span: number.span, message: `The ${what} does not fit in 64 bits.` };
    },
  },
  {
    id: 'unknown-type',
    severity: 'error',
    check: ({ type }) =>
      rangeType(type.value)
        ? undefined
        : { span: type.span, message: `"${type.value}" is not a type: use one of ${RANGE_TYPES.map((known) => known.name).join(', ')}.` },
  },
  {
    id: 'zero-length',
    severity: 'error',
    check: ({ length }) => (length.value === 0n ? { span: length.span, message: 'A range of length 0 describes nothing.' } : undefined),
  },
  {
    id: 'past-the-end',
    severity: 'error',
    check: (range) =>
      range.address.value < SPACE && range.length.value < SPACE && endOf(range) > SPACE
        ? { span: range.length.span, message: `The range ends ${byteSize(endOf(range) - SPACE)} past the last address, 2^64 - 1.` }
        : undefined,
  },
  {
    id: 'overlap',
    severity: 'error',
    check: (range, above) => {
      const other = above.find(
        (earlier) =>
          range.length.value > 0n &&
          earlier.length.value > 0n &&
          earlier.address.value < endOf(range) &&
          range.address.value < endOf(earlier),
      );
      if (!other) return undefined;
      const from = other.address.value > range.address.value ? other.address.value : range.address.value;
      const to = endOf(other) < endOf(range) ? endOf(other) : endOf(range);
      return {
        span: range.span,
        message: `The range overlaps that of line ${other.span.line + 1} by ${byteSize(to - from)}, from ${address(from)} to ${address(to - 1n)}.`,
        related: { span: other.span, message: 'The other range.' },
      };
    },
  },
  {
    id: 'out-of-order',
    severity: 'warning',
    check: (range, above) => {
      const previous = above.at(-1);
      if (!previous || previous.address.value <= range.address.value) return undefined;
      return {
        span: range.address.span,
        message: `The range starts below that of line ${previous.span.line + 1}: ranges should be in ascending order.`,
        related: { span: previous.span, message: 'The range before it.' },
      };
    },
  },
  {
    id: 'hole',
    severity: 'hint',
    check: (range, above) => {
      if (above.length === 0) return undefined;
      const from = above.map(endOf).reduce((a, b) => (a > b ? a : b));
      if (from >= range.address.value) return undefined;
      return {
        span: range.address.span,
        message: `Nothing describes the ${byteSize(range.address.value - from)} before this range, from ${address(from)} to ${address(range.address.value - 1n)}.`,
      };
    },
  },
  {
    id: 'unaligned',
    severity: 'hint',
    check: (range) => {
      if (range.type.value.toUpperCase() !== 'USABLE' || endOf(range) % PAGE === 0n) return undefined;
      return {
        span: range.length.span,
        message: `The usable range ends inside a page, at ${address(endOf(range))}: its last ${byteSize(endOf(range) % PAGE)} cannot be handed out as a 4 KiB page.`,
      };
    },
  },
];

/** Ids of all rules, for the tests and the documentation. */
export const RULE_IDS: readonly string[] = ['syntax', ...RULES.map((rule) => rule.id)];

/** Everything wrong with the file, in the order of its lines: what cannot be read, then what breaks a rule. */
export function checkE820(file: E820File): Finding[] {
  const findings: Finding[] = file.errors.map((error) => ({ rule: 'syntax', severity: 'error', ...error }));
  file.ranges.forEach((range, index) => {
    const above = file.ranges.slice(0, index);
    for (const rule of RULES) {
      const report = rule.check(range, above);
      if (report) findings.push({ rule: rule.id, severity: rule.severity, ...report });
    }
  });
  return findings.sort((a, b) => a.span.line - b.span.line || a.span.start - b.span.start);
}
