/** LGDT, LIDT, SGDT, SIDT, LLDT, LTR, SLDT, STR. */
import { AccessFlag } from '../accessFlags';
import { isCanonical } from '../../base/bits';
import { type Instruction, Kind } from '../decode/instruction';
import { Vector } from '../fault';
import { currentPrivilege, probeWrite, readLinear, writeLinearAs } from '../mmu/linear';
import type { Processor, SlowOperation } from '../processor';
import { Offset, Seg } from '../state';
import { is64 } from './mode';
import { memoryLinear, readOperand, writeOperand } from './operands';
import { checkUmip, requireCpl0, requireProtected } from './privilege';
import { loadLdtr, loadTr } from './segments';

/** Tells VMX of a descriptor-table instruction, before anything of a memory operand is looked at. */
const intercept = (cpu: Processor, mnemonic: string, insn: Instruction): void => cpu.intercepts.memoryOperand(mnemonic, 0n, insn);

function store(mnemonic: string, baseOffset: number, limitOffset: number): SlowOperation {
  return (cpu, insn) => {
    checkUmip(cpu);
    const s = cpu.state;
    const size = is64(s) ? 8 : 4;
    intercept(cpu, mnemonic, insn);
    const linear = memoryLinear(cpu, insn, size + 2, true);
    probeWrite(cpu, linear, size + 2);
    // Processors do not check the alignment of these ten bytes.
    writeLinearAs(cpu, linear, 2, BigInt(s.get32(limitOffset)), currentPrivilege(cpu), AccessFlag.ANY_ALIGNMENT);
    writeLinearAs(cpu, linear + 2n, size, s.get64(baseOffset), currentPrivilege(cpu), AccessFlag.ANY_ALIGNMENT);
  };
}

function load(mnemonic: string, baseOffset: number, limitOffset: number): SlowOperation {
  return (cpu, insn) => {
    requireCpl0(cpu);
    const s = cpu.state;
    const long = is64(s);
    const size = long ? 8 : 4;
    intercept(cpu, mnemonic, insn);
    const linear = memoryLinear(cpu, insn, size + 2, false);
    const limit = Number(readLinear(cpu, linear, 2));
    let base = readLinear(cpu, linear + 2n, size);
    if (long && !isCanonical(base)) throw cpu.fault.exception(Vector.GP, 0);
    if (!long && insn.operandSize === 2) base &= 0xff_ffffn; // the 286's form
    s.set64(baseOffset, base);
    s.set32(limitOffset, limit);
  };
}

function storeSelector(mnemonic: string, seg: number): SlowOperation {
  return (cpu, insn) => {
    requireProtected(cpu);
    checkUmip(cpu);
    intercept(cpu, mnemonic, insn);
    writeOperand(cpu, insn, 0, BigInt(cpu.state.selector(seg)), insn.operands[0].kind === Kind.REG ? insn.operandSize : 2);
  };
}

function loadSelector(mnemonic: string, action: (cpu: Processor, selector: number) => void): SlowOperation {
  return (cpu, insn) => {
    requireProtected(cpu);
    requireCpl0(cpu);
    intercept(cpu, mnemonic, insn);
    action(cpu, Number(readOperand(cpu, insn, 0, 2)));
    cpu.stateChanged();
  };
}

export const tableOperations: Record<string, SlowOperation> = {
  sgdt: store('sgdt', Offset.GDTR_BASE, Offset.GDTR_LIMIT),
  sidt: store('sidt', Offset.IDTR_BASE, Offset.IDTR_LIMIT),
  lgdt: load('lgdt', Offset.GDTR_BASE, Offset.GDTR_LIMIT),
  lidt: load('lidt', Offset.IDTR_BASE, Offset.IDTR_LIMIT),
  sldt: storeSelector('sldt', Seg.LDTR),
  str: storeSelector('str', Seg.TR),
  lldt: loadSelector('lldt', loadLdtr),
  ltr: loadSelector('ltr', loadTr),
};
