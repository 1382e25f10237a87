/**
 * EFER of the world that does not run. The VMCS has a field for it, valid only when a control says so; a VMM may swap
 * EFER through the MSR lists instead; and the address-space-size controls always tell whether long mode is active.
 */
import type { Processor } from '../../cpu/processor';
import type { VmxInspection } from '../../vmx/observe';
import { Encoding } from '../../vmx/tables/fields';
import type { World } from '../world';

const IA32_EFER = 0xc000_0080;
const LME = 1n << 8n;
const LMA = 1n << 10n;
/** Bits of the VM-exit controls (SDM volume 3, "VM-Exit Controls"). */
const HOST_ADDRESS_SPACE_SIZE = 1n << 9n;
const SAVE_EFER = 1n << 20n;
const LOAD_EFER = 1n << 21n;
/** Bit of the VM-entry controls. */
const IA32E_MODE_GUEST = 1n << 9n;
/** An MSR list's entry: index, reserved, 64-bit value. */
const MSR_ENTRY = 16;
/** IA32_VMX_MISC recommends no more entries than this; a longer list is garbage. */
const MOST_MSR_ENTRIES = 512n;

function fromMsrList(vmx: VmxInspection, cpu: Processor, address: number, count: number): bigint | undefined {
  const at = vmx.readField(address);
  const entries = vmx.readField(count);
  if (at === undefined || entries === undefined || entries > MOST_MSR_ENTRIES) return undefined;
  for (let i = 0; i < Number(entries); i++) {
    const entry = Number(at) + i * MSR_ENTRY;
    if (cpu.readPhysical(entry, 4) === BigInt(IA32_EFER)) return cpu.readPhysical(entry + 8, 8);
  }
  return undefined;
}

/** EFER as that world will have it again, or undefined when there is no current VMCS. */
export function savedEfer(vmx: VmxInspection, cpu: Processor, world: World): bigint | undefined {
  const exit = vmx.readField(Encoding.VM_EXIT_CONTROLS);
  const entry = vmx.readField(Encoding.VM_ENTRY_CONTROLS);
  if (exit === undefined || entry === undefined) return undefined;
  if (world === 'guest') {
    if (exit & SAVE_EFER) return vmx.readField(Encoding.GUEST_IA32_EFER);
    return fromMsrList(vmx, cpu, Encoding.VM_EXIT_MSR_STORE_ADDRESS, Encoding.VM_EXIT_MSR_STORE_COUNT) ?? (entry & IA32E_MODE_GUEST ? LME | LMA : 0n);
  }
  if (exit & LOAD_EFER) return vmx.readField(Encoding.HOST_IA32_EFER);
  return fromMsrList(vmx, cpu, Encoding.VM_EXIT_MSR_LOAD_ADDRESS, Encoding.VM_EXIT_MSR_LOAD_COUNT) ?? (exit & HOST_ADDRESS_SPACE_SIZE ? LME | LMA : 0n);
}
