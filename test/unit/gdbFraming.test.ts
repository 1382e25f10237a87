/** GDB's packets on the wire: checksums, escapes, acknowledgements, interrupts in between. */
import assert from 'node:assert';
import { parseGdbOptions } from '../../src/cli/gdbCommand';
import { frame, PacketReader } from '../../src/gdb/framing';
import { fromHex, fromLittleEndian, littleEndian, textToHex, toHex } from '../../src/gdb/hexText';

function read(...chunks: (string | Uint8Array)[]): string[] {
  const seen: string[] = [];
  const reader = new PacketReader({
    packet: (p) => seen.push(p),
    interrupt: () => seen.push('<interrupt>'),
    damaged: () => seen.push('<damaged>'),
    repeat: () => seen.push('<repeat>'),
  });
  for (const chunk of chunks) reader.bytes(typeof chunk === 'string' ? Uint8Array.from(chunk, (c) => c.charCodeAt(0)) : chunk);
  return seen;
}
const text = (bytes: Uint8Array): string => String.fromCharCode(...bytes);

describe('GDB packets', () => {
  it('have the sum of their bytes behind them', () => {
    assert.strictEqual(text(frame('OK')), '$OK#9a');
    assert.strictEqual(text(frame('')), '$#00');
  });
  it('escape what would end them, and come back the same', () => {
    assert.strictEqual(text(frame('a#b')), '$a}\x03b#' + ((0x61 + 0x7d + 3 + 0x62) & 0xff).toString(16));
    const all = Array.from({ length: 256 }, (_, i) => String.fromCharCode(i)).join('');
    assert.deepStrictEqual(read(frame(all)), [all]);
  });
  it('may arrive in pieces and in a row', () => assert.deepStrictEqual(read('+$q', 'C#', 'b', '4+$?#3f'), ['qC', '?']));
  it('that are damaged are not performed', () => assert.deepStrictEqual(read('$qC#b5', '$?#zz', '$?#3f'), ['<damaged>', '<damaged>', '?']));
  it('that are cut off make room for the next', () => assert.deepStrictEqual(read('$m0,1$?#3f'), ['?']));
  it('are repeated for a minus', () => assert.deepStrictEqual(read('-'), ['<repeat>']));
  it('an interrupt is a byte between packets, and data within one', () => {
    assert.deepStrictEqual(read('\x03'), ['<interrupt>']);
    assert.deepStrictEqual(read('$X\x03#5b'), ['X\x03']);
  });
});

describe('GDB numbers', () => {
  it('are little endian in registers, x where they are not known', () => {
    assert.strictEqual(littleEndian(0x1234n, 64), '3412000000000000');
    assert.strictEqual(littleEndian(-1n, 32), 'ffffffff');
    assert.strictEqual(littleEndian(undefined, 32), 'xxxxxxxx');
    assert.strictEqual(fromLittleEndian('3412'), 0x1234n);
    assert.strictEqual(fromLittleEndian('xxxx'), undefined);
  });
  it('are two digits a byte', () => {
    assert.strictEqual(textToHex('a\n'), '610a');
    assert.strictEqual(toHex(fromHex('00ff')!), '00ff');
    assert.strictEqual(fromHex('0'), undefined);
  });
});

describe('hyperstep gdb', () => {
  it('takes a port and the options of a machine', () => {
    assert.strictEqual(parseGdbOptions([]).port, 1234);
    const { port, options } = parseGdbOptions(['--lab', 'cpuid', '--port=0', '--memory', '64M']);
    assert.strictEqual(port, 0);
    assert.strictEqual(options.lab, 'cpuid');
  });
  it('refuses what belongs to run', () => {
    assert.throws(() => parseGdbOptions(['--port', 'x']), /--port needs a number/);
    assert.throws(() => parseGdbOptions(['--port', '70000']), /from 0 to 65535/);
    assert.throws(() => parseGdbOptions(['--expect', 'vm$']), /can be given to hyperstep run, not to hyperstep gdb/);
  });
});
