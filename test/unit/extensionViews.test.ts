import assert from 'node:assert/strict';
import type { MemoryMap } from '../../src/adapter/messages';
import { carriageReturns } from '../../src/extension/carriageReturns';
import { hasText, pictureNote, screenUpdate, visibleRows } from '../../src/extension/screenText';
import { namesIn } from '../../src/extension/sourceNames';
import { screenBody } from '../../src/adapter/activity';
import { Changes, pathsOf, valuesOf, type Branch } from '../../src/extension/views/changes';
import { e820Text, memoryRows, usable } from '../../src/extension/views/memoryRows';
import { fromAdapter, toAdapter } from '../../src/extension/web/sourcePaths';
import { parseE820 } from '../../src/base/e820Text';

const registers = (rax: string, cf: string): Branch[] => [
  { name: 'VMM', branches: [{ name: 'General', entries: [{ name: 'RAX', value: rax }, { name: 'RFLAGS', value: '0x2', children: [{ name: 'CF', value: cf }] }] }] },
  { name: 'Guest', entries: [{ name: 'RAX', value: '0x7' }] },
];

describe('changes since the last stop', () => {
  it('marks nothing at the first stop', () => {
    const changes = new Changes();
    changes.stop(1, valuesOf(registers('0x1', '0')));
    assert.equal(changes.was('/VMM/General/RAX'), undefined);
  });

  it('tells the value before, and keeps worlds with equal names apart', () => {
    const changes = new Changes();
    changes.stop(1, valuesOf(registers('0x1', '0')));
    changes.stop(2, valuesOf(registers('0x2', '1')));
    assert.equal(changes.was('/VMM/General/RAX'), '0x1');
    assert.equal(changes.was('/VMM/General/RFLAGS/CF'), '0');
    assert.equal(changes.was('/Guest/RAX'), undefined);
    assert.deepEqual([changes.countUnder('/VMM'), changes.countUnder('/Guest')], [2, 0]);
  });

  it('compares with the stop before when the same stop is read twice', () => {
    const changes = new Changes();
    changes.stop(1, valuesOf(registers('0x1', '0')));
    changes.stop(2, valuesOf(registers('0x2', '0')));
    changes.stop(2, valuesOf(registers('0x3', '0')));
    assert.equal(changes.was('/VMM/General/RAX'), '0x1');
  });

  it('marks nothing that was not there before', () => {
    const changes = new Changes();
    changes.stop(1, valuesOf(registers('0x1', '0').slice(0, 1)));
    changes.stop(2, valuesOf(registers('0x1', '0')));
    assert.equal(changes.countUnder('/Guest'), 0);
  });
});

describe('rows of the same name', () => {
  it('have paths of their own, and values', () => {
    assert.deepEqual(pathsOf('/maps', [{ name: 'VMM linear' }, { name: 'EPT' }, { name: 'VMM linear' }]), ['/maps/VMM linear', '/maps/EPT', '/maps/VMM linear#2']);
    const values = valuesOf([{ name: 'maps', entries: [{ name: 'VMM linear', value: '0x1' }, { name: 'VMM linear', value: '0x2', children: [{ name: 'PTE', value: '0x3' }] }] }]);
    assert.deepEqual([...values], [['/maps/VMM linear', '0x1'], ['/maps/VMM linear#2', '0x2'], ['/maps/VMM linear#2/PTE', '0x3']]);
  });
});

describe('the memory map view', () => {
  const map: MemoryMap = {
    source: 'test',
    ranges: [
      { base: '0x0', length: '0xa0000', type: 1 },
      { base: '0xf0000', length: '0x10000', type: 2 },
      { base: '0x100000', length: '0xf00000', type: 1 },
    ],
  };

  it('shows ranges with type and size, and what lies between them undescribed', () => {
    assert.deepEqual(memoryRows(map), [
      { label: '0x0 - 0x9ffff', description: 'USABLE, 640 KiB', kind: 'usable' },
      { label: '0xa0000 - 0xeffff', description: 'not described, 320 KiB', kind: 'hole' },
      { label: '0xf0000 - 0xfffff', description: 'RESERVED, 64 KiB', kind: 'other' },
      { label: '0x100000 - 0xffffff', description: 'USABLE, 15 MiB', kind: 'usable' },
    ]);
    assert.equal(usable(map), '~15.63 MiB');
  });

  it('copies as text that the language server reads back', () => {
    const file = parseE820(e820Text(map));
    assert.deepEqual(file.errors, []);
    assert.deepEqual(file.ranges.map(({ address, length }) => [address.value, length.value]), map.ranges.map(({ base, length }) => [BigInt(base), BigInt(length)]));
  });
});

describe('the serial terminal', () => {
  it('puts a carriage return before a lone line feed, also across pieces', () => {
    const convert = carriageReturns();
    assert.equal(['a\nb\r\nc\r', '\nd', '\n'].map(convert).join(''), 'a\r\nb\r\nc\r\nd\r\n');
  });
});

describe('source paths between VS Code in a browser and the worker', () => {
  const prefix = 'vscode-remote://localhost:8080';
  it('turns URIs of the workspace into paths and back', () => {
    const uri = 'vscode-remote://localhost:8080/home/me/my%20lab/vmm/vmx.c';
    const request = { command: 'setBreakpoints', arguments: { source: { name: 'vmx.c', path: uri }, breakpoints: [{ line: 3 }] } };
    const inside = toAdapter(request, prefix) as typeof request;
    assert.equal(inside.arguments.source.path, '/home/me/my lab/vmm/vmx.c');
    assert.deepEqual(fromAdapter(inside, prefix), request);
    assert.deepEqual(inside.arguments.breakpoints, [{ line: 3 }]);
  });
  it('reaches every source of a stack trace', () => {
    const body = { stackFrames: [{ id: 1, source: { path: '/a.c' } }, { id: 2 }, { id: 3, source: { path: '/b.c' } }] };
    assert.deepEqual(fromAdapter({ body }, prefix), { body: { stackFrames: [{ id: 1, source: { path: `${prefix}/a.c` } }, { id: 2 }, { id: 3, source: { path: `${prefix}/b.c` } }] } });
  });
  it('leaves other URIs, and paths that are not sources, alone', () => {
    const message = { source: { path: 'memfs:/x.c' }, path: '/not/a/source' };
    assert.deepEqual(fromAdapter(toAdapter(message, prefix), prefix), message);
  });
});

describe('the VGA screen as a terminal', () => {
  const screen = (text: string, attribute = 7, blinks = true) => {
    const cells = new Uint8Array(4000);
    for (let i = 0; i < 2000; i++) cells.set([text.charCodeAt(i) || 0x20, attribute], i * 2);
    return screenBody({ columns: 80, rows: 25, cells, cursor: { row: 1, column: 2 }, blinks });
  };

  it('draws everything at first, with colours, characters of code page 437 and the cursor', () => {
    const text = screenUpdate(screen('A\xb0\x01', 0x1e), undefined);
    assert.ok(text.startsWith('\x1b[2J\x1b[1;1H\x1b[0;38;2;255;255;85;48;2;0;0;170mA\u2591\u263a'), JSON.stringify(text.slice(0, 80)));
    assert.ok(text.endsWith('\x1b[2;3H\x1b[?25h'));
  });

  it('then only the rows that have changed', () => {
    const text = screenUpdate(screen('AB'), screen('AA'));
    assert.equal(text.match(/\x1b\[\d+;1H/g)!.length, 1);
    assert.equal(screenUpdate(screen('AB'), screen('AB')), '\x1b[2;3H\x1b[?25h');
  });

  it('blinks or brightens as the guest has chosen', () => {
    assert.ok(screenUpdate(screen('A', 0x87), undefined).includes('\x1b[0;5;38;2;170;170;170;48;2;0;0;0m'));
    assert.ok(screenUpdate(screen('A', 0x87, false), undefined).includes('\x1b[0;38;2;170;170;170;48;2;85;85;85m'));
  });

  it('shows the rows that end with the cursor where there is no room for all', () => {
    const at = (row: number) => ({ ...screen('A'), cursor: { row, column: 0 } });
    assert.deepEqual([visibleRows(at(24), 10), visibleRows(at(3), 10), visibleRows(at(12), 10), visibleRows(at(24), 40)], [{ first: 15, count: 10 }, { first: 0, count: 10 }, { first: 3, count: 10 }, { first: 0, count: 25 }]);
    assert.ok(screenUpdate(at(24), undefined, { first: 15, count: 10 }).endsWith('\x1b[10;1H\x1b[?25h'));
  });

  it('says where a picture is, in place of the text that it hides', () => {
    const note = pictureNote({ width: 640, height: 480, words: 'VGA, 16 colours' });
    assert.ok(note.startsWith('\x1b[0m\x1b[2J') && note.includes('a picture of 640 by 480 pixels, VGA, 16 colours: it is in the editor "VGA picture".'), JSON.stringify(note));
  });

  it('knows whether there is anything to read', () => assert.deepEqual([hasText(screen('')), hasText(screen('x'))], [false, true]));
});

describe('names for inline values', () => {
  const LINES: [string, string[]][] = [
    ['    uint32_t leaf = g->regs.rax;', ['leaf', 'g']],
    ['    if (leaf == 1) /* leaf */ handle(leaf, "x");', ['leaf']],
    ['#define FOO bar', []],
    [' * a comment goes on', []],
    ["    c = 'c'; // d", ['c']],
    ['    p[i].x = *q;', ['p', 'i', 'q']],
  ];
  for (const [line, names] of LINES) it(line.trim(), () => assert.deepEqual(namesIn(line).map(({ name }) => name), names));
  it('tells their columns', () => assert.deepEqual(namesIn('  ab = a;'), [{ name: 'ab', at: 2 }, { name: 'a', at: 7 }]));
});
