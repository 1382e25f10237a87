/** Values beside the lines of C while the machine stands: which names the editor is to look up in the frame's variables. */
import * as vscode from 'vscode';
import type { Sessions } from './sessions';
import { namesIn } from './sourceNames';

/** Lines above the present one that are shown with values. */
const LINES_ABOVE = 40;

/** VS Code asks for every session of every debugger: what others show beside their lines is for them to say. */
export const inlineValues = (sessions: Sessions): vscode.InlineValuesProvider => ({
  provideInlineValues(document, viewPort, { stoppedLocation }) {
    if (!sessions.active) return [];
    const last = Math.min(stoppedLocation.end.line, viewPort.end.line);
    const first = Math.max(viewPort.start.line, functionStart(document, last), last - LINES_ABOVE);
    const values: vscode.InlineValue[] = [];
    for (let line = first; line <= last; line++) {
      for (const { name, at } of namesIn(document.lineAt(line).text)) values.push(new vscode.InlineValueVariableLookup(new vscode.Range(line, at, line, at + name.length), name, true));
    }
    return values;
  },
});

/** The line where the function around a line opens: in C the last one before it that does not begin with a blank, a brace or a directive. */
function functionStart(document: vscode.TextDocument, line: number): number {
  for (let at = line; at > 0; at--) if (/^[A-Za-z_]/.test(document.lineAt(at).text)) return at;
  return 0;
}
