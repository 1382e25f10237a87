/** A VM exit as conditions see it: its details, such as `leaf` or `port`, and what every exit has. */
import type { ExitRecord } from '../../vmx/observe';
import type { Operand, Subject } from './condition';

/** What every exit has, whatever its reason. */
const COMMON: Readonly<Record<string, (record: ExitRecord) => Operand | undefined>> = {
  n: (r) => BigInt(r.n),
  reason: (r) => BigInt(r.reason),
  name: (r) => r.name,
  qualification: (r) => r.qualification,
  rip: (r) => r.guestRip,
  guestRip: (r) => r.guestRip,
  instructionLength: (r) => BigInt(r.instructionLength),
  linear: (r) => r.linear,
  gpa: (r) => (r.gpa === undefined ? undefined : BigInt(r.gpa)),
  icount: (r) => BigInt(r.icount),
};

/** The detail that a bare number means, by reason. */
const MAIN: Readonly<Record<string, string>> = {
  CPUID: 'leaf', VMCALL: 'number', IO_INSTRUCTION: 'port', RDMSR: 'msr', WRMSR: 'msr', CR_ACCESS: 'cr', DR_ACCESS: 'dr', EPT_VIOLATION: 'gpa', EPT_MISCONFIGURATION: 'gpa',
  EXCEPTION_OR_NMI: 'vector', EXTERNAL_INTERRUPT: 'vector', TASK_SWITCH: 'selector', INVLPG: 'linear', XSETBV: 'register',
};

/** Details that exceed 2^53 are texts `0x...`: they compare as numbers. */
function toOperand(detail: number | string | boolean): Operand {
  if (typeof detail === 'number') return BigInt(detail);
  return typeof detail === 'string' && /^0x[0-9a-f]+$/i.test(detail) ? BigInt(detail) : detail;
}

/** `functionAt` names the guest's function that holds an address: asked only by conditions that say `function`. */
export function exitSubject(record: ExitRecord, functionAt: (rip: bigint) => string): Subject {
  return {
    get what() {
      return `${/^[AEIOU]/.test(record.name) ? 'An' : 'A'} ${record.name} exit`;
    },
    main: MAIN[record.name],
    lookup(name) {
      const detail = Object.hasOwn(record.details, name) ? record.details[name] : undefined;
      if (detail !== undefined) return toOperand(detail);
      if (name === 'function') return functionAt(record.guestRip);
      return Object.hasOwn(COMMON, name) ? COMMON[name]!(record) : undefined;
    },
    names: () => [...Object.keys(record.details), ...Object.keys(COMMON), 'function'],
  };
}
