import assert from 'node:assert/strict';
import fc from 'fast-check';
import { byteSize } from '../../src/base/byteSize';
import { hex } from '../../src/base/bits';
import { checkE820, RULE_IDS } from '../../src/language/e820/check';
import { hoverE820 } from '../../src/language/e820/hover';
import { parseE820 } from '../../src/base/e820Text';
import { RANGE_TYPES } from '../../src/base/rangeTypes';

/** A PC with 10 GB, as the course's kernel prints it. */
const PC_10_GB = `
        e820 MEMORY MAP
        address: 0x0000000000000000, length: 0x000000000009f400, type: USABLE
        address: 0x000000000009f400, length: 0x0000000000000c00, type: RESERVED
        address: 0x00000000000f0000, length: 0x0000000000010000, type: RESERVED
        address: 0x0000000000100000, length: 0x00000000dfefd000, type: USABLE
        address: 0x00000000dfffd000, length: 0x0000000000003000, type: RESERVED
        address: 0x00000000fffc0000, length: 0x0000000000040000, type: RESERVED
        address: 0x0000000100000000, length: 0x00000001a0000000, type: USABLE
`;

const check = (text: string) => checkE820(parseE820(text));
const line = (address: string, length: string, type = 'USABLE') => `address: ${address}, length: ${length}, type: ${type}`;
/** What is found, as `line:start-end rule`. */
const brief = (text: string) => check(text).map(({ span, rule }) => `${span.line}:${span.start}-${span.end} ${rule}`);

describe('.e820 parser', () => {
  it('reads what the course prints', () => {
    const file = parseE820(PC_10_GB);
    assert.deepEqual(file.errors, []);
    assert.equal(file.ranges.length, 7);
    assert.equal(file.ranges[6].length.value, 0x1_a000_0000n);
    assert.deepEqual(file.ranges[0].span, { line: 2, start: 8, end: 77 });
  });

  it('does without a title, takes decimal numbers, comments, any case and line ends of Windows', () => {
    const file = parseE820('# a map\r\nADDRESS: 0, LENGTH: 4096, type: usable # low memory\r\n');
    assert.deepEqual(file.errors, []);
    assert.equal(file.ranges[0].length.value, 4096n);
  });

  const broken: [string, RegExp][] = [
    ['hello', /has the form "address/],
    ['address: 0x0 length: 0x1000, type: USABLE', /comma and "length/],
    ['address: 0x0, type: USABLE', /"length: \.\.\." must follow/],
    ['address: 0x0, length: 12k, type: USABLE', /"12k" is not a number/],
    ['address: , length: 0x1000, type: USABLE', /address: a number .* is missing/],
    ['address: 0x0, length: 0x1000', /comma and "type/],
    ['address: 0x0, length: 0x1000, type: ', /type: a type .* is missing/],
    ['address: 0x0, length: 0x1000, type: USABLE, RESERVED', /Nothing may follow/],
    ['address: -1, length: 0x1000, type: USABLE', /"-1" is not a number/],
  ];
  for (const [text, sentence] of broken) {
    it(`says what is wrong with "${text}"`, () => {
      const { errors, ranges } = parseE820(text);
      assert.equal(ranges.length, 0);
      assert.equal(errors.length, 1);
      assert.match(errors[0].message, sentence);
      assert.ok(errors[0].span.start < errors[0].span.end && errors[0].span.end <= text.length, 'the span lies in the line');
    });
  }

  it('refuses a title below a range', () => assert.deepEqual(brief(`${line('0x0', '0x1000')}\ne820 MEMORY MAP`), ['1:0-15 syntax']));

  it('never throws and keeps every span inside its line', () => {
    const word = fc.constantFrom('address', 'length', 'type', ':', ',', ' ', '0x', '0x10', 'USABLE', '#', '\n', 'é', 'e820 MEMORY MAP');
    fc.assert(
      fc.property(fc.array(word, { maxLength: 40 }), (words) => {
        const text = words.join('');
        const lines = text.split('\n');
        for (const { span } of check(text)) assert.ok(span.start >= 0 && span.start <= span.end && span.end <= lines[span.line].length);
      }),
    );
  });

  it('reads back whatever map is written', () => {
    const range = fc.record({ address: fc.bigInt(0n, (1n << 64n) - 1n), length: fc.bigInt(0n, (1n << 64n) - 1n), type: fc.constantFrom(...RANGE_TYPES) });
    fc.assert(
      fc.property(fc.array(range), (ranges) => {
        const file = parseE820(ranges.map((r) => line(hex(r.address, 16), hex(r.length, 16), r.type.name)).join('\n'));
        assert.deepEqual(
          file.ranges.map((r) => [r.address.value, r.length.value, r.type.value]),
          ranges.map((r) => [r.address, r.length, r.type.name]),
        );
      }),
    );
  });
});

describe('.e820 rules', () => {
  it('finds no fault in a real PC: hints at its two holes and the boundary inside a page', () => {
    const found = check(PC_10_GB);
    assert.deepEqual([...new Set(found.map(({ severity }) => severity))], ['hint']);
    assert.deepEqual(brief(PC_10_GB), ['2:45-63 unaligned', '4:17-35 hole', '7:17-35 hole']);
    assert.match(found[1].message, /320 KiB before this range, from 0x00000000000a0000 to 0x00000000000effff/);
  });

  const cases: { rule: string; text: string; sentence: RegExp }[] = [
    { rule: 'syntax', text: 'address 0', sentence: /form/ },
    { rule: 'number-too-large', text: line('0x10000000000000000', '0x1000'), sentence: /address does not fit in 64 bits/ },
    { rule: 'unknown-type', text: line('0x0', '0x1000', 'USEABLE'), sentence: /"USEABLE" is not a type: use one of USABLE, RESERVED/ },
    { rule: 'zero-length', text: line('0x1000', '0x0'), sentence: /length 0/ },
    { rule: 'past-the-end', text: line('0xfffffffffffff000', '0x2000'), sentence: /ends 4 KiB past the last address/ },
    { rule: 'overlap', text: `${line('0x0', '0x2000')}\n${line('0x1000', '0x2000')}`, sentence: /overlaps that of line 1 by 4 KiB, from 0x0000000000001000 to 0x0000000000001fff/ },
    { rule: 'out-of-order', text: `${line('0x1000', '0x1000')}\n${line('0x0', '0x1000')}`, sentence: /starts below that of line 1/ },
    { rule: 'hole', text: `${line('0x0', '0x1000')}\n${line('0x2000', '0x1000')}`, sentence: /Nothing describes the 4 KiB/ },
    { rule: 'unaligned', text: line('0x0', '0x9f400'), sentence: /ends inside a page, at 0x000000000009f400: its last 1 KiB/ },
  ];
  for (const { rule, text, sentence } of cases) {
    it(`${rule}: one finding, one sentence`, () => {
      const found = check(text);
      assert.deepEqual(found.map((finding) => finding.rule), [rule]);
      assert.match(found[0].message, sentence);
      assert.match(found[0].message, /^[^\n]*\.$/);
    });
  }

  it('has a case for every rule', () => assert.deepEqual(cases.map(({ rule }) => rule), RULE_IDS));

  it('allows a range that ends with the last address', () => assert.deepEqual(brief(line('0xfffffffffffff000', '0x1000')), []));
  it('takes the furthest end above for a hole, not the nearest', () =>
    assert.deepEqual(brief([line('0x0', '0x4000'), line('0x1000', '0x1000'), line('0x4000', '0x1000')].join('\n')), ['1:0-45 overlap']));
});

describe('.e820 hover', () => {
  it('shows the last address and the size for people', () => {
    const hover = hoverE820(parseE820(PC_10_GB), 5, 20);
    assert.match(hover!.markdown, /^\*\*USABLE\*\* ~3\.5 GiB \(3,757,035,520 bytes\)/);
    assert.match(hover!.markdown, /`0x0000000000100000` to `0x00000000dfffcfff`/);
  });
  it('is silent off the ranges', () => assert.equal(hoverE820(parseE820(PC_10_GB), 1, 10), undefined));
});

describe('byteSize', () => {
  const sizes: [bigint, string][] = [[0n, '0 bytes'], [1n, '1 byte'], [1023n, '1023 bytes'], [0x9f400n, '637 KiB'], [1536n, '1.5 KiB'], [0x1_a000_0000n, '6.5 GiB'], [(1n << 20n) - 1n, '~1024 KiB'], [1n << 63n, '8 EiB']];
  for (const [bytes, text] of sizes) it(`${bytes} is ${text}`, () => assert.equal(byteSize(bytes), text));
});
