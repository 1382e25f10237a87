/** The operands of VMREAD and VMWRITE, which name a VMCS field by its encoding (SDM volume 3, "VMREAD" and "VMWRITE" of the VMX instruction reference). */
import type { Instruction } from '../cpu/decode/instruction';
import { is64 } from '../cpu/system/mode';
import { readOperand, writeOperand } from '../cpu/system/operands';
import { fail } from './outcome';
import { type Field, FIELDS, slotOf } from './tables/fields';
import { InstructionErrorNumber as E } from './tables/instructionErrors';
import type { Vmx } from './vmx';

/** Encodings have 15 bits; one with a higher bit set names no field. */
const LAST_ENCODING = 0x7fffn;

/** A VMCS field as an instruction's operand names it. */
export interface FieldOperand {
  readonly encoding: number;
  readonly slot: number;
  /** The encoding is that of the upper 32 bits of a 64-bit field. */
  readonly high: boolean;
}

/** Bytes of the register operands: 8 in 64-bit mode, else 4; operand-size prefixes do not count. */
const operandSize = (vmx: Vmx): number => (is64(vmx.state) ? 8 : 4);

/** The encoding in an operand, or -1 for one that no field can have. */
export function encodingOperand(vmx: Vmx, insn: Instruction, operand: number): number {
  const encoding = readOperand(vmx.cpu, insn, operand, operandSize(vmx));
  return encoding > LAST_ENCODING ? -1 : Number(encoding);
}

function fieldOperand(vmx: Vmx, insn: Instruction, operand: number): FieldOperand | undefined {
  const encoding = encodingOperand(vmx, insn, operand);
  const slot = encoding < 0 ? -1 : slotOf(encoding);
  return slot >= 0 && vmx.fieldExists[slot] === 1 ? { encoding, slot, high: (encoding & 1) !== 0 } : undefined;
}

/** The field that VMREAD reads; undefined after the instruction has failed because the processor has none of that encoding. */
export function fieldToRead(vmx: Vmx, insn: Instruction): FieldOperand | undefined {
  const named = fieldOperand(vmx, insn, 1);
  if (!named) fail(vmx, 'vmread', E.UNSUPPORTED_FIELD);
  return named;
}

/** Puts a field's value into VMREAD's destination. Throws the fault of a memory operand. */
export function deliverField(vmx: Vmx, insn: Instruction, named: FieldOperand, value: bigint): void {
  writeOperand(vmx.cpu, insn, 0, named.high ? value >> 32n : value, operandSize(vmx));
}

/** The field that VMWRITE writes and the value for it; undefined after the instruction has failed. Throws the fault of a memory operand. */
export function fieldToWrite(vmx: Vmx, insn: Instruction): (FieldOperand & { readonly field: Field; readonly value: bigint }) | undefined {
  const value = readOperand(vmx.cpu, insn, 1, operandSize(vmx));
  const named = fieldOperand(vmx, insn, 0);
  if (!named) {
    fail(vmx, 'vmwrite', E.UNSUPPORTED_FIELD);
    return undefined;
  }
  const field = FIELDS[named.slot]!;
  if (field.group === 'exit-information' && !vmx.capabilities.has('vmwrite-any-field')) {
    fail(vmx, 'vmwrite', E.READ_ONLY_FIELD);
    return undefined;
  }
  return { ...named, field, value };
}
