/** The view of VM exits: how many of each reason (ticked ones stop the machine), and the last ones with the guest's place. */
import * as vscode from 'vscode';
import { HyperstepRequest, type Entry, type ExitResponse, type ExitsResponse } from '../../adapter/messages';
import type { Sessions } from '../sessions';
import { entryItem } from './entryItem';

const VIEW = 'hyperstep.exits';
/** So many of the last exits are shown. */
const LAST = 50;
/** Reasons that are listed before they have occurred. */
const USUAL: readonly string[] = ['CPUID', 'VMCALL', 'EPT_VIOLATION', 'IO_INSTRUCTION', 'EXTERNAL_INTERRUPT', 'HLT', 'CR_ACCESS', 'RDMSR', 'WRMSR'];

type LastExit = ExitsResponse['last'][number];

export type ExitNode =
  | { kind: 'section'; section: 'reasons' | 'others' | 'last' }
  | { kind: 'reason'; name: string; count: number }
  | { kind: 'exit'; exit: LastExit }
  | { kind: 'entry'; entry: Entry; path: string };

const thousands = (n: number): string => n.toLocaleString('en');

class ExitTree implements vscode.TreeDataProvider<ExitNode> {
  readonly #changed = new vscode.EventEmitter<void>();
  readonly onDidChangeTreeData = this.#changed.event;
  #exits: ExitsResponse | undefined;
  #session: vscode.DebugSession | undefined;
  /** Every reason that there is, with what it means; told once. */
  #reasons: NonNullable<ExitsResponse['reasons']> = [];
  /** Names that the user has ticked; kept for the sessions to come. */
  readonly ticked: Set<string>;

  constructor(ticked: readonly string[]) {
    this.ticked = new Set(ticked);
  }

  show(session: vscode.DebugSession | undefined, exits: ExitsResponse | undefined): void {
    this.#session = session;
    this.#exits = exits;
    if (exits?.reasons) this.#reasons = exits.reasons;
    this.#changed.fire();
  }

  get knowsReasons(): boolean {
    return this.#reasons.length > 0;
  }

  async getChildren(node?: ExitNode): Promise<ExitNode[]> {
    if (!this.#exits) return [];
    if (!node) return (['reasons', 'last', 'others'] as const).map((section) => ({ kind: 'section', section }));
    if (node.kind === 'exit') {
      const { entries } = (await this.#session!.customRequest(HyperstepRequest.exit, { n: node.exit.n, cpu: node.exit.cpu })) as ExitResponse;
      return entries.map((entry) => ({ kind: 'entry', entry, path: `${node.exit.cpu}/${node.exit.n}/${entry.name}` }));
    }
    if (node.kind === 'entry') return (node.entry.children ?? []).map((entry) => ({ kind: 'entry', entry, path: `${node.path}/${entry.name}` }));
    return node.kind === 'section' ? this.#section(node.section) : [];
  }

  #section(section: 'reasons' | 'others' | 'last'): ExitNode[] {
    const { byName, last, filtered } = this.#exits!;
    if (section === 'last') return [...last].reverse().map((exit) => ({ kind: 'exit', exit }));
    const shown = new Set([...Object.keys(byName), ...USUAL, ...this.ticked, ...filtered]);
    const names = section === 'reasons' ? [...shown] : this.#reasons.map((r) => r.name).filter((name) => !shown.has(name));
    return names.map((name) => ({ kind: 'reason', name, count: byName[name] ?? 0 }));
  }

  getTreeItem(node: ExitNode): vscode.TreeItem {
    switch (node.kind) {
      case 'section':
        return this.#sectionItem(node.section);
      case 'reason':
        return this.#reasonItem(node.name, node.count);
      case 'exit':
        return exitItem(node.exit);
      case 'entry':
        return entryItem(node.entry, `exit/${node.path}`);
    }
  }

  #sectionItem(section: 'reasons' | 'others' | 'last'): vscode.TreeItem {
    const { total, last } = this.#exits!;
    const [label, description, open] = {
      reasons: ['By reason', `${thousands(total)} so far; a tick stops the machine`, true],
      last: ['Last exits', last.length === 0 ? 'none yet' : `${last.length} of ${thousands(total)}, newest first`, true],
      others: ['Other reasons', 'none of these so far', false],
    }[section] as [string, string, boolean];
    const item = new vscode.TreeItem(label, open ? vscode.TreeItemCollapsibleState.Expanded : vscode.TreeItemCollapsibleState.Collapsed);
    item.id = section;
    item.description = description;
    return item;
  }

  #reasonItem(name: string, count: number): vscode.TreeItem {
    const item = new vscode.TreeItem(name);
    const elsewhere = this.#exits!.filtered.includes(name);
    item.id = `reason/${name}`;
    item.description = [count === 0 ? '' : thousands(count), elsewhere && !this.ticked.has(name) ? 'stops by Breakpoints or launch.json' : ''].filter(Boolean).join(', ');
    item.checkboxState = { state: this.ticked.has(name) ? vscode.TreeItemCheckboxState.Checked : vscode.TreeItemCheckboxState.Unchecked, tooltip: `Stop at every ${name} exit` };
    item.tooltip = this.#reasons.find((r) => r.name === name)?.sentence ?? name;
    return item;
  }
}

function exitItem(exit: LastExit): vscode.TreeItem {
  const item = new vscode.TreeItem(`${exit.n}  ${exit.name}`, vscode.TreeItemCollapsibleState.Collapsed);
  // The name stands in the label already.
  const details = [exit.gpa ? `gpa ${exit.gpa}` : '', exit.words.slice(exit.name.length + 1)].filter(Boolean).join(' ');
  item.id = `exit/${exit.cpu}/${exit.n}`;
  item.description = [exit.place, details, exit.cpu === 0 ? '' : `CPU ${exit.cpu}`].filter(Boolean).join(' \u00b7 ');
  item.tooltip = `VM exit ${exit.n}: ${exit.words}\nat guest ${exit.guestRip} ${exit.place}\nicount ${exit.icount}`;
  item.contextValue = exit.source ? 'source' : '';
  return item;
}

/** The ticks are kept in the workspace. */
const STORED = 'hyperstep.tickedExits';

/** Shows the exits of the session in the foreground; while the machine runs they are read as often as it tells of more. */
export function registerExits(sessions: Sessions, state: vscode.Memento): vscode.Disposable {
  const tree = new ExitTree(state.get<string[]>(STORED, []));
  const view = vscode.window.createTreeView<ExitNode>(VIEW, { treeDataProvider: tree, showCollapseAll: true, manageCheckboxStateManually: true });
  let reading = 0;
  let known = -1;

  const read = async (session: vscode.DebugSession | undefined): Promise<void> => {
    const mine = ++reading;
    try {
      const exits = session && ((await session.customRequest(HyperstepRequest.exits, { count: LAST, reasons: !tree.knowsReasons })) as ExitsResponse);
      if (mine !== reading) return;
      known = exits?.total ?? -1;
      tree.show(session, exits);
      view.badge = undefined;
      view.description = exits ? thousands(exits.total) : undefined;
    } catch {
      // Before the machine exists there is nothing to show; the next event reads again.
    }
  };
  const tell = async (session: vscode.DebugSession | undefined): Promise<void> => {
    await session?.customRequest(HyperstepRequest.breakOnExits, { names: [...tree.ticked] });
  };

  return vscode.Disposable.from(
    view,
    view.onDidChangeCheckboxState(async ({ items }) => {
      for (const [node, checked] of items) {
        if (node.kind !== 'reason') continue;
        if (checked === vscode.TreeItemCheckboxState.Checked) tree.ticked.add(node.name);
        else tree.ticked.delete(node.name);
      }
      await state.update(STORED, [...tree.ticked]);
      await tell(sessions.active);
      await read(sessions.active);
    }),
    view.onDidChangeVisibility(() => view.visible && void read(sessions.active)),
    sessions.onState(({ session, state: { what } }) => {
      if (session !== sessions.active || what === 'memory-map') return;
      // The machine exists from its first event on.
      if (tree.ticked.size > 0 && known < 0) void tell(session);
      if (view.visible || known < 0) void read(session);
    }),
    sessions.onActivity(({ session, activity }) => {
      if (session === sessions.active && view.visible && activity.exits !== known) void read(session);
    }),
    sessions.onActive((session) => {
      known = -1;
      void read(session);
    }),
  );
}
