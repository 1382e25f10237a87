/**
 * Exit qualifications and instruction information in words: SDM volume 3, "Basic VM-Exit Information" and "Information
 * for VM Exits Due to Instruction Execution". One decoder per reason; the exit trace takes `details`, the Variables pane `text`.
 */
import { Reason } from './exitReasons';
import { REGISTER_NAMES, SEGMENT_NAMES } from './words';

export interface Qualification {
  text: string;
  details: Record<string, number | string | boolean>;
}

const hex = (v: number | bigint): string => '0x' + v.toString(16);
const field = (v: bigint, low: number, width: number): number => Number((v >> BigInt(low)) & ((1n << BigInt(width)) - 1n));

const CR_ACCESS_TYPES = ['mov to', 'mov from', 'clts', 'lmsw'];
const TASK_SWITCH_SOURCES = ['CALL', 'IRET', 'JMP', 'task gate in the IDT'];
const ENTRY_FAILURE_CAUSES: Readonly<Record<number, string>> = { 0: 'invalid guest state', 2: 'the PDPTEs cannot be loaded', 3: 'an NMI is injected while STI blocks events', 4: 'invalid VMCS link pointer' };

function crAccess(q: bigint): Qualification {
  const cr = field(q, 0, 4);
  const type = field(q, 4, 2);
  const register = REGISTER_NAMES[field(q, 8, 4)]!;
  const access = CR_ACCESS_TYPES[type]!;
  if (type === 2) return { text: 'CLTS', details: { cr: 0, access } };
  if (type === 3) {
    const source = field(q, 16, 16);
    return { text: `LMSW ${hex(source)}`, details: { cr: 0, access, source, memory: field(q, 6, 1) === 1 } };
  }
  return { text: type === 0 ? `MOV CR${cr}, ${register}` : `MOV ${register}, CR${cr}`, details: { cr, access, register } };
}

function drAccess(q: bigint): Qualification {
  const dr = field(q, 0, 3);
  const read = field(q, 4, 1) === 1;
  const register = REGISTER_NAMES[field(q, 8, 4)]!;
  return { text: read ? `MOV ${register}, DR${dr}` : `MOV DR${dr}, ${register}`, details: { dr, access: read ? 'mov from' : 'mov to', register } };
}

function io(q: bigint): Qualification {
  const size = field(q, 0, 3) + 1;
  const input = field(q, 3, 1) === 1;
  const string = field(q, 4, 1) === 1;
  const rep = field(q, 5, 1) === 1;
  const port = field(q, 16, 16);
  const details: Qualification['details'] = { port, direction: input ? 'in' : 'out', size };
  if (string) details.string = true;
  if (rep) details.rep = true;
  return { text: `${rep ? 'REP ' : ''}${input ? (string ? 'INS' : 'IN') : string ? 'OUTS' : 'OUT'}, port ${hex(port)}, ${size} byte${size === 1 ? '' : 's'}`, details };
}

const rights = (v: number): string => ((v & 1 ? 'R' : '') + (v & 2 ? 'W' : '') + (v & 4 ? 'X' : '')) || 'none';

function eptViolation(q: bigint): Qualification {
  const access = field(q, 0, 3);
  const allowed = field(q, 3, 3);
  const linearValid = field(q, 7, 1) === 1;
  const walk = linearValid && field(q, 8, 1) === 0;
  const what = access & 4 ? 'fetch' : access & 2 ? 'write' : 'read';
  const details: Qualification['details'] = { access: what, permitted: rights(allowed), present: allowed !== 0 };
  if (walk) details.pageWalk = true;
  if (field(q, 12, 1)) details.nmiUnblocking = true;
  return { text: `${what}${walk ? ' of a guest paging structure' : ''}, ${allowed === 0 ? 'not present' : `permitted ${rights(allowed)}`}`, details };
}

function taskSwitch(q: bigint): Qualification {
  const selector = field(q, 0, 16);
  const source = TASK_SWITCH_SOURCES[field(q, 30, 2)]!;
  return { text: `to TSS ${hex(selector)} by ${source}`, details: { selector, source } };
}

const APIC_ACCESS_TYPES: Readonly<Record<number, string>> = { 0: 'read', 1: 'write', 2: 'fetch', 3: 'event delivery', 4: 'monitoring', 10: 'guest-physical access of an event delivery', 15: 'guest-physical access' };

function apicAccess(q: bigint): Qualification {
  const type = field(q, 12, 4);
  const access = APIC_ACCESS_TYPES[type] ?? hex(type);
  if (type >= 10) return { text: access, details: { access } };
  const offset = field(q, 0, 12);
  return { text: `${access} at offset ${hex(offset)}`, details: { access, offset } };
}

const address = (key: string) => (q: bigint): Qualification => ({ text: hex(q), details: { [key]: hex(q) } });

const DECODERS: Readonly<Record<number, (q: bigint) => Qualification>> = {
  [Reason.EXCEPTION_OR_NMI]: (q) => ({ text: q === 0n ? 'none' : hex(q), details: {} }),
  [Reason.SIPI]: (q) => ({ text: `vector ${hex(field(q, 0, 8))}`, details: { vector: field(q, 0, 8) } }),
  [Reason.TASK_SWITCH]: taskSwitch,
  [Reason.INVLPG]: address('linear'),
  [Reason.CR_ACCESS]: crAccess,
  [Reason.DR_ACCESS]: drAccess,
  [Reason.IO_INSTRUCTION]: io,
  [Reason.ENTRY_FAILURE_GUEST_STATE]: (q) => ({ text: ENTRY_FAILURE_CAUSES[Number(q)] ?? hex(q), details: { cause: ENTRY_FAILURE_CAUSES[Number(q)] ?? hex(q) } }),
  [Reason.ENTRY_FAILURE_MSR_LOADING]: (q) => ({ text: `entry ${q} of the VM-entry MSR-load area`, details: { entry: Number(q) } }),
  [Reason.EPT_VIOLATION]: eptViolation,
  [Reason.APIC_ACCESS]: apicAccess,
  [Reason.APIC_WRITE]: (q) => ({ text: `offset ${hex(field(q, 0, 12))}`, details: { offset: field(q, 0, 12) } }),
  [Reason.VIRTUALIZED_EOI]: (q) => ({ text: `vector ${hex(field(q, 0, 8))}`, details: { vector: field(q, 0, 8) } }),
  [Reason.MWAIT]: (q) => ({ text: q & 1n ? 'address-range monitoring armed' : 'not armed', details: { armed: (q & 1n) === 1n } }),
  [Reason.VMCLEAR]: address('displacement'),
  [Reason.VMPTRLD]: address('displacement'),
  [Reason.VMPTRST]: address('displacement'),
  [Reason.VMREAD]: address('displacement'),
  [Reason.VMWRITE]: address('displacement'),
  [Reason.VMXON]: address('displacement'),
  [Reason.GDTR_IDTR_ACCESS]: address('displacement'),
  [Reason.LDTR_TR_ACCESS]: address('displacement'),
  [Reason.INVEPT]: address('displacement'),
  [Reason.INVVPID]: address('displacement'),
  [Reason.INVPCID]: address('displacement'),
};

/** The exit qualification of a basic exit reason in words. */
export function decodeQualification(reason: number, qualification: bigint): Qualification {
  return DECODERS[reason]?.(qualification) ?? { text: qualification === 0n ? 'none' : hex(qualification), details: {} };
}

const GDT_NAMES = ['SGDT', 'SIDT', 'LGDT', 'LIDT'];
const LDT_NAMES = ['SLDT', 'STR', 'LLDT', 'LTR'];

/** The memory operand that instruction information describes: `[DS: RAX + RCX * 4]`. */
function memoryOperand(info: number): string {
  const parts: string[] = [];
  if (!(info & (1 << 27))) parts.push(REGISTER_NAMES[(info >>> 23) & 15]!);
  if (!(info & (1 << 22))) parts.push(REGISTER_NAMES[(info >>> 18) & 15]! + (info & 3 ? ` * ${1 << (info & 3)}` : ''));
  return `[${SEGMENT_NAMES[(info >>> 15) & 7] ?? '?'}:${parts.length ? ' ' + parts.join(' + ') : ''} + displacement]`;
}

/** The VM-exit instruction-information field in words. */
export function decodeInstructionInfo(reason: number, info: number): string {
  switch (reason) {
    case Reason.IO_INSTRUCTION:
      return `address size ${16 << ((info >>> 7) & 7)}, segment ${SEGMENT_NAMES[(info >>> 15) & 7] ?? '?'}`;
    case Reason.GDTR_IDTR_ACCESS:
      return `${GDT_NAMES[(info >>> 28) & 3]} ${memoryOperand(info)}`;
    case Reason.LDTR_TR_ACCESS:
      return `${LDT_NAMES[(info >>> 28) & 3]} ${info & (1 << 10) ? REGISTER_NAMES[(info >>> 3) & 15] : memoryOperand(info)}`;
    case Reason.VMREAD:
    case Reason.VMWRITE:
      return `${REGISTER_NAMES[(info >>> 28) & 15]}, ${info & (1 << 10) ? REGISTER_NAMES[(info >>> 3) & 15] : memoryOperand(info)}`;
    case Reason.INVEPT:
    case Reason.INVVPID:
    case Reason.INVPCID:
      return `${REGISTER_NAMES[(info >>> 28) & 15]}, ${memoryOperand(info)}`;
    case Reason.VMCLEAR:
    case Reason.VMPTRLD:
    case Reason.VMPTRST:
    case Reason.VMXON:
    case Reason.XSAVES:
    case Reason.XRSTORS:
      return memoryOperand(info);
    case Reason.RDRAND:
    case Reason.RDSEED:
      return `${REGISTER_NAMES[(info >>> 3) & 15]}, ${16 << ((info >>> 11) & 3)}-bit operand`;
    default:
      return info === 0 ? 'none' : hex(info);
  }
}
