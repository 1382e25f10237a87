/** `ptype` and `whatis`: types as C declares them. */
import { stripped, typeName, type Type } from '../../symbols/types';

const HEX_DIGITS = 4;

/** A type written out: the members of a struct with their offsets, the numbers of an enum. */
export function typeText(type: Type): string {
  const bare = stripped(type);
  const written = (): string => {
    switch (bare.kind) {
      case 'struct': {
        if (bare.incomplete) return `${typeName(bare)} (declared only)`;
        const lines = bare.members.map((m) => `    /* ${m.placeIn ? 'virtual' : `+0x${m.offset.toString(16).padStart(HEX_DIGITS, '0')}`} */  ${typeName(m.type, m.name)}${m.bitField ? ` : ${m.bitField.size}` : ''};`);
        return `${typeName(bare)} {\n${lines.join('\n')}\n}  /* ${bare.size ?? '?'} bytes */`;
      }
      case 'enum':
        return `${typeName(bare)} {\n${bare.enumerators.map((e) => `    ${e.name} = ${e.value},`).join('\n')}\n}  /* ${bare.size} bytes */`;
      case 'pointer': {
        const target = stripped(bare.target);
        return target.kind === 'struct' || target.kind === 'enum' ? `${typeText(target)} *` : typeName(bare);
      }
      default:
        return typeName(bare);
    }
  };
  return written();
}
