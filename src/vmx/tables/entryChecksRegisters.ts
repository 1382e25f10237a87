/** Intel SDM volume 3, "Checks on Guest Control Registers, Debug Registers, and MSRs". */
import { DEBUGCTL } from '../../cpu/controlBits';
import { Entry } from './controls';
import { checksOf, type EntryCheck, type EntryContext } from './entryCheck';
import { canonical, CET, cetBitsValid, eferBitsExist, entry, fixed, ia32e, LMA, LME, notFixed, PAE, patValid, PCIDE, PE, perfGlobalCtrlValid, PG, physical, unrestricted, WP } from './entryCheckTerms';
import { Slot } from './fields';

const check = checksOf('guest', 'Checks on Guest Control Registers, Debug Registers, and MSRs');

const { GUEST_CR0, GUEST_CR3, GUEST_CR4, GUEST_DR7, GUEST_IA32_BNDCFGS, GUEST_IA32_DEBUGCTL, GUEST_IA32_EFER, GUEST_IA32_LBR_CTL, GUEST_IA32_PKRS, GUEST_IA32_RTIT_CTL, GUEST_IA32_S_CET, GUEST_UINV } = Slot;
const { LOAD_BNDCFGS, LOAD_CET, LOAD_DEBUG_CONTROLS, LOAD_EFER, LOAD_LBR_CTL, LOAD_PAT, LOAD_PERF_GLOBAL_CTRL, LOAD_PKRS, LOAD_RTIT_CTL, LOAD_UINV } = Entry;

/** Bits of IA32_RTIT_CTL that exist in its low half: all but 18, 23 and 31:28; in its high half those of four address ranges. */
const RTIT_BITS = 0x0f7b_ffff;
/** Enable, OS, USR, call-stack mode, and the branch types 22:16. */
const LBR_BITS = 0x007f_000f;

const paging = (c: EntryContext): boolean => (c.low(GUEST_CR0) & PG) !== 0;
/** PE and PG are an unrestricted guest's own business. */
const exempt = (c: EntryContext): number => (unrestricted(c) ? PE | PG : 0);

export const GUEST_REGISTER_CHECKS: readonly EntryCheck[] = [
  check('cr0.fixed', ['GUEST_CR0'], 'Guest CR0 must have the bits that VMX operation fixes: NE is 1, and PE and PG too unless the guest is unrestricted.', (c) => fixed(c, GUEST_CR0, c.capabilities.cr0Fixed0, c.capabilities.cr0Fixed1, exempt(c)), { explain: (c) => notFixed(c, GUEST_CR0, c.capabilities.cr0Fixed0, c.capabilities.cr0Fixed1, exempt(c)) }),
  check('cr0.paging', ['GUEST_CR0'], 'Guest CR0.PG needs CR0.PE.', (c) => !paging(c) || (c.low(GUEST_CR0) & PE) !== 0),
  check('cr0.cet', ['GUEST_CR0', 'GUEST_CR4'], 'Guest CR4.CET needs CR0.WP.', (c) => (c.low(GUEST_CR4) & CET) === 0 || (c.low(GUEST_CR0) & WP) !== 0, { feature: 'cet' }),
  check('cr4.fixed', ['GUEST_CR4'], 'Guest CR4 must have the bits that VMX operation fixes: VMXE is 1, bits that the processor lacks are 0.', (c) => fixed(c, GUEST_CR4, c.capabilities.cr4Fixed0, c.capabilities.cr4Fixed1, 0), { explain: (c) => notFixed(c, GUEST_CR4, c.capabilities.cr4Fixed0, c.capabilities.cr4Fixed1, 0) }),
  check('debugctl.reserved', ['GUEST_IA32_DEBUGCTL'], 'Reserved bits of guest IA32_DEBUGCTL (5:2 and 63:11) must be 0.', (c) => !entry(c, LOAD_DEBUG_CONTROLS) || (c.high(GUEST_IA32_DEBUGCTL) === 0 && (c.low(GUEST_IA32_DEBUGCTL) & ~DEBUGCTL) === 0)),
  check('long-mode.paging', ['GUEST_CR0', 'VM_ENTRY_CONTROLS'], 'An IA-32e-mode guest needs CR0.PG.', (c) => !ia32e(c) || paging(c)),
  check('long-mode.pae', ['GUEST_CR4', 'VM_ENTRY_CONTROLS'], 'An IA-32e-mode guest needs CR4.PAE.', (c) => !ia32e(c) || (c.low(GUEST_CR4) & PAE) !== 0),
  check('cr4.pcide', ['GUEST_CR4', 'VM_ENTRY_CONTROLS'], 'Guest CR4.PCIDE needs an IA-32e-mode guest.', (c) => ia32e(c) || (c.low(GUEST_CR4) & PCIDE) === 0),
  check('cr3.width', ['GUEST_CR3'], 'Guest CR3 must be inside the physical-address width.', (c) => physical(c, GUEST_CR3, 0)),
  check('dr7.width', ['GUEST_DR7'], 'Bits 63:32 of guest DR7 must be 0.', (c) => !entry(c, LOAD_DEBUG_CONTROLS) || c.high(GUEST_DR7) === 0),
  check('sysenter-esp.canonical', ['GUEST_IA32_SYSENTER_ESP'], 'Guest IA32_SYSENTER_ESP must be canonical.', (c) => canonical(c, Slot.GUEST_IA32_SYSENTER_ESP)),
  check('sysenter-eip.canonical', ['GUEST_IA32_SYSENTER_EIP'], 'Guest IA32_SYSENTER_EIP must be canonical.', (c) => canonical(c, Slot.GUEST_IA32_SYSENTER_EIP)),
  check('s-cet', ['GUEST_IA32_S_CET'], 'Bits 9:6 of guest IA32_S_CET must be 0, and bits 10 and 11 must not both be 1.', (c) => !entry(c, LOAD_CET) || cetBitsValid(c, GUEST_IA32_S_CET), { feature: 'cet' }),
  check('s-cet.canonical', ['GUEST_IA32_S_CET'], 'Guest IA32_S_CET must be canonical.', (c) => !entry(c, LOAD_CET) || canonical(c, GUEST_IA32_S_CET), { feature: 'cet' }),
  check('ssp-table', ['GUEST_IA32_INTERRUPT_SSP_TABLE_ADDR'], 'Guest IA32_INTERRUPT_SSP_TABLE_ADDR must be canonical.', (c) => !entry(c, LOAD_CET) || canonical(c, Slot.GUEST_IA32_INTERRUPT_SSP_TABLE_ADDR), { feature: 'cet' }),
  check('perf-global-ctrl', ['GUEST_IA32_PERF_GLOBAL_CTRL'], 'Reserved bits of guest IA32_PERF_GLOBAL_CTRL must be 0.', (c) => !entry(c, LOAD_PERF_GLOBAL_CTRL) || perfGlobalCtrlValid(c, Slot.GUEST_IA32_PERF_GLOBAL_CTRL), { feature: 'perf-global-ctrl' }),
  check('pat', ['GUEST_IA32_PAT'], 'Each byte of guest IA32_PAT must be a memory type: 0, 1, 4, 5, 6 or 7.', (c) => !entry(c, LOAD_PAT) || patValid(c, Slot.GUEST_IA32_PAT), { feature: 'load-pat' }),
  check('efer.reserved', ['GUEST_IA32_EFER'], 'Reserved bits of guest IA32_EFER must be 0.', (c) => !entry(c, LOAD_EFER) || eferBitsExist(c, GUEST_IA32_EFER), { feature: 'load-efer' }),
  check('efer.lma', ['GUEST_IA32_EFER', 'VM_ENTRY_CONTROLS'], 'LMA of guest IA32_EFER must equal IA-32e mode guest.', (c) => !entry(c, LOAD_EFER) || ((c.low(GUEST_IA32_EFER) & LMA) !== 0) === ia32e(c), { feature: 'load-efer' }),
  check('efer.lme', ['GUEST_IA32_EFER', 'GUEST_CR0'], 'LMA and LME of guest IA32_EFER must be equal while guest CR0.PG is 1.', (c) => !entry(c, LOAD_EFER) || !paging(c) || ((c.low(GUEST_IA32_EFER) & LMA) !== 0) === ((c.low(GUEST_IA32_EFER) & LME) !== 0), { feature: 'load-efer' }),
  check('bndcfgs.reserved', ['GUEST_IA32_BNDCFGS'], 'Bits 11:2 of guest IA32_BNDCFGS must be 0.', (c) => !entry(c, LOAD_BNDCFGS) || (c.low(GUEST_IA32_BNDCFGS) & 0xffc) === 0, { feature: 'mpx' }),
  check('bndcfgs.canonical', ['GUEST_IA32_BNDCFGS'], 'The linear address in bits 63:12 of guest IA32_BNDCFGS must be canonical.', (c) => !entry(c, LOAD_BNDCFGS) || canonical(c, GUEST_IA32_BNDCFGS), { feature: 'mpx' }),
  check('rtit-ctl', ['GUEST_IA32_RTIT_CTL'], 'Reserved bits of guest IA32_RTIT_CTL must be 0.', (c) => !entry(c, LOAD_RTIT_CTL) || (c.high(GUEST_IA32_RTIT_CTL) >>> 16 === 0 && (c.low(GUEST_IA32_RTIT_CTL) & ~RTIT_BITS) === 0), { feature: 'processor-trace' }),
  check('lbr-ctl', ['GUEST_IA32_LBR_CTL'], 'Reserved bits of guest IA32_LBR_CTL must be 0.', (c) => !entry(c, LOAD_LBR_CTL) || (c.high(GUEST_IA32_LBR_CTL) === 0 && (c.low(GUEST_IA32_LBR_CTL) & ~LBR_BITS) === 0), { feature: 'lbr' }),
  check('pkrs', ['GUEST_IA32_PKRS'], 'Bits 63:32 of guest IA32_PKRS must be 0.', (c) => !entry(c, LOAD_PKRS) || c.high(GUEST_IA32_PKRS) === 0, { feature: 'pks' }),
  check('uinv', ['GUEST_UINV'], 'Bits 15:8 of guest UINV must be 0.', (c) => !entry(c, LOAD_UINV) || c.low(GUEST_UINV) <= 0xff, { feature: 'user-interrupts' }),
];
