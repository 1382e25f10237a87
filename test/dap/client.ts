/** A DAP client in the same process: talks to a real session over the real engine, and waits for its events. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import { nodeHost } from '../../src/adapter/hosts/nodeHost';
import type { Host } from '../../src/adapter/host';
import { Session } from '../../src/adapter/session';

type Body = Record<string, unknown>;

export class RequestFailed extends Error {
  constructor(
    readonly command: string,
    /** What the adapter says of it. */
    readonly error: DebugProtocol.Message,
  ) {
    super(error.variables!['sentence']!);
  }
}

interface Waiter {
  event: string;
  matches: (body: Body) => boolean;
  resolve: (body: Body) => void;
  timer: NodeJS.Timeout;
}

/** An event that does not come within this time never will. */
const PATIENCE_MS = 80_000;

export class Client {
  readonly session: Session;
  readonly events: { event: string; body: Body }[] = [];
  /** What the guest has printed on its serial port. */
  serial = '';
  /** What the adapter has told in the debug console. */
  console = '';
  private seq = 1;
  private readonly answers = new Map<number, { command: string; resolve: (body: unknown) => void; reject: (error: Error) => void }>();
  private waiters: Waiter[] = [];

  constructor(host: Host = nodeHost()) {
    this.session = new Session(host, (message) => this.receive(message));
  }

  request<T = Body>(command: string, args?: unknown): Promise<T> {
    const seq = this.seq++;
    return new Promise<T>((resolve, reject) => {
      this.answers.set(seq, { command, resolve: (body) => resolve(body as T), reject });
      this.session.receive({ seq, type: 'request', command, arguments: args } as DebugProtocol.Request);
    });
  }

  /** The next event of that name (from now on) whose body matches. */
  next(event: string, matches: (body: Body) => boolean = () => true): Promise<Body> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`No ${event} event came within ${PATIENCE_MS} ms.`)), PATIENCE_MS);
      this.waiters.push({ event, matches, timer, resolve });
    });
  }

  private receive(message: DebugProtocol.ProtocolMessage): void {
    if (message.type === 'response') {
      const response = message as DebugProtocol.Response;
      const waiting = this.answers.get(response.request_seq);
      this.answers.delete(response.request_seq);
      if (response.success) waiting?.resolve(response.body);
      else waiting?.reject(new RequestFailed(response.command, (response.body as { error: DebugProtocol.Message }).error));
      return;
    }
    const { event, body = {} } = message as DebugProtocol.Event;
    this.events.push({ event, body });
    if (event === 'hyperstep/serial') this.serial += body.text;
    if (event === 'output' && body.category !== 'stdout') this.console += body.output;
    const waiter = this.waiters.find((w) => w.event === event && w.matches(body));
    if (!waiter) return;
    this.waiters = this.waiters.filter((w) => w !== waiter);
    clearTimeout(waiter.timer);
    waiter.resolve(body);
  }

  /** initialize and launch; breakpoints can be set afterwards. */
  async launch(configuration: object): Promise<void> {
    await this.request('initialize', { adapterID: 'hyperstep', linesStartAt1: true, columnsStartAt1: true, pathFormat: 'path', supportsInvalidatedEvent: true, supportsMemoryEvent: true });
    const initialized = this.next('initialized');
    await Promise.all([this.request('launch', { type: 'hyperstep', request: 'launch', name: 'test', cwd: '/', ...configuration }), initialized]);
  }

  /** Ends the configuration; the machine runs, or stops on entry. */
  async configured(): Promise<void> {
    await this.request('configurationDone');
  }

  /** Sends a request that lets the machine run, and waits until it stands again. */
  async until(command: string, args: object = {}): Promise<Body> {
    const stopped = this.next('stopped');
    await this.request(command, { threadId: 1, ...args });
    return stopped;
  }

  /** Waits until the serial console has shown a text. */
  async shows(text: string): Promise<void> {
    while (!this.serial.includes(text)) await this.next('hyperstep/serial');
  }

  async end(): Promise<void> {
    await this.request('disconnect').catch(() => {});
    for (const { timer } of this.waiters) clearTimeout(timer);
  }
}
