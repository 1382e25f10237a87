/** Hexadecimal or decimal: VS Code has no switch of its own for the Variables pane. */
import * as vscode from 'vscode';
import { HyperstepRequest, type FormatArguments } from '../adapter/messages';
import type { Sessions } from './sessions';

export class NumberFormat implements vscode.Disposable {
  /** What holds for all sessions, those to come too: they are launched with it. */
  hexadecimal = false;
  readonly #subscriptions: vscode.Disposable;

  constructor(sessions: Sessions) {
    const set = (hexadecimal: boolean) => () => {
      this.hexadecimal = hexadecimal;
      void vscode.commands.executeCommand('setContext', 'hyperstep.hexadecimal', hexadecimal);
      for (const session of sessions.all) void session.customRequest(HyperstepRequest.format, { hexadecimal } satisfies FormatArguments).then(undefined, () => undefined);
    };
    this.#subscriptions = vscode.Disposable.from(vscode.commands.registerCommand('hyperstep.showHexadecimal', set(true)), vscode.commands.registerCommand('hyperstep.showDecimal', set(false)));
  }

  dispose(): void {
    this.#subscriptions.dispose();
  }
}
