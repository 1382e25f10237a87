import assert from 'node:assert/strict';
import { Frame, lookupAddress } from '../../src/symbols/frame';
import { SymbolImage, Variable } from '../../src/symbols/image';
import { stripped } from '../../src/symbols/types';
import { formatValue } from '../../src/symbols/values';
import { fixtureNames, frameOf, openFixture, recordedStops } from './symbolsFixtures';

/** One row of a backtrace: a function, inlined or not, and where it is. */
interface Row {
  name: string;
  line: number | undefined;
  frame: Frame;
  variables: Variable[];
}

/** Unwinds to the end and takes inlined calls apart, as a debugger's call stack does. */
const backtrace = (image: SymbolImage, innermost: Frame): Row[] => {
  const rows: Row[] = [];
  for (let frame: Frame | undefined = innermost; frame && rows.length < 20; frame = image.unwind(frame)?.frame) {
    const address = lookupAddress(frame);
    let line = image.lineAt(address)?.line;
    // Inlined functions are scopes of their own, from the innermost.
    let mine: Variable[] = [];
    const groups: Variable[][] = [];
    for (const scope of image.scopesAt(address)) {
      mine.push(...scope.variables);
      if (scope.kind === 'block') continue;
      groups.push(mine);
      mine = [];
    }
    for (const [index, call] of image.inlinedAt(address).entries()) {
      rows.push({ name: call.name, line, frame, variables: groups[index] });
      line = call.callLine;
    }
    rows.push({ name: image.functionAt(address)?.name ?? image.symbolAt(address)?.symbol.name ?? '?', line, frame, variables: groups.pop() ?? [] });
  }
  return rows;
};

/** gdb's `name = value`, in the words of formatValue: strings without their padding, one reason for what is gone. */
const gdbValue = (text: string): string => {
  const value = text
    .replace(/ <error: .*>$/, '')
    .replace(/<error reading variable \w+ \(Cannot access memory at address (0x[0-9a-f]+)\)>/, '<cannot read memory at $1>')
    .replace(/<synthetic pointer>/, '<optimized out>')
    .replace(/"((?:[^"\\]|\\.)*)", '\\000' <repeats \d+ times>(, .*)?$/, '"$1"')
    .replace(/'\\000' <repeats \d+ times>(, .*)?$/, '""');
  return value.replace(/^"((?:[^"\\]|\\.)*?)\\000.*"$/, '"$1"');
};

const ours = (image: SymbolImage, variable: Variable, frame: Frame): string => {
  const symbol = (address: bigint): string | undefined => {
    const found = image.symbolAt(address);
    if (!found || found.symbol.type === 0 || found.symbol.name.startsWith('.')) return undefined;
    return found.offset === 0n ? found.symbol.name : `${found.symbol.name}+${found.offset}`;
  };
  return formatValue(image.valueOf(variable, frame), frame, { symbol }).replace(/<optimized out.*>/, '<optimized out>');
};

describe('symbols at stops recorded on real machines', () => {
  const stops = recordedStops();
  for (const name of fixtureNames) {
    describe(name, () => {
      const image = openFixture(name);
      for (const stop of stops[name]) {
        it(`names the callers at ${stop.at}`, () => {
          const rows = backtrace(image, frameOf(image, stop));
          const gdb = stop.backtrace.map((text) => {
            const [, fn, line] = /^#\d+ +(?:0x[0-9a-f]+ in )?(\w+) \(.*\) at .*:(\d+)$/.exec(text)!;
            return { name: fn, line: Number(line) };
          });
          // gdb ends a stack at main; what called main is there all the same.
          const named = rows.slice(0, gdb.length).map((row) => ({ name: row.name, line: row.line }));
          assert.deepEqual(named, gdb);
          const beyond = rows.slice(gdb.length).map((row) => row.name);
          assert.deepEqual(beyond, gdb[gdb.length - 1].name === 'main' && rows.length > gdb.length ? ['_start'] : []);
        });

        it(`shows the variables at ${stop.at}`, () => {
          const [row] = backtrace(image, frameOf(image, stop));
          const mine = row.variables.map((variable) => `${variable.name} = ${stripped(variable.type).kind === 'array' ? gdbValue(ours(image, variable, row.frame)) : ours(image, variable, row.frame)}`);
          const gdb = stop.variables.map((text) => text.replace(/^(\w+) = (.*)$/, (_, variable: string, value: string) => `${variable} = ${gdbValue(value)}`));
          // gdb also lists what optimisation removed from the copy it is in.
          const removed = gdb.filter((text) => !mine.includes(text) && text.endsWith('= <optimized out>'));
          assert.deepEqual([...new Set(mine)].sort(), [...new Set(gdb)].filter((text) => !removed.includes(text)).sort());
        });
      }
    });
  }
});
