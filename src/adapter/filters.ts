/** The exception filters: VM exits, one row per usual reason and one for all, other events, and the failures that stop by themselves. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { ExitBreakpointRequest } from '../debug/exits/exitBreakpoints';
import { SYSTEM_EVENTS } from '../debug/exits/systemEvents';
import { FAILURES } from '../debug/failures';
import { EXIT_REASONS } from '../vmx/tables';

/** Reasons that people stop at, in the order of the list; the others are reached by "any". */
const USUAL = [
  'CPUID', 'VMCALL', 'EPT_VIOLATION', 'IO_INSTRUCTION', 'EXTERNAL_INTERRUPT', 'EXCEPTION_OR_NMI', 'HLT', 'CR_ACCESS', 'RDMSR', 'WRMSR',
  'INTERRUPT_WINDOW', 'TRIPLE_FAULT', 'EPT_MISCONFIGURATION', 'PREEMPTION_TIMER', 'INVLPG', 'RDTSC', 'TASK_SWITCH', 'DR_ACCESS', 'MONITOR_TRAP_FLAG',
] as const;

export const ANY_EXIT = 'exit:any';
const EXIT_PREFIX = 'exit:';
const EVENT_PREFIX = 'event:';

/** What a condition of these exits may speak of. */
const CONDITIONS: Partial<Record<string, string>> = {
  CPUID: 'leaf == 1',
  VMCALL: 'number == 1',
  IO_INSTRUCTION: 'port == 0x70 && out',
  EPT_VIOLATION: 'gpa in 0xa0000..0xbffff && write',
  RDMSR: 'msr == EFER',
  WRMSR: 'msr == EFER && value != 0',
  CR_ACCESS: 'cr == 3',
  EXCEPTION_OR_NMI: 'vector == PF',
  EXTERNAL_INTERRUPT: 'vector == 0x20 && hits % 10 == 0',
  HLT: 'function == "idle*"',
};

/** Behind a condition or alone: what is printed while the machine runs on. */
const LOG_HINT = '; to print instead of stopping, e.g. log: {rip} in {function}';

export function exceptionFilters(): DebugProtocol.ExceptionBreakpointsFilter[] {
  const known = new Map(EXIT_REASONS.map((r) => [r.name as string, r]));
  const reasons = USUAL.flatMap((name) => known.get(name) ?? []).map((reason) => ({
    filter: EXIT_PREFIX + reason.name,
    label: `VM exit: ${reason.name}`,
    description: reason.sentence,
    default: false,
    supportsCondition: true,
    conditionDescription: `Condition over the exit's details, e.g. ${CONDITIONS[reason.name] ?? 'rip == 0x100000'}${LOG_HINT}`,
  }));
  const events = SYSTEM_EVENTS.map(({ kind, label, description, example }) => ({
    filter: EVENT_PREFIX + kind,
    label,
    description,
    default: false,
    supportsCondition: true,
    conditionDescription: `Condition over the event's details, e.g. ${example}${LOG_HINT}`,
  }));
  return [
    { filter: ANY_EXIT, label: 'VM exit: any', description: 'Stops at every VM exit.', default: false, supportsCondition: true, conditionDescription: `Condition over the exit's details, e.g. reason == 10 || port == 0x70${LOG_HINT}` },
    ...reasons,
    ...events,
    ...FAILURES.map(({ id, label, description }) => ({ filter: id, label, description, default: true })),
  ];
}

/** What stops the machine by a filter of exits or events: also for the reasons that have no row of their own. Undefined for every other filter. */
export function requestOfFilter(filter: string): ExitBreakpointRequest | undefined {
  if (filter === ANY_EXIT) return { name: undefined };
  if (filter.startsWith(EXIT_PREFIX)) {
    const name = filter.slice(EXIT_PREFIX.length);
    return EXIT_REASONS.some((r) => r.name === name) ? { name } : undefined;
  }
  const event = SYSTEM_EVENTS.find((e) => EVENT_PREFIX + e.kind === filter);
  return event && { event: event.kind };
}

export const isFailureFilter = (filter: string): boolean => FAILURES.some((f) => f.id === filter);
