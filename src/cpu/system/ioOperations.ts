/** IN and OUT. */
import { Kind } from '../decode/instruction';
import type { Instruction } from '../decode/instruction';
import type { Processor, SlowOperation } from '../processor';
import { Gpr } from '../state';
import { checkPorts } from './io';
import { readGpr, writeGpr } from './operands';

/** The port: an immediate byte or DX. */
const portOf = (cpu: Processor, insn: Instruction, operand: number): number =>
  insn.operands[operand]!.kind === Kind.IMM ? insn.immLow & 0xff : cpu.state.reg32(Gpr.RDX) & 0xffff;

export const ioOperations: Record<string, SlowOperation> = {
  in(cpu, insn) {
    const { size } = insn.operands[0];
    const port = portOf(cpu, insn, 1);
    checkPorts(cpu, port, size);
    if (cpu.intercepts.io(port, size, true, insn, undefined)) return true;
    cpu.portAccessed(port, size);
    writeGpr(cpu.state, Gpr.RAX, size, BigInt(cpu.bus.in(port, size) >>> 0));
  },
  out(cpu, insn) {
    const { size } = insn.operands[1];
    const port = portOf(cpu, insn, 0);
    checkPorts(cpu, port, size);
    if (cpu.intercepts.io(port, size, false, insn, undefined)) return true;
    cpu.portAccessed(port, size);
    cpu.bus.out(port, size, Number(readGpr(cpu.state, Gpr.RAX, size)));
  },
};
