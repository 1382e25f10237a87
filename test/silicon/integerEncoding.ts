/** Random instructions of the integer forms, and what of their results is undefined. */
import { AF, OF } from '../../src/cpu/flags';
import type { Form } from './forms';
import type { Random } from './random';

const RSP = 4;

/** One instruction of the form. Memory operands are [rdi + disp8] with RDI in the data page. */
export function encodeInteger(form: Form, r: Random): { bytes: number[]; operandSize: number; count: number; memory: boolean } {
  const bytes: number[] = [];
  let size = form.byte ? 1 : [2, 4, 8][r.below(3)]!;
  if (form.noWord && size === 2) size = 4;
  const memory = !form.plain && !form.registerOnly && (form.memoryOnly || r.below(2) === 1);
  const locked = form.lock === true && memory && r.below(2) === 1;
  if (locked) bytes.push(0xf0);
  // Locked accesses across cache lines make some hosts stop the program for a while.
  const aligned = locked || form.name.startsWith('xchg');
  if (size === 2) bytes.push(0x66);
  if (form.prefix) bytes.push(form.prefix);
  let rex = size === 8 ? 8 : 0;
  const useRex = rex !== 0 || (!form.noRex && r.below(2) === 1);
  const after: number[] = [];
  if (!form.plain) {
    const pick = (): number => {
      for (;;) {
        const n = useRex ? r.below(16) : r.below(8);
        // Without REX, byte registers 4 to 7 are AH to BH; the stack pointer is never an operand.
        if (n === RSP && !(form.byte && !useRex)) continue;
        return n;
      }
    };
    const reg = form.reg ?? pick();
    if (reg > 7) rex |= 4;
    if (memory) {
      after.push(0x40 | ((reg & 7) << 3) | 7, r.below(64) & (aligned ? ~7 : ~0));
    } else {
      const rm = pick();
      if (rm > 7) rex |= 1;
      after.push(0xc0 | ((reg & 7) << 3) | (rm & 7));
    }
  }
  let count = -1;
  const n = form.immediate === 'z' ? Math.min(size, 4) : form.immediate === 'v' ? size : (form.immediate ?? 0);
  for (let i = 0; i < n; i++) after.push(r.below(4) === 0 ? [0, 1, 0x7f, 0x80, 0xff][r.below(5)]! : r.below(256));
  if (form.shift && n === 1) count = after[after.length - 1]!;
  if (form.shift && form.opcode[0]! >= 0xd0 && form.opcode[0]! < 0xd2) count = 1;
  if (useRex) bytes.push(0x40 | rex);
  bytes.push(...form.opcode, ...after);
  return { bytes, operandSize: size, count, memory };
}

/** Flags to leave out of the comparison. */
export function undefinedFlags(form: Form, operandSize: number, count: number, flags: number): number {
  let mask = form.undefinedFlags ?? 0;
  if (!form.shift) return mask;
  const masked = count & (operandSize === 8 ? 63 : 31);
  if (masked === 0) return 0;
  if (masked !== 1) mask |= OF;
  if (form.shift === 'shift') mask |= AF;
  if (form.shift === 'shift' && masked > operandSize * 8) mask |= 1;
  if (form.shift === 'double' && masked > operandSize * 8) mask |= flags;
  return mask;
}
