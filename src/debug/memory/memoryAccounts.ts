/** Gathers what is known of a guest's memory: what it was told, what EPT maps, what the firmware reports, and what it must not reach. */
import { PAGE_SIZE } from '../../base/address';
import { Encoding } from '../../vmx/tables';
import type { Target } from '../target';
import { eptRanges, type EptRange } from './eptRanges';
import { eptRoot } from './eptWalk';
import { pageReader } from './frameMappings';
import type { GuestMap } from './guestMap';
import type { MapAccounts } from './mapFindings';
import { eptFeatures, eptPointer } from './translation';

/** What EPT maps now; undefined when no EPT is in use. */
export function mappedByEpt(target: Target): { eptp: bigint; ranges: EptRange[]; complete: boolean } | undefined {
  const eptp = eptPointer(target);
  return eptp === undefined ? undefined : { eptp, ...eptRanges(eptp, eptFeatures(target), pageReader(target, 'hpa')) };
}

/** Structures whose content decides over the guest: it must not be able to reach them. */
function secrets(target: Target, eptp: bigint | undefined): MapAccounts['secrets'] {
  const { currentVmcs } = target.vmx;
  const found = [];
  if (currentVmcs !== undefined) found.push({ name: 'its own VMCS', hpa: currentVmcs, length: PAGE_SIZE });
  if (eptp !== undefined) found.push({ name: 'the root of its own EPT tables', hpa: eptRoot(eptp), length: PAGE_SIZE });
  const msrBitmap = target.vmx.readField(Encoding.MSR_BITMAP);
  const primary = target.vmx.readField(Encoding.PRIMARY_PROCESSOR_BASED_CONTROLS) ?? 0n;
  if (msrBitmap && (primary >> 28n) & 1n) found.push({ name: 'its own MSR bitmap', hpa: Number(msrBitmap), length: PAGE_SIZE });
  return found;
}

export function memoryAccounts(target: Target, guestMap: GuestMap | undefined): MapAccounts & { eptp: bigint | undefined; complete: boolean } {
  const ept = mappedByEpt(target);
  return { guest: guestMap?.ranges, ept: ept?.ranges, machine: target.machine.e820(), secrets: secrets(target, ept?.eptp), eptp: ept?.eptp, complete: ept?.complete ?? true };
}
