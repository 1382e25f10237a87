/** The task "hyperstep: make": a tree with a makefile is built before it starts, with no tasks.json to write. */
import * as vscode from 'vscode';

const TYPE = 'hyperstep';
/** Of package.json: what the compiler complains of is marked in the editor. */
const PROBLEMS = '$hyperstep-gcc';
const MAKEFILES = ['GNUmakefile', 'makefile', 'Makefile'];

/** What tasks.json may say of it; package.json describes it. */
interface MakeDefinition extends vscode.TaskDefinition {
  task: 'make';
  /** What to make, the makefile's first target unless told. */
  target?: string;
}

function makeTask(folder: vscode.WorkspaceFolder, definition: MakeDefinition): vscode.Task {
  const command = definition.target === undefined ? new vscode.ShellExecution('make') : new vscode.ShellExecution('make', [definition.target]);
  const task = new vscode.Task(definition, folder, 'make', TYPE, command, PROBLEMS);
  task.group = vscode.TaskGroup.Build;
  task.presentationOptions = { reveal: vscode.TaskRevealKind.Silent };
  return task;
}

const hasMakefile = async (folder: vscode.WorkspaceFolder): Promise<boolean> => {
  const names = await Promise.resolve(vscode.workspace.fs.readDirectory(folder.uri)).catch(() => []);
  return names.some(([name]) => MAKEFILES.includes(name));
};

/** Runs make in a folder, its output in a terminal; whether it succeeded. */
export async function make(folder: vscode.WorkspaceFolder): Promise<boolean> {
  const task = makeTask(folder, { type: TYPE, task: 'make' });
  const ended = new Promise<number | undefined>((resolve) => {
    const subscription = vscode.tasks.onDidEndTaskProcess((event) => {
      const { name, source, scope } = event.execution.task;
      // Another folder of the workspace may be made at the same time.
      if (name !== task.name || source !== TYPE || (typeof scope === 'object' && scope.uri.toString() !== folder.uri.toString())) return;
      subscription.dispose();
      resolve(event.exitCode);
    });
  });
  await vscode.tasks.executeTask(task);
  return (await ended) === 0;
}

/** Registers the task for the folders that have a makefile. It needs a shell, hence a Node extension host. */
export const registerMakeTask = (): vscode.Disposable =>
  vscode.tasks.registerTaskProvider(TYPE, {
    async provideTasks() {
      const folders = vscode.workspace.workspaceFolders ?? [];
      const built = await Promise.all(folders.map(async (folder) => ((await hasMakefile(folder)) ? [makeTask(folder, { type: TYPE, task: 'make' })] : [])));
      return built.flat();
    },
    resolveTask({ definition, scope }) {
      const folder = typeof scope === 'object' ? scope : vscode.workspace.workspaceFolders?.[0];
      return folder && definition['task'] === 'make' ? makeTask(folder, definition as MakeDefinition) : undefined;
    },
  });
