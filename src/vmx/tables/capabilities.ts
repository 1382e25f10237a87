/**
 * The VMX capability MSRs, 0x480 to 0x493: Intel SDM volume 3, appendix "VMX Capability Reporting Facility".
 *
 * They are computed from two things: the features that Hyperstep implements (VMX_FEATURES) and those that the machine's
 * configuration withholds. A control whose feature is missing is reported as "must be 0", so what a VMM is told is what works.
 */
import { FIELDS } from './fields';
import { CONTROL_FIELDS, type ControlKind } from './controls';

/** What of VMX can be withheld by `machine.cpu.without`: name and what a VMM sees without it. Everything here is implemented. */
export const VMX_FEATURES: readonly (readonly [name: string, sentence: string])[] = [
  ['true-controls', 'VMX_BASIC bit 55 and the TRUE capability MSRs: controls of the default1 class may be 0.'],
  ['secondary-controls', 'The secondary processor-based controls, hence EPT and all the others in them.'],
  ['ept', 'Extended page tables.'],
  ['ept-execute-only', 'EPT entries that allow execution but not reading.'],
  ['ept-2m-pages', '2-MiB pages in EPT.'],
  ['ept-1g-pages', '1-GiB pages in EPT.'],
  ['ept-ad', 'Accessed and dirty flags in EPT.'],
  ['ept-advanced-information', 'What the guest\'s own paging allows, in the exit qualification of EPT violations.'],
  ['mode-based-execute', 'EPT execute permission that differs between supervisor-mode and user-mode linear addresses.'],
  ['ept-violation-ve', 'EPT violations that become virtualization exceptions in the guest.'],
  ['pml', 'Page-modification logging.'],
  ['vmfunc', 'VMFUNC, with EPTP switching.'],
  ['vmcs-shadowing', 'VMREAD and VMWRITE of a guest from a shadow VMCS.'],
  ['tpr-shadow', 'CR8 and the task priority on a virtual-APIC page, with a threshold below which exits occur.'],
  ['virtualize-apic-accesses', 'The APIC-access page, whose accesses are virtualized or cause exits.'],
  ['virtualize-x2apic-mode', 'RDMSR and WRMSR of x2APIC registers on the virtual-APIC page.'],
  ['apic-register-virtualization', 'Reads and writes of most APIC registers on the virtual-APIC page.'],
  ['virtual-interrupt-delivery', 'Evaluation and delivery of virtual interrupts, EOI exits.'],
  ['posted-interrupts', 'Interrupts that are posted in memory and delivered to a guest without a VM exit.'],
  ['tertiary-controls', 'The tertiary processor-based controls, hence IPI virtualization.'],
  ['ipi-virtualization', 'Interprocessor interrupts of a guest that are posted without a VM exit.'],
  ['pause-loop-exiting', 'Exits on tight loops of PAUSE.'],
  ['unrestricted-guest', 'Guests in real mode and without paging.'],
  ['vpid', 'Virtual-processor identifiers and INVVPID.'],
  ['preemption-timer', 'The VMX-preemption timer.'],
  ['msr-bitmaps', 'MSR bitmaps.'],
  ['virtual-nmis', 'Virtual NMIs and NMI-window exiting.'],
  ['monitor-trap-flag', 'The monitor trap flag.'],
  ['descriptor-table-exiting', 'Exits on LGDT, LIDT, LLDT, LTR, SGDT, SIDT, SLDT, STR.'],
  ['wbinvd-exiting', 'Exits on WBINVD.'],
  ['rdrand-exiting', 'Exits on RDRAND.'],
  ['rdseed-exiting', 'Exits on RDSEED.'],
  ['tsc-scaling', 'The TSC multiplier.'],
  ['load-efer', 'Loading and saving of IA32_EFER by VM-entry and VM-exit controls.'],
  ['load-pat', 'Loading and saving of IA32_PAT by VM-entry and VM-exit controls.'],
  ['vmwrite-any-field', 'VMWRITE to exit-information fields (VMX_MISC bit 29).'],
];

/** Features of VMX that need a feature of the processor itself too. */
const NEEDS: Readonly<Record<string, readonly string[]>> = {
  ept: ['secondary-controls'],
  'ept-execute-only': ['ept'],
  'ept-2m-pages': ['ept'],
  'ept-1g-pages': ['ept'],
  'ept-ad': ['ept'],
  'ept-advanced-information': ['ept'],
  'mode-based-execute': ['ept'],
  'ept-violation-ve': ['ept'],
  pml: ['ept-ad'],
  vmfunc: ['ept'],
  'vmcs-shadowing': ['secondary-controls'],
  'pause-loop-exiting': ['secondary-controls'],
  'unrestricted-guest': ['ept'],
  vpid: ['secondary-controls'],
  'virtualize-apic-accesses': ['secondary-controls'],
  'virtualize-x2apic-mode': ['secondary-controls', 'tpr-shadow'],
  'apic-register-virtualization': ['secondary-controls', 'tpr-shadow'],
  'virtual-interrupt-delivery': ['secondary-controls', 'tpr-shadow'],
  'posted-interrupts': ['virtual-interrupt-delivery'],
  'ipi-virtualization': ['tertiary-controls', 'tpr-shadow'],
  'rdrand-exiting': ['rdrand'],
  'rdseed-exiting': ['rdseed'],
};

/** Features of the processor that give a VMX control when they are there. */
const OF_PROCESSOR = new Set(['rdtscp', 'invpcid', 'rdrand', 'rdseed', 'xsaves']);
const IMPLEMENTED = new Set(VMX_FEATURES.map(([name]) => name));

/** What may be 0 and what may be 1 of a field of controls. */
export interface Allowed {
  /** Bits that must be 1. */
  readonly must: number;
  /** Bits that may be 1. */
  readonly may: number;
}

/** Facts about the processor that the tables cannot know. */
export interface ProcessorFacts {
  has(feature: string): boolean;
  /** Bits of CR4 that the processor implements. */
  readonly cr4Bits: number;
}

/** The first four bytes of a VMXON region and of a VMCS. Any number of 31 bits will do. */
export const VMCS_REVISION = 0x0048_5331;
export const VMCS_REGION_SIZE = 0x1000;
/**
 * The preemption timer counts down whenever this bit of the time-stamp counter changes. Low, so that a guest of a few
 * instructions moves it; but KVM does without a timer whose 32 bits are over within ten seconds.
 */
export const PREEMPTION_TIMER_SHIFT = 2;
export const CR3_TARGETS = 4;
/** Most entries in an MSR area (VMX_MISC bits 27:25 are 0). */
export const MSR_LIST_LIMIT = 512;

/** MSR numbers. */
export const VmxMsr = {
  BASIC: 0x480,
  PINBASED_CTLS: 0x481,
  PROCBASED_CTLS: 0x482,
  EXIT_CTLS: 0x483,
  ENTRY_CTLS: 0x484,
  MISC: 0x485,
  CR0_FIXED0: 0x486,
  CR0_FIXED1: 0x487,
  CR4_FIXED0: 0x488,
  CR4_FIXED1: 0x489,
  VMCS_ENUM: 0x48a,
  PROCBASED_CTLS2: 0x48b,
  EPT_VPID_CAP: 0x48c,
  TRUE_PINBASED_CTLS: 0x48d,
  TRUE_PROCBASED_CTLS: 0x48e,
  TRUE_EXIT_CTLS: 0x48f,
  TRUE_ENTRY_CTLS: 0x490,
  VMFUNC: 0x491,
  PROCBASED_CTLS3: 0x492,
  EXIT_CTLS2: 0x493,
} as const;

const CR0_PE_NE_PG = 0x8000_0021;
/** VM function 0. */
const EPTP_SWITCHING = 1n;
const CR4_VMXE = 0x2000;

export class Capabilities {
  /** What VM entry checks each field of controls against. */
  readonly controls: Readonly<Record<ControlKind, Allowed>>;
  readonly cr0Fixed0 = CR0_PE_NE_PG;
  readonly cr0Fixed1 = 0xffff_ffff;
  readonly cr4Fixed0 = CR4_VMXE;
  readonly cr4Fixed1: number;
  private readonly msrs = new Map<number, bigint>();
  /** Answers of `has`, which VM entries and exits ask again and again; features never change. */
  private readonly known = new Map<string, boolean>();

  constructor(private readonly facts: ProcessorFacts) {
    const trueControls = this.has('true-controls');
    const allowed = (kind: ControlKind, ofTrueMsr: boolean): Allowed => {
      const field = CONTROL_FIELDS.find((c) => c.kind === kind)!;
      const must = ofTrueMsr ? field.default1 & ~field.mayBeZero : field.default1;
      let may = field.default1;
      for (const b of field.bits) if (this.has(b.feature)) may |= 1 << b.bit;
      return { must: must >>> 0, may: may >>> 0 };
    };
    const kinds: ControlKind[] = ['pin', 'primary', 'secondary', 'tertiary', 'exit', 'secondary-exit', 'entry'];
    this.controls = Object.fromEntries(kinds.map((k) => [k, allowed(k, trueControls)])) as Record<ControlKind, Allowed>;
    this.cr4Fixed1 = (facts.cr4Bits | CR4_VMXE) >>> 0;

    const pair = (a: Allowed): bigint => (BigInt(a.may) << 32n) | BigInt(a.must);
    const set = (index: number, value: bigint): void => void this.msrs.set(index, value);
    set(VmxMsr.BASIC, this.basic(trueControls));
    set(VmxMsr.PINBASED_CTLS, pair(allowed('pin', false)));
    set(VmxMsr.PROCBASED_CTLS, pair(allowed('primary', false)));
    set(VmxMsr.EXIT_CTLS, pair(allowed('exit', false)));
    set(VmxMsr.ENTRY_CTLS, pair(allowed('entry', false)));
    set(VmxMsr.MISC, this.misc());
    set(VmxMsr.CR0_FIXED0, BigInt(this.cr0Fixed0));
    set(VmxMsr.CR0_FIXED1, BigInt(this.cr0Fixed1));
    set(VmxMsr.CR4_FIXED0, BigInt(this.cr4Fixed0));
    set(VmxMsr.CR4_FIXED1, BigInt(this.cr4Fixed1));
    set(VmxMsr.VMCS_ENUM, BigInt(this.highestIndex() << 1));
    if (this.has('secondary-controls')) set(VmxMsr.PROCBASED_CTLS2, BigInt(this.controls.secondary.may) << 32n);
    // The tertiary controls have 64 bits, each of which is reported as allowed.
    if (this.has('tertiary-controls')) set(VmxMsr.PROCBASED_CTLS3, BigInt(this.controls.tertiary.may));
    if (this.has('ept') || this.has('vpid')) set(VmxMsr.EPT_VPID_CAP, this.eptVpid());
    if (this.has('vmfunc')) set(VmxMsr.VMFUNC, EPTP_SWITCHING);
    if (trueControls) {
      set(VmxMsr.TRUE_PINBASED_CTLS, pair(this.controls.pin));
      set(VmxMsr.TRUE_PROCBASED_CTLS, pair(this.controls.primary));
      set(VmxMsr.TRUE_EXIT_CTLS, pair(this.controls.exit));
      set(VmxMsr.TRUE_ENTRY_CTLS, pair(this.controls.entry));
    }
  }

  /** Whether a feature of VMX is implemented and not withheld. The empty name stands for what every VMX processor has. */
  has(feature: string): boolean {
    let known = this.known.get(feature);
    if (known === undefined) this.known.set(feature, (known = this.find(feature)));
    return known;
  }

  private find(feature: string): boolean {
    if (feature === '') return true;
    if (!IMPLEMENTED.has(feature) && !OF_PROCESSOR.has(feature)) return false;
    if (!this.facts.has(feature)) return false;
    return (NEEDS[feature] ?? []).every((needed) => this.has(needed));
  }

  /** A capability MSR, or undefined where this processor does not have it (RDMSR then raises #GP). */
  read(index: number): bigint | undefined {
    return this.msrs.get(index);
  }

  /** The highest index (bits 9:1) of the fields that there are. */
  private highestIndex(): number {
    return FIELDS.reduce((highest, f) => (this.has(f.feature) ? Math.max(highest, (f.encoding >>> 1) & 0x1ff) : highest), 0);
  }

  private basic(trueControls: boolean): bigint {
    const WRITE_BACK = 6n;
    let v = BigInt(VMCS_REVISION) | (BigInt(VMCS_REGION_SIZE) << 32n) | (WRITE_BACK << 50n);
    v |= 1n << 54n; // INS and OUTS report instruction information
    if (trueControls) v |= 1n << 55n;
    return v;
  }

  private misc(): bigint {
    let v = BigInt(PREEMPTION_TIMER_SHIFT);
    if (this.has('unrestricted-guest')) v |= 1n << 5n; // VM exits store EFER.LMA into the IA-32e-mode-guest control
    v |= 7n << 6n; // activity states HLT, shutdown, wait-for-SIPI
    v |= BigInt(CR3_TARGETS) << 16n;
    if (this.has('vmwrite-any-field')) v |= 1n << 29n;
    v |= 1n << 30n; // software interrupts may be injected with instruction length 0
    return v;
  }

  private eptVpid(): bigint {
    let v = 0n;
    if (this.has('ept')) {
      if (this.has('ept-execute-only')) v |= 1n << 0n;
      v |= (1n << 6n) | (1n << 8n) | (1n << 14n); // four levels; uncacheable, write-back
      if (this.has('ept-2m-pages')) v |= 1n << 16n;
      if (this.has('ept-1g-pages')) v |= 1n << 17n;
      v |= (1n << 20n) | (1n << 25n) | (1n << 26n); // INVEPT, single-context, all-context
      if (this.has('ept-ad')) v |= 1n << 21n;
      if (this.has('ept-advanced-information')) v |= 1n << 22n;
    }
    if (this.has('vpid')) v |= (1n << 32n) | (0xfn << 40n); // INVVPID, all four types
    return v;
  }
}
