/**
 * A debugging session told as text, to be compared with a golden file beside the tests. Lines are told by their source
 * text and places by their markers (BP comments), addresses only by their world, so that a lab built anew tells the same.
 */
import assert from 'node:assert';
import fs from 'node:fs';
import path from 'node:path';
import type { Host } from '../../src/adapter/host';
import { Client } from './client';

const ROOT = path.resolve(__dirname, '../..');
const GOLDEN = path.join(__dirname, 'golden');
/** `UPDATE_GOLDEN=1 npx mocha ...` accepts what is told now. */
const UPDATE = process.env['UPDATE_GOLDEN'] === '1';

interface Frame {
  id: number;
  name: string;
  line: number;
  source?: { path?: string };
  presentationHint?: string;
  instructionPointerReference?: string;
}
interface Variable {
  name: string;
  value: string;
  type?: string;
  variablesReference: number;
}

const sources = new Map<string, string[]>();
const linesOf = (file: string): string[] => {
  if (!sources.has(file)) sources.set(file, fs.readFileSync(file, 'utf8').split('\n'));
  return sources.get(file)!;
};

/** Line (from 1) of the first line behind a marker that is neither a comment nor empty; `/* BP: name *\/` stands above the place it means. */
export function marked(file: string, marker: string): { source: { path: string }; line: number } {
  const whole = path.join(ROOT, file);
  const at = linesOf(whole).findIndex((line) => line.includes(`BP: ${marker} `));
  assert(at >= 0, `${file} has no marker "BP: ${marker}"`);
  return { source: { path: whole }, line: at + 1 };
}

/** Line (from 1) of the first line that contains a text. */
export function lineWith(file: string, text: string): { source: { path: string }; line: number } {
  const whole = path.join(ROOT, file);
  const at = linesOf(whole).findIndex((line) => line.includes(text));
  assert(at >= 0, `${file} has no line with "${text}"`);
  return { source: { path: whole }, line: at + 1 };
}

/** Takes out of a text what changes from build to build: addresses, counts. */
export function stable(text: string): string {
  return text
    .replaceAll(ROOT + path.sep, '')
    .replace(/\b0x(?=0*[1-9a-f][0-9a-f]{4,15}\b)[0-9a-f]+/g, '0x...')
    .replace(/\bicount \d+/g, 'icount ...')
    .replace(/\bVM (exit|entry) \d+/g, 'VM $1 N')
    .replace(/\(exit \d+\)/g, '(exit N)')
    .replace(/(\.[chS]):\d+/g, '$1:...');
}

export class Story {
  readonly client: Client;
  private readonly lines: string[] = [];
  /** The thread that is looked at: the one that stopped last. */
  thread = 1;

  constructor(host?: Host) {
    this.client = new Client(host);
  }

  tell(text: string): void {
    this.lines.push(stable(text));
  }

  /** Tells what is the same in every build. */
  tellExactly(text: string): void {
    this.lines.push(text);
  }

  async launch(configuration: object): Promise<void> {
    await this.client.launch(configuration);
  }

  /** Ends the configuration, waits for the first stop, and tells it. */
  async run(tells = true): Promise<void> {
    const stopped = this.client.next('stopped');
    await this.client.configured();
    const stop = await stopped;
    if (tells) await this.tellStop('run', stop);
  }

  /** Sets breakpoints at marked lines, and tells where they are. */
  async breakAt(...places: ({ source: { path: string }; line: number } & { condition?: string; hitCondition?: string; logMessage?: string })[]): Promise<void> {
    for (const file of new Set(places.map((p) => p.source.path))) {
      const here = places.filter((p) => p.source.path === file);
      const { breakpoints } = await this.client.request<{ breakpoints: { verified: boolean; line?: number; message?: string }[] }>('setBreakpoints', {
        source: { path: file },
        breakpoints: here.map(({ source: _, ...rest }) => rest),
      });
      for (const b of breakpoints) this.tell(`breakpoint ${b.verified ? 'verified' : 'not verified'}: ${b.verified ? this.sourceLine(file, b.line!) : b.message}`);
    }
  }

  /** Runs by a request until the machine stands, and tells why and where. */
  async until(command: string, args: object = {}): Promise<void> {
    const stopped = await this.client.until(command, args);
    await this.tellStop(args && 'granularity' in args ? `${command} (${String(args.granularity)})` : command, stopped);
  }

  async tellStop(command: string, stopped: Record<string, unknown>): Promise<void> {
    this.thread = stopped['threadId'] as number;
    const [top] = await this.frames();
    this.tell(`> ${command}: ${String(stopped['description'])}`);
    this.tell(`  in ${this.frameText(top!)}`);
  }

  async frames(): Promise<Frame[]> {
    return (await this.client.request<{ stackFrames: Frame[] }>('stackTrace', { threadId: this.thread })).stackFrames;
  }

  async stack(): Promise<void> {
    this.tell(this.thread === 1 ? 'stack:' : `stack of thread ${this.thread}:`);
    for (const frame of await this.frames()) this.tell(`  ${this.frameText(frame)}`);
  }

  /** Tells a scope of a frame, or a part of it. `path` leads to the part; `only` names the lines of interest. */
  async scope(name: string, options: { frame?: number; path?: string[]; only?: RegExp } = {}): Promise<void> {
    const frame = (await this.frames())[options.frame ?? 0]!;
    const { scopes } = await this.client.request<{ scopes: Variable[] }>('scopes', { frameId: frame.id });
    let at = scopes.find((s) => s.name === name)!;
    for (const part of options.path ?? []) at = (await this.variables(at)).find((v) => v.name === part)!;
    this.tell([name, ...(options.path ?? [])].join(' / ') + ':');
    for (const v of await this.variables(at)) if (!options.only || options.only.test(v.name)) this.tell(`  ${v.name} = ${v.value}${v.type ? ` (${v.type})` : ''}`);
  }

  private async variables(of: { variablesReference: number }): Promise<Variable[]> {
    return (await this.client.request<{ variables: Variable[] }>('variables', { variablesReference: of.variablesReference })).variables;
  }

  /** Evaluates in a frame of the present stack and tells the result, or the sentence that refuses it. */
  async evaluate(expression: string, context = 'watch', frame = 0): Promise<void> {
    const frameId = (await this.frames())[frame]!.id;
    const result = await this.client.request<{ result: string; type?: string }>('evaluate', { expression, context, frameId }).then(
      (body) => body.result + (body.type ? ` (${body.type})` : ''),
      (error: Error) => `error: ${error.message}`,
    );
    this.tell(`${expression} = ${result}`);
  }

  /** Types a line into the Debug Console, with the innermost frame selected, and tells what it prints. */
  async console(line: string): Promise<void> {
    const frameId = (await this.frames())[0]!.id;
    const result = await this.client.request<{ result: string }>('evaluate', { expression: line, context: 'repl', frameId }).then(({ result }) => result, (error: Error) => `error: ${error.message}`);
    this.tell(`${line}\n${result.replace(/^/gm, '  ')}`);
  }

  private frameText(frame: Frame): string {
    if (frame.presentationHint === 'label') return `--- ${frame.name} ---`;
    const world = frame.instructionPointerReference?.split(':')[0];
    return `${world} ${frame.name.replace(/\+0x[0-9a-f]+$/, '+0x...')}` + (frame.source?.path && frame.line > 0 ? `, ${this.sourceLine(frame.source.path, frame.line)}` : '');
  }

  sourceLine(file: string, line: number): string {
    return `${path.relative(ROOT, file)}: ${linesOf(file)[line - 1]?.trim() ?? '(no such line)'}`;
  }

  /** Compares all that was told with the golden file of that name. */
  expect(name: string): void {
    const file = path.join(GOLDEN, `${name}.txt`);
    const told = this.lines.join('\n') + '\n';
    if (UPDATE) {
      fs.mkdirSync(GOLDEN, { recursive: true });
      fs.writeFileSync(file, told);
      return;
    }
    assert(fs.existsSync(file), `There is no golden text ${name}: run with UPDATE_GOLDEN=1, and read what it writes.`);
    assert.strictEqual(told, fs.readFileSync(file, 'utf8'));
  }

  async end(): Promise<void> {
    await this.client.end();
  }
}
