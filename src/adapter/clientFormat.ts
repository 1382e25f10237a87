/** Lines, columns and paths as this client counts and writes them. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import { UserError } from '../base/errors';

/** With a scheme: more than one letter, as one is a drive of Windows. */
const URI = /^[a-z][a-z0-9+.-]+:\/\//i;
const WINDOWS = /^([a-z]:[\\/]|\\\\)/i;
const FILE = 'file://';

/** `file:///C%3A/x` for `C:\x`, `file://server/share` for `\\server\share`. */
function toUri(path: string): string {
  const slashes = WINDOWS.test(path) ? path.replaceAll('\\', '/') : path;
  const encoded = slashes.split('/').map(encodeURIComponent).join('/');
  return encoded.startsWith('//') ? `file:${encoded}` : FILE + (encoded.startsWith('/') ? '' : '/') + encoded;
}

/** The path behind `file://`. Throws a UserError where the text is no URI. */
function fromUri(uri: string): string {
  let path: string;
  try {
    path = decodeURIComponent(uri.slice(FILE.length));
  } catch {
    throw new UserError('path', `${uri} is no URI: a "%" in it has no two digits behind it.`);
  }
  if (!path.startsWith('/')) return `//${path}`;
  return /^\/[a-z]:/i.test(path) ? path.slice(1) : path;
}

export class ClientFormat {
  private lineBase = 1;
  private columnBase = 1;
  private uris = false;
  /** Integers are shown in hexadecimal; the user switches it for the whole session. */
  hexadecimal = false;
  private askedHexadecimal = false;

  initialize(args: DebugProtocol.InitializeRequestArguments): void {
    this.lineBase = args.linesStartAt1 === false ? 0 : 1;
    this.columnBase = args.columnsStartAt1 === false ? 0 : 1;
    this.uris = args.pathFormat === 'uri';
  }

  /** Takes the format of a request, which holds until the next. */
  asked(format: { hex?: boolean } | undefined): void {
    this.askedHexadecimal = format?.hex === true;
  }
  /** How integers are shown; undefined for the usual way. */
  get numbers(): 'x' | undefined {
    return this.hexadecimal || this.askedHexadecimal ? 'x' : undefined;
  }

  /** To the client: our lines start at 1; 0 means none and stays. */
  line(line: number): number {
    return line === 0 ? 0 : line - 1 + this.lineBase;
  }
  column(column: number): number {
    return column === 0 ? 0 : column - 1 + this.columnBase;
  }
  path(path: string): string {
    return !this.uris || URI.test(path) ? path : toUri(path);
  }

  /** From the client. */
  fromLine(line: number): number {
    return line + 1 - this.lineBase;
  }
  fromColumn(column: number): number {
    return column + 1 - this.columnBase;
  }
  fromPath(path: string): string {
    return this.uris && path.startsWith(FILE) ? fromUri(path) : path;
  }
}
