/** One GDB that looks at one world of a machine by the stub, at as many stops as there are. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import path from 'node:path';

/** What GDB says of a variable, a member or an element. */
export interface GdbValue {
  name: string;
  value?: string;
  text?: string;
  children?: GdbValue[];
  /** Optimised out. */
  gone?: boolean;
  /** Neither a number nor an aggregate: floating point, functions. */
  other?: boolean;
  error?: string;
}
export interface GdbFrame {
  /** Null where GDB knows no function. */
  name: string | null;
  pc: number;
  /** 0 where GDB knows no line. */
  line: number;
  /** Debug information describes the function; false for a label of assembly. */
  described: boolean;
  locals: GdbValue[];
}

/** What GDB says of an expression: an error, or the rest. */
export interface GdbExpression {
  error?: string;
  text?: string;
  type?: string;
  size?: number;
}

/** A kernel's symbols take GDB a while. */
const ANSWER_MS = 300_000;

export class GdbProcess {
  private readonly child: ChildProcessWithoutNullStreams;
  private text = '';
  private answer: { resolve: (json: string) => void; reject: (error: Error) => void } | undefined;

  constructor(symbols: string, cwd: string, port: number, setUp: readonly string[]) {
    this.child = spawn('gdb', ['-nx', '-q', symbols], { cwd });
    for (const stream of [this.child.stdout, this.child.stderr]) stream.on('data', (data) => this.said(String(data)));
    this.child.once('close', () => this.answer?.reject(new Error(`GDB has gone:\n${this.text}`)));
    for (const line of ['set pagination off', 'set confirm off', 'set backtrace past-main on', 'set remotetimeout 600', 'set tcp connect-timeout 600', ...['frames.py', 'expressions.py'].map((file) => `source ${path.join(__dirname, file)}`), `target remote 127.0.0.1:${port}`, ...setUp]) this.child.stdin.write(`${line}\n`);
  }

  private said(data: string): void {
    this.text += data;
    const json = /@@(.*)\n/.exec(this.text);
    if (!json || !this.answer) return;
    this.answer.resolve(json[1]!);
    this.answer = undefined;
    this.text = '';
  }

  /** Waits until GDB has read its symbols and connected. */
  async connected(): Promise<void> {
    await this.ask('hyperstep-frames');
  }

  /** The frames at the present instant, innermost first; `commands` are carried out first. */
  async frames(...commands: string[]): Promise<GdbFrame[]> {
    // The machine has gone on without GDB.
    const answer = JSON.parse(await this.ask('maintenance flush dcache', 'maintenance flush register-cache', ...commands, 'hyperstep-frames')) as GdbFrame[] | { failed: string };
    if (Array.isArray(answer)) return answer;
    throw new Error(`GDB cannot tell the frames: ${answer.failed}`);
  }

  /** What an expression is in the selected frame, in a format of `print`'s. */
  async evaluate(expression: string, format = '-'): Promise<GdbExpression> {
    return JSON.parse(await this.ask(`hyperstep-evaluate ${format} ${expression}`)) as GdbExpression;
  }

  /** The JSON that the last of the commands prints. */
  private ask(...commands: string[]): Promise<string> {
    return new Promise<string>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`GDB did not answer:\n${this.text}`)), ANSWER_MS);
      this.answer = { resolve: (text) => (clearTimeout(timer), resolve(text)), reject };
      for (const line of commands) this.child.stdin.write(`${line}\n`);
    });
  }

  end(): void {
    this.answer = undefined;
    this.child.kill('SIGKILL');
  }
}
