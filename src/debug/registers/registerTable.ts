/**
 * Every register the debugger shows, as a table: where it lives while its world runs (an offset in the processor's
 * state) and where the VMCS keeps it while the other world runs.
 */
import { Area } from '../../cpu/fpu/registers';
import { Offset, Seg } from '../../cpu/state';
import { VmxMsr } from '../../vmx/tables/capabilities';
import type { FieldName } from '../../vmx/tables/fields';

export type RegisterGroup = 'General' | 'Segments' | 'Control' | 'Debug' | 'MSRs' | 'x87' | 'Vector' | 'VMX capabilities';

/** Which words the value can be put into; the names are those of the VMX tables. */
export type RegisterDecode =
  | 'cr0' | 'cr4' | 'efer' | 'rflags' | 'dr6' | 'dr7' | 'access-rights' | 'selector' | 'xcr0' | 'pat' | 'apic-base' | 'feature-control' | 'debugctl' | 'mxcsr'
  | 'x87-control' | 'x87-status' | 'x87-tags' | 'x87-value' | 'vector';

/** The address space that a register's value is an address of. */
export type RegisterAddress = 'linear' | 'physical';

/** Where a live register is. */
export type Place =
  | { kind: 'state'; offset: number; bits: 32 | 64 }
  | { kind: 'flags' }
  | { kind: 'segment'; segment: number; part: 'selector' | 'base' | 'limit' | 'access' }
  /** Bytes of the processor's state; a feature that the processor must have for them to exist. */
  | { kind: 'bytes'; offset: number; bytes: number; feature?: string }
  /** ST(n), counted from the top of the stack. */
  | { kind: 'stack'; n: number }
  /** A capability MSR of VMX; it cannot be written. */
  | { kind: 'capability'; index: number };

export interface Register {
  /** Lower case, as after `$`. */
  name: string;
  group: RegisterGroup;
  /** Width in bits, for display. */
  bits: number;
  place: Place;
  guest: FieldName | undefined;
  host: FieldName | undefined;
  decode: RegisterDecode | undefined;
  /** What the value is an address of. */
  address: RegisterAddress | undefined;
}

const state = (offset: number, bits: 32 | 64 = 64): Place => ({ kind: 'state', offset, bits });

const GPRS = ['rax', 'rcx', 'rdx', 'rbx', 'rsp', 'rbp', 'rsi', 'rdi', 'r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15'];

/** The order in which people look for them. */
const DISPLAY = ['rax', 'rbx', 'rcx', 'rdx', 'rsi', 'rdi', 'rbp', 'rsp', 'r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15'];

type Row = [name: string, group: RegisterGroup, bits: number, place: Place, guest?: FieldName, host?: FieldName, decode?: RegisterDecode];

const general = (name: string): Row =>
  name === 'rsp' ? [name, 'General', 64, state(Offset.GPR + 32), 'GUEST_RSP', 'HOST_RSP'] : [name, 'General', 64, state(Offset.GPR + GPRS.indexOf(name) * 8)];

/** A segment register: the host-state area keeps selectors of six (no LDTR) and bases of FS, GS and TR. */
function segment(name: keyof typeof Seg): Row[] {
  const lower = name.toLowerCase();
  const place = (part: 'selector' | 'base' | 'limit' | 'access'): Place => ({ kind: 'segment', segment: Seg[name], part });
  const hostSelector = name === 'LDTR' ? undefined : (`HOST_${name}_SELECTOR` as FieldName);
  const hostBase = name === 'FS' || name === 'GS' || name === 'TR' ? (`HOST_${name}_BASE` as FieldName) : undefined;
  return [
    [lower, 'Segments', 16, place('selector'), `GUEST_${name}_SELECTOR` as FieldName, hostSelector, 'selector'],
    [`${lower}_base`, 'Segments', 64, place('base'), `GUEST_${name}_BASE` as FieldName, hostBase],
    [`${lower}_limit`, 'Segments', 32, place('limit'), `GUEST_${name}_LIMIT` as FieldName],
    [`${lower}_access`, 'Segments', 32, place('access'), `GUEST_${name}_ACCESS_RIGHTS` as FieldName, undefined, 'access-rights'],
  ];
}

const bytes = (offset: number, count: number): Place & { kind: 'bytes' } => ({ kind: 'bytes', offset, bytes: count });
const VECTORS = Array.from({ length: 16 }, (_, n) => n);

/** Registers that hold addresses: of the page tables physical ones, all others linear ones. */
const LINEAR = /^(rip|rsp|rbp|rsi|rdi|.*_base|cr2|lstar|cstar|sysenter_e[si]p|fip|fdp)$/;
const PHYSICAL = /^cr3$/;
const addressKind = (name: string): RegisterAddress | undefined => (PHYSICAL.test(name) ? 'physical' : LINEAR.test(name) && !/^apic_base|^mtrr/.test(name) ? 'linear' : undefined);

const ROWS: Row[] = [
  ...DISPLAY.map(general),
  ['rip', 'General', 64, state(Offset.RIP), 'GUEST_RIP', 'HOST_RIP'],
  ['rflags', 'General', 32, { kind: 'flags' }, 'GUEST_RFLAGS', undefined, 'rflags'],
  ...(['CS', 'SS', 'DS', 'ES', 'FS', 'GS', 'LDTR', 'TR'] as const).flatMap(segment),
  ['gdtr_base', 'Segments', 64, state(Offset.GDTR_BASE), 'GUEST_GDTR_BASE', 'HOST_GDTR_BASE'],
  ['gdtr_limit', 'Segments', 16, state(Offset.GDTR_LIMIT, 32), 'GUEST_GDTR_LIMIT'],
  ['idtr_base', 'Segments', 64, state(Offset.IDTR_BASE), 'GUEST_IDTR_BASE', 'HOST_IDTR_BASE'],
  ['idtr_limit', 'Segments', 16, state(Offset.IDTR_LIMIT, 32), 'GUEST_IDTR_LIMIT'],
  ['cr0', 'Control', 64, state(Offset.CR0), 'GUEST_CR0', 'HOST_CR0', 'cr0'],
  ['cr2', 'Control', 64, state(Offset.CR2)],
  ['cr3', 'Control', 64, state(Offset.CR3), 'GUEST_CR3', 'HOST_CR3'],
  ['cr4', 'Control', 64, state(Offset.CR4), 'GUEST_CR4', 'HOST_CR4', 'cr4'],
  ['cr8', 'Control', 64, state(Offset.CR8)],
  ['xcr0', 'Control', 64, state(Offset.XCR0), undefined, undefined, 'xcr0'],
  ...[0, 1, 2, 3].map((n): Row => [`dr${n}`, 'Debug', 64, state(Offset.DR0 + n * 8)]),
  ['dr6', 'Debug', 64, state(Offset.DR6), undefined, undefined, 'dr6'],
  ['dr7', 'Debug', 64, state(Offset.DR7), 'GUEST_DR7', undefined, 'dr7'],
  ['efer', 'MSRs', 64, state(Offset.EFER), 'GUEST_IA32_EFER', 'HOST_IA32_EFER', 'efer'],
  ['star', 'MSRs', 64, state(Offset.STAR)],
  ['lstar', 'MSRs', 64, state(Offset.LSTAR)],
  ['cstar', 'MSRs', 64, state(Offset.CSTAR)],
  ['fmask', 'MSRs', 64, state(Offset.FMASK)],
  ['kernel_gs_base', 'MSRs', 64, state(Offset.KERNEL_GS_BASE)],
  ['sysenter_cs', 'MSRs', 32, state(Offset.SYSENTER_CS), 'GUEST_IA32_SYSENTER_CS', 'HOST_IA32_SYSENTER_CS'],
  ['sysenter_esp', 'MSRs', 64, state(Offset.SYSENTER_ESP), 'GUEST_IA32_SYSENTER_ESP', 'HOST_IA32_SYSENTER_ESP'],
  ['sysenter_eip', 'MSRs', 64, state(Offset.SYSENTER_EIP), 'GUEST_IA32_SYSENTER_EIP', 'HOST_IA32_SYSENTER_EIP'],
  ['pat', 'MSRs', 64, state(Offset.PAT), 'GUEST_IA32_PAT', 'HOST_IA32_PAT', 'pat'],
  ['apic_base', 'MSRs', 64, state(Offset.APIC_BASE), undefined, undefined, 'apic-base'],
  ['feature_control', 'MSRs', 64, state(Offset.FEATURE_CONTROL), undefined, undefined, 'feature-control'],
  ['debugctl', 'MSRs', 64, state(Offset.DEBUGCTL), 'GUEST_IA32_DEBUGCTL', undefined, 'debugctl'],
  ['misc_enable', 'MSRs', 64, state(Offset.MISC_ENABLE)],
  ['tsc_aux', 'MSRs', 64, state(Offset.TSC_AUX)],
  ['tsc_adjust', 'MSRs', 64, state(Offset.TSC_ADJUST)],
  ['tsc_deadline', 'MSRs', 64, state(Offset.TSC_DEADLINE)],
  ['xss', 'MSRs', 64, state(Offset.XSS)],
  ['pkru', 'Control', 32, state(Offset.PKRU, 32)],
  ['mtrr_def_type', 'MSRs', 64, state(Offset.MTRR_DEF_TYPE)],
  ...[0, 1, 2, 3, 4, 5, 6, 7].flatMap((n): Row[] => [
    [`mtrr_physbase${n}`, 'MSRs', 64, state(Offset.MTRR_VARIABLE + n * 16)],
    [`mtrr_physmask${n}`, 'MSRs', 64, state(Offset.MTRR_VARIABLE + n * 16 + 8)],
  ]),
  ['fcw', 'x87', 16, bytes(Offset.FPU + Area.CONTROL, 2), undefined, undefined, 'x87-control'],
  ['fsw', 'x87', 16, bytes(Offset.FPU + Area.STATUS, 2), undefined, undefined, 'x87-status'],
  ['ftw', 'x87', 8, bytes(Offset.FPU + Area.TAGS, 1), undefined, undefined, 'x87-tags'],
  ['fip', 'x87', 64, bytes(Offset.FPU + Area.INSTRUCTION, 8)],
  ['fdp', 'x87', 64, bytes(Offset.FPU + Area.OPERAND, 8)],
  ...[0, 1, 2, 3, 4, 5, 6, 7].map((n): Row => [`st${n}`, 'x87', 80, { kind: 'stack', n }, undefined, undefined, 'x87-value']),
  ['mxcsr', 'Vector', 32, bytes(Offset.MXCSR, 4), undefined, undefined, 'mxcsr'],
  ...VECTORS.map((n): Row => [`xmm${n}`, 'Vector', 128, bytes(Offset.YMM + n * 32, 16), undefined, undefined, 'vector']),
  ...VECTORS.map((n): Row => [`ymm${n}`, 'Vector', 256, { ...bytes(Offset.YMM + n * 32, 32), feature: 'avx' }, undefined, undefined, 'vector']),
  ...Object.entries(VmxMsr).map(([name, index]): Row => [`vmx_${name.toLowerCase()}`, 'VMX capabilities', 64, { kind: 'capability', index }]),
];

/** In the order in which they are shown. */
export const REGISTERS: readonly Register[] = ROWS.map(([name, group, bits, place, guest, host, decode]) => ({ name, group, bits, place, guest, host, decode, address: addressKind(name) }));

const byName = new Map(REGISTERS.map((r) => [r.name, r]));
export const registerNamed = (name: string): Register | undefined => byName.get(name);

/** Number of a general-purpose register in instruction encoding, or -1. */
export const gprNumber = (name: string): number => GPRS.indexOf(name);

/** A register under another name: part of a general-purpose register, or a usual alias. */
export interface Alias {
  register: Register;
  /** Width in bits and the lowest bit. */
  bits: number;
  shift: number;
}

function aliases(): Map<string, Alias> {
  const map = new Map<string, Alias>();
  const add = (name: string, whole: string, bits: number, shift = 0): void => void map.set(name, { register: byName.get(whole)!, bits, shift });
  for (const r of ['a', 'b', 'c', 'd']) {
    add(`e${r}x`, `r${r}x`, 32);
    add(`${r}x`, `r${r}x`, 16);
    add(`${r}l`, `r${r}x`, 8);
    add(`${r}h`, `r${r}x`, 8, 8);
  }
  for (const r of ['si', 'di', 'bp', 'sp']) {
    add(`e${r}`, `r${r}`, 32);
    add(r, `r${r}`, 16);
    add(`${r}l`, `r${r}`, 8);
  }
  for (let n = 8; n < 16; n++) {
    add(`r${n}d`, `r${n}`, 32);
    add(`r${n}w`, `r${n}`, 16);
    add(`r${n}b`, `r${n}`, 8);
  }
  add('eip', 'rip', 32);
  add('ip', 'rip', 16);
  add('pc', 'rip', 64);
  add('eflags', 'rflags', 32);
  add('flags', 'rflags', 16);
  return map;
}

const ALIASES = aliases();
export const ALIAS_NAMES: readonly string[] = [...ALIASES.keys()];
/** A register's part by its own name: `eax`, `ah`, `r8d`, `pc`. */
export const aliasNamed = (name: string): Alias | undefined => ALIASES.get(name);
