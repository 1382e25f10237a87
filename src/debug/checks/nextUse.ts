/**
 * Which registers code reads before it writes them, as far as its instructions say: what a compiler left in a register
 * and will not look at again may change, as with guests that tell their compiler so around each instruction that exits.
 */
import { decode, mnemonics } from '../../cpu/decode/decode';
import { Instruction, Kind, NO_REGISTER, Prefix, type Operand } from '../../cpu/decode/instruction';
import { Gpr } from '../../cpu/state';

/** More instructions than this are not looked at; what has not been read by then is taken for unknown. */
const MOST_INSTRUCTIONS = 200;
const MOST_LENGTH = 15;
const GPRS = 16;

const bit = (register: number): number => 1 << register;
const RAX = bit(Gpr.RAX);
const RBX = bit(Gpr.RBX);
const RCX = bit(Gpr.RCX);
const RDX = bit(Gpr.RDX);
const RSI = bit(Gpr.RSI);
const RDI = bit(Gpr.RDI);

/** Instructions whose first operand is written without being read. */
const OVERWRITES = new Set(['mov', 'movzx', 'movsx', 'lea', 'bsf', 'bsr', 'tzcnt', 'lzcnt', 'popcnt', 'mov_from_cr', 'mov_from_dr', 'rdfsbase', 'rdgsbase', 'rdrand', 'rdseed', 'in', 'vmread', 'movbe']);
/** Those that read or change what their operands name, and nothing else. */
const PLAIN = new Set(['add', 'or', 'adc', 'sbb', 'and', 'sub', 'xor', 'cmp', 'rol', 'ror', 'rcl', 'rcr', 'shl', 'shr', 'sar', 'inc', 'dec', 'imul', 'test', 'xchg', 'pause', 'out', 'not', 'neg', 'cmovcc', 'setcc', 'bt', 'bts', 'btr', 'btc', 'bswap', 'xadd', 'shld', 'shrd', 'clc', 'stc', 'cmc', 'cld', 'std', 'cli', 'sti', 'lfence', 'mfence', 'sfence', 'invlpg', 'mov_to_cr', 'mov_to_dr', 'mov_to_sreg', 'mov_from_sreg', 'pushf', 'popf', 'hlt', 'lgdt', 'lidt', 'ltr', 'clts', 'push_sreg', 'pop_sreg', 'swapgs', 'wbinvd', 'wrfsbase', 'wrgsbase', 'movnti', 'clac', 'stac']);
/** What others read and write besides their operands. */
const IMPLICIT: Readonly<Record<string, readonly [reads: number, writes: number]>> = {
  cbw: [RAX, 0], cwd: [RAX, RDX], imul1: [RAX, RDX], mul: [RAX, RDX], div: [RAX | RDX, 0], idiv: [RAX | RDX, 0],
  cpuid: [RAX, RBX | RCX | RDX], rdtsc: [0, RAX | RDX], rdtscp: [0, RAX | RCX | RDX], rdmsr: [RCX, RAX | RDX], wrmsr: [RAX | RCX | RDX, 0], rdpmc: [RCX, RAX | RDX],
  cmpxchg: [RAX, 0], movs: [RSI | RDI, 0], stos: [RAX | RDI, 0], lods: [RSI, 0], scas: [RAX | RDI, 0], cmps: [RSI | RDI, 0], ins: [RDX | RDI, 0], outs: [RDX | RSI, 0],
  sahf: [RAX, 0], monitor: [RAX | RCX | RDX, 0], mwait: [RAX | RCX, 0], xgetbv: [RCX, RAX | RDX], xsetbv: [RAX | RCX | RDX, 0],
};
/** A register is set to 0 whatever it held. */
const CLEARS = new Set(['xor', 'sub']);

const isRegister = (o: Operand): boolean => o.kind === Kind.REG;
/** Of 32-bit results the upper half is 0; shorter ones leave the rest as it was. */
const isWhole = (o: Operand): boolean => isRegister(o) && o.size >= 4;

interface Effect {
  reads: number;
  writes: number;
}

/** What an instruction reads and writes whole; undefined of one that is not known. */
function effectOf(insn: Instruction, name: string): Effect | undefined {
  if (name === 'nop') return { reads: 0, writes: 0 };
  const implicit = IMPLICIT[name];
  const overwrites = OVERWRITES.has(name);
  if (!implicit && !overwrites && !PLAIN.has(name)) return undefined;
  let [reads, writes] = implicit ?? [0, 0];
  if (implicit && insn.prefixes & (Prefix.REP | Prefix.REPNE)) reads |= RCX;
  if (insn.base < GPRS) reads |= bit(insn.base);
  if (insn.index < GPRS && insn.index !== NO_REGISTER) reads |= bit(insn.index);
  const operands = insn.operands.slice(0, insn.operandCount);
  const [first, second] = operands;
  if (CLEARS.has(name) && first && second && isWhole(first) && isRegister(second) && first.number === second.number) return { reads: 0, writes: bit(first.number) };
  // IMUL with three operands only writes its first.
  const onlyWrites = overwrites || (name === 'imul' && operands.length === 3);
  for (const [i, o] of operands.entries()) {
    if (!isRegister(o)) continue;
    if (i > 0 || !(onlyWrites || name === 'setcc')) reads |= bit(o.number);
    else if (isWhole(o) && onlyWrites) writes |= bit(o.number);
  }
  return { reads, writes };
}

/** A way through the code: where it is, which registers are looked for, and where its calls return to. */
interface Way {
  rip: bigint;
  wanted: number;
  /** Behind each call: its address, and what was wanted there of registers that the callee saves. */
  returns: readonly { rip: bigint; saved: number }[];
}

/** Where a register is read. */
export type NextUses = ReadonlyMap<number, bigint>;

/**
 * Finds the instructions that read registers of a mask before anything writes them.
 *
 * @param read the bytes of code at an address: fewer than asked for where nothing is mapped
 */
export function nextUses(read: (address: bigint, length: number) => Uint8Array, rip: bigint, registers: number, codeSize: 16 | 32 | 64): NextUses {
  const uses = new Map<number, bigint>();
  const ways: Way[] = [{ rip, wanted: registers, returns: [] }];
  const seen = new Map<bigint, number>();
  const insn = new Instruction();
  const wrap = (address: bigint): bigint => BigInt.asUintN(codeSize === 64 ? 64 : 32, address);
  let left = MOST_INSTRUCTIONS;
  for (let way = ways.pop(); way; way = ways.pop()) {
    let { rip: at, wanted, returns } = way;
    while (left-- > 0) {
      const open = returns.reduce((mask, { saved }) => mask | saved, wanted);
      const known = seen.get(at) ?? 0;
      if ((open & ~known) === 0) break;
      seen.set(at, known | open);
      const bytes = read(at, MOST_LENGTH);
      if (decode(bytes, 0, bytes.length, codeSize, insn) === 0) break;
      const name = mnemonics[insn.op]!;
      const next = wrap(at + BigInt(insn.length));
      const target = wrap(next + BigInt(insn.immLow));
      const [operand] = insn.operands;
      if (name === 'jmp' && operand.kind === Kind.REL) {
        at = target;
        continue;
      }
      if (name === 'jcc') {
        ways.push({ rip: target, wanted, returns });
        at = next;
        continue;
      }
      if (name === 'call' && operand.kind === Kind.REL) {
        returns = [...returns, { rip: next, saved: 0 }];
        at = target;
        continue;
      }
      if (name === 'ret') {
        const back = returns.at(-1);
        if (!back) break;
        wanted |= back.saved;
        returns = returns.slice(0, -1);
        at = back.rip;
        continue;
      }
      if (name === 'push' && isRegister(operand)) {
        // Whoever saves a register only keeps it for others.
        const last = returns.at(-1);
        if (last && wanted & bit(operand.number)) returns = [...returns.slice(0, -1), { ...last, saved: last.saved | bit(operand.number) }];
        wanted &= ~bit(operand.number);
      } else if (name === 'pop' && isRegister(operand)) wanted &= ~bit(operand.number);
      else {
        const effect = name === 'push' || name === 'pop' ? effectOf(insn, 'test') : effectOf(insn, name);
        if (!effect) break;
        for (let n = 0; n < GPRS; n++) if (effect.reads & wanted & bit(n) && !uses.has(n)) uses.set(n, at);
        wanted &= ~(effect.reads | effect.writes);
      }
      at = next;
    }
  }
  return uses;
}
