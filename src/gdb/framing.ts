/**
 * GDB's remote serial protocol, its lowest floor: `$payload#checksum`, acknowledged by `+` or `-` until both sides agree
 * to do without, and the single byte 3 that interrupts (GDB manual, "Overview" of the remote serial protocol).
 */

const ESCAPE = 0x7d; // }
const ESCAPE_XOR = 0x20;
const INTERRUPT = 0x03;
const START = 0x24; // $
const END = 0x23; // #
const NAK = 0x2d; // -

/** What has to be escaped in a payload: # $ } and *. */
const SPECIAL = new Set([0x23, 0x24, 0x7d, 0x2a]);

export interface PacketEvents {
  /** A whole packet; each character of the text is one byte. */
  packet(payload: string): void;
  interrupt(): void;
  /** A packet was damaged on its way. */
  damaged(): void;
  /** The other side wants the last packet again. */
  repeat(): void;
}

const checksum = (bytes: readonly number[]): number => bytes.reduce((sum, b) => (sum + b) & 0xff, 0);

/** Cuts a stream of bytes into packets. */
export class PacketReader {
  private state: 'between' | 'payload' | 'checksum' = 'between';
  private payload: number[] = [];
  private digits = '';

  constructor(private readonly events: PacketEvents) {}

  bytes(chunk: Uint8Array): void {
    for (const byte of chunk) this.byte(byte);
  }

  private byte(byte: number): void {
    switch (this.state) {
      case 'between':
        if (byte === START) this.begin();
        else if (byte === INTERRUPT) this.events.interrupt();
        else if (byte === NAK) this.events.repeat();
        return;
      case 'payload':
        // A packet that begins within another: the first was cut off.
        if (byte === START) this.begin();
        else if (byte === END) this.state = 'checksum';
        else this.payload.push(byte);
        return;
      case 'checksum':
        this.digits += String.fromCharCode(byte);
        if (this.digits.length === 2) this.finish();
    }
  }

  private begin(): void {
    this.state = 'payload';
    this.payload = [];
    this.digits = '';
  }

  private finish(): void {
    this.state = 'between';
    if (!/^[0-9a-fA-F]{2}$/.test(this.digits) || parseInt(this.digits, 16) !== checksum(this.payload)) return this.events.damaged();
    let text = '';
    for (let i = 0; i < this.payload.length; i++) {
      const byte = this.payload[i]!;
      text += String.fromCharCode(byte === ESCAPE ? (this.payload[++i] ?? 0) ^ ESCAPE_XOR : byte);
    }
    this.events.packet(text);
  }
}

/** A payload, each character of which is one byte, as a packet. */
export function frame(payload: string): Uint8Array {
  const bytes: number[] = [];
  for (const character of payload) {
    const byte = character.charCodeAt(0);
    if (SPECIAL.has(byte)) bytes.push(ESCAPE, byte ^ ESCAPE_XOR);
    else bytes.push(byte);
  }
  const sum = checksum(bytes).toString(16).padStart(2, '0');
  return Uint8Array.of(START, ...bytes, END, sum.charCodeAt(0), sum.charCodeAt(1));
}
