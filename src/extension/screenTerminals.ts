/** The machine's VGA text screen as a terminal, with its colours; what is typed there goes to the PS/2 keyboard. */
import * as vscode from 'vscode';
import { HyperstepRequest, type ScreenResponse, type TypeArguments } from '../adapter/messages';
import { hasText, screenUpdate, visibleRows } from './screenText';
import type { Sessions } from './sessions';

class ScreenPty implements vscode.Pseudoterminal {
  readonly #write = new vscode.EventEmitter<string>();
  readonly onDidWrite = this.#write.event;
  #screen: ScreenResponse | undefined;
  /** What the terminal shows; undefined before it is opened. */
  #shown: ScreenResponse | undefined;
  #open = false;
  /** Rows of the terminal, and the first row of the screen that is in it. */
  #height = 25;
  #first = 0;

  constructor(private session: vscode.DebugSession | undefined) {}

  open(size: vscode.TerminalDimensions | undefined): void {
    this.#open = true;
    if (size) this.#height = size.rows;
    this.#draw();
  }

  /** The panel has another size: everything is drawn anew. */
  setDimensions({ rows }: vscode.TerminalDimensions): void {
    this.#height = rows;
    this.#shown = undefined;
    this.#draw();
  }

  show(screen: ScreenResponse): void {
    this.#screen = screen;
    if (this.#open) this.#draw();
  }

  #draw(): void {
    if (!this.#screen) return;
    const window = visibleRows(this.#screen, this.#height);
    if (window.first !== this.#first) this.#shown = undefined;
    this.#first = window.first;
    this.#write.fire(screenUpdate(this.#screen, this.#shown, window));
    this.#shown = this.#screen;
  }

  handleInput(text: string): void {
    void this.session?.customRequest(HyperstepRequest.type, { text, device: 'keyboard' } satisfies TypeArguments).then(undefined, () => undefined);
  }

  end(): void {
    this.session = undefined;
    this.#write.fire('\x1b[?25l');
  }

  close(): void {
    const { session } = this;
    this.session = undefined;
    void session?.customRequest(HyperstepRequest.screen, { live: false }).then(undefined, () => undefined);
  }
}

/** One terminal per session that shows its screen. */
export class ScreenTerminals implements vscode.Disposable {
  readonly #open = new Map<string, { terminal: vscode.Terminal; pty: ScreenPty }>();
  readonly #subscriptions: vscode.Disposable[];
  #ended: vscode.Terminal[] = [];

  constructor(sessions: Sessions) {
    this.#subscriptions = [
      sessions.onScreen(({ session, screen }) => this.#open.get(session.id)?.pty.show(screen)),
      sessions.onEnded((session) => {
        const entry = this.#open.get(session.id);
        entry?.pty.end();
        if (entry) this.#ended.push(entry.terminal);
        this.#open.delete(session.id);
      }),
      vscode.window.onDidCloseTerminal((terminal) => {
        for (const [id, entry] of this.#open) if (entry.terminal === terminal) this.#open.delete(id);
        this.#ended = this.#ended.filter((ended) => ended !== terminal);
      }),
    ];
  }

  /** Opens the terminal of a session, or brings it to the front. */
  async show(session: vscode.DebugSession | undefined): Promise<void> {
    if (!session) return;
    const known = this.#open.get(session.id);
    if (known) return known.terminal.show();
    const screen = (await session.customRequest(HyperstepRequest.screen, { live: true })) as ScreenResponse;
    const pty = new ScreenPty(session);
    const terminal = vscode.window.createTerminal({ name: this.#open.size === 0 ? 'VGA screen' : `VGA screen: ${session.name}`, pty, iconPath: new vscode.ThemeIcon('device-desktop'), isTransient: true });
    this.#open.set(session.id, { terminal, pty });
    for (const ended of this.#ended.splice(0)) ended.dispose();
    pty.show(screen);
    terminal.show(true);
    if (!hasText(screen)) void vscode.window.setStatusBarMessage('The VGA screen is empty so far.', 4000);
  }

  dispose(): void {
    for (const { terminal } of this.#open.values()) terminal.dispose();
    vscode.Disposable.from(...this.#subscriptions).dispose();
  }
}
