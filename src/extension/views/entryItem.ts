/** A row for an entry: its name, its value, and marks for what changed or is wrong. */
import * as vscode from 'vscode';
import type { Entry } from '../../adapter/messages';
import { spoken } from './spoken';

const CHANGED_COLOUR = new vscode.ThemeColor('debugView.valueChangedHighlight');
const CHANGED = new vscode.ThemeIcon('circle-filled', CHANGED_COLOUR);
export const WRONG = new vscode.ThemeIcon('warning', new vscode.ThemeColor('list.warningForeground'));
const SAME = new vscode.ThemeIcon('circle-small', new vscode.ThemeColor('disabledForeground'));

/** Scheme of the addresses that stand for changed entries: VS Code colours the text of a tree's row by its address only. */
const CHANGED_SCHEME = 'hyperstep-changed';

/** Colours the names of changed entries. */
export const changedDecorations: vscode.FileDecorationProvider = {
  provideFileDecoration: (uri) => (uri.scheme === CHANGED_SCHEME ? new vscode.FileDecoration(undefined, undefined, CHANGED_COLOUR) : undefined),
};

/** The row. `was` is the value at the last stop, where it was another. */
export function entryItem(entry: Entry, path: string, was?: string): vscode.TreeItem {
  const item = new vscode.TreeItem(entry.name, entry.children?.length ? vscode.TreeItemCollapsibleState.Collapsed : vscode.TreeItemCollapsibleState.None);
  const changed = was !== undefined || entry.changed === true;
  item.id = path;
  item.description = was === undefined ? entry.value : `${entry.value} \u2190 ${was}`;
  item.iconPath = entry.wrong ? WRONG : changed ? CHANGED : SAME;
  // A path with two slashes in front would begin with an authority.
  if (changed) item.resourceUri = vscode.Uri.from({ scheme: CHANGED_SCHEME, path: `/${path.replace(/^\/+/, '')}` });
  item.tooltip = [`${entry.name} = ${entry.value}`, was === undefined ? '' : `At the last stop: ${was}`, entry.description ?? ''].filter(Boolean).join('\n');
  item.contextValue = [entry.value ? 'value' : '', entry.evaluateName ? 'watchable' : '', entry.source || entry.hasSource ? 'source' : '', entry.memoryReference ? 'address' : ''].filter(Boolean).join(' ');
  const mark = was !== undefined ? `changed, at the last stop ${was}` : changed ? 'changed' : '';
  return spoken(item, entry.name, entry.value, mark, entry.wrong ? 'something is wrong with it' : '', entry.description && !entry.value.includes(entry.description) ? entry.description : '');
}
