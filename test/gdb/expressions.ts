/**
 * Expressions of C, as GDB's print computes them through the stub and as Hyperstep's evaluate does, at the same stop of
 * expressions/program.c: tsx test/gdb/expressions.ts [HOW MANY RANDOM ONES] [SEED].
 */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { serveGdb } from '../../src/adapter/hosts/gdbServer';
import { GdbStub } from '../../src/gdb/stub';
import { ExtendedReal } from '../../src/symbols/extendedReal';
import { Client } from '../dap/client';
import { GIVEN, explanationOf } from './expressionCases';
import { GdbProcess, type GdbExpression } from './gdbProcess';
import { RandomExpressions } from './randomExpressions';
import { random } from './random';
import { endWith } from './script';
import { buildProgram } from './scenes';

const [count = '600', seed = '1'] = process.argv.slice(2);
const FOLDER = path.join(__dirname, 'expressions');
interface Own {
  text?: string;
  type?: string;
  error?: string;
}

/** C's integer types under one name each: GDB and gcc order the words differently. */
const INTEGER_TYPES: Readonly<Record<string, string>> = {
  'long int': 'long', 'long unsigned int': 'unsigned long', 'long long int': 'long long', 'long long unsigned int': 'unsigned long long', 'short int': 'short', 'short unsigned int': 'unsigned short', 'unsigned': 'unsigned int',
};
const typeOf = (text: string): string => {
  const bare = text.replace(/\b(const|volatile|_Atomic)\b/g, '').replace(/\s+/g, ' ').replace(/ ?([*()[\],]) ?/g, '$1').trim();
  return INTEGER_TYPES[bare] ?? bare;
};

/** What each debugger puts around numbers, names and strings, and what the other has for it. */
const SAME: readonly [RegExp, string | ((found: string, part: string) => string)][] = [
  [/@0x[0-9a-f]+: /, ''],
  // Ours, behind a number in the other base or behind the names of flags.
  [/ \((?:0x[0-9a-f]+|-?\d+)\)/g, ''],
  [/ \| unknown: /, ' | '],
  [/\{<No data fields>\}/, '{}'],
  // Characters behind their numbers.
  [/ [uUL]'.*'$/, ''],
  [/ '(?:\\[^']+|[^\\]|\\')'/g, ''],
  // Pointers and functions with their types in front.
  [/\{[^{}]*\(.*?\)\} (0x[0-9a-f]+)/g, '$1'],
  [/\([^()]*\*[^()]*\) ?(0x[0-9a-f]+)/g, '$1'],
  [/ <[^<>]*>/g, ''],
  [/\b[A-Za-z_]\w* = /g, ''],
  [/\\([0-7]{3})/g, (_, octal) => `\\x${parseInt(octal, 8).toString(16).padStart(2, '0')}`],
  [/\\a/g, '\\x07'],
  [/\\0/g, '\\x00'],
  [/(\\x00)+"/g, '"'],
  [/\btrue\b/g, '1'],
  [/\bfalse\b/g, '0'],
  [/^\((.*)\)$/, '$1'],
  [/-?nan(?:\(0x[0-9a-f]+\))?/gi, 'NaN'],
  [/\binf\b/g, 'Infinity'],
  [/-?(?:\d+\.\d*(?:e[+-]?\d+)?|\d+e[+-]?\d+)\b/gi, (number) => String(Number(Number(number).toPrecision(6)))],
  [/\b(?:0x[0-9a-f]+|\d{1,40})\b/g, (number) => BigInt(/^0\d/.test(number) ? Number(number) : number).toString()],
  [/[{}\s]/g, ''],
];
const parts = (text: string): string => SAME.reduce((rest, [pattern, other]) => (typeof other === 'string' ? rest.replace(pattern, other) : rest.replace(pattern, other)), text);

/** The bytes of a number of x87's format: all of its digits count. */
const extended = (text: string): string => (text.startsWith('-') ? '-' : '') + ExtendedReal.parse(text.replace(/^-/, '')).encode().join();

function compare(gdb: GdbExpression, own: Own): string | undefined {
  if (gdb.error !== undefined && own.error !== undefined) return undefined;
  if (gdb.error !== undefined) return `gdb says "${gdb.error}", ours ${own.text}`;
  if (own.error !== undefined) return `gdb ${gdb.text}, ours says "${own.error}"`;
  const isExtended = /^(const |volatile )*long double$/.test(gdb.type!);
  if (isExtended && /\d/.test(gdb.text!)) return extended(gdb.text!) === extended(own.text!) ? undefined : `gdb ${gdb.text}, ours ${own.text}`;
  const real = /^(const |volatile )*(float|double)$/.test(gdb.type!) && Math.abs(Number(gdb.text) / Number(own.text) - 1) < 1e-6;
  if (!real && parts(gdb.text!) !== parts(own.text!)) return `gdb ${gdb.text}, ours ${own.text}`;
  if (own.type !== undefined && typeOf(gdb.type!) !== typeOf(own.type)) return `gdb's type ${gdb.type}, ours ${own.type}`;
  return undefined;
}

async function main(): Promise<number> {
  if (spawnSync('gdb', ['--version']).error) {
    console.log('No gdb here: skipped.');
    return 0;
  }
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'hyperstep-expressions-'));
  const built = buildProgram(folder, 'gcc', ['-g', '-O0'], path.join(FOLDER, 'program.c'));
  if (!built) {
    console.log('No gcc here: skipped.');
    return 0;
  }
  const client = new Client();
  await client.launch({ cwd: FOLDER, boot: { multiboot: built.image }, symbols: [built.symbols], machine: { memory: '16M' }, history: false });
  await client.request('setFunctionBreakpoints', { breakpoints: [{ name: 'stop' }] });
  const stopped = client.next('stopped');
  await client.configured();
  await stopped;
  const { stackFrames } = await client.request<DebugProtocol.StackTraceResponse['body']>('stackTrace', { threadId: 1 });
  const { port } = await serveGdb(new GdbStub({ debugger: client.session.debugger, explain: () => [], killed: () => {} }), 0);
  const gdb = new GdbProcess(built.symbols, FOLDER, port, ['frame 1']);
  await gdb.connected();

  const own = async (expression: string): Promise<Own> => {
    try {
      const { result, type } = await client.request<DebugProtocol.EvaluateResponse['body']>('evaluate', { expression, frameId: stackFrames[1]!.id, context: 'watch' });
      return { text: result, type };
    } catch (error) {
      return { error: error instanceof Error ? error.message : String(error) };
    }
  };
  const made = new RandomExpressions(random(Number(seed)));
  const cases = [...GIVEN, ...Array.from({ length: Number(count) }, () => made.next())];
  const explained = new Map<string, number>();
  let disagreeing = 0;
  for (const text of cases) {
    const [, expression, format] = /^(.*?)(?: \/([xdcs]))?$/.exec(text)!;
    const theirs = await gdb.evaluate(expression!, format);
    const mine = await own(format === undefined ? expression!.replace(/^(.*)@(\d+)$/, '&($1),$2') : `${expression},${format}`);
    const wrong = compare(theirs, mine);
    if (wrong === undefined) continue;
    const why = explanationOf(text, wrong);
    if (why !== undefined) explained.set(why, (explained.get(why) ?? 0) + 1);
    else {
      disagreeing++;
      console.log(`${text}: ${wrong}`);
    }
  }
  gdb.end();
  client.end();
  fs.rmSync(folder, { recursive: true });
  for (const [why, times] of explained) console.log(`${times} explained: ${why}`);
  console.log(`${cases.length} expressions; ${disagreeing} disagree.`);
  return disagreeing === 0 ? 0 : 1;
}

endWith(main());
