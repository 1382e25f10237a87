/** Types in sentences. */
import { type Type, typeName } from '../../symbols/types';

/** Begins with a vowel to the ear: `int`, `unsigned long`, but neither `union` nor `uint64_t`. */
const AN = /^(?:[aeio]|un(?!i))/i;

/** `an int`, `a char *`. */
export function aType(type: Type): string {
  const name = typeName(type);
  return `${AN.test(name) ? 'an' : 'a'} ${name}`;
}
