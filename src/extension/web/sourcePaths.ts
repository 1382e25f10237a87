/**
 * In a browser VS Code names files by URI (`vscode-remote://host/lab/vmm/vmx.c`), while the adapter in its worker only
 * knows paths (`/lab/vmm/vmx.c`). Messages are rewritten on their way: every `source` object's `path`, both ways.
 */

/** The file system of the workspace: what stands before the path in its URIs, as in `vscode-remote://host`. */
export type Prefix = string;

/** A copy of a message with each source path changed by `change`. */
function withSourcePaths(message: unknown, change: (path: string) => string): unknown {
  if (Array.isArray(message)) return message.map((item) => withSourcePaths(item, change));
  if (typeof message !== 'object' || message === null) return message;
  return Object.fromEntries(
    Object.entries(message).map(([key, value]) => {
      if (key === 'source' && isSource(value)) return [key, changed(value, change)];
      if (key === 'sources' && Array.isArray(value)) return [key, value.map((item) => (isSource(item) ? changed(item, change) : item))];
      return [key, withSourcePaths(value, change)];
    }),
  );
}

interface Source {
  path: string;
}

const isSource = (value: unknown): value is Source => typeof value === 'object' && value !== null && 'path' in value && typeof value.path === 'string';
const changed = (source: Source, change: (path: string) => string): Source => ({ ...source, path: change(source.path) });

/** VS Code to adapter. URIs of another file system pass unchanged. */
export const toAdapter = (message: unknown, prefix: Prefix): unknown =>
  withSourcePaths(message, (path) => (path.startsWith(prefix + '/') ? decodeURIComponent(path.slice(prefix.length)) : path));

/** Adapter to VS Code. What is a URI already passes unchanged. */
export const fromAdapter = (message: unknown, prefix: Prefix): unknown =>
  withSourcePaths(message, (path) => (path.startsWith('/') ? prefix + path.split('/').map(encodeURIComponent).join('/') : path));
