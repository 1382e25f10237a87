/** The guest fetches an instruction from memory that EPT lets it read but not execute. */
import { hex } from '../../base/bits';
import { Reason } from '../../vmx/tables';
import { walkOfGpa } from '../memory/translation';
import type { VmxCheck } from './check';

/** Exit qualification of an EPT violation. */
const FETCH = 1n << 2n;
const READABLE_OR_WRITABLE = 3n << 3n;
const EXECUTABLE = 1n << 5n;
/** Of an EPT entry. */
const READ_OR_WRITE = 3n;
const EXECUTE = 4n;
const LEVELS = 4;
const PAGE = 0x1000;

export const eptExecute: VmxCheck = {
  id: 'ept-execute',
  title: 'EPT without execute permission',
  sentence: 'The guest fetches an instruction from a page whose EPT entry permits reading but not executing.',
  watch(sight) {
    return {
      exitsBy: Reason.EPT_VIOLATION,
      exit(record) {
        const { qualification, gpa, guestRip, n } = record;
        if (gpa === undefined || (qualification & FETCH) === 0n) return;
        if ((qualification & READABLE_OR_WRITABLE) === 0n || (qualification & EXECUTABLE) !== 0n) return;
        const steps = walkOfGpa(sight.target, BigInt(gpa))?.walk.steps ?? [];
        const at = steps.findIndex(({ value = 0n }) => (value & READ_OR_WRITE) !== 0n && (value & EXECUTE) === 0n);
        if (at < 0) return;
        const { value, pageSize } = steps[at]!;
        // Large pages without execute permission are a known measure against a defect of processors: VMMs split them then.
        if (pageSize !== undefined && pageSize > PAGE) return;
        const level = LEVELS - at;
        sight.report(
          'exit',
          level,
          `The guest fetched its instruction at ${sight.guestPlace(guestRip)} from Gpa ${hex(gpa)} (VM exit ${n}), and the EPT entry there does not permit execution: bit 2 of ${hex(value!)} is 0.`,
          pageSize !== undefined ? 'A page that the guest executes needs bit 2 (execute) besides bit 0 (read) and bit 1 (write).' : `It is an entry of level ${level}: the permissions of all levels are combined, so entries that point to tables need bits 2:0 too.`,
        );
      },
    };
  },
};
