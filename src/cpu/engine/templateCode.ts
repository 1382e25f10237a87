/** Finds the template of an instruction and copies its records, as generated code: see recordTemplates.ts. */
import { FunctionBuilder } from '../../wasm/function';
import { Value } from '../../wasm/value';
import { Offset } from '../state';
import { assign, keep, when } from '../stateCode';
import { Field, RECORD_SIZE } from './record';
import { Has, LEADS, MIX, Scratch, Template, TEMPLATES, TEMPLATES_LOG2 } from './recordTemplates';
import { LARGEST_FROM_RIP } from './recordWriter';
import { Lead } from './shapes';

/** Bytes from which shape, displacement and immediate are read without asking whether they are there. */
const READ_AHEAD = 16;

/** Bits of REX. */
const [REX_B, REX_X, REX_R] = [0, 1, 2] as const;

/** What lies at a fixed address. */
export const at = (address: number): Value => Value.i32(address);

/** (position, bytes that may be read from there, code size) -> address of the template, or 0. What is its own of the instruction is in Scratch then. */
export function findTemplate(): FunctionBuilder {
  const f = new FunctionBuilder(['i32', 'i32', 'i32'], ['i32']);
  const [position, available, codeSize] = [Value.local(0, 'i32'), Value.local(1, 'i32'), Value.local(2, 'i32')];
  const none = (): void => void f.i32(0).return();
  const variable = (): [number, Value] => {
    const local = f.local('i32');
    return [local, Value.local(local, 'i32')];
  };
  const [prefixLocal, prefix] = variable();
  const [rexLocal, rex] = variable();
  const [mapLocal, map] = variable();
  const [opcodeLocal, opcode] = variable();
  const [leadLocal, lead] = variable();
  const [modrmLocal, modrm] = variable();
  const [sibLocal, sib] = variable();
  const [nextLocal, next] = variable();
  const read = (local: number): void => {
    assign(f, local, next.load('i32', 1));
    assign(f, nextLocal, next.add(1));
  };
  const readOpcode = (leads: number): void => {
    read(opcodeLocal);
    assign(f, leadLocal, opcode.shl(1).load('i32', 2, leads));
  };

  at(Scratch.SHAPE_LENGTH).store(f, Value.i32(0), 4);
  when(f, available.ltU(READ_AHEAD), none);
  assign(f, nextLocal, position);
  readOpcode(LEADS);
  when(f, lead.and(Lead.PREFIX), () => {
    assign(f, prefixLocal, opcode);
    readOpcode(LEADS);
  });
  when(f, lead.and(Lead.REX).and(codeSize.eq(64).shl(1)), () => {
    assign(f, rexLocal, opcode);
    readOpcode(LEADS);
    when(f, lead.and(Lead.REX), none);
  });
  when(f, lead.and(Lead.PREFIX | Lead.UNTOLD), none);
  when(f, lead.and(Lead.ESCAPE), () => {
    assign(f, mapLocal, Value.i32(1));
    readOpcode(LEADS + 0x200);
    when(f, lead.and(Lead.UNTOLD), none);
  });
  // Registers of the instruction's own: their numbers leave the bytes that make up the shape.
  for (const place of [Scratch.REGISTER, Scratch.BASE, Scratch.INDEX]) at(place).store(f, Value.i32(0), 4);
  const own = (place: number, field: Value | number, low: Value, rexBit: number): void => {
    const number = low.or(rex.shrU(rexBit).and(1).shl(3));
    at(place).store(f, number.shl(3).add(Offset.GPR).shl(16).or(field), 4);
    assign(f, rexLocal, rex.and(~(1 << rexBit)));
  };
  const is = (flag: number): Value => lead.and(flag).ne(0);
  when(f, is(Lead.OPCODE_REGISTER), () => {
    own(Scratch.REGISTER, Field.REGISTER, opcode.and(7), REX_B);
    assign(f, opcodeLocal, opcode.and(~7));
  });
  when(f, lead.and(Lead.MODRM), () => {
    read(modrmLocal);
    const isRegister = keep(f, modrm.geU(0xc0));
    const code64 = keep(f, codeSize.eq(64));
    when(f, isRegister.eqz().and(modrm.and(7).eq(4)).and(codeSize.ne(16)), () => {
      read(sibLocal);
      when(f, code64, () => {
        const index = sib.shrU(3).and(7);
        when(f, index.ne(4).or(rex.and(1 << REX_X)), () => {
          own(Scratch.INDEX, Field.INDEX, index, REX_X);
          assign(f, sibLocal, sib.and(~0x38));
        });
        when(f, sib.and(7).ne(5).or(modrm.geU(0x40)), () => {
          own(Scratch.BASE, Field.BASE, sib.and(7), REX_B);
          assign(f, sibLocal, sib.and(~7));
        });
      });
    }, () => {
      when(
        f,
        isRegister,
        () => {
          when(f, is(Lead.RM).and(is(Lead.RM_BYTE).eqz().or(rex.ne(0))), () => {
            own(Scratch.BASE, Value.i32(Field.REGISTER).add(is(Lead.REG_FIRST).shl(1)), modrm.and(7), REX_B);
            assign(f, modrmLocal, modrm.and(~7));
          });
        },
        () => {
          when(f, code64.and(modrm.and(7).ne(5).or(modrm.geU(0x40))), () => {
            own(Scratch.BASE, Field.BASE, modrm.and(7), REX_B);
            assign(f, modrmLocal, modrm.and(~7));
          });
        },
      );
    });
    when(f, is(Lead.REG).and(is(Lead.REG_BYTE).eqz().or(rex.ne(0))), () => {
      own(Scratch.REGISTER, Value.i32(Field.REGISTER + 2).sub(is(Lead.REG_FIRST).shl(1)), modrm.shrU(3).and(7), REX_R);
      assign(f, modrmLocal, modrm.and(~0x38));
    });
  });
  const low = prefix.or(rex.shl(8)).or(opcode.shl(16)).or(modrm.shl(24));
  const high = sib.or(map.shl(8)).or(codeSize.shl(16));
  const shape = keep(f, low.extendU().or(high.extendU().shl(32)));
  const length = keep(f, next.sub(position));
  at(Scratch.SHAPE).store(f, shape, 8);
  at(Scratch.SHAPE_LENGTH).store(f, length, 4);

  const template = keep(f, shape.mul(MIX).shrU(64 - TEMPLATES_LOG2).wrap().mul(Template.SIZE).add(TEMPLATES));
  at(Scratch.TEMPLATE).store(f, template, 4);
  when(f, template.load('i64', 8, Template.SHAPE).ne(shape), none);
  const has = keep(f, template.load('i32', 1, Template.HAS));
  const displacementSize = keep(f, template.load('i32', 1, Template.DISPLACEMENT_SIZE));
  const immediateSize = keep(f, template.load('i32', 1, Template.IMMEDIATE_SIZE));
  // Of no byte a shift by 32 makes a number that nobody reads.
  const unread = (size: Value): Value => Value.i32(32).sub(size.shl(3));
  const displacement = keep(f, next.load('i32', 4).shl(unread(displacementSize)).shrS(unread(displacementSize)));
  when(f, has.and(Has.FROM_RIP).ne(0).and(displacement.gtS(LARGEST_FROM_RIP)), none);
  const behind = next.add(displacementSize).load('i32', 4).shl(unread(immediateSize));
  const immediate = keep(f, behind);
  at(Scratch.DISPLACEMENT).store(f, displacement, 4);
  at(Scratch.IMMEDIATE).store(f, Value.select(has.and(Has.SIGNED), immediate.shrS(unread(immediateSize)), immediate.shrU(unread(immediateSize))), 4);
  at(Scratch.LENGTH).store(f, length.add(displacementSize).add(immediateSize), 4);
  template.emit(f);
  return f;
}

/** (template, address of the records, offset in the page): writes the records of the instruction whose template was found last. Returns where a branch goes, relative to the page's first byte. */
export function writeTemplate(): FunctionBuilder {
  const f = new FunctionBuilder(['i32', 'i32', 'i32'], ['i32']);
  const [template, to, offset] = [Value.local(0, 'i32'), Value.local(1, 'i32'), Value.local(2, 'i32')];
  const copy = (from: number): void => {
    for (let i = 0; i < RECORD_SIZE; i += 16) to.store(f, template.load('v128', 16, Template.RECORDS + from + i), 16, from + i);
  };
  const has = keep(f, template.load('i32', 1, Template.HAS));
  const next = keep(f, offset.add(at(Scratch.LENGTH).load('i32', 4)));
  copy(0);
  to.store(f, offset, 2, Field.OFFSET);
  const two = has.and(Has.RECORDS).eq(2);
  when(f, two, () => {
    copy(RECORD_SIZE);
    to.store(f, offset, 2, RECORD_SIZE + Field.OFFSET);
  });
  const last = keep(f, to.add(two.mul(RECORD_SIZE)));
  const setRegister = (record: Value, place: number): void => {
    const register = keep(f, at(place).load('i32', 4));
    when(f, register, () => record.add(register.and(0xffff)).store(f, register.shrU(16), 2));
  };
  setRegister(last, Scratch.REGISTER);
  const addressed = keep(f, Value.select(has.and(Has.COMPUTED), to, last));
  setRegister(addressed, Scratch.BASE);
  setRegister(addressed, Scratch.INDEX);
  when(f, template.load('i32', 1, Template.DISPLACEMENT_SIZE), () => {
    const own = at(Scratch.DISPLACEMENT).load('i32', 4);
    const displacement = keep(f, Value.select(has.and(Has.FROM_RIP), own.add(next), own));
    when(
      f,
      has.and(Has.COMPUTED),
      () => to.store(f, displacement.extendS(), 8, Field.LONG_DISPLACEMENT),
      () => last.store(f, displacement, 4, Field.DISPLACEMENT),
    );
  });
  const target = f.local('i32');
  when(f, template.load('i32', 1, Template.IMMEDIATE_SIZE), () => {
    const own = at(Scratch.IMMEDIATE).load('i32', 4);
    assign(f, target, Value.select(has.and(Has.RELATIVE), own.add(next), own));
    const immediate = Value.local(target, 'i32');
    when(
      f,
      has.and(Has.MEMORY),
      () => last.store(f, immediate, 4, Field.IMMEDIATE),
      () => last.store(f, immediate.extendS(), 8, Field.IMMEDIATE),
    );
  });
  f.get(target);
  return f;
}
