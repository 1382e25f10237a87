/** What MMX instructions compute: 64-bit operands as arrays of elements (SDM volume 1, "Programming with Intel MMX Technology"). */

/** One 64-bit value in all its divisions. Hosts are little endian, as WebAssembly is. */
export class Lanes {
  private readonly buffer = new ArrayBuffer(8);
  readonly u8 = new Uint8Array(this.buffer);
  readonly i8 = new Int8Array(this.buffer);
  readonly u16 = new Uint16Array(this.buffer);
  readonly i16 = new Int16Array(this.buffer);
  readonly u32 = new Uint32Array(this.buffer);
  readonly i32 = new Int32Array(this.buffer);
  readonly u64 = new BigUint64Array(this.buffer);
  get value(): bigint {
    return this.u64[0]!;
  }
  set value(value: bigint) {
    this.u64[0] = value;
  }
}

/** Computes `r` from destination `a` and source `b`; `r` is none of them. */
export type LaneOperation = (r: Lanes, a: Lanes, b: Lanes) => void;

type Element = Exclude<keyof Lanes, 'value' | 'u64'>;
const map =
  (element: Element, compute: (a: number, b: number) => number): LaneOperation =>
  (r, a, b) => {
    for (let i = 0; i < r[element].length; i++) r[element][i] = compute(a[element][i]!, b[element][i]!);
  };
const whole =
  (compute: (a: bigint, b: bigint) => bigint): LaneOperation =>
  (r, a, b) => {
    r.value = compute(a.value, b.value);
  };

const clamp = (value: number, low: number, high: number): number => Math.min(high, Math.max(low, value));
const signedByte = (x: number): number => clamp(x, -0x80, 0x7f);
const signedWord = (x: number): number => clamp(x, -0x8000, 0x7fff);
const byte = (x: number): number => clamp(x, 0, 0xff);
const word = (x: number): number => clamp(x, 0, 0xffff);
const difference = (a: number, b: number): number => a - b;
const sum = (a: number, b: number): number => a + b;
const equal = (a: number, b: number): number => (a === b ? -1 : 0);
const greater = (a: number, b: number): number => (a > b ? -1 : 0);
const average = (a: number, b: number): number => (a + b + 1) >>> 1;

/** Narrows the elements of `a`, then those of `b`. */
const pack =
  (from: 'i16' | 'i32', to: 'i8' | 'u8' | 'i16', saturate: (x: number) => number): LaneOperation =>
  (r, a, b) => {
    const n = a[from].length;
    for (let i = 0; i < n; i++) {
      r[to][i] = saturate(a[from][i]!);
      r[to][n + i] = saturate(b[from][i]!);
    }
  };
/** Interleaves halves: the low ones or the high ones. */
const unpack =
  (element: 'u8' | 'u16' | 'u32', high: boolean): LaneOperation =>
  (r, a, b) => {
    const n = r[element].length / 2;
    for (let i = 0; i < n; i++) {
      r[element][2 * i] = a[element][high ? n + i : i]!;
      r[element][2 * i + 1] = b[element][high ? n + i : i]!;
    }
  };

/** Shift counts are the whole source; those beyond the element clear it, or fill it with its sign. */
const shift =
  (element: Element, compute: (a: number, count: number) => number, arithmetic = false): LaneOperation =>
  (r, a, b) => {
    const bits = 64 / r[element].length;
    const over = b.value >= BigInt(bits);
    const count = over ? bits - 1 : Number(b.value);
    for (let i = 0; i < r[element].length; i++) r[element][i] = over && !arithmetic ? 0 : compute(a[element][i]!, count);
  };
const left = (a: number, count: number): number => a << count;
const right = (a: number, count: number): number => a >>> count;
const rightSigned = (a: number, count: number): number => a >> count;

/** Sums or differences of neighbours: those of `a` below, those of `b` above. */
const horizontal =
  (element: 'i16' | 'i32', compute: (a: number, b: number) => number): LaneOperation =>
  (r, a, b) => {
    const n = r[element].length / 2;
    for (let i = 0; i < n; i++) {
      r[element][i] = compute(a[element][2 * i]!, a[element][2 * i + 1]!);
      r[element][n + i] = compute(b[element][2 * i]!, b[element][2 * i + 1]!);
    }
  };

const sumSaturated = (a: number, b: number): number => signedWord(a + b);
const differenceSaturated = (a: number, b: number): number => signedWord(a - b);
const withSignOf = (a: number, b: number): number => (b < 0 ? -a : b === 0 ? 0 : a);
const absolute = (_a: number, b: number): number => Math.abs(b);

/** The operations on two MMX operands, by feature and mnemonic. */
export const LANE_OPERATIONS: Readonly<Record<string, Readonly<Record<string, LaneOperation>>>> = {
  mmx: {
    paddb: map('i8', sum), paddw: map('i16', sum), paddd: map('i32', sum),
    paddsb: map('i8', (a, b) => signedByte(a + b)), paddsw: map('i16', sumSaturated), paddusb: map('u8', (a, b) => byte(a + b)), paddusw: map('u16', (a, b) => word(a + b)),
    psubb: map('i8', difference), psubw: map('i16', difference), psubd: map('i32', difference),
    psubsb: map('i8', (a, b) => signedByte(a - b)), psubsw: map('i16', differenceSaturated), psubusb: map('u8', (a, b) => byte(a - b)), psubusw: map('u16', (a, b) => word(a - b)),
    pmullw: map('i16', (a, b) => a * b), pmulhw: map('i16', (a, b) => (a * b) >> 16),
    pmaddwd(r, a, b) {
      for (let i = 0; i < 2; i++) r.i32[i] = a.i16[2 * i]! * b.i16[2 * i]! + a.i16[2 * i + 1]! * b.i16[2 * i + 1]!;
    },
    pcmpeqb: map('i8', equal), pcmpeqw: map('i16', equal), pcmpeqd: map('i32', equal),
    pcmpgtb: map('i8', greater), pcmpgtw: map('i16', greater), pcmpgtd: map('i32', greater),
    packsswb: pack('i16', 'i8', signedByte), packuswb: pack('i16', 'u8', byte), packssdw: pack('i32', 'i16', signedWord),
    punpcklbw: unpack('u8', false), punpcklwd: unpack('u16', false), punpckldq: unpack('u32', false),
    punpckhbw: unpack('u8', true), punpckhwd: unpack('u16', true), punpckhdq: unpack('u32', true),
    pand: whole((a, b) => a & b), pandn: whole((a, b) => ~a & b), por: whole((a, b) => a | b), pxor: whole((a, b) => a ^ b),
    psllw: shift('u16', left), pslld: shift('u32', left), psllq: whole((a, b) => (b > 63n ? 0n : a << b)),
    psrlw: shift('u16', right), psrld: shift('u32', right), psrlq: whole((a, b) => (b > 63n ? 0n : a >> b)),
    psraw: shift('i16', rightSigned, true), psrad: shift('i32', rightSigned, true),
  },
  sse: {
    pavgb: map('u8', average), pavgw: map('u16', average),
    pmaxub: map('u8', Math.max), pmaxsw: map('i16', Math.max), pminub: map('u8', Math.min), pminsw: map('i16', Math.min),
    pmulhuw: map('u16', (a, b) => (a * b) >>> 16),
    psadbw(r, a, b) {
      let total = 0;
      for (let i = 0; i < 8; i++) total += Math.abs(a.u8[i]! - b.u8[i]!);
      r.value = BigInt(total);
    },
  },
  sse2: {
    paddq: whole((a, b) => a + b), psubq: whole((a, b) => a - b), pmuludq: whole((a, b) => (a & 0xffff_ffffn) * (b & 0xffff_ffffn)),
  },
  ssse3: {
    pshufb(r, a, b) {
      for (let i = 0; i < 8; i++) r.u8[i] = b.u8[i]! & 0x80 ? 0 : a.u8[b.u8[i]! & 7]!;
    },
    phaddw: horizontal('i16', sum), phaddd: horizontal('i32', sum), phaddsw: horizontal('i16', sumSaturated),
    phsubw: horizontal('i16', difference), phsubd: horizontal('i32', difference), phsubsw: horizontal('i16', differenceSaturated),
    pmaddubsw(r, a, b) {
      for (let i = 0; i < 4; i++) r.i16[i] = signedWord(a.u8[2 * i]! * b.i8[2 * i]! + a.u8[2 * i + 1]! * b.i8[2 * i + 1]!);
    },
    psignb: map('i8', withSignOf), psignw: map('i16', withSignOf), psignd: map('i32', withSignOf),
    pmulhrsw: map('i16', (a, b) => (((a * b) >> 14) + 1) >> 1),
    pabsb: map('i8', absolute), pabsw: map('i16', absolute), pabsd: map('i32', absolute),
  },
}; // prettier-ignore
