/** Draws branches and entries (registers, VMCS fields) as a tree; what changed since the last stop is marked. */
import * as vscode from 'vscode';
import type { Entry } from '../../adapter/messages';
import { Changes, pathOf, type Branch } from './changes';

/** A node of the tree: a branch or an entry, with its path. */
export type Node = { path: string; branch: Branch; level: number } | { path: string; entry: Entry };

const CHANGED_COLOUR = new vscode.ThemeColor('debugView.valueChangedHighlight');
const CHANGED = new vscode.ThemeIcon('circle-filled', CHANGED_COLOUR);
const SAME = new vscode.ThemeIcon('circle-small', new vscode.ThemeColor('disabledForeground'));

/** Scheme of the addresses that stand for changed entries: VS Code colours the text of a tree's row by its address only. */
const CHANGED_SCHEME = 'hyperstep-changed';

/** Colours the names of changed entries. */
export const changedDecorations: vscode.FileDecorationProvider = {
  provideFileDecoration: (uri) => (uri.scheme === CHANGED_SCHEME ? new vscode.FileDecoration(undefined, undefined, CHANGED_COLOUR) : undefined),
};

export class EntryTree implements vscode.TreeDataProvider<Node> {
  readonly #changed = new vscode.EventEmitter<void>();
  readonly onDidChangeTreeData = this.#changed.event;
  #branches: readonly Branch[] = [];
  #changes = new Changes();

  /** Shows these branches; `changes` has already been told their values. */
  show(branches: readonly Branch[], changes: Changes): void {
    this.#branches = branches;
    this.#changes = changes;
    this.#changed.fire();
  }

  getChildren(node?: Node): Node[] {
    if (!node) return this.#branchNodes(this.#branches, '', 0);
    if ('entry' in node) return this.#entryNodes(node.entry.children ?? [], node.path);
    return [...this.#branchNodes(node.branch.branches ?? [], node.path, node.level + 1), ...this.#entryNodes(node.branch.entries ?? [], node.path)];
  }

  getTreeItem(node: Node): vscode.TreeItem {
    return 'entry' in node ? this.#entryItem(node.entry, node.path) : this.#branchItem(node.branch, node);
  }

  #branchNodes(branches: readonly Branch[], parent: string, level: number): Node[] {
    return branches.map((branch) => ({ path: pathOf(parent, branch.name), branch, level }));
  }

  #entryNodes(entries: readonly Entry[], parent: string): Node[] {
    return entries.map((entry) => ({ path: pathOf(parent, entry.name), entry }));
  }

  #branchItem(branch: Branch, { path }: { path: string }): vscode.TreeItem {
    // The first branch is what people look for first: the exit information, the world the processor is in.
    const open = this.#firstPath(path);
    const item = new vscode.TreeItem(branch.name, open ? vscode.TreeItemCollapsibleState.Expanded : vscode.TreeItemCollapsibleState.Collapsed);
    const changed = this.#changes.countUnder(path);
    item.id = path;
    item.description = [branch.note, changed ? `${changed} changed` : ''].filter(Boolean).join(', ');
    return item;
  }

  /** Whether the path leads along first branches only. */
  #firstPath(path: string): boolean {
    let branches = this.#branches;
    for (let at = ''; branches.length > 0; branches = branches[0].branches ?? []) {
      at = pathOf(at, branches[0].name);
      if (at === path) return true;
    }
    return false;
  }

  #entryItem(entry: Entry, path: string): vscode.TreeItem {
    const was = this.#changes.was(path);
    const item = new vscode.TreeItem(
      entry.name,
      entry.children?.length ? vscode.TreeItemCollapsibleState.Collapsed : vscode.TreeItemCollapsibleState.None,
    );
    item.id = path;
    item.description = was === undefined ? entry.value : `${entry.value} \u2190 ${was}`;
    item.iconPath = was === undefined ? SAME : CHANGED;
    if (was !== undefined) item.resourceUri = vscode.Uri.from({ scheme: CHANGED_SCHEME, path });
    item.tooltip = [`${entry.name} = ${entry.value}`, was === undefined ? '' : `At the last stop: ${was}`, entry.description ?? ''].filter(Boolean).join('\n');
    item.contextValue = [entry.value ? 'value' : '', entry.evaluateName ? 'watchable' : ''].filter(Boolean).join(' ');
    return item;
  }
}
