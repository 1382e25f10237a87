/**
 * The machine's VGA text screen as a terminal, with its colours; what is typed there goes to the PS/2 keyboard. Where the guest
 * shows a picture, that opens in an editor of its own (picturePanels.ts).
 */
import * as vscode from 'vscode';
import { HyperstepRequest, type ScreenArguments, type ScreenResponse, type TypeArguments } from '../adapter/messages';
import type { PicturePanels } from './picturePanels';
import { hasText, pictureNote, screenUpdate, visibleRows } from './screenText';
import type { Sessions } from './sessions';
import { SessionTerminals, type SessionPty } from './sessionTerminals';

class ScreenPty implements SessionPty {
  readonly #write = new vscode.EventEmitter<string>();
  readonly onDidWrite = this.#write.event;
  #screen: ScreenResponse | undefined;
  /** What the terminal shows; undefined before it is opened. */
  #shown: ScreenResponse | undefined;
  #open = false;
  /** Rows of the terminal, and the first row of the screen that is in it. */
  #height = 25;
  #first = 0;

  /** `picture` opens the picture beside, without taking the focus. */
  constructor(
    private session: vscode.DebugSession | undefined,
    private readonly picture: () => void,
  ) {}

  open(size: vscode.TerminalDimensions | undefined): void {
    this.#open = true;
    this.#shown = undefined;
    if (size) this.#height = size.rows;
    void this.#watch();
  }

  /** Reads the screen, and is told of it from now on. */
  async #watch(): Promise<void> {
    try {
      const screen = (await this.session?.customRequest(HyperstepRequest.screen, { live: true } satisfies ScreenArguments)) as ScreenResponse | undefined;
      if (!screen) return;
      this.show(screen);
      if (!screen.picture && !hasText(screen)) void vscode.window.setStatusBarMessage('The VGA screen is empty so far.', 4000);
    } catch (error) {
      this.#write.fire(`\x1b[2m[${(error as Error).message}]\x1b[0m\r\n`);
    }
  }

  /** The panel has another size: everything is drawn anew. */
  setDimensions({ rows }: vscode.TerminalDimensions): void {
    this.#height = rows;
    this.#shown = undefined;
    this.#draw();
  }

  show(screen: ScreenResponse): void {
    const begins = screen.picture && !this.showsPicture;
    this.#screen = screen;
    if (!this.#open) return;
    this.#draw();
    if (begins) this.picture();
  }

  get showsPicture(): boolean {
    return this.#screen?.picture !== undefined;
  }

  #draw(): void {
    if (!this.#screen) return;
    if (this.#screen.picture) {
      this.#shown = undefined;
      this.#write.fire(pictureNote(this.#screen.picture));
      return;
    }
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
    this.#open = false;
    this.#screen = undefined;
    void this.session?.customRequest(HyperstepRequest.screen, { live: false } satisfies ScreenArguments).then(undefined, () => undefined);
  }
}

/** One terminal per session that shows its screen. */
export class ScreenTerminals implements vscode.Disposable {
  readonly #terminals: SessionTerminals<ScreenPty>;
  readonly #subscription: vscode.Disposable;

  constructor(
    sessions: Sessions,
    private readonly pictures: PicturePanels,
  ) {
    this.#terminals = new SessionTerminals(sessions, { name: 'VGA screen', icon: 'device-desktop', make: (session) => new ScreenPty(session, () => pictures.show(session, true)) });
    this.#subscription = sessions.onScreen(({ session, screen }) => this.#terminals.of(session)?.show(screen));
  }

  /** Opens the terminal of a session, or brings it to the front; a picture too, which may have been closed. */
  show(session: vscode.DebugSession | undefined): void {
    if (session && this.#terminals.show(session).showsPicture) this.pictures.show(session, false);
  }

  dispose(): void {
    this.#subscription.dispose();
    this.#terminals.dispose();
  }
}
