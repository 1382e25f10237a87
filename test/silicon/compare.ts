/**
 * Every instruction form of 64-, 32- and 16-bit code against real silicon, as a user program meets it: registers, flags,
 * memory, vector and x87 state, and of faults the vector, error code, address and what was done before.
 * `npx tsx test/silicon/compare.ts [cases per form] [seed] [forms by name] [code sizes]`. With TRANSLATE=1 every
 * instruction is translated before it is executed. Lists the forms that are not covered; ends with 1 when there is one, or
 * a disagreement.
 */
import { translatorPolicy } from '../../src/cpu/engine/translator';
import type { CodeSize } from '../../src/cpu/decode/instruction';
import { allForms, decoded } from './encodings';
import { explain } from './explained';
import { INCOMPARABLE } from './incomparable';
import { differences } from './judge';
import { CaseMaker } from './operands';
import { Random } from './random';
import { At, CASE_SIZE, NativeRunner, SIGNALS } from './testCase';
import { UserMachine } from './userMachine';

/** Disagreements that are shown of a form. */
const SHOWN = 2;

function main(): void {
  translatorPolicy.enabled = process.env.TRANSLATE === '1';
  const perForm = Number(process.argv[2] ?? 2000);
  const seed = Number(process.argv[3] ?? 1);
  const only = process.argv[4] ? new RegExp(process.argv[4]) : undefined;
  const codeSizes = (process.argv[5] ?? '64,32,16').split(',').map(Number) as CodeSize[];
  const native = new NativeRunner();
  const machine = new UserMachine();
  machine.translates = translatorPolicy.enabled;
  const missing = new Set<string>();
  machine.cpu.onUnimplemented = (mnemonic) => missing.add(mnemonic);
  const segments = native.allowsSegments();
  if (!segments) console.log('This kernel lets no program have segments of its own: 16-bit code is not compared, and 32-bit code with flat segments alone.');
  let failures = 0;
  const explained = new Map<string, number>();
  /** Code of cases that this machine never ends, as hexadecimal bytes. */
  const endless: string[] = [];
  for (const codeSize of codeSizes) {
    if (codeSize === 16 && !segments) continue;
    const forms = allForms(codeSize);
    const skipped = new Map<string, string[]>();
    const lacking = new Set<string>();
    const disagreeing: string[] = [];
    const faulting: string[] = [];
    let cases = 0;
    let compared = 0;
    for (const form of forms.values()) {
      if (only && !only.test(form.name)) continue;
      const reason = INCOMPARABLE.find((row) => row.forms.test(form.name))?.reason;
      if (reason !== undefined) {
        skipped.set(reason, [...(skipped.get(reason) ?? []), form.name]);
        continue;
      }
      const maker = new CaseMaker(form, codeSize, segments, new Random(seed * 7919 + cases));
      const input = Buffer.alloc(CASE_SIZE * perForm);
      for (let i = 0; i < perForm; i++) maker.make(input.subarray(i * CASE_SIZE, (i + 1) * CASE_SIZE));
      const there = native.run(input);
      let [wrong, completed, illegal] = [0, 0, 0];
      const here = Buffer.alloc(input.length);
      for (let i = 0; i < perForm; i++) {
        const at = i * CASE_SIZE;
        const part = (run: Buffer): Buffer => run.subarray(at, at + CASE_SIZE);
        const code = [...part(input).subarray(At.CODE, At.CODE + input[at + At.LENGTH]!)];
        machine.run(input, here, at);
        if (there.readUInt16LE(at + At.VECTOR) === 3) completed++;
        if (there[at + At.SIGNAL] === SIGNALS.SIGPROF) {
          endless.push(`${form.name}: ${Buffer.from(code).toString('hex')}`);
          continue;
        }
        if (there[at + At.SIGNAL] === SIGNALS.SIGILL) illegal++;
        const problems = differences(decoded(code, codeSize)!, part(input), part(here), part(there));
        cases++;
        if (problems.size === 0) continue;
        const insn = decoded(code, codeSize)!;
        const reason = explain({ what: new Set(problems.keys()), mnemonic: form.mnemonic, insn, own: part(here).readUInt16LE(At.VECTOR), native: part(there).readUInt16LE(At.VECTOR), input: part(input), ownEnd: part(here), nativeEnd: part(there) });
        if (reason !== undefined) {
          explained.set(reason, (explained.get(reason) ?? 0) + 1);
          continue;
        }
        if (wrong++ < SHOWN) console.log(`${codeSize}-bit ${form.name}: ${Buffer.from(code).toString('hex')}: ${[...problems.values()].join('; ')}`);
      }
      if (illegal === perForm && wrong > 0) lacking.add(form.name);
      else {
        compared++;
        if (completed === 0) faulting.push(form.name);
        if (wrong > 0) disagreeing.push(`${form.name} (${wrong})`);
        failures += wrong;
      }
    }
    for (const [reason, names] of skipped) console.log(`${codeSize}-bit, ${names.length} not compared, ${reason}: ${[...new Set(names.map((name) => name.split(' ')[0]))].join(' ')}`);
    if (lacking.size > 0) console.log(`${codeSize}-bit, ${lacking.size} not compared, for this machine lacks them: ${[...lacking].join(', ')}`);
    console.log(`${codeSize}-bit, ${faulting.length} that always fault in user mode: ${[...new Set(faulting.map((name) => name.split(' ')[0]))].join(' ')}`);
    if (disagreeing.length > 0) console.log(`${codeSize}-bit, ${disagreeing.length} that disagree: ${disagreeing.join(', ')}`);
    console.log(`${codeSize}-bit code: ${forms.size} forms, ${compared} compared, ${cases} cases`);
  }
  for (const [reason, count] of explained) console.log(`explained: ${count} ${reason}`);
  if (endless.length > 0) console.log(`not compared, for this machine never ends them: ${endless.length} cases, such as ${endless.slice(0, SHOWN).join('; ')}`);
  if (machine.translates) console.log(`${machine.cpu.regionsMade} regions were translated`);
  if (missing.size > 0) console.log(`not implemented: ${[...missing].join(' ')}`);
  console.log(`${failures} disagreements with this machine's silicon`);
  native.remove();
  process.exitCode = failures ? 1 : 0;
}

main();
