/** The machine's serial console (COM1) as a terminal: shows what the guest transmits, types what the user types. */
import * as vscode from 'vscode';
import { HyperstepRequest, type TypeArguments } from '../adapter/messages';
import { carriageReturns } from './carriageReturns';
import type { Sessions } from './sessions';

/** One session's terminal. */
class SerialPty implements vscode.Pseudoterminal {
  readonly #write = new vscode.EventEmitter<string>();
  readonly onDidWrite = this.#write.event;
  /** What came before the terminal opened; afterwards undefined. */
  #early: string | undefined = '';
  #toTerminal = carriageReturns();
  #session: vscode.DebugSession | undefined;

  constructor(session: vscode.DebugSession) {
    this.#session = session;
  }

  open(): void {
    const early = this.#early ?? '';
    this.#early = undefined;
    if (early) this.#write.fire(early);
  }

  /** Text from the guest. */
  show(text: string): void {
    const shown = this.#toTerminal(text);
    if (this.#early === undefined) this.#write.fire(shown);
    else this.#early += shown;
  }

  /** Keystrokes to the guest. A paused machine takes them when it runs on. */
  handleInput(text: string): void {
    void this.#session?.customRequest(HyperstepRequest.type, { text } satisfies TypeArguments).then(undefined, (error: Error) => {
      this.#write.fire(`\r\n[Hyperstep: ${error.message}]\r\n`);
    });
  }

  /** The session is over: the text stays, keystrokes go nowhere. */
  end(): void {
    if (!this.#session) return;
    this.#session = undefined;
    this.#write.fire('\r\n\x1b[2m[The machine has been switched off.]\x1b[0m\r\n');
  }

  close(): void {
    this.#session = undefined;
  }
}

export class SerialTerminals implements vscode.Disposable {
  readonly #open = new Map<string, { terminal: vscode.Terminal; pty: SerialPty }>();
  readonly #subscriptions: vscode.Disposable[];
  /** The last session's terminal, replaced by the next session's. */
  #ended: vscode.Terminal | undefined;

  constructor(sessions: Sessions) {
    this.#subscriptions = [
      sessions.onStarted((session) => this.#start(session)),
      sessions.onSerial(({ session, text }) => this.#start(session)?.show(text)),
      sessions.onEnded((session) => {
        const entry = this.#open.get(session.id);
        entry?.pty.end();
        this.#ended = entry?.terminal;
        this.#open.delete(session.id);
      }),
      vscode.window.onDidCloseTerminal((terminal) => {
        if (terminal === this.#ended) this.#ended = undefined;
        // Closed by the user: the session goes on, and the next output does not reopen it.
      }),
    ];
  }

  /** Brings a session's terminal to the front. */
  show(session: vscode.DebugSession | undefined): void {
    if (session) this.#open.get(session.id)?.terminal.show();
  }

  #start(session: vscode.DebugSession): SerialPty | undefined {
    if (session.configuration.serial === 'console') return undefined;
    const known = this.#open.get(session.id);
    if (known) return known.pty;
    const pty = new SerialPty(session);
    const terminal = vscode.window.createTerminal({ name: 'Serial console', pty, iconPath: new vscode.ThemeIcon('vm'), isTransient: true });
    this.#open.set(session.id, { terminal, pty });
    this.#ended?.dispose();
    this.#ended = undefined;
    terminal.show(true);
    return pty;
  }

  dispose(): void {
    for (const { terminal } of this.#open.values()) terminal.dispose();
    vscode.Disposable.from(...this.#subscriptions).dispose();
  }
}
