/** Guests of random instructions: those that VMX has something to say about, and a few that fault. */
import type { Random } from './random';

/** Hexadecimal bytes; `..` is a random byte. Most mean the same in 16-bit and in 64-bit code. */
const INSTRUCTIONS = [
  '90', 'f3 90', 'f3 90', '0f a2', '0f 31', '0f 01 f9', '0f 33', 'f4', '0f 08', '0f 09', '0f 01 d0', '0f 01 d1', '0f 01 c8', '0f 01 c9', 'fa', 'fb', 'fb 90',
  '0f 01 c1', '0f 01 c2', '0f 01 c3', '0f 01 c4', '0f 01 d4', '0f c7 f0', '0f c7 f8', '0f 06', '0f 0b', 'cc', 'ce', 'f1', 'cd ..', 'cf', '48 cf', '9c', '9d', 'f7 f1',
  'e4 ..', 'e6 ..', 'ec', 'ed', 'ee', 'ef', '6c', '6d', '6e', '6f', 'f3 6c', 'f3 6e', 'f3 66 6f',
  '0f 20 c0', '0f 20 d0', '0f 20 d8', '0f 20 e0', '44 0f 20 c0', '0f 22 c0', '0f 22 d0', '0f 22 d8', '0f 22 e0', '44 0f 22 c0', '0f 01 e0', '0f 01 f0', '0f 01 f3',
  '0f 21 c0', '0f 21 f1', '0f 23 c3', '0f 23 f8', '0f 21 fb',
  '0f 32', '0f 30', 'b9 00 08 00 00 0f 32', 'b9 80 00 00 c0 0f 32', 'b9 80 00 00 c0 0f 30', 'b9 .. 08 00 00 0f 30', 'b9 .. .. 00 00 0f 32',
  '0f 01 00', '0f 01 08', '0f 01 10', '0f 01 18', '0f 00 00', '0f 00 08', '0f 00 10', '0f 00 18', '0f 01 38', '0f 01 3b', '66 0f 38 80 08', '66 0f 38 81 08', '66 0f 38 82 08',
  '0f 78 c1', '0f 79 c1', '0f 78 08', '0f 79 08', '0f c7 30', '0f c7 38', '66 0f c7 30', 'f3 0f c7 30', '0f 37', '0f ae 38', '0f c7 28', '0f c7 18',
  '8b 03', '89 03', '01 03', '8b 08', '89 08', 'ff 03', 'f3 a4', 'f3 a5', 'f3 ab', 'ff 13', 'ff 20', 'ff d0', 'ff e3', '50', '58', '8e d8', '8e d0', '8e d0 90', '8e e0', '0f b2 03', 'ff 1b', 'ff 2b', 'cb',
  'eb fe', 'eb fc', 'e2 fe', '0f 05', '0f 34', '0f 35', '0f 07', '48 0f 07', '0f 01 f8', 'd9 03', 'dd 03', '0f 10 03', '0f 28 03', 'f0 0f b1 0b', '40', 'c8 08 00 02', 'c9', 'd6', '0f ff', '9b', 'db e3', 'df 3b', '0f 77',
] as const;

const LONGEST = 12;

/** The bytes of a guest; it ends in an instruction that always exits. */
export function guestCode(random: Random): number[] {
  const code: number[] = [];
  for (let n = random.below(LONGEST); n >= 0; n--) for (const byte of random.of(INSTRUCTIONS).split(' ')) code.push(byte === '..' ? random.below(256) : parseInt(byte, 16));
  code.push(0x0f, 0xa2);
  return code;
}
