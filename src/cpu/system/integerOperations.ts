/** Integer instructions too rare to be generated code. */
import { AccessFlag } from '../accessFlags';
import { high32, join64, low32 } from '../../base/bits';
import { Vector } from '../fault';
import { CF, OF, readFlags, writeFlags, ZF } from '../flags';
import { currentPrivilege, probeWrite, readLinear, writeLinear } from '../mmu/linear';
import { commit, stage } from '../mmu/slowPath';
import type { SlowOperation } from '../processor';
import { Gpr, Offset } from '../state';
import { effectiveOffset, memoryLinear, readEdxEax, readGpr, readOperand, truncate, writeEdxEax, writeGpr, writeOperand } from './operands';
import { requireFeature } from './privilege';
import { segmentLinear } from './segmentation';

const setFlag = (flags: number, bit: number, on: boolean): number => (on ? flags | bit : flags & ~bit);

const signed = (value: bigint, size: number): bigint => BigInt.asIntN(size * 8, value);

/** CRC-32C, polynomial 0x11EDC6F41, bit-reflected. */
function crc32c(crc: number, value: bigint, size: number): number {
  const REFLECTED = 0x82f6_3b78;
  for (let i = 0; i < size; i++) {
    crc ^= Number((value >> BigInt(i * 8)) & 0xffn);
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ REFLECTED : crc >>> 1;
  }
  return crc >>> 0;
}

/** ADCX and ADOX: add with one flag as carry, leaving the others. */
const addWithFlag =
  (flag: number): SlowOperation =>
  (cpu, insn) => {
    requireFeature(cpu, 'adx');
    const s = cpu.state;
    const size = insn.operands[0].size;
    const flags = readFlags(s);
    const sum = readOperand(cpu, insn, 0) + readOperand(cpu, insn, 1) + (flags & flag ? 1n : 0n);
    writeOperand(cpu, insn, 0, truncate(sum, size));
    writeFlags(s, setFlag(flags, flag, sum >> BigInt(size * 8) !== 0n));
  };

/**
 * BT, BTS, BTR, BTC of a bit string in memory where an address size or a segment confines it: the register's index moves
 * the offset by whole operands, forwards or backwards, before the segment is asked.
 */
const bitString =
  (change?: (value: bigint, bit: bigint) => bigint): SlowOperation =>
  (cpu, insn) => {
    const { size } = insn.operands[0];
    const index = signed(readOperand(cpu, insn, 1), size);
    const bits = BigInt(size * 8);
    const offset = truncate(effectiveOffset(cpu, insn) + BigInt.asIntN(64, index / bits - (index % bits < 0n ? 1n : 0n)) * BigInt(size), insn.addressSize);
    const linear = segmentLinear(cpu, insn.segment, offset, size, change !== undefined);
    const bit = 1n << BigInt.asUintN(64, index & (bits - 1n));
    if (change) probeWrite(cpu, linear, size);
    const value = readLinear(cpu, linear, size);
    if (change) writeLinear(cpu, linear, size, change(value, bit));
    writeFlags(cpu.state, setFlag(readFlags(cpu.state), CF, (value & bit) !== 0n));
  };

export const integerOperations: Record<string, SlowOperation> = {
  bt: bitString(),
  bts: bitString((value, bit) => value | bit),
  btr: bitString((value, bit) => value & ~bit),
  btc: bitString((value, bit) => value ^ bit),
  /** With 16 bits the result is undefined: silicon clears them. */
  bswap: (cpu, insn) => writeOperand(cpu, insn, 0, 0n),
  cmpxchg8b(cpu, insn) {
    requireFeature(cpu, 'cx8');
    const s = cpu.state;
    const linear = memoryLinear(cpu, insn, 8, true);
    // The destination counts as written in either case, so write permission is asked before it is compared.
    const address = stage(cpu, low32(linear), high32(linear), 8 | AccessFlag.WRITE | AccessFlag.RMW, currentPrivilege(cpu), true);
    if (address === 0) throw cpu.fault;
    const { data } = cpu.views;
    const value = data.getBigUint64(address, true);
    const equal = value === readEdxEax(s);
    if (equal) data.setBigUint64(address, join64(s.reg32(Gpr.RBX), s.reg32(Gpr.RCX)), true);
    if (address === s.base + Offset.SCRATCH) commit(cpu);
    if (!equal) writeEdxEax(s, value);
    writeFlags(s, setFlag(readFlags(s), ZF, equal));
  },
  xlat(cpu, insn) {
    const s = cpu.state;
    const offset = truncate(readGpr(s, Gpr.RBX, insn.addressSize) + (s.reg(Gpr.RAX) & 0xffn), insn.addressSize);
    writeGpr(s, Gpr.RAX, 1, readLinear(cpu, segmentLinear(cpu, insn.segment, offset, 1, false), 1));
  },
  bound(cpu, insn) {
    const size = insn.operandSize;
    const index = signed(readOperand(cpu, insn, 0, size), size);
    const [lower, upper] = [0, size].map((at) => signed(readLinear(cpu, memoryLinear(cpu, insn, size, false, at), size), size)) as [bigint, bigint];
    if (index < lower || index > upper) throw cpu.fault.exception(Vector.BR);
  },
  salc(cpu) {
    writeGpr(cpu.state, Gpr.RAX, 1, readFlags(cpu.state) & CF ? 0xffn : 0n);
  },
  movbe(cpu, insn) {
    requireFeature(cpu, 'movbe');
    const size = insn.operandSize;
    const value = readOperand(cpu, insn, 1, size);
    let swapped = 0n;
    for (let i = 0; i < size; i++) swapped = (swapped << 8n) | ((value >> BigInt(i * 8)) & 0xffn);
    writeOperand(cpu, insn, 0, swapped, size);
  },
  movnti(cpu, insn) {
    requireFeature(cpu, 'sse2');
    writeOperand(cpu, insn, 0, readOperand(cpu, insn, 1));
  },
  crc32(cpu, insn) {
    requireFeature(cpu, 'sse4-2');
    const crc = crc32c(Number(readOperand(cpu, insn, 0, 4)), readOperand(cpu, insn, 1), insn.operands[1].size);
    writeOperand(cpu, insn, 0, BigInt(crc));
  },
  adcx: addWithFlag(CF),
  adox: addWithFlag(OF),
};
