/** C types as plain data. Parts that may refer back (members, targets) are read when first asked for. */

export interface VoidType {
  readonly kind: 'void';
}

export interface BaseType {
  readonly kind: 'base';
  readonly name: string;
  readonly size: number;
  readonly encoding: 'signed' | 'unsigned' | 'bool' | 'signed char' | 'unsigned char' | 'character' | 'float' | 'complex' | 'other';
}

export interface PointerType {
  readonly kind: 'pointer';
  readonly size: number;
  /** How C++ writes it: `*`, `&` or `&&`. */
  readonly sigil: string;
  readonly target: Type;
}

export interface Member {
  /** Empty for an anonymous struct or union, whose members count as the outer one's. */
  readonly name: string;
  readonly type: Type;
  /** Bytes from the start of the struct; of the storage unit's first byte for a bit-field. */
  readonly offset: number;
  /** A bit-field: its bits, counted from bit 0 of the byte at `offset`. */
  readonly bitField?: { readonly offset: number; readonly size: number };
  /** A virtual base of C++ is where the object itself says: its address by that of the object; undefined where that cannot be read. */
  readonly placeIn?: (address: bigint, memory: MemoryReader) => bigint | undefined;
}

/** Reads memory as a frame does. */
export interface MemoryReader {
  memory(address: bigint, length: number): Uint8Array | undefined;
}

export interface StructType {
  readonly kind: 'struct';
  readonly keyword: 'struct' | 'union' | 'class';
  readonly name: string | undefined;
  readonly size: number | undefined;
  /** Declared but defined nowhere in the image: there are no members. */
  readonly incomplete: boolean;
  readonly members: readonly Member[];
  readonly isRust: boolean;
  /** A Rust enum whose variants carry values: it holds one of them. */
  readonly variants: Variants | undefined;
  /** What the parameters of a generic type stand for. */
  readonly parameters: readonly Type[];
  /** The variant that was found in an enum: the members are its own. */
  readonly variant?: string;
}

/** The variants of a Rust enum. */
export interface Variants {
  /** Where the number is that tells the variant; undefined where there is only one. */
  readonly discriminant: Member | undefined;
  readonly cases: readonly Variant[];
}

export interface Variant {
  /** Discriminants that mean this variant, both ends included; empty for all that no other variant has. */
  readonly values: readonly { readonly low: bigint; readonly high: bigint }[];
  /** The variant's name, and the struct of what it carries. */
  readonly member: Member;
}

export interface ArrayType {
  readonly kind: 'array';
  readonly element: Type;
  /** Number of elements; undefined for `[]` and for lengths known only at run time. */
  readonly count: number | undefined;
}

export interface EnumType {
  readonly kind: 'enum';
  readonly name: string | undefined;
  readonly size: number;
  readonly signed: boolean;
  readonly enumerators: readonly { readonly name: string; readonly value: bigint }[];
}

export interface TypedefType {
  readonly kind: 'typedef';
  readonly name: string;
  readonly target: Type;
}

export interface QualifiedType {
  readonly kind: 'qualified';
  readonly qualifier: 'const' | 'volatile' | 'restrict' | '_Atomic';
  readonly target: Type;
}

export interface FunctionType {
  readonly kind: 'function';
  readonly returns: Type;
  readonly parameters: readonly Type[];
  readonly variadic: boolean;
  readonly prototyped: boolean;
}

export type Type = VoidType | BaseType | PointerType | StructType | ArrayType | EnumType | TypedefType | QualifiedType | FunctionType;

export const VOID: VoidType = { kind: 'void' };

/** The type without typedefs and qualifiers. */
export const stripped = (type: Type): Exclude<Type, TypedefType | QualifiedType> => {
  let bare = type;
  // A damaged file could make typedefs circular.
  for (let depth = 0; depth < 100 && (bare.kind === 'typedef' || bare.kind === 'qualified'); depth++) bare = bare.target;
  return bare.kind === 'typedef' || bare.kind === 'qualified' ? VOID : bare;
};

/** Size in bytes, undefined for void, functions, incomplete structs and arrays without length. */
export const sizeOf = (type: Type): number | undefined => {
  const bare = stripped(type);
  switch (bare.kind) {
    case 'void': case 'function': return undefined;
    case 'array': {
      const element = sizeOf(bare.element);
      return element === undefined || bare.count === undefined ? undefined : element * bare.count;
    }
    default: return bare.size;
  }
};

/** A type in C's notation, around a declarator: `typeName(t, 'x')` declares x. */
export const typeName = (type: Type, declarator = ''): string => {
  const space = declarator === '' ? '' : ' ';
  switch (type.kind) {
    case 'void': return `void${space}${declarator}`;
    case 'base': case 'typedef': return `${type.name}${space}${declarator}`;
    case 'struct': {
      const keyword = type.keyword === 'class' ? '' : `${type.keyword} `;
      return `${keyword}${type.name ?? '{...}'}${space}${declarator}`;
    }
    case 'enum': return `enum ${type.name ?? '{...}'}${space}${declarator}`;
    case 'pointer': {
      const inner = `${type.sigil}${declarator}`;
      const target = type.target;
      return typeName(target, target.kind === 'array' || target.kind === 'function' ? `(${inner})` : inner);
    }
    case 'qualified': {
      if (type.target.kind === 'pointer') return typeName(type.target, `${type.qualifier}${space}${declarator}`).replace(/\*(const|volatile|restrict|_Atomic)/, '* $1');
      return `${type.qualifier} ${typeName(type.target, declarator)}`;
    }
    case 'array': {
      // All dimensions stand behind the declarator, the outermost first.
      let dimensions = '';
      let element: Type = type;
      for (; element.kind === 'array'; element = element.element) dimensions += `[${element.count ?? ''}]`;
      return typeName(element, declarator === '' ? dimensions : `${declarator}${dimensions}`);
    }
    case 'function': {
      const parameters = type.parameters.map((parameter) => typeName(parameter));
      if (type.variadic) parameters.push('...');
      const list = parameters.length === 0 && type.prototyped ? 'void' : parameters.join(', ');
      return typeName(type.returns, `${declarator}(${list})`);
    }
  }
};
