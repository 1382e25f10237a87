/** VMRESUME of a VMCS that was never launched, VMLAUNCH of one that was. */
import { InstructionErrorNumber as E } from '../../vmx/tables';
import type { VmxCheck } from './check';

export const launchOrResume: VmxCheck = {
  id: 'launch-or-resume',
  title: 'VMLAUNCH and VMRESUME mixed up',
  sentence: 'VMRESUME without VMLAUNCH, or VMLAUNCH of a VMCS that is launched already.',
  watch({ target, report, place }) {
    return {
      failure({ error, rip }) {
        const vmcs = target.vmx.currentVmcs ?? 0;
        if (error === E.VMRESUME_NOT_LAUNCHED) {
          report('failure', `resume ${vmcs}`, `VMRESUME at ${place(rip)}, but the current VMCS has not been launched since its VMCLEAR: the first VM entry is made by VMLAUNCH.`);
        } else if (error === E.VMLAUNCH_NOT_CLEAR) {
          report('failure', `launch ${vmcs}`, `VMLAUNCH at ${place(rip)}, but the current VMCS is launched already: every VM entry after the first is made by VMRESUME.`);
        }
      },
    };
  },
};
