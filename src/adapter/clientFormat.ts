/** Lines, columns and paths as this client counts and writes them. */
import type { DebugProtocol } from '@vscode/debugprotocol';

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
    if (!this.uris || /^[a-z][a-z0-9+.-]+:\/\//i.test(path)) return path;
    return 'file://' + (path.startsWith('/') ? '' : '/') + path.split('/').map(encodeURIComponent).join('/');
  }

  /** From the client. */
  fromLine(line: number): number {
    return line + 1 - this.lineBase;
  }
  fromColumn(column: number): number {
    return column + 1 - this.columnBase;
  }
  fromPath(path: string): string {
    return this.uris && path.startsWith('file://') ? decodeURIComponent(path.slice('file://'.length)) : path;
  }
}
