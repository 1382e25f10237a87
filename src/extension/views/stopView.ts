/** A view that reads its content from the adapter at every stop, also while nobody sees it: the next stop is compared with it. */
import * as vscode from 'vscode';
import type { CpuArguments } from '../../adapter/messages';
import { Changes, valuesOf, type Branch } from './changes';
import { EntryTree, type Node } from './entryTree';
import type { Sessions } from '../sessions';

/** Shorter runs (steps) leave the view as it is, so that it does not flicker. */
const CLEAR_AFTER_MS = 400;

export interface StopViewKind {
  /** Id that package.json contributes. */
  view: string;
  /** Custom request that yields the content. */
  request: string;
  /** Arguments of the request, besides the processor. */
  arguments?(): object;
  /** The response as branches; `ask` sends further requests when a branch is opened. */
  branches(response: unknown, ask: (args: unknown) => Promise<unknown>): Branch[];
  /** Asks for all to be read anew. */
  onChange?: vscode.Event<void>;
}

interface SessionContent {
  /** By processor: each is compared with what it was itself. */
  changes: Map<number, Changes>;
  branches: Branch[];
  icount: number;
  /** The processor that is shown, and how many there are. */
  cpu: number;
  cpus: number;
  /** The machine stands. */
  stopped: boolean;
  /** Counts readings, so that an answer that comes late is not taken for the newest. */
  reading: number;
  /** Set while the machine runs and the view still shows the last stop. */
  clearing?: ReturnType<typeof setTimeout>;
}

/** Shows one kind of view for whichever session is in the foreground. */
export function registerStopView(kind: StopViewKind, sessions: Sessions): vscode.Disposable {
  const tree = new EntryTree();
  const view = vscode.window.createTreeView<Node>(kind.view, { treeDataProvider: tree, showCollapseAll: true });
  const contents = new Map<string, SessionContent>();

  const contentOf = (session: vscode.DebugSession): SessionContent => {
    const content = contents.get(session.id) ?? { changes: new Map<number, Changes>(), branches: [], icount: 0, cpu: 0, cpus: 1, stopped: false, reading: 0 };
    contents.set(session.id, content);
    return content;
  };

  const draw = (): void => {
    const content = sessions.active && contents.get(sessions.active.id);
    tree.show(content?.branches ?? [], content?.changes.get(content.cpu) ?? new Changes());
    view.description = content && content.cpus > 1 && content.branches.length > 0 ? `CPU ${content.cpu}` : undefined;
  };

  const read = async (session: vscode.DebugSession, icount: number): Promise<void> => {
    const content = contentOf(session);
    const reading = ++content.reading;
    const { cpu } = content;
    try {
      const branches = kind.branches(await session.customRequest(kind.request, { ...kind.arguments?.(), cpu } satisfies CpuArguments), (args) => Promise.resolve(session.customRequest(kind.request, args)));
      if (reading !== content.reading) return;
      content.branches = branches;
      content.icount = icount;
      const changes = content.changes.get(cpu) ?? new Changes();
      content.changes.set(cpu, changes);
      changes.stop(icount, valuesOf(branches));
      view.message = undefined;
    } catch (error) {
      if (reading !== content.reading) return;
      content.branches = [];
      view.message = (error as Error).message;
    }
    draw();
  };

  // What the user has asked for is shown at once, where the machine stands.
  const readAgain = (): void => {
    const session = sessions.active;
    const content = session && contents.get(session.id);
    if (session && content && content.stopped) void read(session, content.icount);
  };

  return vscode.Disposable.from(
    view,
    ...(kind.onChange ? [kind.onChange(readAgain)] : []),
    sessions.onState(({ session, state }) => {
      if (state.what !== 'stopped' && state.what !== 'running') return;
      const content = contentOf(session);
      content.stopped = state.what === 'stopped';
      // An answer that takes its time does not find the view emptied for a machine that stands.
      clearTimeout(content.clearing);
      if (state.what === 'stopped') {
        Object.assign(content, { cpu: state.cpu ?? 0, cpus: state.cpus ?? 1 });
        return void read(session, state.icount);
      }
      content.reading++;
      content.clearing = setTimeout(() => {
        content.branches = [];
        draw();
      }, CLEAR_AFTER_MS);
    }),
    // A frame of another thread has been selected: its processor is looked at.
    vscode.debug.onDidChangeActiveStackItem((item) => {
      const content = item && contents.get(item.session.id);
      if (!item || !content?.stopped || content.cpus < 2 || item.threadId === content.cpu + 1) return;
      content.cpu = item.threadId - 1;
      void read(item.session, content.icount);
    }),
    sessions.onActive(draw),
    sessions.onEnded((session) => {
      clearTimeout(contents.get(session.id)?.clearing);
      contents.delete(session.id);
      view.message = undefined;
      draw();
    }),
    new vscode.Disposable(() => contents.forEach(({ clearing }) => clearTimeout(clearing))),
  );
}
