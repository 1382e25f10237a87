/**
 * Processor models that can be asked for: our processor less what came after them. What a model had that ours lacks it
 * lacks too: CPUID and the capability MSRs tell what works.
 */

/** Models from old to new, with the features that came with each since the one before. */
const GENERATIONS = [
  ['nehalem', []],
  ['haswell', ['apic-register-virtualization', 'virtual-interrupt-delivery', 'posted-interrupts', 'unrestricted-guest', 'ept-ad', 'ept-1g-pages', 'pause-loop-exiting', 'vmfunc', 'vmcs-shadowing', 'vmwrite-any-field', 'rdrand-exiting', '1g-pages', 'invpcid', 'fsgsbase', 'smep', 'erms', 'tsc-adjust', 'aes', 'pclmulqdq', 'movbe', 'lzcnt', 'xsave', 'xsaveopt', 'avx', 'f16c', 'fma', 'bmi1', 'bmi2', 'avx2', 'rdrand', 'pcid']],
  ['skylake-server', ['pml', 'ept-violation-ve', 'mode-based-execute', 'tsc-scaling', 'rdseed-exiting', 'smap', 'adx', 'rdseed', 'clflushopt', 'clwb', 'prefetchw', 'pku', 'xsavec', 'xgetbv1', 'xsaves']],
  ['newest', ['tertiary-controls', 'ipi-virtualization', 'ept-advanced-information', 'sha', 'umip', 'rdpid']],
] as const;

/** Names of the models; `newest` is the processor with everything. */
export const MODELS: readonly string[] = GENERATIONS.map(([name]) => name);

/** The features that a model is without, or undefined when there is no such model. */
export function withheldBy(model: string): string[] | undefined {
  const at = MODELS.indexOf(model);
  return at < 0 ? undefined : GENERATIONS.slice(at + 1).flatMap(([, features]) => [...features]);
}
