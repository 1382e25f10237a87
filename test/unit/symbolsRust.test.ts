import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { SymbolImage } from '../../src/symbols/image';
import { typeName } from '../../src/symbols/types';
import { children, elementOf, formatValue, integerOf, memberOf, Value } from '../../src/symbols/values';
import { frameOf, Stop } from './symbolsFixtures';

const folder = path.join(__dirname, '../fixtures/symbols/rust');

describe('symbols of Rust', () => {
  const image = SymbolImage.open('machine.elf', new Uint8Array(readFileSync(path.join(folder, 'machine.elf'))));
  const frame = frameOf(image, JSON.parse(readFileSync(path.join(folder, 'stop.json'), 'utf8')) as Stop);
  const value = (name: string): Value => image.valueOf(image.variablesAt(frame.pc - 1n).find((v) => v.name === name)!, frame);

  const EXPECTED: Record<string, [type: string, value: string]> = {
    reason: ['enum Reason', 'Vmcall'],
    nothing: ['Exit', 'Nothing'],
    io: ['Exit', 'Io {port = 1016, input = true}'],
    violation: ['Exit', 'Violation(4276092928)'],
    some: ['Option<u32>', 'Some(7)'],
    none: ['Option<u32>', 'None'],
    // The discriminant is the pointer itself, of which 0 is the other variant.
    reference: ['Option<&u64>', 'None'],
    fine: ['Result<u8, u64>', 'Ok(3)'],
    failed: ['Result<u8, u64>', 'Err(99)'],
    slice: ['&[u32]', '{2, 3}'],
    empty: ['&[u8]', '{}'],
    guest: ['Guest', '{name = "lab", entry = Gpa(28672), reason = Vmcall}'],
    tuple: ['(u8, i16, char)', "(1, -2, 120 'x')"],
    list: ['Vec<u16, alloc::alloc::Global>', '{5, 6}'],
    text: ['String', '"boot"'],
    unit: ['()', '()'],
    total: ['u64', '4276151311'],
  };
  for (const [name, [type, shown]] of Object.entries(EXPECTED)) {
    it(`shows ${name}, ${type}, as ${shown}`, () => {
      assert.equal(typeName(value(name).type), type);
      assert.equal(formatValue(value(name), frame), shown);
    });
  }

  it('finds members of the variant that is there, and no other', () => {
    assert.equal(integerOf(memberOf(value('io'), 'port', frame)!, frame), 0x3f8n);
    assert.equal(memberOf(value('violation'), 'port', frame), undefined);
    assert.deepEqual(children(value('io'), frame).map((child) => child.name), ['port', 'input']);
    assert.equal(formatValue(children(value('boxed'), frame)[0], frame), 'Violation(1)');
  });

  it('counts elements of slices and Vecs', () => {
    assert.equal(integerOf(elementOf(value('slice'), 1, frame)!, frame), 3n);
    assert.equal(integerOf(elementOf(value('list'), 1, frame)!, frame), 6n);
  });

  it('knows paths, whole and in part', () => {
    for (const name of ['machine::vmx::Guest::run', 'Guest::run', 'run']) assert.deepEqual(image.findFunctions(name).map((fn) => fn.name), ['run'], name);
    assert.deepEqual(image.findFunctions('machine::sh*').map((fn) => fn.name), ['show']);
    assert.equal(typeName(image.types('vmx::Exit')[0]), 'Exit');
    assert.equal(image.globals('machine::USED').length, 1);
    for (const name of ['Vmcall', 'Reason::Vmcall', 'machine::vmx::Reason::Vmcall']) {
      const [type] = image.enumerationsWith(name);
      assert.equal(type.kind === 'enum' && type.enumerators.find((e) => e.name === 'Vmcall')?.value, 18n, name);
    }
  });

  it('names functions and lines', () => {
    assert.equal(image.functionAt(frame.pc)?.name, 'show');
    const lines = readFileSync(path.join(folder, 'machine.rs'), 'utf8').split('\n');
    assert.match(lines[image.lineAt(frame.pc - 1n)!.line - 1], /stop_here\(total\)/);
  });
});
