/** Opens the Run and Debug view when a session stops for the first time. */
import * as vscode from 'vscode';
import type { Sessions } from './sessions';

/**
 * VS Code itself opens the view at breakpoints only, whereas a machine mostly stops at VM exits, which are exceptions
 * to the Debug Adapter Protocol. The user's setting `debug.openDebug` is respected, and the editor keeps the focus.
 */
export function openDebugViewAtFirstStop(sessions: Sessions): vscode.Disposable {
  const seen = new WeakSet<vscode.DebugSession>();
  return sessions.onState(({ session, state }) => {
    if (state.what !== 'stopped' || seen.has(session)) return;
    seen.add(session);
    if (vscode.workspace.getConfiguration('debug').get('openDebug') !== 'openOnDebugBreak') return;
    void vscode.commands
      .executeCommand('workbench.view.debug')
      .then(() => vscode.commands.executeCommand('workbench.action.focusActiveEditorGroup'));
  });
}
