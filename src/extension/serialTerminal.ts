/** The machine's serial console (COM1) as a terminal: shows what the guest transmits, types what the user types. */
import * as vscode from 'vscode';
import { HyperstepRequest, type TypeArguments } from '../adapter/messages';
import { carriageReturns } from './carriageReturns';
import type { Sessions } from './sessions';
import { SessionTerminals, type SessionPty } from './sessionTerminals';

/** Characters of what has been shown that a terminal which is opened again shows once more. */
const MOST_KEPT = 1 << 17;

/** One session's terminal. */
class SerialPty implements SessionPty {
  readonly #write = new vscode.EventEmitter<string>();
  readonly onDidWrite = this.#write.event;
  /** The last of what was shown. */
  #shown = '';
  #open = false;
  #toTerminal = carriageReturns();
  /** Undefined once it is over. */
  #session: vscode.DebugSession | undefined;

  constructor(session: vscode.DebugSession) {
    this.#session = session;
  }

  open(): void {
    this.#open = true;
    if (this.#shown) this.#write.fire(this.#shown);
  }

  /** Text from the guest. */
  show(text: string): void {
    this.#put(this.#toTerminal(text));
  }

  #put(text: string): void {
    this.#shown += text;
    // Now and then, so that a long text is not copied for each piece.
    if (this.#shown.length > 2 * MOST_KEPT) this.#shown = this.#shown.slice(this.#shown.indexOf('\n', this.#shown.length - MOST_KEPT) + 1);
    if (this.#open) this.#write.fire(text);
  }

  /** Keystrokes to the guest. A paused machine takes them when it runs on. */
  handleInput(text: string): void {
    void this.#session?.customRequest(HyperstepRequest.type, { text } satisfies TypeArguments).then(undefined, (error: Error) => {
      this.#note(error.message);
    });
  }

  /** What Hyperstep itself has to say, told apart from what the guest says. */
  #note(sentence: string): void {
    this.#put(`\r\n\x1b[2m[${sentence}]\x1b[0m\r\n`);
  }

  /** The machine has been switched on again: its output begins on a line of its own. */
  restarted(): void {
    this.#toTerminal = carriageReturns();
    this.#note('The machine has been restarted.');
  }

  /** The session is over: the text stays, keystrokes go nowhere. */
  end(): void {
    if (!this.#session) return;
    this.#session = undefined;
    this.#note('The machine has been switched off.');
  }

  close(): void {
    this.#open = false;
  }
}

export class SerialTerminals implements vscode.Disposable {
  readonly #terminals: SessionTerminals<SerialPty>;
  readonly #subscriptions: vscode.Disposable;

  constructor(sessions: Sessions) {
    this.#terminals = new SessionTerminals(sessions, { name: 'Serial console', icon: 'vm', make: (session) => new SerialPty(session) });
    this.#subscriptions = vscode.Disposable.from(
      sessions.onStarted((session) => this.#start(session)),
      sessions.onSerial(({ session, text }) => this.#start(session)?.show(text)),
      sessions.onState(({ session, state }) => void (state.what === 'restarted' && this.#terminals.of(session)?.restarted())),
    );
  }

  /** Brings a session's terminal to the front. */
  show(session: vscode.DebugSession | undefined): void {
    if (session && hasTerminal(session)) this.#terminals.show(session);
    else if (session) void vscode.window.showInformationMessage('The serial console of this session is in the Debug Console: "serial" is "console" in its launch configuration.');
  }

  /** One that the user has closed stays closed. */
  #start(session: vscode.DebugSession): SerialPty | undefined {
    if (!hasTerminal(session)) return undefined;
    return this.#terminals.of(session) ?? this.#terminals.show(session, true);
  }

  dispose(): void {
    this.#subscriptions.dispose();
    this.#terminals.dispose();
  }
}

const hasTerminal = (session: vscode.DebugSession): boolean => session.configuration.serial !== 'console';
