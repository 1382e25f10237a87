/** VM exits as lines: how many of each reason, and the last ones with the guest's place. */
import { hex } from '../../base/bits';
import type { ExitRecord } from '../../vmx/observe';
import { decodeQualification } from '../../vmx/tables';
import { exitSentence, exitWords } from '../exits/exitWords';
import { addressName, addressPlace, sourcePlace } from '../stack/callStack';
import type { Target } from '../target';
import type { InspectionNode } from './node';
import { textTable } from './table';

/** Everything that an exit tells, a line each; of which processor only where the machine has several. */
export function exitNodes(target: Target, r: ExitRecord): InspectionNode[] {
  const guest = (name: string, address: bigint): InspectionNode => ({ name, value: `${hex(address)} ${addressName(target, 'guest', address)}`.replace(/ 0x[0-9a-f]+$/, ''), memoryReference: `guest:${hex(address)}` });
  const words = decodeQualification(r.reason, r.qualification).text;
  return [
    { name: 'reason', value: `${r.reason} ${r.name}`, description: exitSentence(r) },
    { name: 'meaning', value: exitSentence(r) },
    { name: 'qualification', value: words === hex(r.qualification) || words === 'none' ? hex(r.qualification) : `${hex(r.qualification)} ${words}` },
    { ...guest('guest RIP', r.guestRip), origin: () => sourcePlace(target, 'guest', r.guestRip) },
    { name: 'instruction length', value: String(r.instructionLength) },
    ...(r.linear === undefined ? [] : [guest('guest-linear address', r.linear)]),
    ...(r.gpa === undefined ? [] : [{ name: 'guest-physical address', value: hex(r.gpa), memoryReference: `gpa:${hex(r.gpa)}`, evaluateName: `walk(gpa:${hex(r.gpa)})` }]),
    ...Object.entries(r.details).map(([name, value]) => ({ name, value: typeof value === 'number' && value > 9 ? `${value} (${hex(value)})` : String(value) })),
    ...(target.machine.cpus.length > 1 ? [{ name: 'processor', value: String(r.cpu) }] : []),
    { name: 'icount', value: String(r.icount) },
  ];
}

/** `exits(count)`. */
export function exitsNode(target: Target, count: number): InspectionNode {
  const { recorder } = target;
  const total = [...recorder.counts.values()].reduce((sum, n) => sum + n, 0);
  const byName = [...recorder.counts].sort(([, a], [, b]) => b - a);
  const last = recorder.last(count);
  return {
    name: 'exits()',
    value: total === 0 ? 'no VM exit yet' : `${total} VM exit${total === 1 ? '' : 's'}, ${byName.length} reason${byName.length === 1 ? '' : 's'}, the last ${exitWords(last.at(-1)!)}`,
    children: () => [
      { name: 'by reason', value: `${byName.length}`, children: () => byName.map(([name, n]) => ({ name, value: String(n) })) },
      ...last.map((r) => ({ name: `VM exit ${r.n}`, value: `${exitWords(r)} at ${addressPlace(target, 'guest', r.guestRip)}`, children: () => exitNodes(target, r), origin: () => sourcePlace(target, 'guest', r.guestRip) })),
    ],
    table: () =>
      total === 0
        ? 'There has been no VM exit yet.'
        : [
            textTable(['exits', 'reason'], byName.map(([name, n]) => [String(n), name]), ['right']),
            '',
            textTable(['n', 'icount', 'exit', 'guest'], last.map((r) => [String(r.n), String(r.icount), exitWords(r), addressPlace(target, 'guest', r.guestRip)]), ['right', 'right']),
          ].join('\n'),
  };
}
