/** Bits in words: the small decodings that several fields share. */

/** One named part of a value, for a tree under the value. */
export interface BitText {
  /** Highest and lowest bit. */
  high: number;
  low: number;
  name: string;
  value: number;
  text: string;
  /** What a control does when it is 1. */
  sentence?: string;
}

export interface Decoded {
  text: string;
  bits?: BitText[];
}

/** A row describes one bit (or a run of bits) of a value: [low, name, high]. */
export type BitRow = readonly [low: number, name: string, high?: number];

/** Decodes by a table: `text` lists the names of the set bits, with their value where a part is wider than a bit. */
export function decodeBits(value: bigint, rows: readonly BitRow[], none = 'none'): Decoded {
  const bits: BitText[] = rows.map(([low, name, high = low]) => {
    const part = Number((value >> BigInt(low)) & ((1n << BigInt(high - low + 1)) - 1n));
    return { high, low, name, value: part, text: high === low ? (part ? 'yes' : 'no') : String(part) };
  });
  const shown = bits.filter((b) => b.value !== 0).map((b) => (b.high === b.low ? b.name : `${b.name}=${b.value}`));
  return { text: shown.length ? shown.join(' ') : none, bits };
}

export const CR0_BITS: readonly BitRow[] = [[31, 'PG'], [30, 'CD'], [29, 'NW'], [18, 'AM'], [16, 'WP'], [5, 'NE'], [4, 'ET'], [3, 'TS'], [2, 'EM'], [1, 'MP'], [0, 'PE']];
export const CR4_BITS: readonly BitRow[] = [
  [24, 'PKS'], [23, 'CET'], [22, 'PKE'], [21, 'SMAP'], [20, 'SMEP'], [18, 'OSXSAVE'], [17, 'PCIDE'], [16, 'FSGSBASE'], [14, 'SMXE'], [13, 'VMXE'], [12, 'LA57'], [11, 'UMIP'],
  [10, 'OSXMMEXCPT'], [9, 'OSFXSR'], [8, 'PCE'], [7, 'PGE'], [6, 'MCE'], [5, 'PAE'], [4, 'PSE'], [3, 'DE'], [2, 'TSD'], [1, 'PVI'], [0, 'VME'],
];
export const EFER_BITS: readonly BitRow[] = [[11, 'NXE'], [10, 'LMA'], [8, 'LME'], [0, 'SCE']];
export const RFLAGS_BITS: readonly BitRow[] = [
  [21, 'ID'], [20, 'VIP'], [19, 'VIF'], [18, 'AC'], [17, 'VM'], [16, 'RF'], [14, 'NT'], [12, 'IOPL', 13], [11, 'OF'], [10, 'DF'], [9, 'IF'], [8, 'TF'], [7, 'SF'], [6, 'ZF'], [4, 'AF'], [2, 'PF'], [0, 'CF'],
];
export const DEBUGCTL_BITS: readonly BitRow[] = [[0, 'LBR'], [1, 'BTF'], [6, 'TR'], [7, 'BTS'], [8, 'BTINT'], [9, 'BTS_OFF_OS'], [10, 'BTS_OFF_USR'], [11, 'FREEZE_LBRS_ON_PMI'], [12, 'FREEZE_PERFMON_ON_PMI'], [14, 'FREEZE_WHILE_SMM']];
export const DR7_BITS: readonly BitRow[] = [[0, 'L0'], [1, 'G0'], [2, 'L1'], [3, 'G1'], [4, 'L2'], [5, 'G2'], [6, 'L3'], [7, 'G3'], [8, 'LE'], [9, 'GE'], [11, 'RTM'], [13, 'GD'], [16, 'RW0', 17], [18, 'LEN0', 19], [20, 'RW1', 21], [22, 'LEN1', 23], [24, 'RW2', 25], [26, 'LEN2', 27], [28, 'RW3', 29], [30, 'LEN3', 31]];
export const INTERRUPTIBILITY_BITS: readonly BitRow[] = [[0, 'blocking by STI'], [1, 'blocking by MOV SS'], [2, 'blocking by SMI'], [3, 'blocking by NMI'], [4, 'enclave interruption']];
export const PENDING_DEBUG_BITS: readonly BitRow[] = [[0, 'B0'], [1, 'B1'], [2, 'B2'], [3, 'B3'], [11, 'BLD'], [12, 'enabled breakpoint'], [14, 'BS'], [16, 'RTM']];

export const ACTIVITY_STATES = ['active', 'HLT', 'shutdown', 'wait-for-SIPI'];
export const MEMORY_TYPES = ['uncacheable', 'write-combining', '(reserved 2)', '(reserved 3)', 'write-through', 'write-protected', 'write-back', 'uncached'];
export const EXCEPTION_NAMES = [
  '#DE', '#DB', 'NMI', '#BP', '#OF', '#BR', '#UD', '#NM', '#DF', 'coprocessor overrun', '#TS', '#NP', '#SS', '#GP', '#PF', '(15)', '#MF', '#AC', '#MC', '#XM', '#VE', '#CP',
];
export const EVENT_TYPES = ['external interrupt', '(reserved 1)', 'NMI', 'hardware exception', 'software interrupt', 'privileged software exception', 'software exception', 'other event'];
export const REGISTER_NAMES = ['RAX', 'RCX', 'RDX', 'RBX', 'RSP', 'RBP', 'RSI', 'RDI', 'R8', 'R9', 'R10', 'R11', 'R12', 'R13', 'R14', 'R15'];
export const SEGMENT_NAMES = ['ES', 'CS', 'SS', 'DS', 'FS', 'GS'];

/** `#PF`, `vector 0x80`. */
export const vectorName = (vector: number): string => EXCEPTION_NAMES[vector] ?? `vector 0x${vector.toString(16)}`;

const SYSTEM_TYPES = ['', '16-bit TSS', 'LDT', '16-bit busy TSS', '16-bit call gate', 'task gate', '16-bit interrupt gate', '16-bit trap gate', '', 'TSS', '', 'busy TSS', 'call gate', '', 'interrupt gate', 'trap gate'];

/** Access rights of a segment: SDM volume 3, "Guest Register State", format of access rights. */
export function accessRightsWords(value: number): Decoded {
  const type = value & 15;
  const bits: BitText[] = decodeBits(BigInt(value), [[16, 'unusable'], [15, 'G'], [14, 'D/B'], [13, 'L'], [12, 'AVL'], [7, 'P'], [5, 'DPL', 6], [4, 'S'], [0, 'type', 3]]).bits!;
  if (value & 0x10000) return { text: 'unusable', bits };
  let kind: string;
  if (!(value & 0x10)) kind = SYSTEM_TYPES[type] || `system type ${type}`;
  else if (type & 8) kind = `code${type & 2 ? ' readable' : ''}${type & 4 ? ' conforming' : ''}${type & 1 ? ' accessed' : ''}`;
  else kind = `data${type & 2 ? ' writable' : ''}${type & 4 ? ' expand-down' : ''}${type & 1 ? ' accessed' : ''}`;
  const size = value & 0x2000 ? ', 64-bit' : value & 0x4000 ? ', 32-bit' : value & 0x10 ? ', 16-bit' : '';
  return { text: `${kind}${size}, DPL ${(value >>> 5) & 3}${value & 0x80 ? '' : ', not present'}${value & 0x8000 ? ', granularity 4 KiB' : ''}`, bits };
}

/** Interruption information: SDM volume 3, "Information for VM Exits Due to Vectored Events". */
export function interruptionInfoWords(value: number, entry: boolean): Decoded {
  const rows: BitRow[] = [[31, 'valid'], [11, entry ? 'deliver error code' : 'error code valid'], [8, 'type', 10], [0, 'vector', 7]];
  if (!entry) rows.splice(1, 0, [12, 'NMI unblocking due to IRET']);
  const bits = decodeBits(BigInt(value >>> 0), rows).bits!;
  if (value >>> 31 === 0) return { text: 'none', bits };
  const type = (value >>> 8) & 7;
  const vector = value & 0xff;
  const what = entry && type === 7 ? 'monitor trap flag' : `${EVENT_TYPES[type]} ${type === 0 || type === 4 ? `vector 0x${vector.toString(16)}` : vectorName(vector)}`;
  return { text: what + (value & 0x800 ? ' with error code' : ''), bits };
}

/** EPTP: SDM volume 3, "Extended-Page-Table Pointer (EPTP)". */
export function eptpWords(value: bigint): Decoded {
  const root = value & 0x000f_ffff_ffff_f000n;
  const levels = Number((value >> 3n) & 7n) + 1;
  return {
    text: `root 0x${root.toString(16)}, ${levels} level${levels === 1 ? '' : 's'}, ${MEMORY_TYPES[Number(value & 7n)]}${value & 0x40n ? ', accessed and dirty flags' : ''}`,
    bits: decodeBits(value, [[0, 'memory type', 2], [3, 'page-walk length minus 1', 5], [6, 'accessed and dirty flags'], [7, 'supervisor shadow-stack control']]).bits,
  };
}
