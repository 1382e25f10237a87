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
    id: 'exit-storm',
    label: 'VM exit storm',
    description: 'Stops when the guest exits again and again for the same reason at the same instruction with nothing changed.',
    is: (c) => c.kind === 'storm',
  },
];

/** The kind of failure that a cause is, if it is one. */
export const failureKind = (cause: StopCause): FailureKind | undefined => FAILURES.find((f) => f.is(cause));
