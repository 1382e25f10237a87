/** What `hyperstep run` prints when a VMX instruction fails, or at a triple fault: the same report as the debugger's. */
import { failureLines } from '../debug/exits/exitWords';
import { writerPlace } from '../debug/exits/fieldWriter';
import type { DeliveredEvent } from '../debug/run/stopCause';
import { tripleFaultLines } from '../debug/exits/tripleFault';
import type { Target } from '../debug/target';
import type { World } from '../debug/world';
import type { VmxFailure } from '../vmx/observe';

/** The whole report, one line each. To be made when the instruction has just failed: it reads the VMCS. */
export function failureReport(target: Target, failure: VmxFailure): string {
  const { vmx } = target;
  // Which image is where may have changed since somebody asked last.
  target.images.forget();
  const [headline, ...lines] = failureLines(failure, (rip, returns) => writerPlace(target, { rip, returns }), (field) => vmx.fieldWriter(field), (field) => vmx.readField(field));
  return [headline, ...lines.map((line) => `  ${line}`)].join('\n') + '\n';
}

/** Why a world has met a triple fault, one line each. To be made when it has just been. */
export function tripleFaultReport(target: Target, world: World, events: readonly DeliveredEvent[]): string {
  target.images.forget();
  return `Triple fault in the ${world === 'guest' ? 'guest' : 'VMM'}\n${tripleFaultLines(target, world, events).map((line) => `  ${line}\n`).join('')}`;
}
