/**
 * Linux's own unwind tables for x86-64 (ORC: the kernel's Documentation, "ORC unwinder"), which kernels have where call
 * frame information was thrown away, and which know the assembly of interrupts and system calls too.
 *
 * `.orc_unwind_ip` has a 32-bit distance from each of its own words to an instruction; the entry of the same number in
 * `.orc_unwind` holds from there to the next: two signed 16-bit offsets, for the stack pointer and for rbp, and 16 bits
 * of registers and kind, whose upper half changed with Linux 6.3 and 6.4.
 */
import { ElfFile } from './elf';
import { callerFrame, keepRegisters, type Caller } from './unwind';
import { Frame, lookupAddress, readWord } from './frame';
import { RBP, RIP, RSP } from './registers';
import { countWhile } from './sorted';

const WORD = 8;
const ENTRY_BYTES = 6;
const IP_BYTES = 4;

/** What a stack pointer or rbp is found by: the four-bit numbers of the entries. */
const Base = { undefined: 0, previousSp: 1, dx: 2, di: 3, bp: 4, sp: 5, r10: 6, r13: 7, bpIndirect: 8, spIndirect: 9 } as const;

/** DWARF numbers of the registers that hold a stack pointer as it is, without offset. */
const HELD_IN: Readonly<Record<number, number>> = { [Base.dx]: 1, [Base.di]: 5, [Base.r10]: 10, [Base.r13]: 13 };

/** What lies at the stack pointer that an entry yields. */
type Kind = 'unknown' | 'end' | 'call' | 'registers' | 'interrupt frame';

/** How the upper half of an entry's registers and kind is to be read. */
interface Layout {
  kind(word: number, spBase: number): Kind;
  /** Whether the caller was interrupted: its address is exact, and no return address. */
  interrupted(word: number, kind: Kind): boolean;
}

const hasRegisters = (kind: Kind): boolean => kind === 'registers' || kind === 'interrupt frame';

/** Before Linux 6.4: two bits of kind, and a bit that marks the end of the stack; 6.3 put the bit of signals before that. */
const oldLayout = (endBit: number, signalBit: number | undefined): Layout => ({
  kind: (word, spBase) => {
    if ((word >> endBit) & 1) return 'end';
    return spBase === Base.undefined ? 'unknown' : (['call', 'registers', 'interrupt frame', 'unknown'] as const)[(word >> 8) & 3]!;
  },
  interrupted: (word, kind) => hasRegisters(kind) || (signalBit !== undefined && ((word >> signalBit) & 1) === 1),
});

/** From Linux 6.4 on: three bits of kind, then that of signals. */
const NEW_LAYOUT: Layout = {
  kind: (word) => (['unknown', 'end', 'call', 'registers', 'interrupt frame'] as const)[(word >> 8) & 7] ?? 'unknown',
  interrupted: (word) => ((word >> 11) & 1) === 1,
};

/** Where the registers of struct pt_regs are, by DWARF number. */
const SAVED_REGISTERS: readonly (readonly [register: number, offset: number])[] = [
  [15, 0], [14, 8], [13, 16], [12, 24], [RBP, 32], [3, 40], [11, 48], [10, 56], [9, 64], [8, 72], [0, 80], [2, 88], [1, 96], [4, 104], [5, 112],
];
/** What the processor pushes for an interrupt lies behind them and the error code: RIP, CS, RFLAGS, RSP, SS. */
const INTERRUPT_FRAME_OFFSET = 128;
const INTERRUPTED_SP = 24;

export class OrcTable {
  private readonly entries: DataView;
  /** Bytes from the section to the instruction that each entry begins at, ascending. */
  private readonly distances: Float64Array;
  /** The entries that belong to them: linkers leave them in any order. */
  private readonly order: Uint32Array;
  private readonly layout: Layout;

  private constructor(private readonly section: bigint, ips: Uint8Array, entries: Uint8Array) {
    this.entries = new DataView(entries.buffer, entries.byteOffset, entries.byteLength);
    const words = new DataView(ips.buffer, ips.byteOffset, ips.byteLength);
    const count = Math.min(Math.floor(ips.length / IP_BYTES), Math.floor(entries.length / ENTRY_BYTES));
    const distances = Float64Array.from({ length: count }, (_, number) => number * IP_BYTES + words.getInt32(number * IP_BYTES, true));
    this.order = Uint32Array.from({ length: count }, (_, number) => number);
    this.layout = this.recognize();
    // Of two for one address, the one that only ends what was before gives way to the other.
    const known = (number: number): number => (this.layout.kind(this.word(number), this.word(number) & 0x0f) === 'unknown' ? 0 : 1);
    // Kernels are sorted when they are built, since Linux 5.6.
    if (distances.some((distance, i) => i > 0 && distance < distances[i - 1]!)) this.order.sort((a, b) => distances[a]! - distances[b]! || known(a) - known(b));
    this.distances = Float64Array.from(this.order, (number) => distances[number]!);
  }

  /** The tables of a kernel; undefined where it has none. */
  static of(elf: ElfFile): OrcTable | undefined {
    const section = elf.section('.orc_unwind_ip');
    const ips = elf.contentsOf('.orc_unwind_ip');
    const entries = elf.contentsOf('.orc_unwind');
    return elf.machine === 'x86-64' && section && ips?.length && entries?.length ? new OrcTable(section.address, ips, entries) : undefined;
  }

  private word(number: number): number {
    return this.entries.getUint16(number * ENTRY_BYTES + 4, true);
  }

  /**
   * Which of the layouts the tables have. Nothing says so but what most code is: functions whose stack pointer is
   * found by rsp, and those are calls. Only 6.3 has the end of stacks in the fourth bit.
   */
  private recognize(): Layout {
    let calls = 0;
    let functions = 0;
    let fourth = false;
    for (const number of this.order) {
      const word = this.word(number);
      if ((word & 0x0f) === Base.sp) {
        functions++;
        if (((word >> 8) & 7) === 2) calls++;
      }
      fourth ||= ((word >> 11) & 1) === 1;
    }
    if (2 * calls > functions) return NEW_LAYOUT;
    return fourth ? oldLayout(11, 10) : oldLayout(10, undefined);
  }

  /** The number of the entry that holds at an address. */
  private find(address: bigint): number | undefined {
    const distance = Number(address - this.section);
    const count = countWhile(this.distances.length, (i) => this.distances[i]! <= distance);
    return count === 0 ? undefined : this.order[count - 1];
  }

  /**
   * The frame that called or was interrupted by this one; 'end' where the tables say that there is none. Undefined
   * where they do not know, or what they need is lost.
   */
  unwind(frame: Frame): Caller | 'end' | undefined {
    if (frame.bits !== 64) return undefined;
    const number = this.find(lookupAddress(frame));
    if (number === undefined) return undefined;
    const word = this.word(number);
    const spBase = word & 0x0f;
    const kind = this.layout.kind(word, spBase);
    if (kind === 'end') return 'end';
    const spOffset = this.entries.getInt16(number * ENTRY_BYTES, true);
    const sp = kind === 'unknown' ? undefined : this.stackPointer(frame, spBase, spOffset, kind);
    if (sp === undefined) return undefined;
    const registers = kind === 'call' ? callersRegisters(frame, sp, spBase === Base.sp && spOffset === WORD) : interruptedRegisters(frame, sp, kind === 'registers');
    if (!registers.get(RIP)) return undefined;
    const bp = this.framePointer(frame, ((word >> 4) & 0x0f) as number, this.entries.getInt16(number * ENTRY_BYTES + 2, true), sp);
    if (kind !== 'registers' && bp !== undefined) registers.set(RBP, bp);
    return { frame: callerFrame(frame, registers, !this.layout.interrupted(word, kind)), cfa: sp, method: 'orc' };
  }

  private stackPointer(frame: Frame, base: number, offset: number, kind: Kind): bigint | undefined {
    const moved = (register: number, by = offset): bigint | undefined => {
      const value = frame.register(register);
      return value === undefined ? undefined : BigInt.asUintN(64, value + BigInt(by));
    };
    const at = (address: bigint | undefined): bigint | undefined => (address === undefined ? undefined : readWord(frame, address, WORD));
    switch (base) {
      case Base.sp: return moved(RSP);
      case Base.bp: return moved(RBP);
      case Base.bpIndirect: return at(moved(RBP));
      case Base.spIndirect: {
        // Before Linux 5.12 only the hints of interrupts had it, and meant a pointer beyond the offset.
        if (hasRegisters(kind)) return at(moved(RSP));
        const value = at(frame.register(RSP));
        return value === undefined ? undefined : BigInt.asUintN(64, value + BigInt(offset));
      }
      default: {
        const register = HELD_IN[base];
        return register === undefined ? undefined : frame.register(register);
      }
    }
  }

  private framePointer(frame: Frame, base: number, offset: number, sp: bigint): bigint | undefined {
    const bp = frame.register(RBP);
    switch (base) {
      case Base.undefined: return bp;
      case Base.previousSp: return readWord(frame, BigInt.asUintN(64, sp + BigInt(offset)), WORD);
      case Base.bp: return bp === undefined ? undefined : readWord(frame, BigInt.asUintN(64, bp + BigInt(offset)), WORD);
      default: return undefined;
    }
  }
}

/**
 * Of a caller nothing but rsp, rip and rbp is known: where its other registers were pushed is not in these tables. A
 * function that has only its return address on the stack (`bare`) has kept nothing there that it could give back: what
 * the caller relies on is still in its registers.
 */
function callersRegisters(frame: Frame, sp: bigint, bare: boolean): Map<number, bigint> {
  const registers = new Map<number, bigint>();
  if (bare) keepRegisters(frame, registers);
  registers.set(RSP, sp);
  const back = readWord(frame, sp - BigInt(WORD), WORD);
  if (back !== undefined) registers.set(RIP, back);
  return registers;
}

/** What an interrupt, exception or system call has saved, by `struct pt_regs` or by the processor alone. */
function interruptedRegisters(frame: Frame, at: bigint, whole: boolean): Map<number, bigint> {
  const registers = new Map<number, bigint>();
  const set = (register: number, offset: number): void => {
    const value = readWord(frame, BigInt.asUintN(64, at + BigInt(offset)), WORD);
    if (value !== undefined) registers.set(register, value);
  };
  if (whole) for (const [register, offset] of SAVED_REGISTERS) set(register, offset);
  const pushed = whole ? INTERRUPT_FRAME_OFFSET : 0;
  set(RIP, pushed);
  set(RSP, pushed + INTERRUPTED_SP);
  return registers;
}
