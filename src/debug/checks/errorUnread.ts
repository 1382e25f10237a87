/** A VM entry fails with an error number, and the VMM goes on as if there had been a VM exit. */
import { Encoding, fieldOf, instructionErrorSentence } from '../../vmx/tables';
import type { VmxFailure } from '../../vmx/observe';
import type { VmxCheck } from './check';

const ENTRY = /^vm(launch|resume)$/;

export const errorUnread: VmxCheck = {
  id: 'error-unread',
  title: 'VM-instruction error never read',
  sentence: 'A VM entry fails, and the VMM reads exit information, enters again or dies without reading the VM-instruction error.',
  watch({ report, place, watchReads }) {
    let unread: VmxFailure | undefined;
    const remember = (failure: VmxFailure | undefined): void => {
      unread = failure;
      watchReads(failure !== undefined);
    };
    const complain = (at: 'instruction' | 'failure' | 'end', what: string): void => {
      if (!unread) return;
      const { mnemonic, rip, error } = unread;
      remember(undefined);
      report(
        at,
        rip.toString(),
        `${mnemonic.toUpperCase()} at ${place(rip)} failed with VM-instruction error ${error}, and the VMM ${what} without having read that error.`,
        `The error says: ${instructionErrorSentence(error!)}`,
        'After VMLAUNCH and VMRESUME the code that follows runs only when the VM entry has failed: it must test CF and ZF, read VM_INSTRUCTION_ERROR, and not go on to the code of VM exits.',
      );
    };
    return {
      failure(failure) {
        if (!ENTRY.test(failure.mnemonic)) return;
        complain('failure', 'enters again');
        // VMfailInvalid has no number to read.
        remember(failure.error ? failure : undefined);
      },
      entry() {
        if (unread) remember(undefined);
      },
      fieldRead(encoding) {
        if (!unread) return;
        const field = fieldOf(encoding);
        if (encoding === Encoding.VM_INSTRUCTION_ERROR) remember(undefined);
        else if (field?.group === 'exit-information') complain('instruction', `reads ${field.name}, as after a VM exit,`);
      },
      ended: (how) => complain('end', how === 'halt' ? 'has halted' : 'has died of a triple fault'),
      reset: () => remember(undefined),
    };
  },
};
