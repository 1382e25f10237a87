/** The terminals of sessions: one for each, which stays when its session is over until the next one opens its own. */
import * as vscode from 'vscode';
import type { Sessions } from './sessions';

/** What a terminal of a session shows and takes. It may be closed and opened again while the session lasts. */
export interface SessionPty extends vscode.Pseudoterminal {
  /** The session is over. */
  end(): void;
}

/** What sort of terminals these are. */
export interface TerminalKind<P extends SessionPty> {
  name: string;
  icon: string;
  make(session: vscode.DebugSession): P;
}

export class SessionTerminals<P extends SessionPty> implements vscode.Disposable {
  readonly #entries = new Map<string, { pty: P; terminal: vscode.Terminal | undefined }>();
  readonly #subscriptions: vscode.Disposable;
  /** Terminals of sessions that are over, replaced by the next session's. */
  #ended: vscode.Terminal[] = [];

  constructor(
    sessions: Sessions,
    private readonly kind: TerminalKind<P>,
  ) {
    this.#subscriptions = vscode.Disposable.from(
      sessions.onEnded((session) => {
        const entry = this.#entries.get(session.id);
        entry?.pty.end();
        if (entry?.terminal) this.#ended.push(entry.terminal);
        this.#entries.delete(session.id);
      }),
      vscode.window.onDidCloseTerminal((terminal) => {
        for (const entry of this.#entries.values()) if (entry.terminal === terminal) entry.terminal = undefined;
        this.#ended = this.#ended.filter((ended) => ended !== terminal);
      }),
    );
  }

  /** What the session's terminal shows, if it has had one. */
  of(session: vscode.DebugSession): P | undefined {
    return this.#entries.get(session.id)?.pty;
  }

  /** Opens the session's terminal, or brings it to the front; also one that the user has closed. */
  show(session: vscode.DebugSession, preserveFocus = false): P {
    const { name, icon, make } = this.kind;
    const known = this.#entries.get(session.id);
    const title = [...this.#entries.keys()].some((id) => id !== session.id) ? `${name}: ${session.name}` : name;
    const entry = known ?? { pty: make(session), terminal: undefined };
    entry.terminal ??= vscode.window.createTerminal({ name: title, pty: entry.pty, iconPath: new vscode.ThemeIcon(icon), isTransient: true });
    this.#entries.set(session.id, entry);
    for (const ended of this.#ended.splice(0)) ended.dispose();
    entry.terminal.show(preserveFocus);
    return entry.pty;
  }

  dispose(): void {
    for (const { terminal } of this.#entries.values()) terminal?.dispose();
    this.#subscriptions.dispose();
  }
}
