/** Paths as debug information writes them: of any system, relative, with `..`; compared component by component. */

const isDrive = (component: string): boolean => /^[A-Za-z]:$/.test(component);

/** Scheme and authority of a URI, which files in a browser have: no path goes above it. */
const URI_ROOT = /^[A-Za-z][A-Za-z0-9+.-]+:\/\/[^/]*/;

/** Whether a path starts at a root, a drive or a URI's scheme. */
export const isAbsolutePath = (path: string): boolean => /^([/\\]|[A-Za-z]:[/\\])/.test(path) || URI_ROOT.test(path);

/** Forward slashes, no `.`, no empty components, `..` resolved where it can be (a relative path may keep leading ones). */
export const normalisePath = (path: string): string => {
  const uri = URI_ROOT.exec(path)?.[0];
  if (uri !== undefined) return uri + normalisePath(path.slice(uri.length));
  const slashes = path.replace(/\\/g, '/');
  const rooted = slashes.startsWith('/');
  const parts: string[] = [];
  for (const part of slashes.split('/')) {
    if (part === '' || part === '.') continue;
    const last = parts[parts.length - 1];
    if (part === '..' && last !== undefined && last !== '..' && !isDrive(last)) parts.pop();
    else if (part === '..' && (rooted || (last !== undefined && isDrive(last)))) continue;
    else parts.push(part);
  }
  return (rooted ? '/' : '') + parts.join('/');
};

/** Joins a path to a folder, normalised; an absolute path stays itself. */
export const joinPath = (folder: string, path: string): string => normalisePath(isAbsolutePath(path) || folder === '' ? path : `${folder}/${path}`);

/** Components of a normalised path that name something: without root and without leading `..`. */
export const componentsOf = (path: string): string[] => normalisePath(path).split('/').filter((part) => part !== '' && part !== '..');

export const baseName = (path: string): string => componentsOf(path).pop() ?? '';

/** How many components two paths share, counted from the end. */
export const commonSuffix = (a: readonly string[], b: readonly string[], same = (x: string, y: string): boolean => x === y): number => {
  let count = 0;
  while (count < a.length && count < b.length && same(a[a.length - 1 - count], b[b.length - 1 - count])) count++;
  return count;
};
