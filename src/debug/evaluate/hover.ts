/**
 * What a word of a source file under the mouse stands for, where C alone does not say it: in assembly a register, and in
 * a VMM's headers the constants that number VMCS fields.
 */
import { hex } from '../../base/bits';
import { UserError } from '../../base/errors';
import { type Field, fieldNamed, FIELDS } from '../../vmx/tables';
import { aliasNamed, registerNamed } from '../registers/registerTable';
import type { Evaluator } from './evaluator';
import { parseExpression } from './parser';

const WORD = /^[A-Za-z_]\w*$/;
/** Words of field names that say nothing by themselves. */
const COMMON = new Set(['VM', 'VMX', 'VMCS', 'FIELD', 'FULL', 'HIGH', 'CONTROLS', 'CONTROL', 'ADDRESS', 'ENC', 'BIT']);

/** The expression that a hovered text means: a register or a field where C has no such name. */
export function hoverExpression(text: string, evaluator: Evaluator): string {
  const word = text.trim();
  try {
    evaluator.evaluate(word, false);
    return word;
  } catch (error) {
    if (!(error instanceof UserError) || !WORD.test(word)) return word;
    const lower = word.toLowerCase();
    if (registerNamed(lower) || aliasNamed(lower)) return `$${lower}`;
    const field = fieldNamed(word);
    return field ? `$vmcs.${field.name}` : word;
  }
}

const wordsOf = (name: string): string[] => name.toUpperCase().split('_').filter((word) => word.length > 1 && !COMMON.has(word));

/** The VMCS field that a constant numbers: its value is the field's encoding, and the names have a word in common, as many numbers are encodings by chance. */
export function fieldOfConstant(text: string, evaluator: Evaluator): { field: Field; number: bigint } | undefined {
  if (!WORD.test(text)) return undefined;
  let number: bigint;
  try {
    const { result } = evaluator.evaluate(text, false);
    // What has a place of its own is a variable.
    if (result.store || result.value.location.kind !== 'value') return undefined;
    number = evaluator.numberOf(parseExpression(text, () => false).expression);
  } catch (error) {
    if (error instanceof UserError) return undefined;
    throw error;
  }
  const field = FIELDS.find((f) => BigInt(f.encoding) === number);
  return field && wordsOf(field.name).some((word) => wordsOf(text).includes(word)) ? { field, number } : undefined;
}

/** A constant that numbers a field, with what the field has now; `value` undefined: there is no current VMCS. */
export const fieldConstantText = ({ field, number }: { field: Field; number: bigint }, value: string | undefined): string => `${hex(number)}: VMCS field ${field.name}${value === undefined ? '' : ` = ${value}`}`;
