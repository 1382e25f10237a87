/** Memory at an address of any space, as bytes and characters. */
import { hex } from '../../base/bits';
import type { SpaceName } from '../memory/memorySpace';
import type { Target } from '../target';
import type { InspectionNode } from './node';

const ROW_BYTES = 16;
const ROWS = 16;

const characters = (bytes: Uint8Array): string => Array.from(bytes, (b) => (b >= 0x20 && b < 0x7f ? String.fromCharCode(b) : '.')).join('');
const bytesText = (bytes: Uint8Array): string => Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join(' ').padEnd(ROW_BYTES * 3 - 1);
const rowText = (bytes: Uint8Array): string => (bytes.length === 0 ? 'nothing is mapped here' : `${bytesText(bytes)}  ${characters(bytes)}`);

/** The bytes from an address on, a row in one line and 16 rows below it. */
export function memoryNode(target: Target, space: SpaceName, address: bigint): InspectionNode {
  const reference = (at: bigint): string => `${space}:${hex(at)}`;
  const row = (i: number): { at: bigint; text: string } => {
    const at = BigInt.asUintN(64, address + BigInt(i * ROW_BYTES));
    return { at, text: rowText(target.read(space, at, ROW_BYTES)) };
  };
  const rows = (): { at: bigint; text: string }[] => Array.from({ length: ROWS }, (_, i) => row(i));
  return {
    name: reference(address),
    value: row(0).text,
    memoryReference: reference(address),
    children: () => rows().map(({ at, text }) => ({ name: reference(at), value: text, memoryReference: reference(at) })),
    table: () => rows().map(({ at, text }) => `${reference(at)}  ${text}`.trimEnd()).join('\n'),
  };
}
