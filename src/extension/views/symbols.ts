/** The view of symbol files: what they know, and in whose memory their code is. */
import * as vscode from 'vscode';
import { HyperstepRequest, type SymbolsResponse } from '../../adapter/messages';
import type { Sessions } from '../sessions';
import { spoken } from './spoken';

const VIEW = 'hyperstep.symbols';
type SymbolFile = SymbolsResponse['files'][number];

const WORLDS = { vmm: 'VMM', guest: 'guest' } as const;
const LOADED = new vscode.ThemeIcon('pass', new vscode.ThemeColor('charts.green'));
const ABSENT = new vscode.ThemeIcon('circle-outline', new vscode.ThemeColor('disabledForeground'));

/** The folder of a file as seen from the workspace. */
const folderOf = (path: string): string => vscode.workspace.asRelativePath(path, false).replace(/[\\/][^\\/]*$/, '');

class SymbolTree implements vscode.TreeDataProvider<SymbolFile> {
  readonly #changed = new vscode.EventEmitter<void>();
  readonly onDidChangeTreeData = this.#changed.event;
  #files: SymbolFile[] = [];

  show(files: SymbolFile[]): void {
    this.#files = files;
    this.#changed.fire();
  }

  getChildren(node?: SymbolFile): SymbolFile[] {
    return node ? [] : this.#files;
  }

  getTreeItem(file: SymbolFile): vscode.TreeItem {
    const item = new vscode.TreeItem(file.name);
    const where = file.appliesIn === undefined ? '' : file.appliesIn.length === 0 ? 'not in memory now' : `in the ${file.appliesIn.map((w) => WORLDS[w]).join(' and the ')}`;
    const knows = file.sources === 0 ? 'no debug information' : file.sources === 1 ? '1 source file' : `${file.sources} source files`;
    // Kernels of the same name are told apart by where they are.
    const folder = this.#files.some((other) => other !== file && other.name === file.name) ? folderOf(file.path) : '';
    item.id = file.path;
    item.description = [folder, where, knows].filter(Boolean).join(', ');
    item.iconPath = file.appliesIn?.length ? LOADED : ABSENT;
    item.tooltip = [file.path, where && `Its code is ${where}.`, `Code at ${file.address}, ${knows}.`].filter(Boolean).join('\n');
    return spoken(item, file.name, item.description);
  }
}

export function registerSymbols(sessions: Sessions): vscode.Disposable {
  const tree = new SymbolTree();
  const view = vscode.window.createTreeView<SymbolFile>(VIEW, { treeDataProvider: tree });
  const read = async (session: vscode.DebugSession | undefined): Promise<void> => {
    try {
      const response = session && ((await session.customRequest(HyperstepRequest.symbols)) as SymbolsResponse);
      if (session === sessions.active) tree.show(response?.files ?? []);
    } catch {
      // Before the machine exists there is nothing to show; the next event reads again.
    }
  };
  return vscode.Disposable.from(
    view,
    view.onDidChangeVisibility(() => view.visible && void read(sessions.active)),
    sessions.onState(({ session, state }) => void (view.visible && session === sessions.active && state.what === 'stopped' && read(session))),
    sessions.onActive((session) => void read(session)),
  );
}
