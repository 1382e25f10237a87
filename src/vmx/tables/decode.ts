/** Values of VMCS fields in words, for the Variables pane, hovers and the exit trace. */
import { controlField, type ControlKind } from './controls';
import { ENTRY_FAILURE, exitReason, exitReasonName } from './exitReasons';
import type { Field } from './fields';
import { instructionErrorSentence } from './instructionErrors';
import { decodeInstructionInfo, decodeQualification } from './qualification';
import * as words from './words';
import type { BitText, Decoded } from './words';

/** What else the VMCS holds: some values mean something only together with the exit reason. */
export interface DecodeContext {
  /** The exit-reason field. */
  exitReason?: number;
}

const hex = (v: bigint | number): string => '0x' + v.toString(16);

/** Control bits by name; bits that the SDM does not name are told by number unless they belong to the default1 class. */
function controls(kind: ControlKind, value: bigint): Decoded {
  const field = controlField(kind);
  const named = new Set<number>();
  const bits: BitText[] = field.bits.map((b) => {
    named.add(b.bit);
    const on = Number((value >> BigInt(b.bit)) & 1n);
    return { high: b.bit, low: b.bit, name: b.name, value: on, text: on ? 'yes' : 'no', sentence: b.sentence };
  });
  const on = bits.filter((b) => b.value).map((b) => b.name);
  for (let n = 0; n < 64; n++) {
    if (named.has(n) || ((value >> BigInt(n)) & 1n) === 0n) continue;
    if (n < 32 && (field.default1 >>> n) & 1) continue;
    on.push(`reserved bit ${n}`);
    bits.push({ high: n, low: n, name: `reserved bit ${n}`, value: 1, text: 'yes' });
  }
  return { text: on.length ? on.join(', ') : 'none', bits };
}

/** A segment selector: SDM volume 3, "Segment Selectors". */
export function decodeSelector(value: number): Decoded {
  return {
    text: `index ${value >>> 3}, ${value & 4 ? 'LDT' : 'GDT'}, RPL ${value & 3}`,
    bits: words.decodeBits(BigInt(value), [[3, 'index', 15], [2, 'TI'], [0, 'RPL', 1]]).bits,
  };
}

function exitReasonWords(value: number): Decoded {
  const basic = value & 0xffff;
  const reason = exitReason(basic);
  return {
    text: `${exitReasonName(basic)}${value & ENTRY_FAILURE ? ' (VM-entry failure)' : ''}${reason ? `: ${reason.sentence}` : ''}`,
    bits: words.decodeBits(BigInt(value >>> 0), [[0, 'basic exit reason', 15], [27, 'enclave mode'], [28, 'pending MTF exit'], [29, 'exit from VMX root operation'], [31, 'VM-entry failure']]).bits,
  };
}

function exceptionBitmap(value: bigint): Decoded {
  const rows = words.EXCEPTION_NAMES.map((name, n) => [n, name] as const).filter(([n]) => n !== 2 && n !== 9 && n !== 15);
  return words.decodeBits(value, rows);
}

/** The value of a field in words: `text` is never empty; `bits` are there where the value has named parts. */
export function decodeField(field: Field, value: bigint, context: DecodeContext = {}): Decoded {
  const low = Number(value & 0xffff_ffffn);
  switch (field.decode) {
    case 'pin':
    case 'primary':
    case 'secondary':
    case 'tertiary':
    case 'exit':
    case 'secondary-exit':
    case 'entry':
      return controls(field.decode, value);
    case 'selector':
      return decodeSelector(low & 0xffff);
    case 'access-rights':
      return words.accessRightsWords(low);
    case 'cr0':
      return words.decodeBits(value, words.CR0_BITS);
    case 'cr4':
      return words.decodeBits(value, words.CR4_BITS);
    case 'efer':
      return words.decodeBits(value, words.EFER_BITS);
    case 'rflags':
      return words.decodeBits(value, words.RFLAGS_BITS);
    case 'debugctl':
      return words.decodeBits(value, words.DEBUGCTL_BITS);
    case 'dr7':
      return words.decodeBits(value, words.DR7_BITS);
    case 'interruptibility':
      return words.decodeBits(value, words.INTERRUPTIBILITY_BITS);
    case 'pending-debug':
      return words.decodeBits(value, words.PENDING_DEBUG_BITS);
    case 'pdpte':
      return { text: value & 1n ? `page directory at ${hex(value & 0x000f_ffff_ffff_f000n)}` : 'not present' };
    case 'pat':
      return { text: Array.from({ length: 8 }, (_, i) => words.MEMORY_TYPES[Number((value >> BigInt(8 * i)) & 7n)]!).join(', ') };
    case 'eptp':
      return words.eptpWords(value);
    case 'exception-bitmap':
      return exceptionBitmap(value);
    case 'interruption-info':
      return words.interruptionInfoWords(low, false);
    case 'entry-interruption-info':
      return words.interruptionInfoWords(low, true);
    case 'instruction-error':
      return { text: instructionErrorSentence(low) };
    case 'exit-reason':
      return exitReasonWords(low);
    case 'exit-qualification':
      return context.exitReason === undefined ? { text: hex(value) } : { text: decodeQualification(context.exitReason & 0xffff, value).text };
    case 'instruction-info':
      return { text: context.exitReason === undefined ? hex(low) : decodeInstructionInfo(context.exitReason & 0xffff, low) };
    case 'activity':
      return { text: words.ACTIVITY_STATES[low] ?? `invalid activity state ${low}` };
    case 'address':
      return { text: field.group === 'control' || field.encoding === 0x2800 ? (value === 0xffff_ffff_ffff_ffffn ? 'none' : hex(value)) : hex(value) };
    case 'number':
      return { text: value.toString() };
  }
}
