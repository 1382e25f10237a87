/** The expression language: syntax, C's arithmetic, exit conditions, hit conditions. */
import assert from 'node:assert';
import fc from 'fast-check';
import { UserError } from '../../src/base/errors';
import { combine, INT, LONG, UNSIGNED, UNSIGNED_LONG } from '../../src/debug/evaluate/arithmetic';
import { parseExpression } from '../../src/debug/evaluate/parser';
import type { Expression, TypeName } from '../../src/debug/evaluate/syntax';
import { compileCondition } from '../../src/debug/exits/condition';
import { constantNamed } from '../../src/debug/exits/constants';
import { exitSubject } from '../../src/debug/exits/exitSubject';
import { hitCondition } from '../../src/debug/breakpoints/hitCondition';
import type { ExitRecord } from '../../src/vmx/observe';

/** A type, read from the inside: `int array 5 pointer` is a pointer to an array. */
const named = ({ base, derived }: TypeName): string => base + derived.map((d) => (d.kind === 'pointer' ? '*' : d.kind === 'array' ? `[${d.count ?? ''}]` : `(${d.parameters.map(named).join()})`)).join('');

/** A tree in one line. */
function shown(e: Expression): string {
  switch (e.kind) {
    case 'number': return String(e.value);
    case 'real': return `${e.value}:${e.size}`;
    case 'comma': return `(${shown(e.left)}, ${shown(e.right)})`;
    case 'sizeofValue': return `sizeof ${shown(e.operand)}`;
    case 'string': return JSON.stringify(e.value);
    case 'name': return e.name;
    case 'machine': return '$' + e.path.join('.');
    case 'vmcs': return `$vmcs(${shown(e.address)})${e.field === undefined ? '' : `.${e.field}`}`;
    case 'member': return `(${shown(e.object)}${e.arrow ? '->' : '.'}${e.name})`;
    case 'index': return `(${shown(e.object)}[${shown(e.index)}])`;
    case 'unary': return `(${e.operator}${shown(e.operand)})`;
    case 'binary': return `(${shown(e.left)} ${e.operator} ${shown(e.right)})`;
    case 'conditional': return `(${shown(e.test)} ? ${shown(e.yes)} : ${shown(e.no)})`;
    case 'cast': return `((${named(e.type)})${shown(e.operand)})`;
    case 'in': return `(${shown(e.operand)} in ${shown(e.low)}..${shown(e.high)})`;
    case 'space': return `${e.space}:${shown(e.operand)}`;
    case 'call': return `${e.name}(${e.arguments.map(shown).join(', ')})`;
    case 'sizeof': return `sizeof(${named(e.type)})`;
    case 'assign': return `(${shown(e.target)} ${e.operator ?? ''}= ${shown(e.value)})`;
  }
}

describe('expressions', () => {
  const TREES: [string, string][] = [
    ['a + b * c', '(a + (b * c))'],
    ['a - b - c', '((a - b) - c)'],
    ['a & 0xff == 3', '(a & (255 == 3))'],
    ['!a || b && c', '((!a) || (b && c))'],
    ['*p->q[1].r', '(*(((p->q)[1]).r))'],
    ['-x + ~y', '((-x) + (~y))'],
    ['(uint64_t)x + 1', '(((uint64_t)x) + 1)'],
    ['(uint64_t *)x', '((uint64_t*)x)'],
    ['(x) + 1', '(x + 1)'],
    ['(uint64_t (*)[5])x', '((uint64_t[5]*)x)'],
    ['(int (*)(int, char *))x', '((int(int,char*)*)x)'],
    ['(int *[2][3])x', '((int*[3][2])x)'],
    ['1.5 + .5f - 1e3L', '((1.5:double + 0.5:float) - 1000:long double)'],
    ['0x1.8p1 + 0x.8P-1f + 0xAp0L', '((3:double + 0.25:float) + 10:long double)'],
    ['0x1p-1074 + 0x1.fffffffffffffp1023', '(5e-324:double + 1.7976931348623157e+308:double)'],
    ['x in 1..5', '(x in 1..5)'],
    ['$vmcs(0x1000).GUEST_RIP + 1', '($vmcs(4096).GUEST_RIP + 1)'],
    ['$vmcs[g->vmcs] == $vmcs', '($vmcs((g->vmcs)) == $vmcs)'],
    ['sizeof x + 1', '(sizeof x + 1)'],
    ['sizeof (x)[1]', 'sizeof (x[1])'],
    ['sizeof(int[3]) * 2', '(sizeof(int[3]) * 2)'],
    ['(a, b)', '(a, b)'],
    ['"a" "b"', '"ab"'],
    ["'\\101' + '\\377'", '(65 + -1)'],
    ['(struct Trapframe *)p', '((struct Trapframe*)p)'],
    ['*(unsigned long *)0x1000', '(*((unsigned long*)4096))'],
    ['sizeof(struct env)', 'sizeof(struct env)'],
    ['$guest.rip == $vmcs.GUEST_RIP', '($guest.rip == $vmcs.GUEST_RIP)'],
    ['a = b += 1', '(a = (b += 1))'],
    ['a ? b : c ? d : e', '(a ? b : (c ? d : e))'],
    ["'A' + 010", '(65 + 8)'],
    ['"a\\n"', '"a\\n"'],
    ['a << 1 < b', '((a << 1) < b)'],
    ['*(uint64_t *)gpa:0x6000 + 1', '((*((uint64_t*)gpa:24576)) + 1)'],
    ['gpa:0x1000[3]', '(gpa:4096[3])'],
    ['hpa:(a + 8)', 'hpa:(a + 8)'],
    ['guest:ticks->next', '(guest:ticks->next)'],
    ['a ? gpa : b', '(a ? gpa : b)'],
    ['walk(gpa:0x6000) == ept(a, b)', '(walk(gpa:24576) == ept(a, b))'],
    ['exits()', 'exits()'],
  ];
  for (const [text, tree] of TREES) it(text, () => assert.strictEqual(shown(parseExpression(text, (n) => n === 'uint64_t').expression), tree));

  const WRONG: [string, RegExp][] = [
    ['', /empty/],
    ['a +', /ends where a value should follow/],
    ['(a', /ends where "\)" should follow/],
    ['a b', /"b" at column 3/],
    ['f(1)', /Functions are not called/],
    ['a # b', /"#" at column 3/],
    ['"abc', /never closed/],
    ['a->1', /a name should be/],
    ['09', /not a number/],
  ];
  for (const [text, pattern] of WRONG) it(`refuses ${JSON.stringify(text)}`, () => assert.throws(() => parseExpression(text), (e) => e instanceof UserError && pattern.test(e.message)));

  it('takes a format behind a comma', () => assert.strictEqual(parseExpression('a,x').format, 'x'));

  it('refuses with a sentence, whatever is typed', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'ab1$.->*&()[]+-?:,"\'x =!<'), maxLength: 12 }), (text) => {
        try {
          parseExpression(text);
        } catch (error) {
          assert(error instanceof UserError);
        }
      }),
    );
  });
});

describe("C's arithmetic", () => {
  it('unsigned wins at equal size, the larger size otherwise', () => {
    assert.deepStrictEqual(combine('<', -1n, INT, 1n, UNSIGNED), { type: INT, value: 0n });
    assert.deepStrictEqual(combine('<', -1n, LONG, 1n, UNSIGNED), { type: INT, value: 1n });
    assert.deepStrictEqual(combine('+', 0xffff_ffffn, UNSIGNED, 1n, INT), { type: UNSIGNED, value: 0n });
    assert.deepStrictEqual(combine('-', 0n, UNSIGNED_LONG, 1n, INT), { type: UNSIGNED_LONG, value: 0xffff_ffff_ffff_ffffn });
    assert.deepStrictEqual(combine('>>', -8n, INT, 1n, LONG), { type: INT, value: -4n });
    assert.deepStrictEqual(combine('/', -7n, INT, 2n, INT), { type: INT, value: -3n });
  });
});

describe('exit conditions', () => {
  const record: ExitRecord = { n: 1, cpu: 0, icount: 5, reason: 30, name: 'IO_INSTRUCTION', qualification: 0x700000n, guestRip: 0x1234n, instructionLength: 2, linear: undefined, gpa: undefined, details: { port: 0x70, direction: 'out', size: 1, string: false, value: '0x8000000000000000' } };
  const hits = { n: 0 };
  const holds = (text: string): boolean => {
    const surroundings = {
      constant: constantNamed,
      number: (): bigint => {
        throw new UserError('expression', 'There is nothing else here.');
      },
    };
    return compileCondition(text, surroundings)(exitSubject(record, () => 'uart_putc'), () => ++hits.n);
  };
  const HOLDS: [string, boolean][] = [
    ['out', true],
    ['port == 0x70 && in', false],
    ['direction == out', true],
    ['port in 0x60..0x6f || port in 0x70..0x71', true],
    ['port in 0x71..0x7f', false],
    ['0x70', true],
    ['0x71', false],
    ['function == "uart_*"', true],
    ['function != uart_putc', false],
    ['0xc0000080 == EFER && EFER == IA32_EFER', true],
    ['port == 0x71 && hits == 1', false],
    ['port == 0x70 && hits == 1', true],
    ['port == 0x70 && hits % 2 == 0', true],
    ['port == 0x70 && direction == "out"', true],
    ['port == 0x71', false],
    ['direction != "in"', true],
    ['!string', true],
    ['value > 5', true],
    ['(port & 0xf0) == 0x70', true],
    ['rip == 0x1234 ? size : 0', true],
    ['name == "CPUID"', false],
  ];
  for (const [text, expected] of HOLDS) it(text, () => assert.strictEqual(holds(text), expected));
  it('tells what the exit has when it is asked for something else', () => assert.throws(() => holds('leaf == 1'), /An? IO_INSTRUCTION exit has no "leaf"; it has port, direction/));
  it('tells how a register is named when it is asked for like a detail', () => {
    assert.throws(() => holds('eax == 1'), /has no "eax" \(the register is \$eax\); it has port/);
    assert.throws(() => holds('rcx == 1'), /has no "rcx" \(the register is \$rcx\)/);
  });
  it('refuses texts in arithmetic', () => assert.throws(() => holds('direction + 1'), /"out" is a text/));
});

describe('hit conditions', () => {
  const hits = (text: string): number[] => [1, 2, 3, 4, 5, 6].filter(hitCondition(text));
  it('counts', () => {
    assert.deepStrictEqual(hits('3'), [3, 4, 5, 6]);
    assert.deepStrictEqual(hits('== 3'), [3]);
    assert.deepStrictEqual(hits('<2'), [1]);
    assert.deepStrictEqual(hits('% 2'), [2, 4, 6]);
    assert.throws(() => hitCondition('often'), /not a hit condition/);
    assert.throws(() => hitCondition('% 0'), /not a hit condition/);
  });
});
