/**
 * What a data breakpoint can watch, and its name: the text that stands for it in the protocol. The text says all, so that
 * it means the same in another session: `vmm:0xffffffff80104000+8`, `gpa:0x6000+0x1000`, `$vmm.cr3`, `msr:0xc0000080`,
 * `$vmcs.GUEST_RIP` of the VMCS that is current, `$vmcs(0x1f000).GUEST_RIP` of the one there. Behind a space stands what the user calls it.
 */
import { hex } from '../../base/bits';
import { UserError } from '../../base/errors';
import { nearest } from '../../base/nearest';
import { type Field, fieldNamed, FIELDS } from '../../vmx/tables';
import { constantNamed } from '../exits/constants';
import type { SpaceName } from '../memory/memorySpace';
import { registerNamed, REGISTERS, aliasNamed, type Register } from '../registers/registerTable';
import { WORLD_NAME, type World } from '../world';

export type Watchable =
  | { kind: 'memory'; space: SpaceName; address: bigint; length: number }
  | { kind: 'register'; world: World; register: Register }
  | { kind: 'msr'; index: number }
  /** Of the VMCS in the region at `vmcs`, else of the one that is current. */
  | { kind: 'field'; field: Field; vmcs?: number };

/** Longer ranges are mistakes; the engine compares every access of the pages. */
const MOST_BYTES = 1 << 24;

const MEMORY = /^(vmm|guest|gpa|hpa):(0x[0-9a-f]+|[0-9]+)(?:\+(0x[0-9a-f]+|[0-9]+))?$/i;
const MACHINE = /^\$(?:(vmm|guest)\.)?([a-z_0-9]+)$/i;
const FIELD = /^\$vmcs(?:\((0x[0-9a-f]+)\))?\.([a-z_0-9]+)$/i;
const MSR = /^(?:\$?msr[:. ]\s*)(0x[0-9a-f]+|[0-9]+|[a-z_0-9]+)$/i;

/** Registers that change with every few instructions: they can only be watched by executing one instruction at a time. */
export const needsSteps = (register: Register): boolean => register.group === 'General' || register.name === 'rflags';

/** RIP is another with every instruction. */
export const isWatchable = (register: Register): boolean => register.name !== 'rip';

/** Reads a name as the user writes it; undefined for what is an expression. Throws a UserError for a thing that does not exist. */
export function watchableNamed(text: string, world: World): Watchable | undefined {
  const memory = MEMORY.exec(text);
  if (memory) {
    const length = Number(memory[3] ?? 8);
    if (length < 1 || length > MOST_BYTES) throw new UserError('data-breakpoint', `${length} bytes cannot be watched: from 1 byte to 16 MiB.`);
    return { kind: 'memory', space: memory[1]!.toLowerCase() as SpaceName, address: BigInt(memory[2]!), length };
  }
  const field = FIELD.exec(text);
  if (field) {
    const [, vmcs, name] = field;
    const found = fieldNamed(name!);
    if (found) return { kind: 'field', field: found, ...(vmcs !== undefined && { vmcs: Number(vmcs) }) };
    const near = nearest(name!.toUpperCase(), FIELDS.map((f) => f.name));
    throw new UserError('data-breakpoint', `The VMCS has no field ${name}${near ? `: did you mean $vmcs.${near}?` : '.'}`);
  }
  const msr = MSR.exec(text);
  if (msr) {
    const index = /^[0-9]/.test(msr[1]!) ? BigInt(msr[1]!) : constantNamed(msr[1]!);
    if (index === undefined) throw new UserError('data-breakpoint', `There is no MSR ${msr[1]}: write its name as in IA32_LSTAR, or its number.`);
    return { kind: 'msr', index: Number(index) };
  }
  const machine = MACHINE.exec(text);
  if (!machine) return undefined;
  const name = machine[2]!.toLowerCase();
  if (name === 'vmcs') throw new UserError('data-breakpoint', 'A VMCS is watched by its fields, such as $vmcs.GUEST_RIP.');
  const register = registerNamed(name) ?? aliasNamed(name)?.register;
  if (!register) {
    const near = nearest(name, REGISTERS.map((r) => r.name));
    throw new UserError('data-breakpoint', `There is no register $${name}${near ? `: did you mean $${near}?` : '.'}`);
  }
  if (!isWatchable(register)) throw new UserError('data-breakpoint', 'RIP changes with every instruction: set a breakpoint where it should not go.');
  return { kind: 'register', world: (machine[1]?.toLowerCase() as World | undefined) ?? world, register };
}

/** The name of a field, of the current VMCS or of the one in the region at `vmcs`. */
export const fieldName = ({ name }: Field, vmcs?: number): string => (vmcs === undefined ? `$vmcs.${name}` : `$vmcs(${hex(vmcs)}).${name}`);

/** The name of what is watched. */
export function nameOf(watched: Watchable): string {
  switch (watched.kind) {
    case 'memory':
      return `${watched.space}:${hex(watched.address)}+${watched.length}`;
    case 'register':
      return `$${watched.world}.${watched.register.name}`;
    case 'msr':
      return `msr:${hex(watched.index)}`;
    case 'field':
      return fieldName(watched.field, watched.vmcs);
  }
}

const SPACES: Record<SpaceName, string> = { vmm: "the VMM's linear addresses", guest: "the guest's linear addresses", gpa: 'guest-physical memory', hpa: 'host-physical memory' };

/** What is watched, in words. */
export function describe(watched: Watchable): string {
  switch (watched.kind) {
    case 'memory':
      return `${watched.length} ${watched.length === 1 ? 'byte' : 'bytes'} at ${hex(watched.address)} of ${SPACES[watched.space]}`;
    case 'register':
      return `register ${watched.register.name.toUpperCase()} of the ${WORLD_NAME[watched.world]}${needsSteps(watched.register) ? ' (the machine then executes one instruction at a time, some hundred times slower)' : ''}`;
    case 'msr':
      return `MSR ${hex(watched.index)}`;
    case 'field':
      return `VMCS field ${watched.field.name}${watched.vmcs === undefined ? '' : ` of the VMCS at hpa:${hex(watched.vmcs)}`}`;
  }
}
