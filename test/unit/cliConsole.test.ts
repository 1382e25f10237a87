import assert from 'node:assert/strict';
import { ConsoleScript } from '../../src/cli/consoleScript';
import type { Step } from '../../src/cli/runOptions';

const expect = (text: string): Step => ({ kind: 'expect', text });
const type = (text: string): Step => ({ kind: 'type', text });

/** Shows a text to a script; yields what the last byte that said anything said, and all that was typed. */
function show(script: ConsoleScript, text: string): string | undefined {
  for (const byte of new TextEncoder().encode(text)) {
    const verdict = script.byte(byte);
    if (verdict) return verdict.kind === 'failed' ? `failed ${verdict.text}` : verdict.kind;
  }
  return undefined;
}

function scripted(steps: Step[], failOn: string[] = []): { script: ConsoleScript; typed: () => string } {
  let typed = '';
  const script = new ConsoleScript(steps, failOn, (bytes) => (typed += new TextDecoder().decode(bytes)));
  return { script, typed: () => typed };
}

describe('the console script', () => {
  it('is done at the byte that completes the last expected text', () => {
    const { script } = scripted([expect('vm$')]);
    assert.equal(show(script, 'welcome\r\nvm'), undefined);
    assert.equal(show(script, '$'), 'done');
  });

  it('wants its texts in order, each after the one before', () => {
    const { script } = scripted([expect('b'), expect('a')]);
    assert.equal(show(script, 'a b'), undefined);
    assert.equal(script.pending, 'a');
    assert.equal(show(script, 'a'), 'done');
  });

  it('does not count the same bytes for two expectations', () => {
    const { script } = scripted([expect('aa'), expect('aa')]);
    assert.equal(show(script, 'aaa'), undefined);
    assert.equal(show(script, 'a'), 'done');
  });

  it('finds a text whose beginning repeats', () => {
    assert.equal(show(scripted([expect('aab')]).script, 'aaab'), 'done');
  });

  it('types after the preceding match, and before the first one at the start', () => {
    const { script, typed } = scripted([type('x'), expect('vm$'), type('ls\r'), expect('motd')]);
    script.start();
    assert.equal(typed(), 'x');
    show(script, 'vm$');
    assert.equal(typed(), 'xls\r');
    assert.equal(show(script, 'motd'), 'done');
  });

  it('looks at the screen when a text is expected there, and presses keys behind it', () => {
    let pressed = '';
    const script = new ConsoleScript([{ kind: 'expect-screen', text: 'boot:' }, { kind: 'press', text: 'linux\r' }, expect('ok'), { kind: 'expect-screen', text: 'login' }], [], () => {}, (text) => (pressed += text));
    script.start();
    assert.equal(script.waitsForScreen, true);
    assert.equal(script.screen(['', 'GRUB']), undefined);
    assert.equal(pressed, '');
    script.screen(['GRUB', 'boot: ']);
    assert.equal(pressed, 'linux\r');
    assert.equal(script.waitsForScreen, false);
    assert.equal(script.screen(['login']), undefined);
    assert.equal(show(script, 'ok'), undefined);
    assert.equal(script.pending, 'login');
    assert.deepEqual(script.screen(['x login:']), { kind: 'done' });
  });

  it('is not done after a text that is only typed', () => {
    const { script, typed } = scripted([expect('vm$'), type('halt\r')]);
    assert.equal(show(script, 'vm$ and more'), undefined);
    assert.equal(typed(), 'halt\r');
    assert.equal(script.pending, undefined);
  });

  it('fails on a forbidden text wherever it comes', () => {
    const { script } = scripted([expect('vm$')], ['panic']);
    assert.equal(show(script, 'kernel panic'), 'failed panic');
  });

  it('sees lines that end with carriage return and line feed, and text beyond ASCII', () => {
    assert.equal(show(scripted([expect('a\nb')]).script, 'a\r\nb'), 'done');
    assert.equal(show(scripted([expect('größer')]).script, 'größer'), 'done');
  });
});
