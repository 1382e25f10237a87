/**
 * RDRAND and RDSEED (SDM volume 1, "Random Number Generator Instructions"). The numbers come from a generator whose
 * state is part of the processor's, so that a restored snapshot yields the same ones again.
 */
import { CF, readFlags, STATUS_FLAGS, writeFlags } from '../flags';
import type { SlowOperation } from '../processor';
import { type CpuState, Offset } from '../state';
import { writeGpr } from './operands';
import { requireFeature } from './privilege';

const STEP = 0x9e37_79b9_7f4a_7c15n;
const wrap = (value: bigint): bigint => BigInt.asUintN(64, value);

/** The next 64 bits: a counter with a large odd step, its bits mixed. */
function next(s: CpuState): bigint {
  const state = wrap(s.get64(Offset.RANDOM) + STEP);
  s.set64(Offset.RANDOM, state);
  let x = wrap((state ^ (state >> 30n)) * 0xbf58_476d_1ce4_e5b9n);
  x = wrap((x ^ (x >> 27n)) * 0x94d0_49bb_1331_11ebn);
  return x ^ (x >> 31n);
}

const random =
  (mnemonic: string): SlowOperation =>
  (cpu, insn) => {
    requireFeature(cpu, mnemonic);
    if (cpu.intercepts.instruction(mnemonic, insn)) return true;
    const s = cpu.state;
    writeGpr(s, insn.operands[0].number, insn.operandSize, next(s));
    writeFlags(s, (readFlags(s) & ~STATUS_FLAGS) | CF); // CF: there was a number
  };

export const randomOperations: Record<string, SlowOperation> = { rdrand: random('rdrand'), rdseed: random('rdseed') };
