/** Lines of log points on their way to the client. */
import assert from 'node:assert/strict';
import { LogLines } from '../../src/adapter/logLines';

describe('lines of log points', () => {
  it('are gathered until the next turn, and sent at once where something else follows', () => {
    const sent: string[] = [];
    const tasks: (() => void)[] = [];
    const lines = new LogLines({ now: () => 0, soon: (task) => void tasks.push(task) }, (text) => sent.push(text));
    lines.add('a');
    lines.add('b');
    assert.deepEqual([sent, tasks.length], [[], 1]);
    tasks.shift()!();
    assert.deepEqual(sent, ['a\nb\n']);
    lines.add('c');
    lines.flush();
    lines.flush();
    assert.deepEqual(sent, ['a\nb\n', 'c\n']);
    tasks.shift()!();
    assert.deepEqual(sent.length, 2);
  });

  it('never grow without end', () => {
    let longest = 0;
    const lines = new LogLines({ now: () => 0, soon: () => {} }, (text) => (longest = Math.max(longest, text.length)));
    for (let i = 0; i < 10_000; i++) lines.add(`line ${i} of very many`);
    assert(longest > 10_000 && longest < 70_000, String(longest));
  });
});
