/** Completes launch configurations, so that F5 works in a folder without launch.json. */
import * as vscode from 'vscode';
import type { ExtensionArguments } from '../adapter/messages';

/** What F5 starts where nothing is written down: the adapter looks for images in the folder, else it takes the built-in lab. */
const DEFAULT: vscode.DebugConfiguration = { type: 'hyperstep', request: 'launch', name: 'Hyperstep' };

/** Where nothing is built yet, this is one click away. */
const REMEDY: ExtensionArguments = { __remedyNotBuilt: { command: 'hyperstep.makeAndDebug', title: 'Make and Start' } };

export class ConfigurationProvider implements vscode.DebugConfigurationProvider {
  /** What was started last, and from which folder: for the command that builds it and starts again. */
  last: { folder: vscode.WorkspaceFolder | undefined; config: vscode.DebugConfiguration } | undefined;

  /** `make` builds a folder and tells whether that went well; absent where there is no shell. `wishes` is what the user has chosen in the window. */
  constructor(
    private readonly make: Make | undefined,
    private readonly wishes: () => ExtensionArguments,
  ) {}

  /** Offered for a new launch.json and in the list of configurations. */
  provideDebugConfigurations(): vscode.DebugConfiguration[] {
    return [{ ...DEFAULT, breakOnExit: ['CPUID'] }];
  }

  /** Before variables are substituted: fills in what an empty configuration lacks. */
  resolveDebugConfiguration(_folder: vscode.WorkspaceFolder | undefined, config: vscode.DebugConfiguration): vscode.DebugConfiguration {
    const complete: vscode.DebugConfiguration = { ...DEFAULT, ...withoutEmpty(config) };
    // The debug console would otherwise open over the terminal with the serial console.
    return complete.serial === 'console' ? complete : { internalConsoleOptions: 'neverOpen', ...complete };
  }

  /** After variables are substituted: tells the adapter the folder that relative paths start from. */
  resolveDebugConfigurationWithSubstitutedVariables(folder: vscode.WorkspaceFolder | undefined, config: vscode.DebugConfiguration): vscode.DebugConfiguration {
    const home = folder ?? homeFolder();
    this.last = { folder: home, config };
    const complete = { ...config, ...this.wishes(), ...(this.make && REMEDY) };
    return config.cwd || !home ? complete : { ...complete, cwd: folderPath(home.uri) };
  }

  /** The command: makes, and starts again what could not be started. */
  async makeAndDebug(): Promise<void> {
    const { folder, config } = this.last ?? { folder: homeFolder(), config: DEFAULT };
    if (!this.make || !folder) return void vscode.window.showErrorMessage('There is no folder that make could be run in: open the one with the makefile.');
    if (await this.make(folder)) await vscode.debug.startDebugging(folder, config);
    else void vscode.window.showErrorMessage('make has failed, so nothing was started: the terminal says why.');
  }
}

/** The folder as adapters see it: on another file system than the local one (in a browser) its plain path, which workerAdapter.ts maps back. */
const folderPath = (uri: vscode.Uri): string => (uri.scheme === 'file' ? uri.fsPath : uri.path);

/** Builds a folder; whether that went well. */
export type Make = (folder: vscode.WorkspaceFolder) => Promise<boolean>;

/** VS Code asks with empty strings or nothing at all where no launch.json exists. */
const withoutEmpty = (config: vscode.DebugConfiguration): Partial<vscode.DebugConfiguration> =>
  Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined && value !== ''));

/** Of several folders the one whose file is being edited. */
function homeFolder(): vscode.WorkspaceFolder | undefined {
  const edited = vscode.window.activeTextEditor?.document.uri;
  return (edited && vscode.workspace.getWorkspaceFolder(edited)) ?? vscode.workspace.workspaceFolders?.[0];
}

/** The command: starts the default configuration in the folder at hand, or the built-in lab without one. */
export async function debugFolder(): Promise<void> {
  await vscode.debug.startDebugging(homeFolder(), { ...DEFAULT, breakOnExit: ['CPUID'] });
}
