/**
 * The Debug Adapter Protocol's base, on the protocol server of @vscode/debugadapter: answers each request once, in order.
 * It knows no transport: messages come in by `receive` and leave by `send`.
 */
import { ProtocolServer } from '@vscode/debugadapter/lib/protocol';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { UserError } from '../base/errors';

/** Computes the body of the answer. What it throws becomes the error that the user reads. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- each handler names the arguments of its own request
export type Handler = (args: any) => unknown;
export type Handlers = Record<string, Handler>;

/** The protocol server numbers what it sends. */
const UNNUMBERED = 0;

export class Protocol extends ProtocolServer {
  /** By an error's code: the command of the client that takes care of it, and its title. */
  readonly remedies = new Map<string, { command: string; title: string }>();
  private readonly handlers: Handlers = {};
  /** Requests are handled one after the other, also where one waits for a file. */
  private queue: Promise<void> = Promise.resolve();
  private afterAnswer: (() => void)[] = [];

  constructor(send: (message: DebugProtocol.ProtocolMessage) => void) {
    super();
    this.onDidSendMessage((message) => send(message as DebugProtocol.ProtocolMessage));
  }

  handle(handlers: Handlers): void {
    Object.assign(this.handlers, handlers);
  }

  /** A message of the client. Anything but a request is ignored: the adapter asks nothing. */
  receive(message: DebugProtocol.ProtocolMessage): void {
    this.handleMessage(message);
  }

  protected override dispatchRequest(request: DebugProtocol.Request): void {
    this.queue = this.queue.then(() => this.answer(request));
  }

  event(event: string, body?: unknown): void {
    this.sendEvent({ seq: UNNUMBERED, type: 'event', event, body });
  }

  /** Calls `task` when the request that is being handled has been answered. */
  after(task: () => void): void {
    this.afterAnswer.push(task);
  }

  private async answer(request: DebugProtocol.Request): Promise<void> {
    const response = { seq: UNNUMBERED, type: 'response', request_seq: request.seq, command: request.command };
    this.afterAnswer = [];
    try {
      const handler = Object.hasOwn(this.handlers, request.command) ? this.handlers[request.command] : undefined;
      if (!handler) throw new UserError('request', `Hyperstep does not know the request ${request.command}.`);
      const body = await handler(request.arguments ?? {});
      this.sendResponse({ ...response, success: true, body });
    } catch (error) {
      this.afterAnswer = [];
      this.sendResponse({ ...response, success: false, ...failure(error, request.command, this.remedies) });
    }
    for (const task of this.afterAnswer) {
      try {
        task();
      } catch (error) {
        // There is no answer left that could tell it, and the requests that wait are not to be lost.
        this.event('output', { category: 'important', output: `${sentenceOf(error)}\n` });
      }
    }
  }
}

/**
 * What a client asks of its own accord after each stop, or shows where it was asked. It is often overtaken by the next
 * step, and then a message on top would tell the user of nothing.
 */
const SHOWN_IN_PLACE: ReadonlySet<string> = new Set(['threads', 'stackTrace', 'scopes', 'variables', 'evaluate', 'completions', 'exceptionInfo']);

/** A UserError is a sentence for the user; anything else is a defect and says so. */
const sentenceOf = (error: unknown): string => (error instanceof UserError ? error.message : `Hyperstep failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);

/** An error as the protocol tells it. */
function failure(error: unknown, command: string, remedies: Protocol['remedies']): { message: string; body: { error: DebugProtocol.Message } } {
  const user = error instanceof UserError;
  const sentence = sentenceOf(error);
  const remedy = user ? remedies.get(error.code) : undefined;
  const link = remedy && { url: `command:${remedy.command}`, urlLabel: remedy.title };
  // The sentence goes as a variable, so that braces in it are not taken for variables. Clients that do not look there show the message.
  return { message: sentence, body: { error: { id: user ? 1 : 2, format: '{sentence}', variables: { sentence }, showUser: !user || !SHOWN_IN_PLACE.has(command), ...link } } };
}
