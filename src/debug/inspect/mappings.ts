/** Who maps a frame, as lines. */
import { hex } from '../../base/bits';
import { frameMappings } from '../memory/frameMappings';
import type { Mappings } from '../memory/reverse';
import type { Target } from '../target';
import type { InspectionNode } from './node';
import { textTable } from './table';

interface Row {
  who: string;
  address: string;
  note: string;
}

const note = ({ complete }: Mappings): string => (complete ? '' : 'there are more: the search was given up');

function rowsOf(target: Target, hpa: number): Row[] {
  const { vmm, gpas, guest } = frameMappings(target, hpa);
  const offset = BigInt(hpa % 0x1000);
  const rows: Row[] = vmm.addresses.map((a) => ({ who: 'VMM linear', address: `vmm:${hex(a + offset)}`, note: '' }));
  if (!vmm.complete) rows.push({ who: 'VMM linear', address: '', note: note(vmm) });
  for (const gpa of gpas?.addresses ?? []) {
    rows.push({ who: 'guest-physical', address: `gpa:${hex(gpa + offset)}`, note: '' });
    const linear = guest.find((g) => g.gpa === gpa)?.linear;
    for (const a of linear?.addresses ?? []) rows.push({ who: 'guest linear', address: `guest:${hex(a + offset)}`, note: `through gpa:${hex(gpa + offset)}` });
    if (linear && !linear.complete) rows.push({ who: 'guest linear', address: '', note: note(linear) });
  }
  if (gpas && !gpas.complete) rows.push({ who: 'guest-physical', address: '', note: note(gpas) });
  return rows;
}

/** Every address that maps the frame of a host-physical address; the addresses are of the very byte. */
export function mappingsNode(target: Target, hpa: number): InspectionNode {
  const rows = rowsOf(target, hpa);
  const count = rows.filter((r) => r.address !== '').length;
  const value = count === 0 ? 'nothing maps this frame now' : `${count} ${count === 1 ? 'address maps' : 'addresses map'} this frame`;
  return {
    name: `hpa:${hex(hpa)}`,
    value,
    memoryReference: `hpa:${hex(hpa)}`,
    children: () => rows.map((r) => ({ name: r.who, value: [r.address, r.note].filter(Boolean).join(', '), memoryReference: r.address || undefined, evaluateName: r.address || undefined })),
    table: () => [`hpa:${hex(hpa)}: ${value}.`, ...(rows.length ? [textTable([], rows.map((r) => [r.who, r.address, r.note]))] : [])].join('\n'),
  };
}
