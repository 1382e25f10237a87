/** Completes launch configurations, so that F5 works in a folder without launch.json. */
import * as vscode from 'vscode';

/** What F5 starts where nothing is written down: the adapter looks for images in the folder, else it takes the built-in lab. */
const DEFAULT: vscode.DebugConfiguration = { type: 'hyperstep', request: 'launch', name: 'Hyperstep' };

export class ConfigurationProvider implements vscode.DebugConfigurationProvider {
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
    const home = folder ?? vscode.workspace.workspaceFolders?.[0];
    return config.cwd || !home ? config : { ...config, cwd: folderPath(home.uri) };
  }
}

/** The folder as adapters see it: on another file system than the local one (in a browser) its plain path, which workerAdapter.ts maps back. */
const folderPath = (uri: vscode.Uri): string => (uri.scheme === 'file' ? uri.fsPath : uri.path);

/** VS Code asks with empty strings or nothing at all where no launch.json exists. */
const withoutEmpty = (config: vscode.DebugConfiguration): Partial<vscode.DebugConfiguration> =>
  Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined && value !== ''));

/** The command: starts the default configuration in the first folder, or the built-in lab without one. */
export async function debugFolder(): Promise<void> {
  await vscode.debug.startDebugging(vscode.workspace.workspaceFolders?.[0], { ...DEFAULT, breakOnExit: ['CPUID'] });
}
