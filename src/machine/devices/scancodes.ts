/** Scan code set 1 of a US keyboard: which key, and whether with Shift or Control, gives a character. */

export interface KeyStroke {
  /** Make code; the break code has bit 7 set. */
  code: number;
  shift: boolean;
  control: boolean;
}

/** Unshifted and shifted characters of successive make codes; a space where the key gives none. */
const ROWS: readonly (readonly [number, string, string])[] = [
  [0x02, '1234567890-=', '!@#$%^&*()_+'],
  [0x10, 'qwertyuiop[]', 'QWERTYUIOP{}'],
  [0x1e, "asdfghjkl;'`", 'ASDFGHJKL:"~'],
  [0x2b, '\\zxcvbnm,./', '|ZXCVBNM<>?'],
  [0x39, ' ', ' '],
];
const NAMED: readonly (readonly [string, number])[] = [
  ['\x1b', 0x01],
  ['\b', 0x0e],
  ['\x7f', 0x0e],
  ['\t', 0x0f],
  ['\n', 0x1c],
  ['\r', 0x1c],
];

export const LEFT_SHIFT = 0x2a;
export const LEFT_CONTROL = 0x1d;

const strokes = new Map<string, KeyStroke>();
for (const [first, plain, shifted] of ROWS) {
  [...plain].forEach((c, i) => strokes.set(c, { code: first + i, shift: false, control: false }));
  [...shifted].forEach((c, i) => strokes.has(c) || strokes.set(c, { code: first + i, shift: true, control: false }));
}
for (const [c, code] of NAMED) strokes.set(c, { code, shift: false, control: false });
for (let letter = 1; letter <= 26; letter++) {
  const c = String.fromCharCode(letter);
  if (!strokes.has(c)) strokes.set(c, { ...strokes.get(String.fromCharCode(0x60 + letter))!, control: true });
}

/** The stroke that types a character, or undefined when this keyboard has none for it. */
export const strokeFor = (character: string): KeyStroke | undefined => strokes.get(character);

/** Character of a make code, or 0: what the BIOS puts into its buffer. */
export function characterOf(code: number, shift: boolean, control: boolean): number {
  for (const [character, stroke] of strokes) {
    if (character === '\x7f' || character === '\n') continue;
    if (stroke.code === code && stroke.shift === shift && stroke.control === control) return character.charCodeAt(0);
  }
  return shift ? characterOf(code, false, control) : 0;
}
