/** Intel SDM volume 3, "Checks on VMX Controls", part "VM-Execution Control Fields". */
import { CR3_TARGETS } from './capabilities';
import { controlField, Entry, Exit, Pin, Primary, Secondary } from './controls';
import { type CheckOptions, checksOf, type EntryCheck, type EntryContext } from './entryCheck';
import { allowed, disallowed, entry, exit, page, PAGE, physical, pin, primary, secondary, tertiary } from './entryCheckTerms';
import { type FieldName, Slot } from './fields';

const check = checksOf('control', 'VM-Execution Control Fields');

const { EPT_POINTER, TPR_THRESHOLD, VIRTUAL_APIC_ADDRESS, VM_FUNCTION_CONTROLS } = Slot;

const tertiaryBit = (key: string): number => 2 ** controlField('tertiary').bits.find((b) => b.key === key)!.bit;
const HLAT = tertiaryBit('HLAT');
const EPT_PAGING_WRITE = tertiaryBit('EPT_PAGING_WRITE');
const GUEST_PAGING_VERIFICATION = tertiaryBit('GUEST_PAGING_VERIFICATION');
const IPI_VIRTUALIZATION = tertiaryBit('IPI_VIRTUALIZATION');

/** A field that must be a page's address while `used`. */
const pageCheck = (id: string, field: FieldName, what: string, used: (c: EntryContext) => boolean, feature: string): EntryCheck =>
  check(id, [field], `${what} ${PAGE}`, (c) => !used(c) || page(c, Slot[field]), feature === '' ? {} : { feature });

/** A control that needs another one. */
const needs = (id: string, fields: readonly FieldName[], sentence: string, holds: EntryCheck['holds'], feature = ''): EntryCheck => check(id, fields, sentence, holds, feature === '' ? {} : { feature });

const ept = (c: EntryContext): boolean => secondary(c, Secondary.EPT);
const tprShadow = (c: EntryContext): boolean => primary(c, Primary.TPR_SHADOW);
const virtualDelivery = (c: EntryContext): boolean => secondary(c, Secondary.VIRTUAL_INTERRUPT_DELIVERY);
const vmcsShadowing = (c: EntryContext): boolean => secondary(c, Secondary.VMCS_SHADOWING);
const posted = (c: EntryContext): boolean => pin(c, Pin.POSTED_INTERRUPTS);
const pml = (c: EntryContext): boolean => secondary(c, Secondary.PML);
const spp = (c: EntryContext): boolean => secondary(c, Secondary.SUB_PAGE_PERMISSIONS);
const vmFunctions = (c: EntryContext): boolean => secondary(c, Secondary.VM_FUNCTIONS);
const eptpSwitching = (c: EntryContext): boolean => vmFunctions(c) && (c.low(VM_FUNCTION_CONTROLS) & 1) !== 0;
const traceInGuest = (c: EntryContext): boolean => secondary(c, Secondary.PT_GUEST_PHYSICAL);

/** Bit 0 of the capabilities is execute-only; memory types and walk lengths have bits of their own. */
const EptCapability = { WALK_4: 1 << 6, WALK_5: 1 << 7, UNCACHEABLE: 1 << 8, WRITE_BACK: 1 << 14, ACCESSED_DIRTY: 1 << 21, SHADOW_STACK: 1 << 23 } as const;
function eptMemoryType(c: EntryContext): boolean {
  const type = c.low(EPT_POINTER) & 7;
  return (type === 0 && (c.eptCapabilities & EptCapability.UNCACHEABLE) !== 0) || (type === 6 && (c.eptCapabilities & EptCapability.WRITE_BACK) !== 0);
}
function eptWalkLength(c: EntryContext): boolean {
  const length = (c.low(EPT_POINTER) >>> 3) & 7;
  return (length === 3 && (c.eptCapabilities & EptCapability.WALK_4) !== 0) || (length === 4 && (c.eptCapabilities & EptCapability.WALK_5) !== 0);
}

/** Offset of VTPR on the virtual-APIC page; the priority class is in bits 7:4. */
const VTPR = 0x80;
function thresholdBelowPriority(c: EntryContext): boolean {
  const address = c.high(VIRTUAL_APIC_ADDRESS) * 2 ** 32 + c.low(VIRTUAL_APIC_ADDRESS);
  // A wrong address has a rule of its own.
  if (!page(c, VIRTUAL_APIC_ADDRESS)) return true;
  const priority = ((c.physical32(address + VTPR) ?? 0xffff_ffff) >>> 4) & 15;
  return (c.low(TPR_THRESHOLD) & 15) <= priority;
}

const ADDRESS_OF_PID = 8;
function pidTableEnd(c: EntryContext): boolean {
  const address = c.high(Slot.PID_POINTER_TABLE_ADDRESS) * 2 ** 32 + c.low(Slot.PID_POINTER_TABLE_ADDRESS);
  return address + c.low(Slot.LAST_PID_POINTER_INDEX) * ADDRESS_OF_PID + ADDRESS_OF_PID - 1 < 2 ** c.physicalAddressBits;
}

const reserved = (kind: 'pin' | 'primary' | 'secondary' | 'tertiary', field: FieldName, msr: string, used: (c: EntryContext) => boolean, options: CheckOptions = {}): EntryCheck =>
  check(`${kind}.reserved`, [field], `Each control must have a value that ${msr} allows.`, (c) => !used(c) || allowed(c, kind), { explain: (c) => disallowed(c, kind), ...options });

const always = (): boolean => true;
const PRIMARY = 'PRIMARY_PROCESSOR_BASED_CONTROLS';
const SECONDARY = 'SECONDARY_PROCESSOR_BASED_CONTROLS';
const TERTIARY = 'TERTIARY_PROCESSOR_BASED_CONTROLS';

export const EXECUTION_CHECKS: readonly EntryCheck[] = [
  reserved('pin', 'PIN_BASED_CONTROLS', 'IA32_VMX_(TRUE_)PINBASED_CTLS', always),
  reserved('primary', PRIMARY, 'IA32_VMX_(TRUE_)PROCBASED_CTLS', always),
  reserved('secondary', SECONDARY, 'IA32_VMX_PROCBASED_CTLS2', (c) => primary(c, Primary.SECONDARY_CONTROLS), { feature: 'secondary-controls' }),
  reserved('tertiary', TERTIARY, 'IA32_VMX_PROCBASED_CTLS3', (c) => primary(c, Primary.TERTIARY_CONTROLS), { feature: 'tertiary-controls' }),
  check('cr3-target-count', ['CR3_TARGET_COUNT'], `There must not be more than ${CR3_TARGETS} CR3-target values.`, (c) => c.low(Slot.CR3_TARGET_COUNT) <= CR3_TARGETS),
  pageCheck('io-bitmap-a', 'IO_BITMAP_A', 'The address of I/O bitmap A', (c) => primary(c, Primary.IO_BITMAPS), ''),
  pageCheck('io-bitmap-b', 'IO_BITMAP_B', 'The address of I/O bitmap B', (c) => primary(c, Primary.IO_BITMAPS), ''),
  pageCheck('msr-bitmap', 'MSR_BITMAP', 'The address of the MSR bitmap', (c) => primary(c, Primary.MSR_BITMAPS), 'msr-bitmaps'),
  pageCheck('virtual-apic-address', 'VIRTUAL_APIC_ADDRESS', 'The virtual-APIC address', tprShadow, 'tpr-shadow'),
  check('tpr-threshold.reserved', ['TPR_THRESHOLD'], 'Bits 31:4 of the TPR threshold must be 0.', (c) => !tprShadow(c) || virtualDelivery(c) || c.low(TPR_THRESHOLD) >>> 4 === 0, { feature: 'tpr-shadow' }),
  check('tpr-threshold.priority', ['TPR_THRESHOLD', 'VIRTUAL_APIC_ADDRESS'], 'The TPR threshold must not be greater than bits 7:4 of VTPR on the virtual-APIC page.', (c) => !tprShadow(c) || secondary(c, Secondary.VIRTUALIZE_APIC_ACCESSES) || virtualDelivery(c) || thresholdBelowPriority(c), { feature: 'tpr-shadow' }),
  check('virtual-nmis', ['PIN_BASED_CONTROLS'], 'Virtual NMIs need NMI exiting.', (c) => !pin(c, Pin.VIRTUAL_NMIS) || pin(c, Pin.NMI_EXITING), { feature: 'virtual-nmis' }),
  check('nmi-window', [PRIMARY, 'PIN_BASED_CONTROLS'], 'NMI-window exiting needs virtual NMIs.', (c) => !primary(c, Primary.NMI_WINDOW_EXITING) || pin(c, Pin.VIRTUAL_NMIS), { feature: 'virtual-nmis' }),
  pageCheck('apic-access-address', 'APIC_ACCESS_ADDRESS', 'The APIC-access address', (c) => secondary(c, Secondary.VIRTUALIZE_APIC_ACCESSES), 'virtualize-apic-accesses'),
  needs('x2apic.tpr-shadow', [PRIMARY, SECONDARY], 'Virtualize x2APIC mode needs use TPR shadow.', (c) => tprShadow(c) || !secondary(c, Secondary.VIRTUALIZE_X2APIC), 'virtualize-x2apic-mode'),
  needs('apic-registers.tpr-shadow', [PRIMARY, SECONDARY], 'APIC-register virtualization needs use TPR shadow.', (c) => tprShadow(c) || !secondary(c, Secondary.APIC_REGISTER_VIRTUALIZATION), 'apic-register-virtualization'),
  needs('virtual-delivery.tpr-shadow', [PRIMARY, SECONDARY], 'Virtual-interrupt delivery needs use TPR shadow.', (c) => tprShadow(c) || !virtualDelivery(c), 'virtual-interrupt-delivery'),
  needs('x2apic.apic-accesses', [SECONDARY], 'Virtualize x2APIC mode and virtualize APIC accesses must not both be 1.', (c) => !secondary(c, Secondary.VIRTUALIZE_X2APIC) || !secondary(c, Secondary.VIRTUALIZE_APIC_ACCESSES), 'virtualize-x2apic-mode'),
  needs('virtual-delivery.external-interrupts', ['PIN_BASED_CONTROLS', SECONDARY], 'Virtual-interrupt delivery needs external-interrupt exiting.', (c) => !virtualDelivery(c) || pin(c, Pin.EXTERNAL_INTERRUPT_EXITING), 'virtual-interrupt-delivery'),
  needs('posted.virtual-delivery', ['PIN_BASED_CONTROLS', SECONDARY], 'Process posted interrupts needs virtual-interrupt delivery.', (c) => !posted(c) || virtualDelivery(c), 'posted-interrupts'),
  needs('posted.acknowledge', ['PIN_BASED_CONTROLS', 'VM_EXIT_CONTROLS'], 'Process posted interrupts needs acknowledge interrupt on exit.', (c) => !posted(c) || exit(c, Exit.ACKNOWLEDGE_INTERRUPT), 'posted-interrupts'),
  check('posted.vector', ['POSTED_INTERRUPT_NOTIFICATION_VECTOR'], 'The posted-interrupt notification vector must be at most 255.', (c) => !posted(c) || c.low(Slot.POSTED_INTERRUPT_NOTIFICATION_VECTOR) <= 0xff, { feature: 'posted-interrupts' }),
  check('posted.descriptor', ['POSTED_INTERRUPT_DESCRIPTOR_ADDRESS'], 'The address of the posted-interrupt descriptor must be 64-byte aligned (bits 5:0 are 0) and inside the physical-address width.', (c) => !posted(c) || physical(c, Slot.POSTED_INTERRUPT_DESCRIPTOR_ADDRESS, 0x3f), { feature: 'posted-interrupts' }),
  check('vpid', ['VPID'], 'The VPID must not be 0, which belongs to the VMM.', (c) => !secondary(c, Secondary.VPID) || (c.low(Slot.VPID) & 0xffff) !== 0, { feature: 'vpid' }),
  check('eptp.memory-type', ['EPT_POINTER'], 'The memory type in bits 2:0 of the EPTP must be 0 (uncacheable) or 6 (write-back), and IA32_VMX_EPT_VPID_CAP must allow it.', (c) => !ept(c) || eptMemoryType(c), { feature: 'ept' }),
  check('eptp.walk-length', ['EPT_POINTER'], 'Bits 5:3 of the EPTP must be 3 (a page walk of 4 levels), or 4 (5 levels) where IA32_VMX_EPT_VPID_CAP allows it.', (c) => !ept(c) || eptWalkLength(c), { feature: 'ept' }),
  check('eptp.accessed-dirty', ['EPT_POINTER'], 'Bit 6 of the EPTP (accessed and dirty flags) must be 0 on a processor that does not have them.', (c) => !ept(c) || (c.low(EPT_POINTER) & 0x40) === 0 || (c.eptCapabilities & EptCapability.ACCESSED_DIRTY) !== 0, { feature: 'ept' }),
  check('eptp.shadow-stack', ['EPT_POINTER'], 'Bit 7 of the EPTP (supervisor shadow-stack pages) must be 0 on a processor that does not have them.', (c) => !ept(c) || (c.low(EPT_POINTER) & 0x80) === 0 || (c.eptCapabilities & EptCapability.SHADOW_STACK) !== 0, { feature: 'ept' }),
  check('eptp.reserved', ['EPT_POINTER'], 'Bits 11:8 of the EPTP, and its address bits beyond the physical-address width, must be 0.', (c) => !ept(c) || physical(c, EPT_POINTER, 0xf00), { feature: 'ept' }),
  needs('pml.ept', [SECONDARY], 'PML needs EPT.', (c) => !pml(c) || ept(c), 'pml'),
  pageCheck('pml.address', 'PML_ADDRESS', 'The PML address', pml, 'pml'),
  needs('unrestricted-guest', [SECONDARY], 'Unrestricted guest needs EPT.', (c) => !secondary(c, Secondary.UNRESTRICTED_GUEST) || ept(c), 'unrestricted-guest'),
  needs('mode-based-execute', [SECONDARY], 'Mode-based execute control for EPT needs EPT.', (c) => !secondary(c, Secondary.MODE_BASED_EXECUTE) || ept(c), 'mode-based-execute'),
  needs('sub-page.ept', [SECONDARY], 'Sub-page write permissions need EPT.', (c) => !spp(c) || ept(c), 'sub-page-permissions'),
  pageCheck('sub-page.pointer', 'SUB_PAGE_PERMISSION_TABLE_POINTER', 'The sub-page-permission-table pointer', spp, 'sub-page-permissions'),
  check('vm-functions.reserved', ['VM_FUNCTION_CONTROLS'], 'Each VM function that is enabled must be one that IA32_VMX_VMFUNC allows.', (c) => !vmFunctions(c) || ((c.low(VM_FUNCTION_CONTROLS) & ~c.vmFunctions) === 0 && c.high(VM_FUNCTION_CONTROLS) === 0), { feature: 'vmfunc' }),
  needs('eptp-switching.ept', ['VM_FUNCTION_CONTROLS', SECONDARY], 'EPTP switching needs EPT.', (c) => !eptpSwitching(c) || ept(c), 'vmfunc'),
  pageCheck('eptp-switching.list', 'EPTP_LIST_ADDRESS', 'The EPTP-list address', eptpSwitching, 'vmfunc'),
  pageCheck('vmread-bitmap', 'VMREAD_BITMAP', 'The address of the VMREAD bitmap', vmcsShadowing, 'vmcs-shadowing'),
  pageCheck('vmwrite-bitmap', 'VMWRITE_BITMAP', 'The address of the VMWRITE bitmap', vmcsShadowing, 'vmcs-shadowing'),
  pageCheck('virtualization-exception', 'VIRTUALIZATION_EXCEPTION_INFORMATION_ADDRESS', 'The virtualization-exception information address', (c) => secondary(c, Secondary.EPT_VIOLATION_VE), 'ept-violation-ve'),
  needs('processor-trace.ept', [SECONDARY], 'Intel PT uses guest physical addresses needs EPT.', (c) => !traceInGuest(c) || ept(c), 'processor-trace'),
  needs('processor-trace.entry', ['VM_ENTRY_CONTROLS', SECONDARY], 'Intel PT uses guest physical addresses needs load IA32_RTIT_CTL.', (c) => !traceInGuest(c) || entry(c, Entry.LOAD_RTIT_CTL), 'processor-trace'),
  needs('processor-trace.exit', ['VM_EXIT_CONTROLS', SECONDARY], 'Intel PT uses guest physical addresses needs clear IA32_RTIT_CTL.', (c) => !traceInGuest(c) || exit(c, Exit.CLEAR_RTIT_CTL), 'processor-trace'),
  check('tsc-multiplier', ['TSC_MULTIPLIER'], 'The TSC multiplier must not be 0.', (c) => !secondary(c, Secondary.TSC_SCALING) || c.low(Slot.TSC_MULTIPLIER) !== 0 || c.high(Slot.TSC_MULTIPLIER) !== 0, { feature: 'tsc-scaling' }),
  pageCheck('pasid.low', 'LOW_PASID_DIRECTORY_ADDRESS', 'The low PASID-directory address', (c) => secondary(c, Secondary.PASID_TRANSLATION), 'pasid-translation'),
  pageCheck('pasid.high', 'HIGH_PASID_DIRECTORY_ADDRESS', 'The high PASID-directory address', (c) => secondary(c, Secondary.PASID_TRANSLATION), 'pasid-translation'),
  needs('hlat.ept', [TERTIARY, SECONDARY], 'HLAT needs EPT.', (c) => !tertiary(c, HLAT) || ept(c), 'hlat'),
  check('hlat.pointer', ['HLAT_POINTER'], 'Bits 2:0 and 11:5 of the HLAT pointer, and its address bits beyond the physical-address width, must be 0.', (c) => !tertiary(c, HLAT) || physical(c, Slot.HLAT_POINTER, 0xfe7), { feature: 'hlat' }),
  needs('paging-write.ept', [TERTIARY, SECONDARY], 'EPT paging-write control needs EPT.', (c) => !tertiary(c, EPT_PAGING_WRITE) || ept(c), 'hlat'),
  needs('paging-verification.ept', [TERTIARY, SECONDARY], 'Guest-paging verification needs EPT.', (c) => !tertiary(c, GUEST_PAGING_VERIFICATION) || ept(c), 'hlat'),
  needs('ipi.tpr-shadow', [PRIMARY, TERTIARY], 'IPI virtualization needs use TPR shadow.', (c) => tprShadow(c) || !tertiary(c, IPI_VIRTUALIZATION), 'ipi-virtualization'),
  check('ipi.table', ['PID_POINTER_TABLE_ADDRESS'], 'The address of the PID-pointer table must be 8-byte aligned (bits 2:0 are 0) and inside the physical-address width.', (c) => !tertiary(c, IPI_VIRTUALIZATION) || physical(c, Slot.PID_POINTER_TABLE_ADDRESS, 7), { feature: 'ipi-virtualization' }),
  check('ipi.last', ['LAST_PID_POINTER_INDEX', 'PID_POINTER_TABLE_ADDRESS'], 'The last entry of the PID-pointer table must be inside the physical-address width.', (c) => !tertiary(c, IPI_VIRTUALIZATION) || pidTableEnd(c), { feature: 'ipi-virtualization' }),
];
