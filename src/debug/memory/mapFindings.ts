/**
 * Where three accounts of a guest's memory disagree: what the guest was told, what EPT maps, and what the machine's
 * firmware reports of the memory behind it. A table of rules, each with an id and a sentence per finding.
 */
import { hex } from '../../base/bits';
import { byteSize } from '../../base/byteSize';
import { rangeName } from '../../base/rangeTypes';
import type { E820Entry } from '../../machine/machineInterface';
import type { EptRange } from './eptRanges';

export interface MapAccounts {
  /** What the guest was told; undefined until it has been. */
  guest: readonly E820Entry[] | undefined;
  /** What EPT maps; undefined without EPT. */
  ept: readonly EptRange[] | undefined;
  /** What the machine's firmware reports. */
  machine: readonly E820Entry[];
  /** Host-physical pages that the guest must never reach, each with its name. */
  secrets: readonly { name: string; hpa: number; length: number }[];
}

export interface MapFinding {
  rule: string;
  /** A warning is a mistake nearly always; a note may be meant so. */
  severity: 'warning' | 'note';
  /** Guest-physical range. */
  base: bigint;
  length: bigint;
  sentence: string;
}

interface Range {
  base: bigint;
  length: bigint;
}

const USABLE = 1;
/** The adapter's memory and the ROMs of a PC: a VMM passes them through on purpose. */
const IO_HOLE: Range = { base: 0xa_0000n, length: 0x6_0000n };
/** So many findings of one rule are told. */
const MOST_OF_A_RULE = 8;

const end = ({ base, length }: Range): bigint => base + length;
const span = (r: Range): string => `${hex(r.base)}-${hex(end(r) - 1n)}`;

/** What two ranges share. */
function overlap(a: Range, b: Range): Range | undefined {
  const base = a.base > b.base ? a.base : b.base;
  const last = end(a) < end(b) ? end(a) : end(b);
  return last > base ? { base, length: last - base } : undefined;
}

/** A range without the parts that others cover. */
function without(range: Range, others: readonly Range[]): Range[] {
  let left: Range[] = [range];
  for (const other of others) {
    left = left.flatMap((r) => {
      const shared = overlap(r, other);
      if (!shared) return [r];
      return [{ base: r.base, length: shared.base - r.base }, { base: end(shared), length: end(r) - end(shared) }].filter(({ length }) => length > 0n);
    });
  }
  return left;
}

const sum = (ranges: readonly Range[]): bigint => ranges.reduce((all, { length }) => all + length, 0n);
const usable = (entries: readonly E820Entry[]): E820Entry[] => entries.filter((e) => e.type === USABLE && e.length > 0n);
const hostOf = (r: EptRange): Range => ({ base: BigInt(r.hpa), length: r.length });

type Found = Omit<MapFinding, 'rule' | 'severity'>;

interface Rule {
  id: string;
  severity: MapFinding['severity'];
  find(accounts: MapAccounts): Found[];
}

const RULES: readonly Rule[] = [
  {
    id: 'told-twice',
    severity: 'warning',
    find: ({ guest = [] }) =>
      guest.flatMap((a, i) =>
        guest.slice(i + 1).flatMap((b) => {
          const shared = overlap(a, b);
          return shared ? [{ ...shared, sentence: `The guest was told of ${span(shared)} twice: as ${rangeName(a.type)} and as ${rangeName(b.type)}.` }] : [];
        }),
      ),
  },
  {
    id: 'secret-reachable',
    severity: 'warning',
    find: ({ ept = [], secrets }) =>
      ept.flatMap((r) =>
        secrets.flatMap(({ name, hpa, length }) => {
          const shared = overlap(hostOf(r), { base: BigInt(hpa), length: BigInt(length) });
          if (!shared) return [];
          const base = r.base + shared.base - BigInt(r.hpa);
          return [{ base, length: shared.length, sentence: `EPT lets the guest reach ${name} at hpa:${hex(hpa)}, as gpa:${hex(base)} (${r.rights}).` }];
        }),
      ),
  },
  {
    id: 'not-ram',
    severity: 'warning',
    find: ({ guest, ept = [], machine }) =>
      guest === undefined
        ? []
        : ept.flatMap((r) =>
            usable(guest).flatMap((g) => {
              const shared = overlap(r, g);
              if (!shared) return [];
              const behind = { base: BigInt(r.hpa) + shared.base - r.base, length: shared.length };
              return without(behind, usable(machine)).map((bad) => ({
                base: shared.base + bad.base - behind.base,
                length: bad.length,
                sentence: `The guest was told that gpa:${hex(shared.base + bad.base - behind.base)} (${byteSize(bad.length)}) is usable, but EPT maps it to hpa:${hex(bad.base)}, which the firmware does not report as usable memory.`,
              }));
            }),
          ),
  },
  {
    id: 'shared-frame',
    severity: 'warning',
    find: ({ ept = [] }) => {
      const byHost = [...ept].sort((a, b) => a.hpa - b.hpa);
      const found: Found[] = [];
      for (let i = 1; i < byHost.length; i++) {
        const [a, b] = [byHost[i - 1]!, byHost[i]!];
        const shared = overlap(hostOf(a), hostOf(b));
        if (shared) found.push({ base: b.base, length: shared.length, sentence: `EPT maps hpa:${hex(shared.base)} (${byteSize(shared.length)}) twice: as gpa:${hex(a.base + shared.base - BigInt(a.hpa))} and as gpa:${hex(b.base + shared.base - BigInt(b.hpa))}.` });
      }
      return found;
    },
  },
  {
    id: 'usable-but-read-only',
    severity: 'note',
    find: ({ guest, ept = [] }) =>
      guest === undefined
        ? []
        : ept.filter((r) => !r.rights.includes('W')).flatMap((r) => usable(guest).flatMap((g) => overlap(r, g) ?? []).map((shared) => ({ ...shared, sentence: `The guest was told that ${span(shared)} is usable, but EPT does not let it write there (${r.rights}).` }))),
  },
  {
    id: 'mapped-but-not-told',
    severity: 'note',
    find: ({ guest, ept = [] }) =>
      guest === undefined
        ? []
        : ept.flatMap((r) => without(r, [...usable(guest), IO_HOLE])).map((r) => ({ ...r, sentence: `EPT maps ${span(r)} (${byteSize(r.length)}), which the guest was not told to be usable.` })),
  },
  {
    id: 'told-but-not-mapped',
    severity: 'note',
    find: ({ guest, ept }) =>
      guest === undefined || ept === undefined
        ? []
        : usable(guest).flatMap((g) => {
            const missing = sum(without(g, ept));
            return missing === 0n ? [] : [{ base: g.base, length: g.length, sentence: `Of ${span(g)}, which the guest was told to be usable, EPT maps ${byteSize(g.length - missing)} of ${byteSize(g.length)} so far.` }];
          }),
  },
];

/** All findings, warnings first. */
export function mapFindings(accounts: MapAccounts): MapFinding[] {
  const found = RULES.flatMap(({ id, severity, find }) => {
    const all = find(accounts);
    const told: MapFinding[] = all.slice(0, MOST_OF_A_RULE).map((f) => ({ rule: id, severity, ...f }));
    if (all.length > told.length) told.push({ rule: id, severity, base: all[MOST_OF_A_RULE]!.base, length: 0n, sentence: `There are ${all.length - told.length} more of this kind.` });
    return told;
  });
  return [...found.filter((f) => f.severity === 'warning'), ...found.filter((f) => f.severity === 'note')];
}
