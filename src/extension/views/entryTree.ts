/** Draws branches and entries (registers, VMCS fields) as a tree; what changed since the last stop is marked. */
import * as vscode from 'vscode';
import type { Entry } from '../../adapter/messages';
import { Changes, pathOf, pathsOf, type Branch } from './changes';
import { entryItem, WRONG } from './entryItem';
import { spoken } from './spoken';

/** A node of the tree: a branch or an entry, with its path. */
export type Node = { path: string; branch: Branch; level: number } | { path: string; entry: Entry };

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

  async getChildren(node?: Node): Promise<Node[]> {
    if (!node) return this.#branchNodes(this.#branches, '', 0);
    if ('entry' in node) return this.#entryNodes(node.entry.children ?? [], node.path);
    const loaded = node.branch.load ? await node.branch.load() : [];
    return [...this.#branchNodes([...(node.branch.branches ?? []), ...loaded], node.path, node.level + 1), ...this.#entryNodes(node.branch.entries ?? [], node.path)];
  }

  getTreeItem(node: Node): vscode.TreeItem {
    return 'entry' in node ? entryItem(node.entry, node.path, this.#changes.was(node.path)) : this.#branchItem(node.branch, node);
  }

  #branchNodes(branches: readonly Branch[], parent: string, level: number): Node[] {
    return branches.map((branch) => ({ path: pathOf(parent, branch.name), branch, level }));
  }

  #entryNodes(entries: readonly Entry[], parent: string): Node[] {
    const paths = pathsOf(parent, entries);
    return entries.map((entry, i) => ({ path: paths[i], entry }));
  }

  #branchItem(branch: Branch, { path }: { path: string }): vscode.TreeItem {
    // The first branch is what people look for first: the exit information, the world the processor is in.
    const open = branch.open ?? this.#firstPath(path);
    const item = new vscode.TreeItem(branch.name, open ? vscode.TreeItemCollapsibleState.Expanded : vscode.TreeItemCollapsibleState.Collapsed);
    const changed = this.#changes.countUnder(path);
    // VS Code keeps what is open by its id: the world that the processor enters, and the VMCS that becomes current, open all the same.
    item.id = open ? path : `${path}#folded`;
    if (branch.wrong) item.iconPath = WRONG;
    if (branch.context) item.contextValue = branch.context;
    item.tooltip = branch.note ? `${branch.name}: ${branch.note}` : undefined;
    item.description = [branch.note, changed ? `${changed} changed` : ''].filter(Boolean).join(', ');
    return spoken(item, branch.name, item.description);
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
}
