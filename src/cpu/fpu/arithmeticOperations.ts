/** FADD, FSUB, FSUBR, FMUL, FDIV, FDIVR in all forms, FSQRT. */
import type { SlowOperation } from '../processor';
import { add, type Binary, divide, multiply, squareRoot, subtract } from './arithmetic';
import { type Extended, INDEFINITE } from './extended';
import { begin, settle } from './frame';
import type { Numeric } from './numeric';
import { isEmpty, pop, readStack, writeStack } from './registers';
import { fromMemory, readSource } from './source';

const reversed =
  (operation: Binary): Binary =>
  (env, a, b) =>
    operation(env, b, a);

const OPERATIONS: Readonly<Record<string, Binary>> = { add, sub: subtract, subr: reversed(subtract), mul: multiply, div: divide, divr: reversed(divide) };

/** Destination and first operand: ST(0) with a memory operand, else the instruction's first operand. */
const binary =
  (operation: Binary, integer: boolean, popping: boolean): SlowOperation =>
  (cpu, insn) => {
    const env = begin(cpu);
    const s = cpu.state;
    const memory = fromMemory(insn);
    const source = readSource(cpu, insn, memory ? 0 : 1, integer);
    const destination = memory ? 0 : insn.operands[0].number;
    let result: Extended = INDEFINITE;
    if (source.empty || isEmpty(s, destination)) env.stackUnderflow();
    else result = operation(env, readStack(s, destination), source.value);
    if (!settle(cpu, insn, env, source.offset)) return;
    writeStack(s, destination, result);
    if (popping) pop(s);
  };

/** An operation on ST(0) that leaves its result there. */
export const unary =
  (operation: (env: Numeric, a: Extended) => Extended): SlowOperation =>
  (cpu, insn) => {
    const env = begin(cpu);
    const s = cpu.state;
    let result: Extended = INDEFINITE;
    if (isEmpty(s, 0)) env.stackUnderflow();
    else result = operation(env, readStack(s, 0));
    if (settle(cpu, insn, env)) writeStack(s, 0, result);
  };

export const arithmeticOperations: Record<string, SlowOperation> = { fsqrt: unary(squareRoot) };
for (const [name, operation] of Object.entries(OPERATIONS)) {
  arithmeticOperations[`f${name}`] = binary(operation, false, false);
  arithmeticOperations[`fi${name}`] = binary(operation, true, false);
  arithmeticOperations[`f${name}p`] = binary(operation, false, true);
}
