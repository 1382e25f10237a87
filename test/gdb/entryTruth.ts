/**
 * What registers had when functions were entered, seen by the machine itself: where GDB and Hyperstep disagree about a
 * variable that debug information computes from them, the instructions before the stop are executed once more, with a
 * breakpoint where the function begins.
 */
import type { CodeFrame } from '../../src/debug/stack/callStack';
import type { Debugger } from '../../src/debug/debugger';
import { frameVariables } from '../../src/debug/stack/frameScopes';
import { locate } from '../../src/symbols/dwarf/expression';
import { expressionAt } from '../../src/symbols/dwarf/locationList';
import { lookupAddress, unsignedOf } from '../../src/symbols/frame';
import { readLocation } from '../../src/symbols/location';
import { REGISTER_NAMES } from '../../src/symbols/registers';
import { sizeOf } from '../../src/symbols/types';

const DW_AT_LOCATION = 0x02;
const WORD = 8n;

/** What a register, by DWARF's number, had. */
type Registers = (number: number) => bigint | undefined;

/** A variable whose value follows from what registers had at the function's entry. */
export interface EntryValue {
  /** Where the function begins, and its stack pointer there. */
  low: bigint;
  rsp: bigint;
  /** The value, from the registers at the entry. */
  value(registers: Registers): bigint | undefined;
}

/** How a frame's variable is described, if that is by DW_OP_entry_value in whatever expression. */
export function entryValueOf(frame: CodeFrame, name: string): EntryValue | undefined {
  const at = lookupAddress(frame.frame);
  const fn = frame.image?.image.functionAt(at);
  const variable = frameVariables(frame).find((v) => v.name === name);
  const die = variable?.die.holder(DW_AT_LOCATION);
  const expression = die && expressionAt(die, DW_AT_LOCATION, at);
  if (!fn || !variable || frame.cfa === undefined || !die || !expression) return undefined;
  const value = (registers: Registers): bigint | undefined => {
    const location = locate(expression, { frame: frame.frame, machine: 'x86-64', addressSize: 8, unit: die.unit, cfa: () => frame.cfa, frameBase: () => frame.cfa, entryRegister: registers });
    const read = readLocation(location, sizeOf(variable.type) ?? 8, frame.frame);
    return 'reason' in read ? undefined : unsignedOf(read.bytes);
  };
  let asked = false;
  value(() => {
    asked = true;
    return 0n;
  });
  return asked ? { low: fn.low, rsp: frame.cfa - WORD, value } : undefined;
}

/** Executes from where the machine stands to an instruction count; yields the value by the last such entry, if there was one. */
export function observe(d: Debugger, until: number, { low, rsp, value }: EntryValue): bigint | undefined {
  const { machine, target } = d;
  const { cpu } = target;
  let seen: bigint | undefined;
  cpu.setBreakpoints(new Set([low]));
  while (machine.instructions < until) {
    machine.run(until - machine.instructions);
    const { state } = cpu;
    if (state.rip !== low || machine.instructions >= until) continue;
    if (state.reg(4) === rsp) seen = value((number) => state.reg(REGISTER_NUMBERS.indexOf(REGISTER_NAMES[number]!)));
    cpu.skipBreakpointOnce();
  }
  cpu.setBreakpoints(new Set());
  return seen;
}

/** In the order of the instruction set's numbers. */
const REGISTER_NUMBERS = ['rax', 'rcx', 'rdx', 'rbx', 'rsp', 'rbp', 'rsi', 'rdi', 'r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15'];
