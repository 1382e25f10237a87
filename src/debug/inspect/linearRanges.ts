/** `pages()`: all that a world's page tables map. */
import { hex } from '../../base/bits';
import { byteSize } from '../../base/byteSize';
import { linearRanges, type LinearRange } from '../memory/linearRanges';
import type { Target } from '../target';
import { WORLD_NAME, type World } from '../world';
import type { InspectionNode } from './node';
import { textTable } from './table';

export function linearRangesNode(target: Target, world: World): InspectionNode {
  const found = linearRanges(target, world);
  const whose = `the ${WORLD_NAME[world]}'s page tables`;
  if (!found) return { name: 'pages()', value: `The ${WORLD_NAME[world]} does not use paging: linear addresses are ${world === 'guest' ? 'guest-' : ''}physical ones.` };
  const { ranges, complete } = found;
  const space = world === 'guest' ? 'gpa' : 'hpa';
  const row = (r: LinearRange): string[] => [`${hex(r.base, 16)} - ${hex(r.base + r.length - 1n, 16)}`, byteSize(r.length), r.rights, `→ ${space}:${hex(r.physical)}`, `${byteSize(BigInt(r.pageSize))} pages`];
  const more = complete ? '' : ', and more';
  return {
    name: 'pages()',
    value: `${ranges.length} range${ranges.length === 1 ? '' : 's'}${more}`,
    children: () => ranges.map((r) => ({ name: row(r)[0]!, value: row(r).slice(1).join('  '), memoryReference: `${world}:${hex(r.base)}` })),
    table: () => (ranges.length === 0 ? `Nothing is mapped by ${whose}.` : `Mapped by ${whose}${more}:\n${textTable([], ranges.map(row), ['left', 'right'])}`),
  };
}
