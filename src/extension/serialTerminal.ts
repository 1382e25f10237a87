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
  /** Undefined once it is over or the terminal is closed. */
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
      this.#note(error.message);
    });
  }

  /** What Hyperstep itself has to say, told apart from what the guest says. */
  #note(sentence: string): void {
    this.#write.fire(`\r\n\x1b[2m[${sentence}]\x1b[0m\r\n`);
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
    this.#session = undefined;
  }
}

export class SerialTerminals implements vscode.Disposable {
  readonly #open = new Map<string, { terminal: vscode.Terminal; pty: SerialPty; icount: number }>();
  readonly #subscriptions: vscode.Disposable[];
  /** Terminals of sessions that are over, replaced by the next session's. */
  #ended: vscode.Terminal[] = [];

  constructor(sessions: Sessions) {
    this.#subscriptions = [
      sessions.onStarted((session) => this.#start(session)),
      sessions.onSerial(({ session, text }) => this.#start(session)?.show(text)),
      sessions.onState(({ session, state }) => {
        const entry = this.#open.get(session.id);
        if (!entry) return;
        // Only a restart takes the instruction count back.
        if (state.icount < entry.icount) entry.pty.restarted();
        entry.icount = state.icount;
      }),
      sessions.onEnded((session) => {
        const entry = this.#open.get(session.id);
        entry?.pty.end();
        if (entry) this.#ended.push(entry.terminal);
        this.#open.delete(session.id);
      }),
      vscode.window.onDidCloseTerminal((terminal) => {
        // Closed by the user: the session goes on, and its next output does not open another.
        this.#ended = this.#ended.filter((ended) => ended !== terminal);
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
    const terminal = vscode.window.createTerminal({ name: this.#open.size === 0 ? 'Serial console' : `Serial console: ${session.name}`, pty, iconPath: new vscode.ThemeIcon('vm'), isTransient: true });
    this.#open.set(session.id, { terminal, pty, icount: 0 });
    for (const ended of this.#ended.splice(0)) ended.dispose();
    terminal.show(true);
    return pty;
  }

  dispose(): void {
    for (const { terminal } of this.#open.values()) terminal.dispose();
    vscode.Disposable.from(...this.#subscriptions).dispose();
  }
}
