/** The framing of the Debug Adapter Protocol on a byte stream: a header with the length, an empty line, JSON. */
import type { DebugProtocol } from '@vscode/debugprotocol';

const HEADER_END = '\r\n\r\n';
/** Bytes; a header has a line or two. */
const MOST_HEADER = 4096;

/** Takes bytes as they come and yields whole messages. */
export class MessageReader {
  private pending = Buffer.alloc(0);
  /** Length of the message whose header has been read. */
  private length: number | undefined;
  private broken = false;

  constructor(
    private readonly message: (message: DebugProtocol.ProtocolMessage) => void,
    /** What is on the stream is not the protocol: nothing that follows can be understood, and nothing is read. */
    private readonly failed: (sentence: string) => void,
  ) {}

  private fail(what: string): void {
    this.broken = true;
    this.pending = Buffer.alloc(0);
    this.failed(`What arrives is not the Debug Adapter Protocol: ${what}.`);
  }

  push(bytes: Buffer): void {
    if (this.broken) return;
    this.pending = Buffer.concat([this.pending, bytes]);
    for (;;) {
      if (this.length === undefined) {
        const end = this.pending.indexOf(HEADER_END);
        if (end < 0) return this.pending.length > MOST_HEADER ? this.fail('a header without end') : undefined;
        const match = /^Content-Length: *([0-9]+)$/im.exec(this.pending.toString('latin1', 0, end));
        if (!match) return this.fail('a header without Content-Length');
        this.length = Number(match[1]);
        this.pending = this.pending.subarray(end + HEADER_END.length);
      }
      if (this.pending.length < this.length) return;
      const text = this.pending.toString('utf8', 0, this.length);
      this.pending = this.pending.subarray(this.length);
      this.length = undefined;
      let parsed: DebugProtocol.ProtocolMessage;
      try {
        parsed = JSON.parse(text) as DebugProtocol.ProtocolMessage;
      } catch {
        return this.fail('a message that is not JSON');
      }
      if (typeof parsed !== 'object' || parsed === null) return this.fail('a message that is no object');
      this.message(parsed);
    }
  }
}

/** A message as bytes with its header. */
export function frame(message: DebugProtocol.ProtocolMessage): string {
  const text = JSON.stringify(message);
  return `Content-Length: ${Buffer.byteLength(text, 'utf8')}${HEADER_END}${text}`;
}
