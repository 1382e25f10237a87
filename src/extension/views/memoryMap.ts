/** The view of address maps: the one the VMM gave its guest beside the machine's own. */
import * as vscode from 'vscode';
import { HyperstepRequest, type E820Response, type MemoryMap } from '../../adapter/messages';
import type { Sessions } from '../sessions';
import { memoryRows, usable, type MemoryRow } from './memoryRows';

const VIEW = 'hyperstep.memoryMap';

/** A node: one of the two maps (which may not exist yet), or a row of one. */
export type MapNode = { title: string; map: MemoryMap | undefined; missing: string } | { row: MemoryRow };

const ICONS: Record<MemoryRow['kind'], vscode.ThemeIcon> = {
  usable: new vscode.ThemeIcon('circle-filled', new vscode.ThemeColor('charts.green')),
  other: new vscode.ThemeIcon('circle-slash', new vscode.ThemeColor('charts.orange')),
  hole: new vscode.ThemeIcon('circle-outline', new vscode.ThemeColor('disabledForeground')),
};

class MapTree implements vscode.TreeDataProvider<MapNode> {
  readonly #changed = new vscode.EventEmitter<void>();
  readonly onDidChangeTreeData = this.#changed.event;
  #maps: E820Response | undefined;

  show(maps: E820Response | undefined): void {
    this.#maps = maps;
    this.#changed.fire();
  }

  getChildren(node?: MapNode): MapNode[] {
    if (node) return 'row' in node ? [] : node.map ? memoryRows(node.map).map((row) => ({ row })) : [];
    if (!this.#maps) return [];
    return [
      { title: 'Guest', map: this.#maps.guest, missing: 'no map given yet' },
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
    const { title, map, missing } = node;
    const item = new vscode.TreeItem(title, map ? vscode.TreeItemCollapsibleState.Expanded : vscode.TreeItemCollapsibleState.None);
    // With the map the state changes, and VS Code keeps the state of what has the same id.
    item.id = `${title} ${map ? 'map' : 'none'}`;
    item.description = map ? `${map.ranges.length} ranges, ${usable(map)} usable` : missing;
    item.tooltip = map?.source;
    item.contextValue = map ? 'map' : '';
    return item;
  }
}

/** Shows the maps of the session in the foreground; they stay while the machine runs. */
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
    sessions.onState(({ session }) => void (session === sessions.active && read(session))),
    sessions.onActive((session) => void read(session)),
  );
}
