// The built debug adapter, spoken to as an editor does: over its standard input and output.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { environment } from './environment.mjs';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const CLI = process.env.HYPERSTEP_CLI ?? path.resolve(HERE, '../../dist/cli.js');
const LAB = path.resolve(HERE, '../../lab');

export const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

export class Session {
  constructor() {
    this.child = spawn(process.execPath, [CLI, 'dap'], { stdio: ['pipe', 'pipe', 'inherit'], env: environment });
    this.seq = 1;
    this.answers = new Map();
    this.waiting = [];
    this.serial = '';
    let buffer = Buffer.alloc(0);
    this.child.stdout.on('data', (chunk) => {
      buffer = Buffer.concat([buffer, chunk]);
      for (;;) {
        const end = buffer.indexOf('\r\n\r\n');
        const length = end < 0 ? NaN : Number(/Content-Length: (\d+)/.exec(buffer.subarray(0, end).toString())?.[1]);
        if (!(buffer.length >= end + 4 + length)) return;
        const message = JSON.parse(buffer.subarray(end + 4, end + 4 + length).toString());
        buffer = buffer.subarray(end + 4 + length);
        this.receive(message);
      }
    });
  }

  receive(message) {
    if (message.type === 'response') {
      const { resolve, reject } = this.answers.get(message.request_seq);
      this.answers.delete(message.request_seq);
      return message.success ? resolve(message.body) : reject(new Error(JSON.stringify(message.body)));
    }
    if (message.event === 'hyperstep/serial') this.serial += message.body.text;
    this.waiting = this.waiting.filter((w) => !(w.test(message) && (w.resolve(message.body), true)));
  }

  ask(command, args = {}) {
    const seq = this.seq++;
    const text = JSON.stringify({ seq, type: 'request', command, arguments: args });
    this.child.stdin.write(`Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
    return new Promise((resolve, reject) => this.answers.set(seq, { resolve, reject }));
  }
  when(test) {
    return new Promise((resolve) => this.waiting.push({ test, resolve }));
  }
  event(name) {
    return this.when((m) => m.event === name);
  }
  async shows(text) {
    while (!this.serial.includes(text)) await this.event('hyperstep/serial');
  }
  async until(command, args = {}) {
    const stopped = this.event('stopped');
    await this.ask(command, { threadId: 1, ...args });
    return stopped;
  }

  async launch(configuration) {
    await this.ask('initialize', { adapterID: 'hyperstep', linesStartAt1: true, columnsStartAt1: true });
    const initialized = this.event('initialized');
    await Promise.all([this.ask('launch', { type: 'hyperstep', request: 'launch', name: 'bench', cwd: LAB, ...configuration }), initialized]);
  }
  async end() {
    await this.ask('disconnect').catch(() => {});
    const gone = this.child.exitCode === null && this.child.signalCode === null ? once(this.child, 'exit') : undefined;
    this.child.kill();
    await gone; // what comes next is timed
  }

  /** Seconds of processor time that the adapter's main thread has taken, on which the machine runs; of wall time where the system does not tell. */
  seconds() {
    try {
      return Number(fs.readFileSync(`/proc/${this.child.pid}/task/${this.child.pid}/schedstat`, 'latin1').split(' ')[0]) / 1e9;
    } catch {
      return performance.now() / 1000;
    }
  }
}
