/** Values of registers in words, and their parts. */
import { hex } from '../../base/bits';
import { accessRightsWords, CR0_BITS, CR4_BITS, DEBUGCTL_BITS, decodeBits, decodeSelector, DR7_BITS, EFER_BITS, MEMORY_TYPES, RFLAGS_BITS, type BitRow, type Decoded } from '../../vmx/tables';
import type { Register, RegisterDecode } from '../registers/registerTable';
import type { InspectionNode } from './node';
import { ExtendedReal } from '../../symbols/extendedReal';
import { bytesOf } from '../../symbols/frame';

const DR6_BITS: readonly BitRow[] = [[0, 'B0'], [1, 'B1'], [2, 'B2'], [3, 'B3'], [13, 'BD'], [14, 'BS'], [15, 'BT'], [16, 'RTM']];
const XCR0_BITS: readonly BitRow[] = [[0, 'x87'], [1, 'SSE'], [2, 'AVX'], [3, 'BNDREGS'], [4, 'BNDCSR'], [5, 'opmask'], [6, 'ZMM_Hi256'], [7, 'Hi16_ZMM'], [9, 'PKRU']];
const APIC_BASE_BITS: readonly BitRow[] = [[8, 'BSP'], [10, 'x2APIC'], [11, 'enabled']];
const FEATURE_CONTROL_BITS: readonly BitRow[] = [[0, 'locked'], [1, 'VMX inside SMX'], [2, 'VMX outside SMX']];
const MXCSR_BITS: readonly BitRow[] = [[0, 'IE'], [1, 'DE'], [2, 'ZE'], [3, 'OE'], [4, 'UE'], [5, 'PE'], [6, 'DAZ'], [7, 'IM'], [8, 'DM'], [9, 'ZM'], [10, 'OM'], [11, 'UM'], [12, 'PM'], [13, 'RC', 14], [15, 'FTZ']];
const X87_CONTROL_BITS: readonly BitRow[] = [[0, 'IM'], [1, 'DM'], [2, 'ZM'], [3, 'OM'], [4, 'UM'], [5, 'PM'], [8, 'PC', 9], [10, 'RC', 11]];
const X87_STATUS_BITS: readonly BitRow[] = [[0, 'IE'], [1, 'DE'], [2, 'ZE'], [3, 'OE'], [4, 'UE'], [5, 'PE'], [6, 'SF'], [7, 'ES'], [8, 'C0'], [9, 'C1'], [10, 'C2'], [11, 'TOP', 13], [14, 'C3'], [15, 'B']];
const X87_TAG_BITS: readonly BitRow[] = [0, 1, 2, 3, 4, 5, 6, 7].map((n): BitRow => [n, `R${n} valid`]);

const bits = (rows: readonly BitRow[]) => (value: bigint): Decoded => decodeBits(value, rows);

const DECODERS: Partial<Record<RegisterDecode, (value: bigint) => Decoded>> = {
  cr0: bits(CR0_BITS),
  cr4: bits(CR4_BITS),
  efer: bits(EFER_BITS),
  rflags: bits(RFLAGS_BITS),
  dr6: bits(DR6_BITS),
  dr7: bits(DR7_BITS),
  xcr0: bits(XCR0_BITS),
  debugctl: bits(DEBUGCTL_BITS),
  mxcsr: bits(MXCSR_BITS),
  'apic-base': (v) => {
    const { text, bits: parts } = decodeBits(v, APIC_BASE_BITS);
    return { text: `${hex(v & 0x000f_ffff_ffff_f000n)}, ${text}`, bits: parts! };
  },
  'feature-control': bits(FEATURE_CONTROL_BITS),
  'x87-control': bits(X87_CONTROL_BITS),
  'x87-status': bits(X87_STATUS_BITS),
  'x87-tags': (v) => decodeBits(v, X87_TAG_BITS, 'all empty'),
  'access-rights': (v) => accessRightsWords(Number(v)),
  selector: (v) => decodeSelector(Number(v)),
  pat: (v) => {
    const types = Array.from({ length: 8 }, (_, i) => MEMORY_TYPES[Number((v >> BigInt(8 * i)) & 7n)]!);
    return { text: types.join(', ') };
  },
};

/** The value in words with named bits, where the register has any. */
export const registerWords = ({ decode }: Register, value: bigint): Decoded | undefined => decode && DECODERS[decode]?.(value);

/** Hexadecimal of any width; `hex` knows 64 bits. */
const wideHex = (value: bigint, digits: number): string => `0x${value.toString(16).padStart(digits, '0')}`;

const digitsOf = (register: Register): number => Math.max(1, register.bits / 4);

/** An x87 register's 80 bits as a number. */
const extendedText = (value: bigint): string => ExtendedReal.decode(bytesOf(value, 10)).toString();

/** A register as shown: in words and in hexadecimal. */
export function registerText(register: Register, value: bigint): string {
  const number = wideHex(value, digitsOf(register));
  if (register.decode === 'x87-value') return `${extendedText(value)} (${number})`;
  const words = registerWords(register, value);
  return words ? `${words.text} (${number})` : number;
}

interface Lanes {
  name: string;
  bits: number;
  show(lane: bigint): string;
}

const asFloat = (lane: bigint, bits: 32 | 64): string => {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, lane, true);
  return bits === 32 ? String(Number(view.getFloat32(0, true).toPrecision(9))) : String(view.getFloat64(0, true));
};

const LANES: readonly Lanes[] = [
  { name: 'float', bits: 32, show: (v) => asFloat(v, 32) },
  { name: 'double', bits: 64, show: (v) => asFloat(v, 64) },
  { name: 'int32', bits: 32, show: (v) => String(BigInt.asIntN(32, v)) },
  { name: 'int64', bits: 64, show: (v) => String(BigInt.asIntN(64, v)) },
  { name: 'byte', bits: 8, show: (v) => v.toString(16).padStart(2, '0') },
];

/** A vector register as elements of each usual type, the lowest first. */
export function vectorNodes(register: Register, value: bigint): InspectionNode[] {
  return LANES.map(({ name, bits: width, show }) => ({
    name,
    value: `{${Array.from({ length: register.bits / width }, (_, i) => show((value >> BigInt(i * width)) & ((1n << BigInt(width)) - 1n))).join(name === 'byte' ? ' ' : ', ')}}`,
  }));
}
