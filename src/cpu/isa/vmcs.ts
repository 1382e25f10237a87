/**
 * VMREAD and VMWRITE of the current VMCS's fields, in VMX root operation at CPL 0. Everything else about them (faults, errors,
 * high halves, exit information that is written, the guest) is TypeScript's.
 */
import { Value } from '../../wasm/value';
import { Gpr, Offset, TLB_ENTRIES, TLB_ENTRY_SIZE } from '../state';
import { type Emitter, type Semantics } from './emitter';

/**
 * An encoding's type, width and index as a number of 12 bits, where Offset.VMCS_SLOTS has the field's slot. Only encodings
 * without other bits (EXTRA_BITS) are found by it: full accesses to fields with an index below 256.
 */
export const fieldKey = (encoding: number): number => ((encoding >>> 3) & 0xc00) | ((encoding >>> 2) & 0x300) | ((encoding >>> 1) & 0xff);
const EXTRA_BITS = ~0x6dfen;

const ROOT = 1;
const NO_VMCS = 0xffff_ffff;
const TYPE = 0xc00;
const TYPE_EXIT_INFORMATION = 0x400;
const WIDTH_SHIFT = 13;
const WIDTH_16 = 0;
const WIDTH_32 = 2;

/** Leaves unless the processor is a VMM with a current VMCS and the encoding could be a field's; yields the encoding as i32. */
function encodingOf(e: Emitter, encoding: Value): Value {
  const noVmcs = e.stateWord(Offset.CURRENT_VMCS + 4).eq(NO_VMCS | 0);
  const other = e.stateWord(Offset.CPL).or(e.stateWord(Offset.VMX_MODE).xor(ROOT)).or(noVmcs);
  e.leave(other.or(encoding.and(EXTRA_BITS).ne(0n)));
  return e.let(encoding.wrap());
}

/** State address of the field's slot, whose offset is that of Offset.VMCS less 8 (0 stands for no field). Leaves when there is none. */
function slotOf(e: Emitter, encoding: Value): Value {
  const key = encoding.shrU(3).and(0xc00).or(encoding.shrU(2).and(0x300)).or(encoding.shrU(1).and(0xff));
  const slot = e.let(e.state().add(key).load('i32', 1, Offset.VMCS_SLOTS));
  e.leave(slot.eqz());
  return e.let(e.state().add(slot.shl(3)));
}

/**
 * 32 bits of memory for the record of who wrote a field, where the TLB has the page; else 0. Nothing is translated for it
 * and nothing can fault: a miss reads some word of the state, which is then thrown away.
 */
function peek(e: Emitter, linear: Value): Value {
  const entry = e.let(linear.wrap().shrU(7).and((TLB_ENTRIES - 1) * TLB_ENTRY_SIZE).add(e.stateWord(Offset.TLB_BASE)));
  const tag = linear.add(3).and(~0xfffn).or(e.state().load('i64', 8, Offset.GENERATION));
  const hit = e.let(tag.eq(entry.load('i64', 8)));
  const host = Value.select(hit, linear.wrap().add(entry.load('i32', 4, 16)), e.state());
  return Value.select(hit, host.load('i32', 4), Value.i32(0));
}

/** VMsucceed: all status flags are 0. A result of 1 has odd parity. */
function succeed(e: Emitter): void {
  e.setRes(Value.i64(1));
  e.setAux(Value.i32(0));
}

export const vmcsInstructions: Semantics[] = [
  {
    mnemonic: 'vmread',
    sizes: [8],
    forms: ['rr', 'mr'],
    emit(e) {
      const encoding = encodingOf(e, e.read(1));
      const at = slotOf(e, encoding);
      e.write(0, e.let(at.load('i64', 8, Offset.VMCS - 8)));
      succeed(e);
    },
  },
  {
    mnemonic: 'vmwrite',
    sizes: [8],
    forms: ['rr', 'rm'],
    emit(e) {
      const encoding = encodingOf(e, e.read(0));
      e.leave(encoding.and(TYPE).eq(TYPE_EXIT_INFORMATION));
      const at = slotOf(e, encoding);
      const value = e.read(1);
      const width = e.let(encoding.shrU(WIDTH_SHIFT));
      const mask = Value.select(width.eq(WIDTH_16), Value.i64(0xffff), Value.select(width.eq(WIDTH_32), Value.i64(0xffff_ffff), Value.i64(-1)));
      at.store(e.f, value.and(mask), 8, Offset.VMCS - 8);
      at.store(e.f, e.clock(), 8, Offset.VMCS_WRITER_CLOCKS - 8);
      at.store(e.f, e.rip(), 8, Offset.VMCS_WRITER_RIPS - 8);
      at.store(e.f, peek(e, e.let(e.fixed(Gpr.RSP))), 4, Offset.VMCS_WRITER_RETURNS - 8);
      at.store(e.f, peek(e, e.let(e.fixed(Gpr.RBP).add(8))), 4, Offset.VMCS_WRITER_RETURNS - 4);
      succeed(e);
    },
  },
];
