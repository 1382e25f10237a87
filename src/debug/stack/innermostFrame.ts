/** The innermost frame of a world, as the symbols want it. */
import { REGISTER_NAMES, RBP, RIP, RSP } from '../../symbols/registers';
import type { Frame } from '../../symbols/frame';
import { readNamed, type RegisterFile } from '../registers/registerFile';
import { registerNamed } from '../registers/registerTable';
import { codeBits, linearPc } from '../run/position';
import type { Target } from '../target';

/** Code size of a world by its registers. The host-state area has no access rights: a VMM in long mode runs 64-bit code. */
function bitsOf(file: RegisterFile): 16 | 32 | 64 {
  const efer = Number(readNamed(file, 'efer') ?? 0n);
  const access = readNamed(file, 'cs_access');
  if (access === undefined) return efer & 0x400 ? 64 : 32;
  return codeBits(efer, Number(access));
}

/** A program counter, as a linear address, and the stack pointer there. */
export interface Place {
  pc: bigint;
  rsp: bigint;
}

/** The frame that a world's registers stand in, or stood in at `from` with the same other registers; undefined when its RIP is not known. */
export function innermostFrame(target: Target, file: RegisterFile, from?: Place): Frame | undefined {
  const rip = readNamed(file, 'rip');
  if (rip === undefined) return undefined;
  const bits = bitsOf(file);
  const pc = from?.pc ?? linearPc(rip, bits, readNamed(file, 'cs_base') ?? 0n);
  const read = (address: bigint, length: number): Uint8Array | undefined => {
    const bytes = target.read(file.world, address, length);
    return bytes.length === length ? bytes : undefined;
  };
  const known = new Map<number, bigint>([[RIP, pc]]);
  if (from) known.set(RSP, from.rsp);
  if (!file.live && file.world === 'vmm') {
    const saved = savedFramePointer(target, readNamed(file, 'rsp') ?? 0n);
    if (saved !== undefined) known.set(RBP, saved);
  }
  return {
    pc,
    isCaller: false,
    bits,
    register: (n) => {
      const value = known.get(n);
      if (value !== undefined) return value;
      const register = registerNamed(REGISTER_NAMES[n] ?? '');
      return register && file.read(register);
    },
    memory: read,
  };
}

/** How many words above HOST_RSP are searched, and how far a frame may be away. */
const SEARCHED_WORDS = 64n;
const FARTHEST_FRAME = 0x1_0000n;

/**
 * While the guest runs the processor has the guest's RBP; the VMM pushed its own before the entry. It is the first word
 * on the VMM's stack that points up that stack to a return address into code with lines.
 */
function savedFramePointer(target: Target, rsp: bigint): bigint | undefined {
  for (let slot = rsp; slot < rsp + SEARCHED_WORDS * 8n; slot += 8n) {
    const candidate = target.readInteger('vmm', slot, 8);
    if (candidate === undefined) return undefined;
    if (candidate <= slot || candidate > rsp + FARTHEST_FRAME || candidate % 8n !== 0n) continue;
    const back = target.readInteger('vmm', candidate + 8n, 8);
    if (back !== undefined && target.code.lineAt('vmm', back - 1n)) return candidate;
  }
  return undefined;
}
