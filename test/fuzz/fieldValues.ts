/** Random values for VMCS fields: any at all, near the present one, or such as the field's meaning makes interesting. */
import { type Capabilities, CONTROL_FIELDS, type Field, type FieldName, FIELDS } from '../../src/vmx';
import { At } from '../unit/vmxRig';
import type { Random } from './random';

const ALL_ONES = 0xffff_ffff_ffff_ffffn;

/** Places in the machine's memory where a structure may be, and some where none can be. */
const PAGES = [0, 0x1000, At.VMXON, At.VMCS, At.OTHER_VMCS, At.MSR_BITMAP, At.IO_BITMAPS, At.IO_BITMAPS + 0x1000, At.MSR_LISTS, At.EPT, At.EPT + 0x1000, At.EPT + 0x3000, 0x18_0000, 0x19_0000, At.HOST_CODE, At.GUEST, At.GUEST + 0x7000, 0xff_f000, 0x100_0000, 0xfee0_0000, 0x3fff_ffff_f000];

function address(random: Random): bigint {
  const page = BigInt(random.of(PAGES));
  if (random.once(8)) return random.quad();
  return random.once(3) ? page + BigInt(random.below(0x1000)) : page;
}

const event = (random: Random): bigint => {
  const type = random.of([0, 2, 3, 3, 4, 5, 6, 7]);
  const vector = type === 2 ? 2 : type === 7 ? 0 : type === 3 ? random.below(32) : type === 6 ? random.of([3, 4]) : type === 5 ? 1 : random.below(256);
  const withCode = type === 3 && [8, 10, 11, 12, 13, 14, 17, 21].includes(vector) && !random.once(8);
  return BigInt((0x8000_0000 | (withCode ? 0x800 : 0) | (type << 8) | vector | (random.once(50) ? random.word() & 0x7fff_f000 : 0)) >>> 0);
};

const small = (n: number) => (random: Random): bigint => BigInt(random.below(n));
const bits = (random: Random): bigint => 1n << BigInt(random.below(32));

/** What a field likes to hold. */
const LIKELY: Partial<Record<FieldName, (random: Random) => bigint>> = {
  VM_ENTRY_INTERRUPTION_INFO: event,
  VM_ENTRY_INSTRUCTION_LENGTH: small(17),
  VM_ENTRY_EXCEPTION_ERROR_CODE: small(0x10000),
  GUEST_ACTIVITY_STATE: small(5),
  GUEST_INTERRUPTIBILITY_STATE: small(16),
  GUEST_PENDING_DEBUG_EXCEPTIONS: (r) => BigInt(r.word() & 0x500f),
  EPT_POINTER: (r) => (address(r) & ~0xfffn) | r.of([0x18n, 0x1en, 0x5en, 0x58n, 0x20n]),
  EXCEPTION_BITMAP: (r) => BigInt(r.word()),
  CR3_TARGET_COUNT: small(6),
  GUEST_CR0: (r) => r.of([0x20n, 0x21n, 0x8000_0021n, 0x8001_0033n, 0x30n, 0x8000_002bn, 0x6000_0030n]),
  GUEST_CR4: (r) => r.of([0x2000n, 0x2020n, 0x2030n, 0x2010n, 0x26f0n, 0x2_2020n, 0x30_2020n]),
  GUEST_RFLAGS: (r) => BigInt((r.word() & 0x3f_7fd5) | 2),
  GUEST_IA32_EFER: (r) => r.of([0n, 0x500n, 0xd01n, 0x100n, 0x400n]),
  GUEST_DR7: (r) => BigInt(r.word()),
  GUEST_IA32_DEBUGCTL: small(4),
  PREEMPTION_TIMER_VALUE: small(40),
  VM_ENTRY_MSR_LOAD_COUNT: small(6),
  VM_EXIT_MSR_LOAD_COUNT: small(3),
  VM_EXIT_MSR_STORE_COUNT: small(6),
  VMCS_LINK_POINTER: (r) => r.of([ALL_ONES, BigInt(At.OTHER_VMCS), BigInt(At.VMCS)]),
  TPR_THRESHOLD: small(17),
  VPID: small(3),
  PML_INDEX: (r) => r.of([0n, 1n, 511n, 512n, 0xffffn]),
  PLE_GAP: small(200),
  PLE_WINDOW: small(200),
  VM_FUNCTION_CONTROLS: small(2),
  POSTED_INTERRUPT_NOTIFICATION_VECTOR: small(257),
  GUEST_RIP: (r) => r.of([0x7000n, 0x7fffn, 0x7001n, 0xfff0n, 0xffffn, 0x1f_fffen, 0x20_0000n, 0x7fff_ffff_fffen]),
  GUEST_RSP: (r) => r.of([0x6000n, 0n, 1n, 2n, 0x1001n, 0x20_0000n, 0x8000_0000_0000n]),
};

const controls = new Map(CONTROL_FIELDS.map((c) => [c.field, c.kind]));

/** Control bits that the processor allows, some of them turned around. */
function controlValue(random: Random, capabilities: Capabilities, field: Field, present: bigint): bigint {
  const { must, may } = capabilities.controls[controls.get(field.name)!];
  let value = Number(present & 0xffff_ffffn);
  for (let n = random.below(4); n >= 0; n--) value ^= 1 << random.below(32);
  return BigInt(random.once(20) ? value >>> 0 : ((value | must) & may) >>> 0);
}

/** Fields that a VMM may write on this processor. */
export const writableFields = (exists: (field: Field) => boolean): Field[] => FIELDS.filter((f) => f.group !== 'exit-information' && exists(f));

/** Whether random values for a field are more than random bits. */
export const isTelling = (field: Field): boolean => controls.has(field.name) || LIKELY[field.name] !== undefined;

/** A random value for a field that holds `present`. */
export function fieldValue(random: Random, capabilities: Capabilities, field: Field, present: bigint): bigint {
  if (controls.has(field.name) && !random.once(10)) return controlValue(random, capabilities, field, present);
  const likely = LIKELY[field.name];
  if (likely && !random.once(4)) return likely(random);
  if (field.decode === 'address' && !random.once(4)) return address(random);
  switch (random.below(4)) {
    case 0:
      return random.quad();
    case 1:
      return present ^ bits(random);
    case 2:
      return present + BigInt(random.below(5)) - 2n;
    default:
      return random.of([0n, 1n, ALL_ONES, 0x7fffn, 0xffffn, 0x8000_0000n, 0x7fff_ffff_ffffn, 0x8000_0000_0000n, 0xffff_8000_0000_0000n]);
  }
}
