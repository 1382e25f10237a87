/**
 * Follows Hyperstep's debug sessions: tells the views when to read anew and the terminals what the guest transmitted.
 * Everything comes from DAP events of the adapter (adapter/messages.ts).
 */
import * as vscode from 'vscode';
import { HyperstepEvent, type ActivityEvent, type PictureResponse, type ScreenResponse, type SerialEvent, type StateEvent } from '../adapter/messages';

export class Sessions implements vscode.Disposable {
  readonly #state = new vscode.EventEmitter<{ session: vscode.DebugSession; state: StateEvent }>();
  readonly #serial = new vscode.EventEmitter<{ session: vscode.DebugSession; text: string }>();
  readonly #activity = new vscode.EventEmitter<{ session: vscode.DebugSession; activity: ActivityEvent }>();
  readonly #screen = new vscode.EventEmitter<{ session: vscode.DebugSession; screen: ScreenResponse }>();
  readonly #picture = new vscode.EventEmitter<{ session: vscode.DebugSession; picture: PictureResponse }>();
  readonly #started = new vscode.EventEmitter<vscode.DebugSession>();
  readonly #ended = new vscode.EventEmitter<vscode.DebugSession>();
  readonly #active = new vscode.EventEmitter<vscode.DebugSession | undefined>();
  readonly #subscriptions: vscode.Disposable[];
  /** All that have started and are not over. */
  readonly all = new Set<vscode.DebugSession>();

  /** Something that views show has changed. */
  readonly onState = this.#state.event;
  readonly onSerial = this.#serial.event;
  /** What a running machine does, twice a second. */
  readonly onActivity = this.#activity.event;
  /** The VGA screen has changed, for who asked to be told. */
  readonly onScreen = this.#screen.event;
  /** The display's picture has changed, in the same way. */
  readonly onPicture = this.#picture.event;
  readonly onStarted = this.#started.event;
  readonly onEnded = this.#ended.event;
  /** Another session, or none, is in the foreground. */
  readonly onActive = this.#active.event;

  constructor(readonly type: string) {
    this.#subscriptions = [
      vscode.debug.onDidStartDebugSession((session) => {
        if (!this.#mine(session)) return;
        this.all.add(session);
        this.#started.fire(session);
      }),
      vscode.debug.onDidTerminateDebugSession((session) => {
        if (!this.#mine(session)) return;
        this.all.delete(session);
        this.#ended.fire(session);
      }),
      vscode.debug.onDidChangeActiveDebugSession(() => this.#active.fire(this.active)),
      vscode.debug.onDidReceiveDebugSessionCustomEvent(({ session, event, body }) => {
        if (!this.#mine(session)) return;
        if (event === HyperstepEvent.serial) this.#serial.fire({ session, text: (body as SerialEvent).text });
        if (event === HyperstepEvent.activity) this.#activity.fire({ session, activity: body as ActivityEvent });
        if (event === HyperstepEvent.screen) this.#screen.fire({ session, screen: body as ScreenResponse });
        if (event === HyperstepEvent.picture) this.#picture.fire({ session, picture: body as PictureResponse });
        if (event === HyperstepEvent.state) this.#state.fire({ session, state: body as StateEvent });
      }),
    ];
  }

  /** The session in the foreground, if it is one of Hyperstep's. */
  get active(): vscode.DebugSession | undefined {
    const session = vscode.debug.activeDebugSession;
    return session && this.#mine(session) ? session : undefined;
  }

  #mine(session: vscode.DebugSession): boolean {
    return session.type === this.type;
  }

  dispose(): void {
    vscode.Disposable.from(...this.#subscriptions, this.#state, this.#serial, this.#activity, this.#screen, this.#picture, this.#started, this.#ended, this.#active).dispose();
  }
}
