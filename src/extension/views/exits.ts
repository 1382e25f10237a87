/** The view of VM exits: how many of each reason (ticked ones stop the machine), and the last ones with the guest's place. */
import * as vscode from 'vscode';
import { HyperstepRequest, type Entry, type ExitResponse, type ExitsResponse } from '../../adapter/messages';
import type { Sessions } from '../sessions';
import { pathsOf } from './changes';
import { entryItem } from './entryItem';
import { spoken } from './spoken';
import type { TickedExits } from './tickedExits';

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

  constructor(private readonly ticked: TickedExits) {}

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
      return entryNodes(entries, `exit/${node.exit.cpu}/${node.exit.n}`);
    }
    if (node.kind === 'entry') return entryNodes(node.entry.children ?? [], node.path);
    return node.kind === 'section' ? this.#section(node.section) : [];
  }

  #section(section: 'reasons' | 'others' | 'last'): ExitNode[] {
    const { byName, last, filtered } = this.#exits!;
    if (section === 'last') return [...last].reverse().map((exit) => ({ kind: 'exit', exit }));
    const shown = new Set([...Object.keys(byName), ...USUAL, ...this.ticked.names, ...filtered]);
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
        return exitItem(node.exit, this.ticked.has(node.exit.name));
      case 'entry':
        return entryItem(node.entry, node.path);
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
    const condition = this.ticked.conditionOf(name) ?? '';
    item.contextValue = 'reason';
    item.description = [count === 0 ? '' : thousands(count), condition, elsewhere && !this.ticked.has(name) ? 'stops by Breakpoints or launch.json' : ''].filter(Boolean).join(', ');
    item.checkboxState = { state: this.ticked.has(name) ? vscode.TreeItemCheckboxState.Checked : vscode.TreeItemCheckboxState.Unchecked, tooltip: `Stop at every ${name} exit` };
    item.tooltip = this.#reasons.find((r) => r.name === name)?.sentence ?? name;
    return spoken(item, name, count === 0 ? 'none so far' : `${thousands(count)} so far`, condition, elsewhere ? 'stops by Breakpoints or launch.json' : '', item.tooltip);
  }
}

function entryNodes(entries: readonly Entry[], parent: string): ExitNode[] {
  const paths = pathsOf(parent, entries);
  return entries.map((entry, i) => ({ kind: 'entry', entry, path: paths[i] }));
}

/** The address that the exit is about: of an EPT violation the guest-physical one, else the guest's linear one. */
export const exitAddress = ({ gpa, linear }: Pick<LastExit, 'gpa' | 'linear'>): string | undefined => (gpa ? `gpa:${gpa}` : linear && `guest:${linear}`);

/** All that the row and its tooltip tell, for the clipboard. */
const exitText = (exit: LastExit): string =>
  [
    `VM exit ${exit.n}: ${exit.words}`,
    `at guest ${exit.guestRip} ${exit.place}`,
    `exit qualification ${exit.qualification}`,
    ...(exit.linear ? [`guest-linear address ${exit.linear}`] : []),
    ...(exit.gpa ? [`guest-physical address ${exit.gpa}`] : []),
    `icount ${exit.icount}`,
  ].join('\n');

function exitItem(exit: LastExit, ticked: boolean): vscode.TreeItem {
  const item = new vscode.TreeItem(`${exit.n}  ${exit.name}`, vscode.TreeItemCollapsibleState.Collapsed);
  // The name stands in the label already.
  const details = [exit.gpa ? `gpa ${exit.gpa}` : '', exit.words.slice(exit.name.length + 1)].filter(Boolean).join(' ');
  item.id = `exit/${exit.cpu}/${exit.n}`;
  item.description = [exit.place, details, exit.cpu === 0 ? '' : `CPU ${exit.cpu}`].filter(Boolean).join(' \u00b7 ');
  item.tooltip = exitText(exit);
  item.contextValue = ['exit', ticked ? 'stops' : 'passes', exit.source ? 'source' : '', exitAddress(exit) ? 'address' : ''].filter(Boolean).join(' ');
  return spoken(item, `VM exit ${exit.n}`, exit.words, exit.place, exit.cpu === 0 ? '' : `CPU ${exit.cpu}`);
}

/** Shows the exits of the session in the foreground; while the machine runs they are read as often as it tells of more. */
export function registerExits(sessions: Sessions, ticked: TickedExits): vscode.Disposable {
  const tree = new ExitTree(ticked);
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

  const tick = async (node: ExitNode | undefined, stops: boolean): Promise<void> => {
    if (node?.kind !== 'exit') return;
    await ticked.set([[node.exit.name, stops]]);
    await read(sessions.active);
  };

  /** Asks for the condition and message of a reason. */
  const edit = async (node: ExitNode | undefined): Promise<void> => {
    const name = node?.kind === 'reason' ? node.name : node?.kind === 'exit' ? node.exit.name : undefined;
    if (name === undefined) return;
    const typed = await vscode.window.showInputBox({
      title: `VM exit ${name}`,
      value: ticked.conditionOf(name) ?? '',
      prompt: 'Which of them stop the machine, e.g. rip == 0x100000 && hits % 10 == 0; behind "log:" what is printed instead, e.g. log: {rip} in {function}. Empty: all stop it.',
    });
    if (typed === undefined) return;
    const complaint = await ticked.setCondition(name, typed);
    if (complaint !== undefined) void vscode.window.showErrorMessage(`"${typed}": ${complaint}`);
    await read(sessions.active);
  };

  return vscode.Disposable.from(
    view,
    vscode.commands.registerCommand('hyperstep.exitCondition', edit),
    vscode.commands.registerCommand('hyperstep.copyExit', (node?: ExitNode) => (node?.kind === 'exit' ? vscode.env.clipboard.writeText(exitText(node.exit)) : undefined)),
    vscode.commands.registerCommand('hyperstep.stopAtReason', (node?: ExitNode) => tick(node, true)),
    vscode.commands.registerCommand('hyperstep.passReason', (node?: ExitNode) => tick(node, false)),
    view.onDidChangeCheckboxState(async ({ items }) => {
      await ticked.set(items.flatMap(([node, state]) => (node.kind === 'reason' ? [[node.name, state === vscode.TreeItemCheckboxState.Checked] as [string, boolean]] : [])));
      await read(sessions.active);
    }),
    view.onDidChangeVisibility(() => view.visible && void read(sessions.active)),
    sessions.onState(({ session, state: { what } }) => {
      if (session !== sessions.active || what === 'memory-map') return;
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
