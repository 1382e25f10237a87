/** What is typed on the PS/2 keyboard: characters, and for keys that give none the sequences that terminals send for them. */

export interface FunctionKey {
  /** Make code; the break code has bit 7 set. */
  code: number;
  /** Keys that the first keyboards lacked send 0xE0 before it. */
  extended: boolean;
}

const EXTENDED: readonly (readonly [string, number])[] = [
  ['[A', 0x48], // up
  ['[B', 0x50], // down
  ['[C', 0x4d], // right
  ['[D', 0x4b], // left
  ['[H', 0x47], // home
  ['[F', 0x4f], // end
  ['[2~', 0x52], // insert
  ['[3~', 0x53], // delete
  ['[5~', 0x49], // page up
  ['[6~', 0x51], // page down
];
/** F1 to F12. */
const FUNCTION: readonly (readonly [string, number])[] = [
  ['OP', 0x3b], ['OQ', 0x3c], ['OR', 0x3d], ['OS', 0x3e], ['[15~', 0x3f], ['[17~', 0x40], ['[18~', 0x41], ['[19~', 0x42], ['[20~', 0x43], ['[21~', 0x44], ['[23~', 0x57], ['[24~', 0x58],
];

const KEYS = [...EXTENDED.map(([sequence, code]) => ({ sequence, code, extended: true })), ...FUNCTION.map(([sequence, code]) => ({ sequence, code, extended: false }))];
/** Recorded input is bytes: those above ASCII stand for the keys, in the order of the tables. */
const FIRST_BYTE = 0x80;
/** A sequence begins with ESC; in a terminal's application mode arrows, home and end have O in place of [. */
const SEQUENCE = /\x1b(\[[0-9]*[A-Z~]|O[A-Z])/y;

/** The key that a byte stands for. */
export const keyOf = (byte: number): FunctionKey | undefined => KEYS[byte - FIRST_BYTE];

/** The bytes of a text; `lacks` is told each character that no US keyboard has, which is left out. */
export function keyBytes(text: string, lacks: (character: string) => void): Uint8Array {
  const bytes: number[] = [];
  for (let at = 0; at < text.length; ) {
    SEQUENCE.lastIndex = at;
    const [whole, sequence] = SEQUENCE.exec(text) ?? [];
    const key = sequence === undefined ? -1 : KEYS.findIndex((k) => k.sequence === sequence || k.sequence === sequence.replace(/^O/, '['));
    if (whole !== undefined && key >= 0) {
      bytes.push(FIRST_BYTE + key);
      at += whole.length;
      continue;
    }
    const code = text.codePointAt(at)!;
    const character = String.fromCodePoint(code);
    if (code < FIRST_BYTE) bytes.push(code);
    else lacks(character);
    at += character.length;
  }
  return Uint8Array.from(bytes);
}
