/** Prepares the guest of a case of vmxEntryCases.ts in a rig. */
import { Entry, type FieldName, Secondary } from '../../src/vmx';
import type { GuestMode, Writes } from './vmxEntryCases';
import { GUEST_CODE, VmxRig } from './vmxRig';

const CPUID = '0f a2 ; cpuid';
/** HLT of the guest's handlers of events in real mode. */
const HANDLER = 0x8000;
const VECTORS = 256;

const rigs = new Map<string, VmxRig>();
/** A rig at power-on; one engine serves all cases with the same processor. */
export function rigFor(without: string[], announce: string[]): VmxRig {
  const key = JSON.stringify([without, announce]);
  let rig = rigs.get(key);
  if (rig) return rig.restart();
  rigs.set(key, (rig = new VmxRig(without, announce)));
  return rig;
}

/** Writes fields as the debugger does. */
export function write(rig: VmxRig, writes: Writes): void {
  for (const [name, value] of Object.entries(writes)) rig.set({ [name]: typeof value === 'function' ? value(rig.get(name as FieldName)) : value });
}

/** A guest whose first instruction, CPUID, exits. In real mode all events lead to HLT. */
export function prepare(rig: VmxRig, mode: GuestMode): void {
  if (mode === 'real') {
    rig.realModeGuest(CPUID);
    for (let vector = 0; vector < VECTORS; vector++) rig.guest(vector * 4, '00 80 00 00');
    rig.guest(HANDLER, 'f4 ; hlt');
    return;
  }
  rig.longModeGuest(CPUID);
  if (mode === 'long') return;
  // The first 4 MiB one to one, for user code too, by one entry.
  rig.guest(0x1000, '87 00 00 00');
  write(rig, { VM_ENTRY_CONTROLS: (v) => v & ~BigInt(Entry.IA32E_MODE_GUEST), GUEST_CR4: 0x2010, GUEST_CS_ACCESS_RIGHTS: 0xc09b });
  if (mode === 'vm86') {
    write(rig, { GUEST_RFLAGS: 0x2_0002, GUEST_RIP: 0 });
    for (const s of ['ES', 'CS', 'SS', 'DS', 'FS', 'GS'] as const) rig.set({ [`GUEST_${s}_SELECTOR`]: GUEST_CODE >> 4, [`GUEST_${s}_BASE`]: GUEST_CODE, [`GUEST_${s}_LIMIT`]: 0xffff, [`GUEST_${s}_ACCESS_RIGHTS`]: 0xf3 });
  }
  if (mode === 'pae' || mode === 'pae-no-ept') write(rig, { GUEST_CR4: 0x2020 });
  if (mode === 'pae-no-ept') write(rig, { SECONDARY_PROCESSOR_BASED_CONTROLS: (v) => v & ~BigInt(Secondary.EPT | Secondary.UNRESTRICTED_GUEST) });
}
