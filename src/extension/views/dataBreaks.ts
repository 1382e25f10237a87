/**
 * Breakpoints on what a row of the registers or the VMCS holds. VS Code's API has no data breakpoints (its Breakpoints
 * view lists those of the Variables pane alone), so that the adapter keeps these for the session, and their rows show them.
 */
import * as vscode from 'vscode';
import { HyperstepRequest, type BreakOnDataArguments, type BreakOnDataResponse, type DataAccess, type Entry } from '../../adapter/messages';
import type { Sessions } from '../sessions';

const COMMANDS: readonly [command: string, access: DataAccess | undefined][] = [
  ['hyperstep.breakOnChange', 'change'],
  ['hyperstep.breakOnRead', 'read'],
  ['hyperstep.breakOnAccess', 'readWrite'],
  ['hyperstep.removeBreak', undefined],
];

const MESSAGE_MS = 6000;

/** What a row says of its breakpoint. */
export const BREAKS_ON: Readonly<Record<DataAccess, string>> = { change: 'breaks on change', read: 'breaks on read', readWrite: 'breaks on access' };

/** Commands in the menus of rows; `changed` asks for the views to be read anew. */
export function registerDataBreaks(sessions: Sessions, changed: () => void): vscode.Disposable[] {
  return COMMANDS.map(([command, access]) =>
    vscode.commands.registerCommand(command, async (node?: { entry?: Entry }) => {
      const { breakable: watched, evaluateName: label } = node?.entry ?? {};
      const session = sessions.active;
      if (!watched || !session) return;
      try {
        const { description } = (await session.customRequest(HyperstepRequest.breakOnData, { watched, ...(label && { label }), ...(access && { access }) } satisfies BreakOnDataArguments)) as BreakOnDataResponse;
        vscode.window.setStatusBarMessage(access ? `The machine ${BREAKS_ON[access]}: ${description}. Its row removes it.` : `The machine no longer breaks: ${description}.`, MESSAGE_MS);
      } catch (error) {
        void vscode.window.showWarningMessage((error as Error).message);
      }
      changed();
    }),
  );
}
