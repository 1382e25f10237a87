/**
 * Compares our decoder with iced-x86 over millions of inputs and prints the disagreements by opcode.
 * Usage: npx tsx test/decode/iced.ts [MILLIONS] [SEED]
 */
import { explain } from './explained';
import { IcedReader, ourSignature, STRIDE } from './icedSignature';
import { fillInputs, Random } from './inputs';

const millions = Number(process.argv[2] ?? 1);
const random = new Random(Number(process.argv[3] ?? 1));
const CHUNK = 20_000;
const bytes = new Uint8Array(CHUNK * STRIDE);
const groups = new Map<string, { count: number; example: string }>();
const explained = new Map<string, number>();
let total = 0;
let valid = 0;

while (total < millions * 1e6) {
  fillInputs(bytes, CHUNK, random);
  for (const codeSize of [16, 32, 64] as const) {
    const iced = new IcedReader(bytes, codeSize);
    for (let slot = 0; slot < CHUNK; slot++) {
      const at = slot * STRIDE;
      const theirs = iced.at(at);
      const ours = ourSignature(bytes, at, codeSize);
      total++;
      if (theirs.name !== 'invalid') valid++;
      if (ours?.text === theirs.text) continue;
      const reason = explain(theirs, ours);
      if (reason !== undefined) {
        explained.set(reason, (explained.get(reason) ?? 0) + 1);
        continue;
      }
      const key = `${codeSize === 64 ? 64 : '16/32'} ${theirs.name} <> ${ours?.name}${theirs.name === ours?.name ? ' (operands)' : ''}`;
      const group = groups.get(key);
      if (group) group.count++;
      else groups.set(key, { count: 1, example: `${codeSize}: ${Buffer.from(bytes.subarray(at, at + 15)).toString('hex')}\n      iced ${theirs.text}\n      ours ${ours?.text}` });
    }
  }
}
for (const [reason, count] of [...explained].sort()) console.log(`explained: ${count} ${reason}`);
for (const [key, { count, example }] of [...groups].sort((a, b) => b[1].count - a[1].count)) console.log(`${count} ${key}\n      ${example}`);
console.log(`${total} inputs, ${valid} valid for iced, ${groups.size} unexplained groups`);
process.exitCode = groups.size === 0 ? 0 : 1;
