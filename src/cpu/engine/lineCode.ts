/**
 * Decodes straight lines of code as far as their instructions have templates, as generated code: nearly all of the code that
 * a machine reaches comes through here. The rest, and what follows from a line, is codeLines.ts's.
 */
import { FunctionBuilder } from '../../wasm/function';
import { memoryFunctions } from '../../wasm/memoryFunctions';
import { Value } from '../../wasm/value';
import { prebuilt } from '../prebuilt';
import { assign, keep, when } from '../stateCode';
import { PAGE, PageTable, PIECE } from './codePage';
import { Field, RECORD_SIZE, Special } from './record';
import { Has, Scratch, Template } from './recordTemplates';
import { at, findTemplate, writeTemplate } from './templateCode';

export interface LineFunctions {
  /** Finds the template of the instruction at an address of which so many bytes may be read; yields its address, or 0. See Scratch. */
  find(position: number, available: number, codeSize: number): number;
  /** Writes the records of the instruction whose template was found last; yields where a branch goes, relative to the page's first byte. */
  write(template: number, to: number, offset: number): number;
  /**
   * Decodes from an offset of the page with these tables and this frame, into the records at `to`, at most `left`
   * instructions. Yields 1 when the line has ended, 0 at an instruction without template; Scratch.OFFSET, AT and LEFT say where,
   * and ENTERED, WAITING and AWAITED what the page has to be told.
   */
  line(slots: number, frame: number, codeSize: number, offset: number, to: number, left: number): number;
}

const ANSWERS = [Scratch.ENTERED, Scratch.WAITING_COUNT, Scratch.AWAITED_COUNT];

function line(indexOf: (name: keyof LineFunctions) => number): FunctionBuilder {
  const f = new FunctionBuilder(['i32', 'i32', 'i32', 'i32', 'i32', 'i32'], ['i32']);
  const [OFFSET, TO, LEFT] = [3, 4, 5];
  const [slots, frame, codeSize, offset, to, left] = [0, 1, 2, OFFSET, TO, LEFT].map((n) => Value.local(n, 'i32')) as [Value, Value, Value, Value, Value, Value];
  const slotOf = (byte: Value): Value => slots.add(byte.shl(2));
  const leave = (ended: boolean): void => {
    at(Scratch.OFFSET).store(f, offset, 4);
    at(Scratch.AT).store(f, to, 4);
    at(Scratch.LEFT).store(f, left, 4);
    f.i32(ended ? 1 : 0).return();
  };
  const special = (handler: number, link: Value): void => {
    for (let i = 0; i < RECORD_SIZE; i += 8) to.store(f, Value.i64(0), 8, i);
    to.store(f, Value.i32(handler), 2, Field.HANDLER);
    to.store(f, offset, 2, Field.OFFSET);
    to.store(f, link, 4, Field.LINK);
    assign(f, TO, to.add(RECORD_SIZE));
  };
  const awaited = (byte: Value): Value => slots.add(byte.shrU(3)).load('i32', 1, PageTable.AWAITED);
  const bitOf = (byte: Value): Value => Value.i32(1).shl(byte.and(7));
  const count = (address: number): Value => at(address).load('i32', 4);

  for (const answer of ANSWERS) at(answer).store(f, Value.i32(0), 4);
  const loop = f.loop();
  const known = f.local('i32');
  when(f, offset.ltU(PAGE), () => assign(f, known, slotOf(offset).load('i32', 4)), () => assign(f, known, Value.i32(0)));
  when(f, Value.local(known, 'i32'), () => {
    special(Special.GLUE, Value.local(known, 'i32'));
    leave(true);
  });
  when(f, offset.eq(PAGE).or(left.eqz()), () => {
    special(Special.CONTINUE, Value.i32(0));
    leave(true);
  });
  const template = keep(f, Value.call(indexOf('find'), 'i32', frame.add(offset), Value.i32(PAGE).sub(offset), codeSize));
  when(f, template.eqz(), () => leave(false));
  const has = keep(f, template.load('i32', 1, Template.HAS));
  const target = keep(f, Value.call(indexOf('write'), 'i32', template, to, offset));
  const last = keep(f, to.add(has.and(Has.RECORDS).sub(1).mul(RECORD_SIZE)));
  // A branch inside of the page goes straight to the record of its target, now or when that is decoded.
  when(f, has.and(Has.RELATIVE).ne(0).and(target.ltU(PAGE)), () => {
    const record = keep(f, slotOf(target).load('i32', 4));
    when(
      f,
      record,
      () => last.store(f, record, 4, Field.LINK),
      () => {
        const pair = keep(f, count(Scratch.WAITING_COUNT));
        pair.shl(3).store(f, last.add(Field.LINK), 4, Scratch.WAITING);
        pair.shl(3).store(f, target, 4, Scratch.WAITING + 4);
        at(Scratch.WAITING_COUNT).store(f, pair.add(1), 4);
        slots.add(target.shrU(3)).store(f, awaited(target).or(bitOf(target)), 1, PageTable.AWAITED);
      },
    );
  });
  slotOf(offset).store(f, to, 4);
  slots.add(offset.shrU(PIECE)).store(f, Value.i32(1), 1, PageTable.BEGINS);
  at(Scratch.ENTERED).store(f, count(Scratch.ENTERED).add(1), 4);
  when(f, awaited(offset).and(bitOf(offset)), () => {
    const place = keep(f, count(Scratch.AWAITED_COUNT));
    place.shl(2).store(f, offset, 4, Scratch.AWAITED);
    at(Scratch.AWAITED_COUNT).store(f, place.add(1), 4);
  });
  assign(f, TO, last.add(RECORD_SIZE));
  assign(f, OFFSET, offset.add(at(Scratch.LENGTH).load('i32', 4)));
  assign(f, LEFT, left.sub(1));
  has.and(Has.ENDS).eqz().emit(f);
  f.branchIf(loop);
  f.end();
  leave(true);
  f.unreachable();
  return f;
}

/** The functions for a memory. */
export const linesFor = memoryFunctions<LineFunctions>({ find: findTemplate, write: writeTemplate, line }, prebuilt?.lines);
