/** Names that stand for numbers in conditions: MSRs (`EFER`, `IA32_EFER`) and exceptions (`PF`). */
import { MSRS } from '../../cpu/system/msr';
import { EXCEPTION_NAMES } from '../../vmx/tables/words';

const BY_NAME = new Map<string, bigint>();
for (const [vector, name] of EXCEPTION_NAMES.entries()) if (/^#?[A-Z]+$/.test(name)) BY_NAME.set(name.replace('#', ''), BigInt(vector));
for (const { index, name } of MSRS.values()) {
  BY_NAME.set(name, BigInt(index));
  const short = name.replace(/^IA32_/, '');
  if (!BY_NAME.has(short)) BY_NAME.set(short, BigInt(index));
}

export const constantNamed = (name: string): bigint | undefined => BY_NAME.get(name.toUpperCase());
