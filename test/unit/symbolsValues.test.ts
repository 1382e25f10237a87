import assert from 'node:assert/strict';
import { Frame, unsignedOf } from '../../src/symbols/frame';
import { SymbolImage, Value } from '../../src/symbols/image';
import { sizeOf, stripped, Type, typeName } from '../../src/symbols/types';
import { childCount, children, dereference, elementOf, encodeNumber, formatValue, integerOf, memberOf, readString } from '../../src/symbols/values';
import { fixtureNames, openFixture } from './symbolsFixtures';

/** A machine whose memory is what the image loads, with a guest written over guest_table[0]. */
const machine = (image: SymbolImage): { frame: Frame; table: Value } => {
  const [variable] = image.globals('guest_table');
  const base = image.symbolsNamed('guest_table')[0].address;
  const bytes = new Uint8Array(sizeOf(variable.type)!);
  const frame: Frame = {
    pc: 0n,
    isCaller: false,
    bits: image.elf.bits,
    register: () => undefined,
    memory: (address, length) => (address >= base && address + BigInt(length) <= base + BigInt(bytes.length) ? bytes.subarray(Number(address - base), Number(address - base) + length) : image.loadedBytes(address, length)),
  };
  const table = image.valueOf(variable, frame);
  const [guest] = children(table, frame);
  const set = (path: string, value: bigint): void => {
    let target = guest;
    for (const part of path.split('.')) target = /^\d+$/.test(part) ? elementOf(target, Number(part), frame)! : memberOf(target, part, frame)!;
    const encoded = encodeNumber(target, value, frame);
    assert.ok('bytes' in encoded && target.location.kind === 'memory');
    bytes.set(encoded.bytes, Number(target.location.address - base));
  };
  set('regs.rax', 0xffff_ffff_ffff_ffffn);
  set('regs.rcx', 17n);
  set('reason', 48n);
  set('direction', -1n);
  set('rights.type', 11n);
  set('rights.present', 1n);
  set('rights.dpl', 2n);
  set('rights.offset', -3n);
  set('value.whole', 0x1122334455667788n);
  set('name', unsignedOf(image.loadedBytes(image.symbolsNamed('banner')[0].address, image.elf.bits / 8)!));
  set('next', base);
  set('handler', image.findFunctions('handle_cpuid')[0].low);
  set('matrix.1.2', 7n);
  set('launched', 1n);
  set('tag.0', 0x41n);
  set('tag.1', 0x0an);
  set('y', -5n);
  return { frame, table };
};

describe('symbols: types and values', () => {
  it('shows flags by name, with the bits that have none', () => {
    const flags = (values: Record<string, number>, value: number): string => {
      const enumerators = Object.entries(values).map(([name, v]) => ({ name, value: BigInt(v) }));
      const type: Type = { kind: 'enum', name: 'flags', size: 4, signed: false, enumerators };
      return formatValue({ name: 'f', type, location: { kind: 'value', bytes: Uint8Array.of(value, 0, 0, 0) } }, { register: () => undefined, memory: () => undefined });
    };
    const rights = { NONE: 0, READ: 1, WRITE: 2, EXECUTE: 4 };
    assert.equal(flags(rights, 0), 'NONE');
    assert.equal(flags(rights, 2), 'WRITE');
    assert.equal(flags(rights, 5), 'READ | EXECUTE (5)');
    assert.equal(flags(rights, 0x85), 'READ | EXECUTE | 0x80 (133)');
    assert.equal(flags(rights, 0x80), '128');
    // A list that happens to begin like flags is none.
    assert.equal(flags({ DOWN: 0, UP: 1, LEFT: 2 }, 7), '7');
    assert.equal(flags({ ZERO: 0, ONE: 1, TWO: 2, THREE: 3 }, 5), '5');
  });

  for (const name of fixtureNames) {
    describe(name, () => {
      const image = openFixture(name);
      const { frame, table } = machine(image);
      const [guest] = children(table, frame);
      const at = (path: string): Value => path.split('.').reduce((value, part) => memberOf(value, part, frame)!, guest);
      const symbol = (address: bigint): string | undefined => image.symbolAt(address)?.symbol.name;
      const show = (path: string): string => formatValue(at(path), frame, { symbol });

      it('names types as C does', () => {
        const names = Object.fromEntries(children(guest, frame).map((child) => [child.name, typeName(child.type)]));
        assert.deepEqual(names, {
          regs: 'struct registers', reason: 'enum exit_reason', direction: 'enum direction', rights: 'struct access_rights', value: 'union value',
          name: 'const char *', next: 'struct guest *', handler: 'exit_handler', matrix: 'u32 [2][3]', launched: 'volatile _Bool', tag: 'char [8]', '': 'struct {...}',
        });
        const handler = at('handler').type;
        assert.equal(handler.kind, 'typedef');
        assert.equal(handler.kind === 'typedef' && typeName(handler.target), 'int (*)(struct guest *, const char *)');
        assert.equal(typeName(table.type), 'struct guest [2]');
        assert.equal(typeName(image.typeOf(image.findFunctions('vmexit')[0])), 'int (struct guest *, u32)');
      });

      it('shows scalars', () => {
        assert.equal(show('regs.rax'), '18446744073709551615');
        assert.equal(formatValue(at('regs.rax'), frame, { radix: 16 }), '0xffffffffffffffff');
        assert.equal(show('reason'), 'EXIT_EPT');
        assert.equal(show('direction'), 'DOWN');
        assert.equal(show('launched'), 'true');
        assert.equal(show('y'), '-5');
        assert.equal(show('x'), '0');
        const ratio = image.valueOf(image.globals('ratio')[0], frame);
        assert.equal(formatValue(ratio, frame), '1.5');
        assert.equal(integerOf(at('direction'), frame), -1n);
        assert.equal(integerOf(ratio, frame), undefined);
      });

      it('shows bit-fields of either sign, and keeps their neighbours when one is written', () => {
        assert.equal(formatValue(at('rights'), frame), '{type = 11, s = 0, dpl = 2, present = 1, offset = -3}');
        const encoded = encodeNumber(at('rights.s'), 1n, frame);
        assert.ok('bytes' in encoded);
        assert.equal(encoded.bytes[0] & 0x1f, 0x1b);
      });

      it('shows pointers with symbol and string', () => {
        assert.match(show('name'), /^0x[0-9a-f]+ .*"fixture"$/);
        assert.match(show('handler'), /^0x[0-9a-f]+ <handle_cpuid>$/);
        assert.match(show('next'), /^0x[0-9a-f]+ <guest_table>$/);
        assert.equal(show('tag'), '"A\\n"');
        assert.equal(formatValue(dereference(at('next'), frame)!, frame).slice(0, 40), formatValue(guest, frame).slice(0, 40));
        assert.equal(memberOf(at('next'), 'y', frame)?.name, 'y');
        assert.equal(childCount(at('handler')), 0);
      });

      it('shows aggregates in one line and by pages', () => {
        assert.equal(show('regs'), '{rax = 18446744073709551615, rbx = 0, rcx = 17, rdx = 0}');
        assert.equal(show('matrix'), '{{0, 0, 0}, {0, 0, 7}}');
        const sparse = image.valueOf(image.globals('sparse')[0], frame);
        assert.equal(formatValue(sparse, frame), '{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, ...}');
        assert.equal(childCount(sparse), 12);
        assert.deepEqual(children(sparse, frame, 10, 5).map((child) => `${child.name}=${formatValue(child, frame)}`), ['[10]=11', '[11]=12']);
        assert.deepEqual(children(at('value'), frame).map((child) => typeName(child.type)), ['u64', 'u8 [8]']);
        assert.equal(formatValue(elementOf(at('value.bytes'), 7, frame)!, frame), "17 '\\021'");
        assert.equal(formatValue(at('value.whole'), frame), '1234605616436508552');
      });

      it('finds types by name and keyword', () => {
        assert.equal(stripped(image.types('struct guest')[0]).kind, 'struct');
        assert.equal(sizeOf(image.types('u64')[0]), 8);
        assert.equal(image.types('union guest').length, 0);
        assert.deepEqual((image.types('enum exit_reason')[0] as Extract<Type, { kind: 'enum' }>).enumerators.map(({ name: n, value }) => `${n}=${value}`), ['EXIT_CPUID=10', 'EXIT_VMCALL=18', 'EXIT_EPT=48']);
      });

      it('says why a value cannot be shown', () => {
        const bad: Value = { name: 'p', type: image.types('u64')[0], location: { kind: 'memory', address: 0x10n } };
        assert.equal(formatValue(bad, frame), '<cannot read memory at 0x10>');
        assert.equal(integerOf(bad, frame), undefined);
        assert.deepEqual(encodeNumber({ ...bad, location: { kind: 'value', bytes: new Uint8Array(8) } }, 1n, frame), { reason: 'it has no place of its own to be changed' });
        assert.deepEqual(encodeNumber(guest, 1n, frame), { reason: 'a struct guest cannot be assigned as a whole' });
      });
    });
  }

  it('cuts strings at the edge of readable memory', () => {
    const memory = (address: bigint, length: number): Uint8Array | undefined => (address >= 0x1000n && address + BigInt(length) <= 0x1008n ? new TextEncoder().encode('abcdefgh').subarray(Number(address - 0x1000n), Number(address - 0x1000n) + length) : undefined);
    assert.equal(readString({ memory }, 0x1004n), '"efgh"...');
    assert.equal(readString({ memory }, 0x2000n), undefined);
  });
});
