/** Paths as the user and the client write them: POSIX, Windows, or whole URIs (in the browser). */

const ABSOLUTE = /^(\/|\\\\|[A-Za-z]:[\\/]|[A-Za-z][A-Za-z0-9+.-]+:\/\/)/;
/** What `..` cannot climb above. */
const ROOT = /^([A-Za-z][A-Za-z0-9+.-]+:\/\/[^/]*|[A-Za-z]:|\\\\[^\\/]+)?/;

export const isAbsolute = (path: string): boolean => ABSOLUTE.test(path);

/** Takes `.` and `..` out of a path; backslashes of Windows paths become slashes. */
export function normalize(path: string): string {
  const slashes = /^([A-Za-z]:|\\\\)/.test(path) ? path.replaceAll('\\', '/') : path;
  const root = ROOT.exec(slashes)?.[0] ?? '';
  const rest = slashes.slice(root.length);
  const parts: string[] = [];
  for (const part of rest.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..' && parts.length > 0 && parts.at(-1) !== '..') parts.pop();
    else if (part !== '..' || !rest.startsWith('/')) parts.push(part);
  }
  return root + (rest.startsWith('/') ? '/' : '') + parts.join('/');
}

/** `path` as seen from the folder `base`; an absolute path stays what it is. */
export const resolvePath = (base: string, path: string): string => normalize(isAbsolute(path) ? path : `${base}/${path}`);

/** The folder that holds `path`. */
export function folderOf(path: string): string {
  const slash = Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\'));
  return slash < 0 ? '.' : slash === 0 ? '/' : path.slice(0, slash);
}

/** The last part of a path. */
export const baseName = (path: string): string => path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1);

/** `path` as seen from the first of the folders that holds it; else whole. */
export function shortName(path: string, folders: readonly string[]): string {
  const folder = folders.find((f) => path.startsWith(`${f}/`));
  return folder === undefined ? path : path.slice(folder.length + 1);
}
