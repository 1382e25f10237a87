/** What stops the machine although nobody set a breakpoint: nothing is silent. Each kind can be switched off. */
import type { StopCause } from './run/stopCause';

export interface FailureKind {
  id: string;
  label: string;
  description: string;
  /** Whether a cause is of this kind. */
  is: (cause: StopCause) => boolean;
}

const isEntry = (mnemonic: string): boolean => /^vm(launch|resume)$/i.test(mnemonic);

export const FAILURES: readonly FailureKind[] = [
  {
    id: 'entry-failure',
    label: 'VM entry fails',
    description: 'Stops when VMLAUNCH or VMRESUME fails, and tells every check that failed.',
    is: (c) => c.kind === 'vmx-failure' && isEntry(c.failure.mnemonic),
  },
  {
    id: 'instruction-failure',
    label: 'VMX instruction fails',
    description: 'Stops when VMXON, VMREAD, VMWRITE or another VMX instruction fails, with its error in words.',
    is: (c) => c.kind === 'vmx-failure' && !isEntry(c.failure.mnemonic),
  },
  { id: 'triple-fault', label: 'Triple fault', description: 'Stops when the VMM or the guest meets a triple fault.', is: (c) => c.kind === 'triple-fault' },
  {
    id: 'vmx-checks',
    label: 'VMX checks',
    description: 'Stops when a run-time check finds a mistake of the VMM: an exit storm, a guest register that was not saved, an INVEPT that is missing. "vmxChecks" in the launch configuration switches single checks off.',
    is: (c) => c.kind === 'check',
  },
];

/** The kind of failure that a cause is, if it is one. */
export const failureKind = (cause: StopCause): FailureKind | undefined => FAILURES.find((f) => f.is(cause));
