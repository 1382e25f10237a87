/**
 * What registers had when functions were entered, seen by the machine itself: where GDB and Hyperstep disagree about an
 * entry value, the instructions before the stop are executed once more, with a breakpoint where the function begins.
 */
import type { CodeFrame } from '../../src/debug/stack/callStack';
import type { Debugger } from '../../src/debug/debugger';
import { frameVariables } from '../../src/debug/stack/frameScopes';
import { expressionAt } from '../../src/symbols/dwarf/locationList';
import { lookupAddress } from '../../src/symbols/frame';
import { REGISTER_NAMES } from '../../src/symbols/registers';

const DW_AT_LOCATION = 0x02;
const ENTRY_VALUE = [0xa3, 0xf3];
const REG0 = 0x50;
const WORD = 8n;

/** A variable whose value is what a register had at the function's entry. */
export interface EntryValue {
  register: string;
  /** Where the function begins, and its stack pointer there. */
  low: bigint;
  rsp: bigint;
}

/** How a frame's variable is described, if that is by DW_OP_entry_value of a register and nothing else. */
export function entryValueOf(frame: CodeFrame, name: string): EntryValue | undefined {
  const at = lookupAddress(frame.frame);
  const fn = frame.image?.image.functionAt(at);
  const die = frameVariables(frame).find((v) => v.name === name)?.die.holder(DW_AT_LOCATION);
  const expression = die && expressionAt(die, DW_AT_LOCATION, at);
  if (!fn || frame.cfa === undefined || !expression || !ENTRY_VALUE.includes(expression[0]!) || expression[1] !== 1) return undefined;
  return { register: REGISTER_NAMES[expression[2]! - REG0]!, low: fn.low, rsp: frame.cfa - WORD };
}

/** Executes from where the machine stands to an instruction count; yields what the register had at the last such entry, if there was one. */
export function observe(d: Debugger, until: number, { register, low, rsp }: EntryValue): bigint | undefined {
  const { machine, target } = d;
  const { cpu } = target;
  const number = REGISTER_NUMBERS.indexOf(register);
  let seen: bigint | undefined;
  cpu.setBreakpoints(new Set([low]));
  while (machine.instructions < until) {
    machine.run(until - machine.instructions);
    const { state } = cpu;
    if (state.rip !== low || machine.instructions >= until) continue;
    if (state.reg(4) === rsp) seen = state.reg(number);
    cpu.skipBreakpointOnce();
  }
  cpu.setBreakpoints(new Set());
  return seen;
}

/** In the order of the instruction set's numbers. */
const REGISTER_NUMBERS = ['rax', 'rcx', 'rdx', 'rbx', 'rsp', 'rbp', 'rsi', 'rdi', 'r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15'];
