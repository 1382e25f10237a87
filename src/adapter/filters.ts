/** The exception filters: VM exits, one row per usual reason and one for all, and the failures that stop by themselves. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import { FAILURES } from '../debug/failures';
import { EXIT_REASONS } from '../vmx/tables';

/** Reasons that people stop at, in the order of the list; the others are reached by "any". */
const USUAL = [
  'CPUID', 'VMCALL', 'EPT_VIOLATION', 'IO_INSTRUCTION', 'EXTERNAL_INTERRUPT', 'EXCEPTION_OR_NMI', 'HLT', 'CR_ACCESS', 'RDMSR', 'WRMSR',
  'INTERRUPT_WINDOW', 'TRIPLE_FAULT', 'EPT_MISCONFIGURATION', 'PREEMPTION_TIMER', 'INVLPG', 'RDTSC', 'TASK_SWITCH', 'DR_ACCESS', 'MONITOR_TRAP_FLAG',
] as const;

export const ANY_EXIT = 'exit:any';
const EXIT_PREFIX = 'exit:';

/** What a condition of these exits may speak of. */
const CONDITIONS: Partial<Record<string, string>> = {
  CPUID: 'leaf == 1',
  VMCALL: 'number == 1',
  IO_INSTRUCTION: 'port == 0x70 && direction == "out"',
  EPT_VIOLATION: 'gpa == 0xb8000',
};

export function exceptionFilters(): DebugProtocol.ExceptionBreakpointsFilter[] {
  const known = new Map(EXIT_REASONS.map((r) => [r.name as string, r]));
  const reasons = USUAL.flatMap((name) => known.get(name) ?? []).map((reason) => ({
    filter: EXIT_PREFIX + reason.name,
    label: `VM exit: ${reason.name}`,
    description: reason.sentence,
    default: false,
    supportsCondition: true,
    conditionDescription: `Condition over the exit's details, e.g. ${CONDITIONS[reason.name] ?? 'rip == 0x100000'}`,
  }));
  return [
    { filter: ANY_EXIT, label: 'VM exit: any', description: 'Stops at every VM exit.', default: false, supportsCondition: true, conditionDescription: 'Condition over the exit\'s details, e.g. reason == 10 || port == 0x70' },
    ...reasons,
    ...FAILURES.map(({ id, label, description }) => ({ filter: id, label, description, default: true })),
  ];
}

/** The exit that a filter is for: a name, undefined for any, or null when the filter is none for exits. */
export const exitOfFilter = (filter: string): string | undefined | null => (filter === ANY_EXIT ? undefined : filter.startsWith(EXIT_PREFIX) ? filter.slice(EXIT_PREFIX.length) : null);
