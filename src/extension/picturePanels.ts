/** The picture that a machine's display shows in place of text, in an editor of its own; keys typed there go to the PS/2 keyboard. */
import * as vscode from 'vscode';
import { HyperstepRequest, type PictureArguments, type PictureResponse, type TypeArguments } from '../adapter/messages';
import { NO_PICTURE, pictureWords, type FromPicturePage, type ToPicturePage } from './pictureChannel';
import { picturePage } from './picturePage';
import type { Sessions } from './sessions';

const VIEW_TYPE = 'hyperstep.picture';
const TITLE = 'VGA picture';
const NONCE_LETTERS = 'abcdefghijklmnopqrstuvwxyz0123456789';

const nonce = (): string => Array.from({ length: 32 }, () => NONCE_LETTERS[Math.floor(Math.random() * NONCE_LETTERS.length)]).join('');

class PicturePanel {
  readonly #panel: vscode.WebviewPanel;
  #session: vscode.DebugSession | undefined;

  constructor(session: vscode.DebugSession, media: vscode.Uri, title: string, preserveFocus: boolean, closed: () => void) {
    this.#session = session;
    this.#panel = vscode.window.createWebviewPanel(VIEW_TYPE, title, { viewColumn: vscode.ViewColumn.Beside, preserveFocus }, { enableScripts: true });
    this.#panel.iconPath = { light: vscode.Uri.joinPath(media, 'screen-light.svg'), dark: vscode.Uri.joinPath(media, 'screen.svg') };
    this.#panel.webview.onDidReceiveMessage((message: FromPicturePage) => {
      // A page that was out of sight is loaded anew, and asks for everything.
      if (message.kind === 'ready') void this.#watch();
      else void this.#request(HyperstepRequest.type, { text: message.text, device: 'keyboard' } satisfies TypeArguments);
    });
    this.#panel.onDidChangeViewState(({ webviewPanel }) => {
      if (!webviewPanel.visible) this.#look(false);
    });
    this.#panel.onDidDispose(() => {
      this.#look(false);
      closed();
    });
    this.#panel.webview.html = picturePage(nonce());
  }

  async #watch(): Promise<void> {
    if (!this.#session) return this.#post({ kind: 'ended' });
    const now = await this.#look(true);
    if (now) this.show(now);
  }

  /** Reads the picture, and is told of it from now on; or no longer. */
  #look(live: boolean): Thenable<PictureResponse | undefined> {
    return this.#request<PictureResponse>(HyperstepRequest.picture, { live } satisfies PictureArguments);
  }

  #request<T>(request: string, args: object): Thenable<T | undefined> {
    return this.#session ? this.#session.customRequest(request, args).then((answer: T) => answer, () => undefined) : Promise.resolve(undefined);
  }

  show({ picture }: PictureResponse): void {
    this.#post({ kind: 'picture', ...(picture ? { picture, words: pictureWords(picture) } : { none: NO_PICTURE }) });
  }

  #post(message: ToPicturePage): void {
    void this.#panel.webview.postMessage(message);
  }

  reveal(preserveFocus: boolean): void {
    this.#panel.reveal(undefined, preserveFocus);
  }

  end(): void {
    this.#session = undefined;
    this.#post({ kind: 'ended' });
  }

  dispose(): void {
    this.#panel.dispose();
  }
}

/** One editor per session whose picture somebody looks at. */
export class PicturePanels implements vscode.Disposable {
  readonly #panels = new Map<string, PicturePanel>();
  /** Panels of sessions that are over, which go when the next one opens. */
  readonly #ended = new Set<PicturePanel>();
  readonly #subscriptions: vscode.Disposable;

  /** `media` is the folder with the extension's icons. */
  constructor(
    sessions: Sessions,
    private readonly media: vscode.Uri,
  ) {
    this.#subscriptions = vscode.Disposable.from(
      sessions.onPicture(({ session, picture }) => this.#panels.get(session.id)?.show(picture)),
      sessions.onEnded(({ id }) => {
        const panel = this.#panels.get(id);
        if (!panel) return;
        panel.end();
        this.#panels.delete(id);
        this.#ended.add(panel);
      }),
    );
  }

  /** Opens the editor of a session, or brings it to the front. */
  show(session: vscode.DebugSession, preserveFocus: boolean): void {
    const known = this.#panels.get(session.id);
    if (known) return known.reveal(preserveFocus);
    for (const ended of [...this.#ended]) ended.dispose();
    const panel: PicturePanel = new PicturePanel(session, this.media, this.#panels.size > 0 ? `${TITLE}: ${session.name}` : TITLE, preserveFocus, () => {
      this.#ended.delete(panel);
      if (this.#panels.get(session.id) === panel) this.#panels.delete(session.id);
    });
    this.#panels.set(session.id, panel);
  }

  dispose(): void {
    for (const panel of [...this.#panels.values(), ...this.#ended]) panel.dispose();
    this.#subscriptions.dispose();
  }
}
