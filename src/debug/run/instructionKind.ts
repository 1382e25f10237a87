/** What stepping has to know about an instruction before it executes: whether it calls, returns, enters the guest. */

export type InstructionKind =
  | 'call'
  | 'return'
  /** INT n, INT3, INTO, INT1. */
  | 'software-interrupt'
  /** SYSCALL or SYSENTER. */
  | 'system-call'
  /** VMLAUNCH or VMRESUME. */
  | 'vm-entry'
  /** A string instruction with a repeat prefix: it may take several turns. */
  | 'repeat'
  | 'halt'
  | 'other';

const LEGACY_PREFIXES = new Set([0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3]);

/** INS, OUTS, MOVS, CMPS, STOS, LODS, SCAS. */
const isString = (opcode: number): boolean => (opcode >= 0x6c && opcode <= 0x6f) || (opcode >= 0xa4 && opcode <= 0xa7) || (opcode >= 0xaa && opcode <= 0xaf);

/** Looks at the bytes of one instruction; `long` says that they are 64-bit code. */
export function instructionKind(bytes: Uint8Array, long: boolean): InstructionKind {
  let at = 0;
  let repeat = false;
  while (at < bytes.length && LEGACY_PREFIXES.has(bytes[at]!)) {
    if (bytes[at] === 0xf2 || bytes[at] === 0xf3) repeat = true;
    at++;
  }
  if (long && (bytes[at]! & 0xf0) === 0x40) at++;
  const opcode = bytes[at];
  if (opcode === undefined) return 'other';
  switch (opcode) {
    case 0xe8: // CALL rel
    case 0x9a: // CALL ptr16:16/32
      return 'call';
    case 0xff: {
      // Group 5: /2 CALL near, /3 CALL far.
      const reg = ((bytes[at + 1] ?? 0) >>> 3) & 7;
      return reg === 2 || reg === 3 ? 'call' : 'other';
    }
    case 0xc2: // RET imm
    case 0xc3: // RET
    case 0xca: // RET far imm
    case 0xcb: // RET far
    case 0xcf: // IRET
      return 'return';
    case 0xcc: // INT3
    case 0xcd: // INT n
    case 0xce: // INTO
    case 0xf1: // INT1
      return 'software-interrupt';
    case 0xf4:
      return 'halt';
    case 0x0f:
      return twoByte(bytes[at + 1], bytes[at + 2]);
  }
  return repeat && isString(opcode) ? 'repeat' : 'other';
}

function twoByte(opcode: number | undefined, modrm: number | undefined): InstructionKind {
  switch (opcode) {
    case 0x01: // Group 7: C2 VMLAUNCH, C3 VMRESUME
      return modrm === 0xc2 || modrm === 0xc3 ? 'vm-entry' : 'other';
    case 0x05: // SYSCALL
    case 0x34: // SYSENTER
      return 'system-call';
    case 0x07: // SYSRET
    case 0x35: // SYSEXIT
      return 'return';
  }
  return 'other';
}
