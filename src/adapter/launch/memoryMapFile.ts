/** The `.e820` file whose map the firmware is to report: `machine.e820`. */
import { parseE820 } from '../../base/e820Text';
import { UserError } from '../../base/errors';
import { RANGE_TYPES, rangeType } from '../../base/rangeTypes';
import type { E820Entry } from '../../machine/machineInterface';

/** Reads the file's text. Throws a UserError that names file and line. */
export function readMemoryMap(name: string, text: string): E820Entry[] {
  const { ranges, errors } = parseE820(text);
  const [first] = errors;
  if (first) throw new UserError('machine.e820', `${name}, line ${first.span.line + 1}: ${first.message}`);
  if (ranges.length === 0) throw new UserError('machine.e820', `${name} has no memory range: write one a line, as in "address: 0x0, length: 0x9f000, type: USABLE".`);
  return ranges.map((range) => {
    const type = rangeType(range.type.value);
    if (!type) throw new UserError('machine.e820', `${name}, line ${range.span.line + 1}: ${range.type.value} is no type of memory; the types are ${RANGE_TYPES.map((t) => t.name).join(', ')}.`);
    return { base: range.address.value, length: range.length.value, type: type.value };
  });
}
