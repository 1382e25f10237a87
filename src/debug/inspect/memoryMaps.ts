/** The memory maps as lines: what the guest was told, what EPT maps, what the firmware reports, and where they disagree. */
import { hex } from '../../base/bits';
import { byteSize } from '../../base/byteSize';
import { rangeName } from '../../base/rangeTypes';
import type { E820Entry } from '../../machine/machineInterface';
import type { EptRange } from '../memory/eptRanges';
import type { GuestMap } from '../memory/guestMap';
import { mapFindings } from '../memory/mapFindings';
import { mappedByEpt, memoryAccounts } from '../memory/memoryAccounts';
import type { Target } from '../target';
import type { InspectionNode } from './node';
import { textTable } from './table';
import { STOP_MARK } from './translation';

const span = (base: bigint, length: bigint): string => `${hex(base)} - ${hex(base + length - 1n)}`;

const toldRow = (e: E820Entry): string[] => [span(e.base, e.length), byteSize(e.length), rangeName(e.type)];
const eptRow = (r: EptRange): string[] => [span(r.base, r.length), byteSize(r.length), r.rights, r.memoryType, `\u2192 ${`hpa:${hex(r.hpa)}`}`, `${byteSize(BigInt(r.pageSize))} pages`];

const list = (name: string, value: string, rows: readonly string[][]): InspectionNode => ({
  name,
  value,
  children: () => rows.map(([label, ...rest]) => ({ name: label!, value: rest.join(' ') })),
});

const section = (title: string, rows: readonly string[][]): string => [title, ...(rows.length ? [textTable([], rows, ['left', 'right']).replace(/^/gm, '  ')] : ['  nothing'])].join('\n');

/** `e820()`. */
export function memoryMapsNode(target: Target, guestMap: GuestMap | undefined): InspectionNode {
  const accounts = memoryAccounts(target, guestMap);
  const findings = mapFindings(accounts);
  const told = accounts.guest?.map(toldRow) ?? [];
  const mapped = accounts.ept?.map(eptRow) ?? [];
  const reported = accounts.machine.map(toldRow);
  const found = findings.map((f) => [f.severity === 'warning' ? `${STOP_MARK}${f.rule}` : f.rule, f.sentence]);
  const eptNote = accounts.ept === undefined ? 'no EPT in use' : `${mapped.length} ranges${accounts.complete ? '' : ', and more'}`;
  return {
    name: 'e820()',
    value: `guest: ${accounts.guest ? `${told.length} ranges` : 'not told yet'}; EPT: ${eptNote}; machine: ${reported.length} ranges${findings.length ? `; ${findings.length} remark${findings.length === 1 ? '' : 's'}` : ''}`,
    children: () => [
      list('guest', accounts.guest ? guestMap!.source : 'not told yet', told),
      list('EPT', eptNote, mapped),
      list('machine', 'INT 15h, AX=E820h of the firmware', reported),
      list('remarks', `${findings.length}`, found),
    ],
    table: () =>
      [
        accounts.guest ? section(`The guest was told (${guestMap!.source}):`, told) : 'The guest has not been told a memory map yet.',
        accounts.ept ? section(`EPT maps${accounts.complete ? '' : ' (there is more)'}:`, mapped) : 'No EPT is in use.',
        section('The firmware reports:', reported),
        ...(found.length ? [`Remarks:\n${found.map(([rule, sentence]) => `  ${rule}: ${sentence}`).join('\n')}`] : []),
      ].join('\n'),
  };
}

/** `ept()`: all that EPT maps. */
export function eptRangesNode(target: Target): InspectionNode | undefined {
  const mapped = mappedByEpt(target);
  if (!mapped) return undefined;
  const rows = mapped.ranges.map(eptRow);
  return {
    ...list('ept()', `${rows.length} ranges, EPTP ${hex(mapped.eptp)}${mapped.complete ? '' : ', and more'}`, rows),
    table: () => section(`EPTP ${hex(mapped.eptp)} maps${mapped.complete ? '' : ' (there is more)'}:`, rows),
  };
}
