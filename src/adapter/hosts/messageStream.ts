/** The framing of the Debug Adapter Protocol on a byte stream: a header with the length, an empty line, JSON. */
import type { DebugProtocol } from '@vscode/debugprotocol';

const HEADER_END = '\r\n\r\n';

/** Takes bytes as they come and yields whole messages. */
export class MessageReader {
  private pending = Buffer.alloc(0);
  /** Length of the message whose header has been read. */
  private length: number | undefined;

  constructor(
    private readonly message: (message: DebugProtocol.ProtocolMessage) => void,
    /** What is on the stream is not the protocol: nothing that follows can be understood. */
    private readonly failed: (sentence: string) => void,
  ) {}

  push(bytes: Buffer): void {
    this.pending = Buffer.concat([this.pending, bytes]);
    for (;;) {
      if (this.length === undefined) {
        const end = this.pending.indexOf(HEADER_END);
        if (end < 0) return;
        const match = /^Content-Length: *([0-9]+)$/im.exec(this.pending.toString('latin1', 0, end));
        if (!match) return this.failed('What arrives is not the Debug Adapter Protocol: a header without Content-Length.');
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
        return this.failed('What arrives is not the Debug Adapter Protocol: a message that is not JSON.');
      }
      this.message(parsed);
    }
  }
}

/** A message as bytes with its header. */
export function frame(message: DebugProtocol.ProtocolMessage): string {
  const text = JSON.stringify(message);
  return `Content-Length: ${Buffer.byteLength(text, 'utf8')}${HEADER_END}${text}`;
}
