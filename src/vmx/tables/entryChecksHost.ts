/** Intel SDM volume 3, "Checks on Host-State Area". */
import { Exit } from './controls';
import { checksOf, type EntryCheck } from './entryCheck';
import { canonical, CET, cetBitsValid, eferBitsExist, exit, fixed, ia32e, LMA, LME, notFixed, PAE, patValid, PCIDE, perfGlobalCtrlValid, physical, WP } from './entryCheckTerms';
import { Slot } from './fields';

const register = checksOf('host', 'Checks on Host Control Registers, MSRs, and SSP');
const segment = checksOf('host', 'Checks on Host Segment and Descriptor-Table Registers');
const size = checksOf('host', 'Checks Related to Address-Space Size');

const { HOST_CR0, HOST_CR3, HOST_CR4, HOST_RIP, HOST_IA32_EFER, HOST_IA32_S_CET, HOST_SSP, HOST_CS_SELECTOR, HOST_SS_SELECTOR, HOST_TR_SELECTOR } = Slot;
const { HOST_ADDRESS_SPACE_SIZE, LOAD_CET, LOAD_EFER, LOAD_PAT, LOAD_PERF_GLOBAL_CTRL, LOAD_PKRS } = Exit;

const RPL_AND_TI = 7;

export const HOST_CHECKS: readonly EntryCheck[] = [
  register('cr0.fixed', ['HOST_CR0'], 'Host CR0 must have the bits that VMX operation fixes: PE, NE and PG are 1.', (c) => fixed(c, HOST_CR0, c.capabilities.cr0Fixed0, c.capabilities.cr0Fixed1, 0), { explain: (c) => notFixed(c, HOST_CR0, c.capabilities.cr0Fixed0, c.capabilities.cr0Fixed1, 0) }),
  register('cr0.cet', ['HOST_CR0', 'HOST_CR4'], 'Host CR4.CET needs CR0.WP.', (c) => (c.low(HOST_CR4) & CET) === 0 || (c.low(HOST_CR0) & WP) !== 0, { feature: 'cet' }),
  register('cr4.fixed', ['HOST_CR4'], 'Host CR4 must have the bits that VMX operation fixes: VMXE is 1, bits that the processor lacks are 0.', (c) => fixed(c, HOST_CR4, c.capabilities.cr4Fixed0, c.capabilities.cr4Fixed1, 0), { explain: (c) => notFixed(c, HOST_CR4, c.capabilities.cr4Fixed0, c.capabilities.cr4Fixed1, 0) }),
  register('cr3.width', ['HOST_CR3'], 'Host CR3 must be inside the physical-address width.', (c) => physical(c, HOST_CR3, 0)),
  register('sysenter-esp.canonical', ['HOST_IA32_SYSENTER_ESP'], 'Host IA32_SYSENTER_ESP must be canonical.', (c) => canonical(c, Slot.HOST_IA32_SYSENTER_ESP)),
  register('sysenter-eip.canonical', ['HOST_IA32_SYSENTER_EIP'], 'Host IA32_SYSENTER_EIP must be canonical.', (c) => canonical(c, Slot.HOST_IA32_SYSENTER_EIP)),
  register('perf-global-ctrl', ['HOST_IA32_PERF_GLOBAL_CTRL'], 'Reserved bits of host IA32_PERF_GLOBAL_CTRL must be 0.', (c) => !exit(c, LOAD_PERF_GLOBAL_CTRL) || perfGlobalCtrlValid(c, Slot.HOST_IA32_PERF_GLOBAL_CTRL), { feature: 'perf-global-ctrl' }),
  register('pat', ['HOST_IA32_PAT'], 'Each byte of host IA32_PAT must be a memory type: 0, 1, 4, 5, 6 or 7.', (c) => !exit(c, LOAD_PAT) || patValid(c, Slot.HOST_IA32_PAT), { feature: 'load-pat' }),
  register('efer.reserved', ['HOST_IA32_EFER'], 'Reserved bits of host IA32_EFER must be 0.', (c) => !exit(c, LOAD_EFER) || eferBitsExist(c, HOST_IA32_EFER), { feature: 'load-efer' }),
  register('efer.long-mode', ['HOST_IA32_EFER', 'VM_EXIT_CONTROLS'], 'LMA and LME of host IA32_EFER must both equal host address-space size.', (c) => !exit(c, LOAD_EFER) || (c.low(HOST_IA32_EFER) & (LMA | LME)) === (exit(c, HOST_ADDRESS_SPACE_SIZE) ? LMA | LME : 0), { feature: 'load-efer' }),
  register('s-cet', ['HOST_IA32_S_CET'], 'Bits 9:6 of host IA32_S_CET must be 0, and bits 10 and 11 must not both be 1.', (c) => !exit(c, LOAD_CET) || cetBitsValid(c, HOST_IA32_S_CET), { feature: 'cet' }),
  register('s-cet.canonical', ['HOST_IA32_S_CET'], 'Host IA32_S_CET must be canonical.', (c) => !exit(c, LOAD_CET) || canonical(c, HOST_IA32_S_CET), { feature: 'cet' }),
  register('ssp', ['HOST_SSP'], 'Host SSP must be canonical, with bits 1:0 0.', (c) => !exit(c, LOAD_CET) || (canonical(c, HOST_SSP) && (c.low(HOST_SSP) & 3) === 0), { feature: 'cet' }),
  register('ssp-table', ['HOST_IA32_INTERRUPT_SSP_TABLE_ADDR'], 'Host IA32_INTERRUPT_SSP_TABLE_ADDR must be canonical.', (c) => !exit(c, LOAD_CET) || canonical(c, Slot.HOST_IA32_INTERRUPT_SSP_TABLE_ADDR), { feature: 'cet' }),
  register('pkrs', ['HOST_IA32_PKRS'], 'Bits 63:32 of host IA32_PKRS must be 0.', (c) => !exit(c, LOAD_PKRS) || c.high(Slot.HOST_IA32_PKRS) === 0, { feature: 'pks' }),

  ...(['CS', 'SS', 'DS', 'ES', 'FS', 'GS', 'TR'] as const).map((s) => {
    const slot = Slot[`HOST_${s}_SELECTOR`];
    return segment(`${s.toLowerCase()}.selector`, [`HOST_${s}_SELECTOR`], `The RPL and TI bits (2:0) of the host ${s} selector must be 0.`, (c) => (c.low(slot) & RPL_AND_TI) === 0);
  }),
  segment('cs.null', ['HOST_CS_SELECTOR'], 'The host CS selector must not be 0.', (c) => c.low(HOST_CS_SELECTOR) !== 0),
  segment('tr.null', ['HOST_TR_SELECTOR'], 'The host TR selector must not be 0.', (c) => c.low(HOST_TR_SELECTOR) !== 0),
  segment('ss.null', ['HOST_SS_SELECTOR', 'VM_EXIT_CONTROLS'], 'The host SS selector must not be 0 unless the host is a 64-bit one.', (c) => exit(c, HOST_ADDRESS_SPACE_SIZE) || c.low(HOST_SS_SELECTOR) !== 0),
  ...(['FS', 'GS', 'GDTR', 'IDTR', 'TR'] as const).map((b) => {
    const slot = Slot[`HOST_${b}_BASE`];
    return segment(`${b.toLowerCase()}.base`, [`HOST_${b}_BASE`], `The host ${b} base must be canonical.`, (c) => canonical(c, slot));
  }),

  size('size.32-guest', ['VM_ENTRY_CONTROLS'], 'A VMM outside IA-32e mode must clear IA-32e mode guest.', (c) => c.longMode || !ia32e(c)),
  size('size.32', ['VM_EXIT_CONTROLS'], 'A VMM outside IA-32e mode must clear host address-space size.', (c) => c.longMode || !exit(c, HOST_ADDRESS_SPACE_SIZE)),
  size('size.64', ['VM_EXIT_CONTROLS'], 'A VMM in IA-32e mode must set host address-space size.', (c) => !c.longMode || exit(c, HOST_ADDRESS_SPACE_SIZE)),
  size('size.guest', ['VM_ENTRY_CONTROLS', 'VM_EXIT_CONTROLS'], 'An IA-32e-mode guest needs a 64-bit host: host address-space size must be 1.', (c) => exit(c, HOST_ADDRESS_SPACE_SIZE) || !ia32e(c)),
  size('size.pcide', ['HOST_CR4', 'VM_EXIT_CONTROLS'], 'Host CR4.PCIDE needs a 64-bit host.', (c) => exit(c, HOST_ADDRESS_SPACE_SIZE) || (c.low(HOST_CR4) & PCIDE) === 0),
  size('size.rip', ['HOST_RIP', 'VM_EXIT_CONTROLS'], 'Bits 63:32 of host RIP must be 0 unless the host is a 64-bit one.', (c) => exit(c, HOST_ADDRESS_SPACE_SIZE) || c.high(HOST_RIP) === 0),
  size('size.pae', ['HOST_CR4', 'VM_EXIT_CONTROLS'], 'A 64-bit host needs CR4.PAE.', (c) => !exit(c, HOST_ADDRESS_SPACE_SIZE) || (c.low(HOST_CR4) & PAE) !== 0),
  size('rip.canonical', ['HOST_RIP'], 'The RIP of a 64-bit host must be canonical.', (c) => !exit(c, HOST_ADDRESS_SPACE_SIZE) || canonical(c, HOST_RIP)),
];
