/** The guest fetches an instruction from memory that EPT lets it read but not execute. */
import { hex } from '../../base/bits';
import type { VmxCheck } from './check';
import { eptEntries } from './eptEntries';

/** Exit qualification of an EPT violation. */
const FETCH = 1n << 2n;
const READABLE_OR_WRITABLE = 3n << 3n;
const EXECUTABLE = 1n << 5n;
/** Of an EPT entry. */
const READ_OR_WRITE = 3n;
const EXECUTE = 4n;

export const eptExecute: VmxCheck = {
  id: 'ept-execute',
  title: 'EPT without execute permission',
  sentence: 'The guest fetches an instruction from a page whose EPT entry permits reading but not executing.',
  watch(sight) {
    return {
      exit({ name, qualification, gpa, guestRip, n }) {
        if (name !== 'EPT_VIOLATION' || gpa === undefined || (qualification & FETCH) === 0n) return;
        if ((qualification & READABLE_OR_WRITABLE) === 0n || (qualification & EXECUTABLE) !== 0n) return;
        const entry = eptEntries(sight, gpa).find(({ value }) => (value & READ_OR_WRITE) !== 0n && (value & EXECUTE) === 0n);
        // Large pages without execute permission are a known measure against a defect of processors: VMMs split them then.
        if (!entry || (entry.leaf && entry.level > 1)) return;
        sight.report(
          'exit',
          entry.level,
          `The guest fetched its instruction at ${sight.guestPlace(guestRip)} from Gpa ${hex(gpa)} (VM exit ${n}), and the EPT entry there does not permit execution: bit 2 of ${hex(entry.value)} is 0.`,
          entry.leaf ? 'A page that the guest executes needs bit 2 (execute) besides bit 0 (read) and bit 1 (write).' : `It is an entry of level ${entry.level}: the permissions of all levels are combined, so entries that point to tables need bits 2:0 too.`,
        );
      },
    };
  },
};
