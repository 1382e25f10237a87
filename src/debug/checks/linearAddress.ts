/** The VMM gives the processor one of its own linear addresses where a physical one belongs: in the operand of VMXON, VMCLEAR or VMPTRLD, or in a field of the VMCS. */
import { hex } from '../../base/bits';
import { Encoding, fieldOf, Pin, Primary, Secondary, type FieldName } from '../../vmx/tables';
import type { Target } from '../target';
import type { Sight, VmxCheck } from './check';

const PAGE_OFFSET = 0xfffn;
/** Bits that a canonical address of the upper half has at 1, above what a physical address can hold. */
const UPPER_HALF = 0x1fn << 47n;
const SIGN_EXTENSION = 0xffff_8000_0000_0000n;

/**
 * The linear address that `address` is, and the RAM behind it, where `address` itself is no RAM; undefined where it may
 * be the physical address that it is taken for. Entries of paging structures have no room for the uppermost bits.
 */
export function linearFor(target: Target, address: bigint): { linear: bigint; physical: bigint } | undefined {
  const isRam = (at: number): boolean => target.machine.readMemory(at, 1) !== undefined;
  if (address <= BigInt(Number.MAX_SAFE_INTEGER) && isRam(Number(address))) return undefined;
  const linear = (address & UPPER_HALF) === UPPER_HALF ? address | SIGN_EXTENSION : address;
  const physical = target.space('vmm').translate(linear);
  return physical === undefined || !isRam(physical) ? undefined : { linear, physical: BigInt(physical) };
}

const bits = ({ field }: Sight, name: FieldName, mask: number): boolean => (field(Encoding[name]) & BigInt(mask >>> 0)) !== 0n;
const primary = (mask: number) => (sight: Sight): boolean => bits(sight, 'PRIMARY_PROCESSOR_BASED_CONTROLS', mask);
const secondary = (mask: number) => (sight: Sight): boolean => primary(Primary.SECONDARY_CONTROLS)(sight) && bits(sight, 'SECONDARY_PROCESSOR_BASED_CONTROLS', mask);
const counted = (name: FieldName) => (sight: Sight): boolean => sight.field(Encoding[name]) !== 0n;

/** Fields that hold a host-physical address, and whether the processor uses them. */
const FIELDS: readonly (readonly [name: FieldName, used: (sight: Sight) => boolean])[] = [
  ['IO_BITMAP_A', primary(Primary.IO_BITMAPS)],
  ['IO_BITMAP_B', primary(Primary.IO_BITMAPS)],
  ['MSR_BITMAP', primary(Primary.MSR_BITMAPS)],
  ['VM_EXIT_MSR_STORE_ADDRESS', counted('VM_EXIT_MSR_STORE_COUNT')],
  ['VM_EXIT_MSR_LOAD_ADDRESS', counted('VM_EXIT_MSR_LOAD_COUNT')],
  ['VM_ENTRY_MSR_LOAD_ADDRESS', counted('VM_ENTRY_MSR_LOAD_COUNT')],
  ['VIRTUAL_APIC_ADDRESS', primary(Primary.TPR_SHADOW)],
  ['APIC_ACCESS_ADDRESS', secondary(Secondary.VIRTUALIZE_APIC_ACCESSES)],
  ['POSTED_INTERRUPT_DESCRIPTOR_ADDRESS', (sight) => bits(sight, 'PIN_BASED_CONTROLS', Pin.POSTED_INTERRUPTS)],
  ['EPT_POINTER', secondary(Secondary.EPT)],
  ['PML_ADDRESS', secondary(Secondary.PML)],
  ['HOST_CR3', () => true],
];

export const linearAddress: VmxCheck = {
  id: 'linear-address',
  title: 'Linear address for a physical one',
  sentence: 'The operand of VMXON, VMCLEAR or VMPTRLD, or a VMCS field that holds a physical address, holds a linear address of the VMM.',
  watch(sight) {
    const { target, report, field, writer } = sight;
    const lookAtFields = (at: 'entry' | 'failure'): void => {
      for (const [name, used] of FIELDS) {
        const encoding = Encoding[name];
        const value = field(encoding);
        const found = used(sight) ? linearFor(target, value & ~PAGE_OFFSET) : undefined;
        if (!found) continue;
        const { linear, physical } = found;
        report(at, encoding, `${fieldOf(encoding)!.name} is ${hex(value)}: ${hex(linear)} is a linear address of the VMM, and the field holds a physical one, which is ${hex(physical)}.`, `${name} was ${writer(encoding)}.`);
      }
    };
    return {
      failure({ mnemonic, pointer }) {
        if (/^vm(launch|resume)$/.test(mnemonic)) lookAtFields('failure');
        const found = pointer === undefined ? undefined : linearFor(target, pointer);
        if (!found) return;
        report('failure', mnemonic, `The operand of ${mnemonic.toUpperCase()} holds ${hex(pointer!)}, which is a linear address of the VMM. It must hold the physical address of the region, which is ${hex(found.physical)}.`);
      },
      entriesWith: 'vmlaunch',
      entry: () => lookAtFields('entry'),
    };
  },
};
