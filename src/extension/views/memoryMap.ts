/** The view of address maps: the one the VMM gave its guest beside the machine's own. */
import * as vscode from 'vscode';
import { HyperstepRequest, type E820Response, type MemoryMap } from '../../adapter/messages';
import type { Sessions } from '../sessions';
import { WRONG } from './entryItem';
import { spoken } from './spoken';
import { eptRows, mapped, memoryRows, usable, type MemoryRow } from './memoryRows';

const VIEW = 'hyperstep.memoryMap';

/** A node: one of the two maps (which may not exist yet), or a row of one. */
export type MapNode =
  | { title: string; map: MemoryMap | undefined; missing: string }
  | { row: MemoryRow }
  | { ept: NonNullable<E820Response['ept']> }
  | { findings: E820Response['findings'] }
  | { finding: E820Response['findings'][number] };

const ICONS: Record<MemoryRow['kind'], vscode.ThemeIcon> = {
  usable: new vscode.ThemeIcon('circle-filled', new vscode.ThemeColor('charts.green')),
  // The colour charts.orange is a faint one in light themes.
  other: new vscode.ThemeIcon('circle-slash', new vscode.ThemeColor('charts.yellow')),
  hole: new vscode.ThemeIcon('circle-outline', new vscode.ThemeColor('disabledForeground')),
};

function childrenOf(node: MapNode): MapNode[] {
  if ('findings' in node) return node.findings.map((finding) => ({ finding }));
  if ('ept' in node) return eptRows(node.ept).map((row) => ({ row }));
  return 'map' in node && node.map ? memoryRows(node.map).map((row) => ({ row })) : [];
}

function findingItem({ severity, sentence, rule }: E820Response['findings'][number]): vscode.TreeItem {
  const item = new vscode.TreeItem(sentence);
  item.iconPath = severity === 'warning' ? WRONG : new vscode.ThemeIcon('info');
  item.tooltip = `${sentence}\n(${rule})`;
  return spoken(item, severity === 'warning' ? 'Warning' : 'Note', sentence);
}

function findingsItem(findings: E820Response['findings']): vscode.TreeItem {
  const warnings = findings.filter((f) => f.severity === 'warning').length;
  const item = new vscode.TreeItem(warnings > 0 ? 'Disagreements' : 'Remarks', warnings > 0 ? vscode.TreeItemCollapsibleState.Expanded : vscode.TreeItemCollapsibleState.Collapsed);
  item.id = warnings > 0 ? 'disagreements' : 'remarks';
  item.description = warnings > 0 ? `${warnings} of ${findings.length} look like mistakes` : String(findings.length);
  if (warnings > 0) item.iconPath = WRONG;
  return item;
}

function eptItem(ept: NonNullable<E820Response['ept']>): vscode.TreeItem {
  const item = new vscode.TreeItem('EPT', vscode.TreeItemCollapsibleState.Collapsed);
  item.id = 'ept';
  item.description = `${ept.ranges.length} ranges${ept.complete ? '' : ' and more'}, ${mapped(ept)} mapped`;
  item.tooltip = `What EPT maps: ${ept.source}.`;
  return spoken(item, 'EPT', item.description, ept.source);
}

class MapTree implements vscode.TreeDataProvider<MapNode> {
  readonly #changed = new vscode.EventEmitter<void>();
  readonly onDidChangeTreeData = this.#changed.event;
  #maps: E820Response | undefined;

  show(maps: E820Response | undefined): void {
    this.#maps = maps;
    this.#changed.fire();
  }

  getChildren(node?: MapNode): MapNode[] {
    if (node) return childrenOf(node);
    if (!this.#maps) return [];
    const { ept, findings } = this.#maps;
    return [
      ...(findings.length > 0 ? [{ findings }] : []),
      { title: 'Guest', map: this.#maps.guest, missing: 'no map given yet' },
      ...(ept ? [{ ept }] : []),
      { title: 'Machine', map: this.#maps.machine, missing: 'none' },
    ];
  }

  getTreeItem(node: MapNode): vscode.TreeItem {
    if ('row' in node) {
      const item = new vscode.TreeItem(node.row.label);
      item.description = node.row.description;
      item.iconPath = ICONS[node.row.kind];
      return item;
    }
    if ('finding' in node) return findingItem(node.finding);
    if ('findings' in node) return findingsItem(node.findings);
    if ('ept' in node) return eptItem(node.ept);
    const { title, map, missing } = node;
    const item = new vscode.TreeItem(title, map ? vscode.TreeItemCollapsibleState.Expanded : vscode.TreeItemCollapsibleState.None);
    // With the map the state changes, and VS Code keeps the state of what has the same id.
    item.id = `${title} ${map ? 'map' : 'none'}`;
    item.description = map ? `${map.ranges.length} ranges, ${usable(map)} usable` : missing;
    item.tooltip = map?.source;
    item.contextValue = map ? 'map' : '';
    return spoken(item, `${title} map`, item.description, map?.source ?? '');
  }
}

/** Shows the maps of the session in the foreground, read when somebody sees them; they stay while the machine runs. */
export function registerMemoryMap(sessions: Sessions): vscode.Disposable {
  const tree = new MapTree();
  const view = vscode.window.createTreeView<MapNode>(VIEW, { treeDataProvider: tree });
  const read = async (session: vscode.DebugSession | undefined): Promise<void> => {
    try {
      const maps = session && ((await session.customRequest(HyperstepRequest.e820)) as E820Response);
      if (session === sessions.active) tree.show(maps);
    } catch {
      // Before the machine exists there is nothing to show; the next event reads again.
    }
  };
  return vscode.Disposable.from(
    view,
    view.onDidChangeVisibility(() => view.visible && void read(sessions.active)),
    sessions.onState(({ session }) => void (view.visible && session === sessions.active && read(session))),
    sessions.onActive((session) => void read(session)),
  );
}
