/** Hexadecimal or decimal: VS Code has no switch of its own for the Variables pane. */
import * as vscode from 'vscode';
import { HyperstepRequest, type FormatArguments } from '../adapter/messages';
import type { Sessions } from './sessions';

export class NumberFormat implements vscode.Disposable {
  #hexadecimal = false;
  readonly #subscriptions: vscode.Disposable;

  constructor(sessions: Sessions) {
    const tell = (session: vscode.DebugSession | undefined): void => {
      void session?.customRequest(HyperstepRequest.format, { hexadecimal: this.#hexadecimal } satisfies FormatArguments).then(undefined, () => undefined);
    };
    const set = (hexadecimal: boolean) => () => {
      this.#hexadecimal = hexadecimal;
      void vscode.commands.executeCommand('setContext', 'hyperstep.hexadecimal', hexadecimal);
      tell(sessions.active);
    };
    this.#subscriptions = vscode.Disposable.from(
      vscode.commands.registerCommand('hyperstep.showHexadecimal', set(true)),
      vscode.commands.registerCommand('hyperstep.showDecimal', set(false)),
      sessions.onStarted((session) => this.#hexadecimal && tell(session)),
    );
  }

  dispose(): void {
    this.#subscriptions.dispose();
  }
}
