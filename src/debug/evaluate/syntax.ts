/**
 * The syntax of expressions: C's, plus `$` for what C has no name for. `$rax` is a register of the selected frame's
 * world, `$guest.rip` and `$vmm.cr3` name the world, `$vmcs.GUEST_RIP` is a field of the current VMCS and
 * `$vmcs(0x1f000).GUEST_RIP` one of the VMCS at a physical address. `gpa:0x6000` is a
 * place in an address space, and `walk(x)` calls one of the functions of inspection, which run nothing in the machine.
 */
import type { ExtendedReal } from '../../symbols/extendedReal';
import type { SpaceName } from '../memory/memorySpace';

export type UnaryOperator = '-' | '+' | '!' | '~' | '*' | '&';
export type BinaryOperator = '*' | '/' | '%' | '+' | '-' | '<<' | '>>' | '<' | '<=' | '>' | '>=' | '==' | '!=' | '&' | '^' | '|' | '&&' | '||';

/** What a declarator makes of a type: a pointer to it, an array of it, a function that returns it. */
export type Derivation = { kind: 'pointer' } | { kind: 'array'; count: number | undefined } | { kind: 'function'; parameters: readonly TypeName[] };

/** A type as written: base name (`struct Trapframe`, `unsigned long`) and what is made of it, in that order: `int (*)[5]` is an array, then a pointer. */
export interface TypeName {
  base: string;
  derived: readonly Derivation[];
}

export type Expression =
  | { kind: 'number'; value: bigint; unsigned: boolean; long: boolean }
  | { kind: 'real'; value: number | ExtendedReal; size: 'float' | 'double' | 'long double' }
  | { kind: 'string'; value: string }
  | { kind: 'name'; name: string }
  /** `$a.b`: the parts after the dollar sign. */
  | { kind: 'machine'; path: string[] }
  /** `$vmcs(0x1f000).GUEST_RIP`: of the VMCS in the region there; without a field the whole. */
  | { kind: 'vmcs'; address: Expression; field: string | undefined }
  /** `gpa:0x6000`, `guest:ticks`. */
  | { kind: 'space'; space: SpaceName; operand: Expression }
  /** `walk(x)`. */
  | { kind: 'call'; name: string; arguments: Expression[] }
  | { kind: 'member'; object: Expression; name: string; arrow: boolean }
  | { kind: 'index'; object: Expression; index: Expression }
  | { kind: 'unary'; operator: UnaryOperator; operand: Expression }
  | { kind: 'binary'; operator: BinaryOperator; left: Expression; right: Expression }
  /** `x in low..high`, both ends included. */
  | { kind: 'in'; operand: Expression; low: Expression; high: Expression }
  | { kind: 'conditional'; test: Expression; yes: Expression; no: Expression }
  | { kind: 'cast'; type: TypeName; operand: Expression }
  | { kind: 'sizeof'; type: TypeName }
  | { kind: 'sizeofValue'; operand: Expression }
  /** `(a, b)`. */
  | { kind: 'comma'; left: Expression; right: Expression }
  | { kind: 'assign'; target: Expression; operator: BinaryOperator | undefined; value: Expression };

/** How a result is to be shown: after a comma, as in `mask,x`. */
export type Format = 'x' | 'd' | 'b' | 'c' | 's';

export interface ParsedInput {
  expression: Expression;
  format: Format | undefined;
  /** `p,10`: the pointer is shown as an array of so many elements. */
  count: number | undefined;
}

/** Whether some part of an expression is as `wanted`. */
export const someOf = (part: object, wanted: (part: Expression) => boolean): boolean =>
  ('kind' in part && wanted(part as Expression)) || Object.values(part).some((inner: unknown) => typeof inner === 'object' && inner !== null && someOf(inner, wanted));

/** To an expression that assigns where none may. */
export const CHANGES = 'A condition must not change the machine: compare with ==.';
