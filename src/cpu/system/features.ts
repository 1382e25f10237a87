/**
 * What the processor can and CPUID announces, and what `machine.cpu.without` may withhold. One row per feature: its
 * name, the CPUID bit that announces it (if one does), whether it exists yet, and the features that it needs.
 */
import { UserError } from '../../base/errors';
import { nearest } from '../../base/nearest';
import type { Features } from '../processor';

export type CpuidRegister = 'eax' | 'ebx' | 'ecx' | 'edx';

export interface FeatureRow {
  name: string;
  /** Leaf, subleaf, register and bit of CPUID; absent for what other registers announce (VMX's capability MSRs). */
  cpuid?: readonly [leaf: number, subleaf: number, register: CpuidRegister, bit: number];
  /** False until somebody implements it: never announced, may be withheld all the same. */
  exists: boolean;
  needs?: readonly string[];
}

const leaf1 = (register: CpuidRegister, name: string, bit: number, exists = true, ...needs: string[]): FeatureRow => ({ name, cpuid: [1, 0, register, bit], exists, needs });
const leaf7 = (register: CpuidRegister, name: string, bit: number, exists = true, ...needs: string[]): FeatureRow => ({ name, cpuid: [7, 0, register, bit], exists, needs });
const extended = (register: CpuidRegister, name: string, bit: number, exists = true, ...needs: string[]): FeatureRow => ({ name, cpuid: [0x8000_0001, 0, register, bit], exists, needs });
const xsave = (name: string, bit: number, ...needs: string[]): FeatureRow => ({ name, cpuid: [0xd, 1, 'eax', bit], exists: true, needs: ['xsave', ...needs] });
const vmx = (name: string, ...needs: string[]): FeatureRow => ({ name, exists: true, needs: ['vmx', ...needs] });

export const FEATURES: readonly FeatureRow[] = [
  leaf1('edx', 'fpu', 0),
  leaf1('edx', 'vme', 1, true),
  leaf1('edx', 'de', 2),
  leaf1('edx', 'pse', 3),
  leaf1('edx', 'tsc', 4),
  leaf1('edx', 'msr', 5),
  leaf1('edx', 'pae', 6),
  leaf1('edx', 'mce', 7),
  leaf1('edx', 'cx8', 8),
  leaf1('edx', 'apic', 9),
  leaf1('edx', 'sep', 11),
  leaf1('edx', 'mtrr', 12),
  leaf1('edx', 'pge', 13),
  leaf1('edx', 'mca', 14, true, 'mce'),
  leaf1('edx', 'cmov', 15),
  leaf1('edx', 'pat', 16),
  leaf1('edx', 'pse36', 17, true, 'pse'),
  leaf1('edx', 'clflush', 19),
  leaf1('edx', 'mmx', 23, true, 'fpu'),
  leaf1('edx', 'fxsr', 24, true, 'fpu'),
  leaf1('edx', 'sse', 25, true, 'fxsr'),
  leaf1('edx', 'sse2', 26, true, 'sse'),
  leaf1('ecx', 'sse3', 0, true, 'sse2'),
  leaf1('ecx', 'pclmulqdq', 1, true, 'sse2'),
  leaf1('ecx', 'monitor', 3),
  leaf1('ecx', 'vmx', 5),
  leaf1('ecx', 'ssse3', 9, true, 'sse3'),
  leaf1('ecx', 'fma', 12, true, 'avx'),
  leaf1('ecx', 'cx16', 13),
  leaf1('ecx', 'pdcm', 15, false),
  leaf1('ecx', 'pcid', 17, true, 'lm'),
  leaf1('ecx', 'sse4-1', 19, true, 'ssse3'),
  leaf1('ecx', 'sse4-2', 20, true, 'sse4-1'),
  leaf1('ecx', 'x2apic', 21, true, 'apic'),
  leaf1('ecx', 'movbe', 22),
  leaf1('ecx', 'popcnt', 23),
  leaf1('ecx', 'tsc-deadline', 24, true, 'apic', 'tsc'),
  leaf1('ecx', 'aes', 25, true, 'sse2'),
  leaf1('ecx', 'xsave', 26, true, 'fxsr', 'sse'),
  leaf1('ecx', 'avx', 28, true, 'xsave', 'sse4-2'),
  leaf1('ecx', 'f16c', 29, true, 'avx'),
  leaf1('ecx', 'rdrand', 30),
  leaf7('ebx', 'fsgsbase', 0),
  leaf7('ebx', 'tsc-adjust', 1, true, 'tsc'),
  leaf7('ebx', 'bmi1', 3),
  leaf7('ebx', 'avx2', 5, true, 'avx'),
  leaf7('ebx', 'smep', 7),
  leaf7('ebx', 'bmi2', 8),
  leaf7('ebx', 'erms', 9),
  leaf7('ebx', 'invpcid', 10),
  leaf7('ebx', 'rdseed', 18),
  leaf7('ebx', 'adx', 19),
  leaf7('ebx', 'smap', 20),
  leaf7('ebx', 'clflushopt', 23),
  leaf7('ebx', 'clwb', 24),
  leaf7('ebx', 'sha', 29, true, 'sse2'),
  leaf7('ecx', 'umip', 2),
  leaf7('ecx', 'pku', 3, true, 'xsave', 'lm'),
  leaf7('ecx', 'rdpid', 22),
  xsave('xsaveopt', 0),
  xsave('xsavec', 1),
  xsave('xgetbv1', 2),
  xsave('xsaves', 3, 'xsavec'),
  extended('ecx', 'lahf', 0),
  extended('ecx', 'lzcnt', 5),
  extended('ecx', 'prefetchw', 8),
  extended('edx', 'syscall', 11),
  extended('edx', 'nx', 20, true, 'pae'),
  extended('edx', '1g-pages', 26, true, 'lm'),
  extended('edx', 'rdtscp', 27, true, 'tsc'),
  extended('edx', 'lm', 29, true, 'pae'),

  // VMX: announced by the capability MSRs, which vmx/ builds from these names (vmx/tables/capabilities.ts).
  vmx('true-controls'),
  vmx('secondary-controls'),
  vmx('msr-bitmaps'),
  vmx('monitor-trap-flag'),
  vmx('preemption-timer'),
  vmx('virtual-nmis'),
  vmx('load-efer'),
  vmx('load-pat'),
  vmx('vmwrite-any-field'),
  vmx('ept', 'secondary-controls'),
  vmx('ept-execute-only', 'ept'),
  vmx('ept-2m-pages', 'ept'),
  vmx('ept-1g-pages', 'ept'),
  vmx('ept-ad', 'ept'),
  vmx('ept-advanced-information', 'ept'),
  vmx('mode-based-execute', 'ept'),
  vmx('ept-violation-ve', 'ept'),
  vmx('pml', 'ept-ad'),
  vmx('vmfunc', 'ept'),
  vmx('vmcs-shadowing', 'secondary-controls'),
  vmx('pause-loop-exiting', 'secondary-controls'),
  vmx('unrestricted-guest', 'ept'),
  vmx('vpid', 'secondary-controls'),
  vmx('descriptor-table-exiting', 'secondary-controls'),
  vmx('wbinvd-exiting', 'secondary-controls'),
  vmx('rdrand-exiting', 'secondary-controls', 'rdrand'),
  vmx('rdseed-exiting', 'secondary-controls', 'rdseed'),
  vmx('tsc-scaling', 'secondary-controls'),
  vmx('tertiary-controls', 'secondary-controls'),
  vmx('ipi-virtualization', 'tertiary-controls', 'tpr-shadow'),
  vmx('tpr-shadow'),
  vmx('virtualize-apic-accesses', 'secondary-controls'),
  vmx('virtualize-x2apic-mode', 'secondary-controls', 'tpr-shadow'),
  vmx('apic-register-virtualization', 'secondary-controls', 'tpr-shadow'),
  vmx('virtual-interrupt-delivery', 'secondary-controls', 'tpr-shadow'),
  vmx('posted-interrupts', 'virtual-interrupt-delivery'),
];

const BY_NAME: ReadonlyMap<string, FeatureRow> = new Map(FEATURES.map((row) => [row.name, row]));

/** Every name that may be withheld. */
export const featureNames = (): string[] => FEATURES.map((row) => row.name).sort();

/** The end of a sentence about a name that does not exist: those that begin with it, else the nearest, else all. */
function likely(name: string): string {
  const names = featureNames();
  const longer = name.length > 2 ? names.filter((n) => n.startsWith(`${name.toLowerCase()}-`)) : [];
  const near = longer.length > 0 ? longer.join(' or ') : nearest(name, names);
  return near ? `: did you mean ${near}?` : `; the names are: ${names.join(', ')}.`;
}

/** What exists less what is withheld, and less what needs something that is not there. */
export class CpuFeatures implements Features {
  private readonly present = new Set<string>();

  /** Throws a UserError (code `unknown-feature`) that lists the valid names. */
  constructor(without: readonly string[]) {
    for (const name of without) {
      if (!BY_NAME.has(name)) throw new UserError('unknown-feature', `The processor has no feature "${name}" to do without${likely(name)}`);
    }
    const withheld = new Set(without);
    const exists = (name: string): boolean => {
      const row = BY_NAME.get(name)!;
      return row.exists && !withheld.has(name) && (row.needs ?? []).every(exists);
    };
    for (const row of FEATURES) if (exists(row.name)) this.present.add(row.name);
  }

  has(name: string): boolean {
    return this.present.has(name);
  }
}
