/** Keys without characters, as terminals and the picture's editor send them to the PS/2 keyboard. */
import assert from 'node:assert';
import { A20Gate } from '../../src/machine/devices/a20Gate';
import { KeyboardController } from '../../src/machine/devices/keyboardController';
import { keyBytes } from '../../src/machine/devices/keySequences';

describe('keys of the PS/2 keyboard', () => {
  /** The scan codes of what is typed, and the characters that are lacking. */
  function typed(text: string): { codes: string; lacking: string[] } {
    const warnings: string[] = [];
    const keyboard = new KeyboardController({ now: () => 0, reschedule: () => {}, warn: (sentence: string) => warnings.push(sentence) } as unknown as ConstructorParameters<typeof KeyboardController>[0], new A20Gate(() => {}), () => {}, () => {}, () => {});
    const lacking: string[] = [];
    for (const byte of keyBytes(text, (character) => lacking.push(character))) keyboard.type(String.fromCharCode(byte));
    const codes: string[] = [];
    while (keyboard.readPort(0x64) & 1) codes.push(keyboard.readPort(0x60).toString(16).padStart(2, '0'));
    assert.deepStrictEqual(warnings, []);
    return { codes: codes.join(' '), lacking };
  }

  it('arrows and their neighbours go behind 0xE0', () => {
    assert.strictEqual(typed('\x1b[A').codes, 'e0 48 e0 c8');
    assert.strictEqual(typed('\x1b[3~\x1b[6~').codes, 'e0 53 e0 d3 e0 51 e0 d1');
  });
  it('a terminal in application mode sends the same keys', () => assert.strictEqual(typed('\x1bOB\x1bOH').codes, 'e0 50 e0 d0 e0 47 e0 c7'));
  it('function keys have one code each', () => assert.strictEqual(typed('\x1bOP\x1b[15~\x1b[24~').codes, '3b bb 3f bf 58 d8'));
  it('Escape alone, or before what is no such sequence, is Escape', () => assert.strictEqual(typed('\x1bx').codes, '01 81 2d ad'));
  it('letters stand between keys', () => assert.strictEqual(typed('a\x1b[Db').codes, '1e 9e e0 4b e0 cb 30 b0'));
  it('a character that the keyboard lacks is named whole', () => assert.deepStrictEqual(typed('né\u{1f422}'), { codes: '31 b1', lacking: ['é', '\u{1f422}'] }));
});
