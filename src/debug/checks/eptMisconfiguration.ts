/** The guest meets a malformed EPT entry, and the VMM does not know that VM exit: it tells of other things, or gives up. */
import { hex } from '../../base/bits';
import { Encoding, Reason } from '../../vmx/tables';
import { walkOfGpa } from '../memory/translation';
import type { VmxCheck } from './check';

/**
 * Instructions that a handler which knows the exit does not need before it asks for the address or enters again. VMMs
 * use malformed entries on purpose, to mark what they emulate; one that does not expect them prints what it knows.
 */
const PATIENCE = 5000;
/** Such exits that a VMM has handled, after which it is known to know them: being told of VMREAD costs time. */
const ENOUGH = 4;

export const eptMisconfiguration: VmxCheck = {
  id: 'ept-misconfiguration',
  title: 'Malformed EPT entry',
  sentence: 'The guest uses a malformed EPT entry, and the VMM neither asks for its address nor enters the guest again.',
  watch(sight) {
    const { target, report, watchReads } = sight;
    let open: { n: number; icount: number; gpa: number } | undefined;
    let handled = 0;
    const remember = (exit: typeof open): void => {
      if (open === exit) return;
      open = exit;
      watchReads(exit !== undefined);
    };
    const complain = (at: 'instruction' | 'end'): void => {
      if (!open) return;
      const { n, gpa } = open;
      remember(undefined);
      const step = walkOfGpa(target, BigInt(gpa))?.walk.steps.at(-1);
      if (step?.value === undefined || step.stop === undefined) return;
      report(
        at,
        `${step.structure} ${step.stop}`,
        `VM exit ${n} was an EPT misconfiguration: for Gpa ${hex(gpa)} the ${step.structure} (entry ${step.index}) is ${hex(step.value)}, which is malformed.`,
        step.stop,
      );
    };
    const forget = (): void => {
      if (open) handled++;
      remember(undefined);
    };
    return {
      exitsBy: Reason.EPT_MISCONFIGURATION,
      exit(record) {
        if (handled >= ENOUGH) return;
        const { n, icount, gpa } = record;
        if (gpa !== undefined) remember({ n, icount, gpa });
      },
      entry: forget,
      fieldRead(encoding) {
        if (encoding === Encoding.GUEST_PHYSICAL_ADDRESS) forget();
        else if (open && target.cpu.state.icount - open.icount > PATIENCE) complain('instruction');
      },
      ended: () => complain('end'),
      reset: () => remember(undefined),
    };
  },
};
