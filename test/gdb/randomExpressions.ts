/** Expressions of C over the variables of expressions/program.c, made at random: integers, pointers, floating point. */

const INTEGERS = ['sc', 'uc', 'c', 's', 'us', 'i', 'u', 'l', 'ul', 'll', 'ull', 'yes', 'no', 'ci', 'vu', 'ai', 'colour', 'rights', 'sign', 'many', 'few', 'c16', 'c32', 'bits.low', 'bits.middle', 'bits.wide', 'bits.flag', 'bits.last', 'outer.in.x', 'outer.as_int', 'outer.next->second', 'array[2]', 'matrix[1][2]', '*pi', '**ppi', 'pi[-1]', 'text[1]', 'bytes[2]', '*string', 'local', 'byte', 'packed.value', '(*whole)[3]', '(*line)[0]', 'outer.pointer->y'];
const CONSTANTS = ['0', '1', '2', '-1', '7u', '10L', '0x7fffffff', '0x80000000', '4294967295', '0xffffffffffffffff', "'a'", "'\\n'", '017', '100ul'];
const POINTERS = ['pi', 'array', '&array[3]', 'pi + 1', '*ppi', '&outer.in.x', 'nothing', 'matrix[1]'];
const REALS = ['f', 'd', 'doubles[0]', '1.5', '2.0f', 'outer.next->as_float', '1e3', '.5'];
const TYPES = ['char', 'unsigned char', 'signed char', 'short', 'unsigned short', 'int', 'unsigned', 'unsigned int', 'long', 'unsigned long', 'long long', '_Bool', 'uint8_t', 'int64_t', 'count', 'number', 'enum colour'];
const ARITHMETIC = ['+', '-', '*', '/', '%', '&', '|', '^'];
const COMPARISONS = ['<', '<=', '>', '>=', '==', '!='];
const LOGIC = ['&&', '||'];

/** Picks one of a list. */
type Pick = <T>(list: readonly T[]) => T;

export class RandomExpressions {
  constructor(private readonly random: () => number) {}

  private readonly pick: Pick = (list) => list[Math.floor(this.random() * list.length)]!;

  next(): string {
    const kind = this.random();
    return kind < 0.7 ? this.integer(3) : kind < 0.85 ? this.pointer() : this.real(2);
  }

  private integer(depth: number): string {
    if (depth === 0) return this.random() < 0.7 ? this.pick(INTEGERS) : this.pick(CONSTANTS);
    const left = (): string => this.integer(depth - 1);
    switch (this.pick(['leaf', 'binary', 'binary', 'binary', 'compare', 'compare', 'logic', 'shift', 'unary', 'cast', 'cast', 'conditional', 'sizeof', 'difference'] as const)) {
      case 'leaf': return this.integer(0);
      case 'binary': return `(${left()} ${this.pick(ARITHMETIC)} ${left()})`;
      case 'compare': return `(${left()} ${this.pick(COMPARISONS)} ${left()})`;
      case 'logic': return `(${left()} ${this.pick(LOGIC)} ${left()})`;
      // Counts that every type has room for.
      case 'shift': return `(${left()} ${this.pick(['<<', '>>'])} ${Math.floor(this.random() * 31)})`;
      case 'unary': return `${this.pick(['-', '~', '!', '+'])}(${left()})`;
      case 'cast': return `(${this.pick(TYPES)})${depth > 1 ? `(${left()})` : this.integer(0)}`;
      case 'conditional': return `(${left()} ? ${left()} : ${left()})`;
      // GDB gives it the type int, C unsigned long.
      case 'sizeof': return this.random() < 0.5 ? `(unsigned long)sizeof(${this.pick(TYPES)})` : `(unsigned long)sizeof (${left()})`;
      case 'difference': return `(${this.pick(POINTERS)} - ${this.pick(POINTERS)})`;
    }
  }

  private pointer(): string {
    const pointer = this.pick(POINTERS);
    const other = this.pick(POINTERS);
    const index = Math.floor(this.random() * 4) - 1;
    return this.pick([`*(${pointer} + ${index})`, `(${pointer})[${index}]`, `${pointer} + ${this.pick(INTEGERS)}`, `${pointer} - ${index}`, `${pointer} ${this.pick(COMPARISONS)} ${other}`, `(long)(${pointer})`, `(unsigned char)(long)(${pointer})`, `*(short *)(${pointer})`, `(char *)(${pointer}) + 3`, `*((unsigned char *)(${pointer}) + ${index + 1})`, `!(${pointer})`, `${pointer} && ${other}`, `&(${pointer})[${index}]`, `*&*(${pointer})`, `(${pointer} == 0) ? 1 : 2`]);
  }

  private real(depth: number): string {
    if (depth === 0) return this.random() < 0.75 ? this.pick(REALS) : this.pick(INTEGERS);
    const left = (): string => this.real(depth - 1);
    return this.pick([`(${left()} ${this.pick(['+', '-', '*', '/'])} ${left()})`, `(${left()} ${this.pick(COMPARISONS)} ${left()})`, `-(${left()})`, `(${this.pick(['float', 'double', 'int', 'unsigned char', 'long'])})(${left()})`, `(${left()} ? ${left()} : ${left()})`, `!(${left()})`, `(${left()} && ${left()})`]);
  }
}
