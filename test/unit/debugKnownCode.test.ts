/** What stepping asks about the code of a loop is found out once, until something may be elsewhere. */
import assert from 'node:assert';
import { KnownCode, type CodeEnvironment } from '../../src/debug/run/knownCode';

const CALL = 0xe8;
const NOP = 0x90;

/** Code whose first byte is `opcode`, in no line, and how often it was asked about. */
function environment(): { env: CodeEnvironment; asked: { bytes: number; lines: number }; code: { opcode: number } } {
  const asked = { bytes: 0, lines: 0 };
  const code = { opcode: CALL };
  const env = {
    cpu: { state: { efer: 0, get32: () => 0 } },
    code: { lineAt: () => void asked.lines++ },
    readCode: () => {
      asked.bytes++;
      return Uint8Array.of(code.opcode);
    },
    focus: () => {},
  };
  return { env: env as unknown as CodeEnvironment, asked, code };
}

describe('known code', () => {
  it('asks once about an address, also where there is no line', () => {
    const { env, asked } = environment();
    const known = new KnownCode(env);
    for (let i = 0; i < 3; i++) {
      assert.strictEqual(known.kind(0x1000n), 'call');
      assert.strictEqual(known.line({ world: 'vmm', pc: 0x1000n, rsp: 0n }), undefined);
    }
    assert.deepStrictEqual(asked, { bytes: 1, lines: 1 });
    known.kind(0x1005n);
    assert.strictEqual(asked.bytes, 2);
  });

  it('asks again after it was told to forget', () => {
    const { env, code } = environment();
    const known = new KnownCode(env);
    assert.strictEqual(known.kind(0x1000n), 'call');
    code.opcode = NOP;
    assert.strictEqual(known.kind(0x1000n), 'call');
    known.forget();
    assert.strictEqual(known.kind(0x1000n), 'other');
  });
});
