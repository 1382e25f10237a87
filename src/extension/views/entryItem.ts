/** A row for an entry: its name, its value, and marks for what changed or is wrong. */
import * as vscode from 'vscode';
import type { Entry } from '../../adapter/messages';
import { BREAKS_ON } from './dataBreaks';
import { spoken } from './spoken';

const CHANGED_COLOUR = new vscode.ThemeColor('debugView.valueChangedHighlight');
const CHANGED = new vscode.ThemeIcon('circle-filled', CHANGED_COLOUR);
export const WRONG = new vscode.ThemeIcon('warning', new vscode.ThemeColor('list.warningForeground'));
const BREAKS = new vscode.ThemeIcon('debug-breakpoint-data', new vscode.ThemeColor('debugIcon.breakpointForeground'));
const SAME = new vscode.ThemeIcon('circle-small', new vscode.ThemeColor('disabledForeground'));

/** Scheme of the addresses that stand for changed entries: VS Code colours the text of a tree's row by its address only. */
const CHANGED_SCHEME = 'hyperstep-changed';
/** The same for entries whose value means nothing now. */
const UNDEFINED_SCHEME = 'hyperstep-undefined';
const COLOURS: ReadonlyMap<string, vscode.ThemeColor> = new Map([
  [CHANGED_SCHEME, CHANGED_COLOUR],
  [UNDEFINED_SCHEME, new vscode.ThemeColor('disabledForeground')],
]);

/** Colours the names of changed entries, and dims those of undefined ones. */
export const entryDecorations: vscode.FileDecorationProvider = {
  provideFileDecoration: (uri) => (COLOURS.has(uri.scheme) ? new vscode.FileDecoration(undefined, undefined, COLOURS.get(uri.scheme)) : undefined),
};

/** The row. `was` is the value at the last stop, where it was another. */
export function entryItem(entry: Entry, path: string, was?: string): vscode.TreeItem {
  const item = new vscode.TreeItem(entry.name, entry.children?.length ? vscode.TreeItemCollapsibleState.Collapsed : vscode.TreeItemCollapsibleState.None);
  const changed = !entry.notDefined && (was !== undefined || entry.changed === true);
  item.id = path;
  const breaks = entry.breaksOn ? BREAKS_ON[entry.breaksOn] : '';
  item.description = [was === undefined ? entry.value : `${entry.value} \u2190 ${was}`, breaks].filter(Boolean).join(' \u00b7 ');
  item.iconPath = entry.wrong ? WRONG : entry.breaksOn ? BREAKS : changed ? CHANGED : SAME;
  // A path with two slashes in front would begin with an authority.
  if (changed || entry.notDefined) item.resourceUri = vscode.Uri.from({ scheme: changed ? CHANGED_SCHEME : UNDEFINED_SCHEME, path: `/${path.replace(/^\/+/, '')}` });
  item.tooltip = [`${entry.name} = ${entry.value}`, was === undefined ? '' : `At the last stop: ${was}`, entry.description ?? ''].filter(Boolean).join('\n');
  item.contextValue = [entry.value ? 'value' : '', entry.evaluateName ? 'watchable' : '', entry.source || entry.hasSource ? 'source' : '', entry.memoryReference ? 'address' : '', entry.breakable ? 'breakable' : '', entry.breaksOn ? 'breaking' : ''].filter(Boolean).join(' ');
  const mark = was !== undefined ? `changed, at the last stop ${was}` : changed ? 'changed' : '';
  return spoken(item, entry.name, entry.value, mark, breaks, entry.wrong ? 'something is wrong with it' : '', entry.description && !entry.value.includes(entry.description) ? entry.description : '');
}
