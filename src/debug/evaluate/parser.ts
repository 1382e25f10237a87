/** Tokens to a tree: precedence climbing over C's binary operators. */
import { UserError } from '../../base/errors';
import { tokenize, type Token } from './lexer';
import { INSPECTION_NAMES } from './inspectionNames';
import type { BinaryOperator, Derivation, Expression, Format, ParsedInput, TypeName, UnaryOperator } from './syntax';

/** C's precedences, tightest last. */
const PRECEDENCE: Record<BinaryOperator, number> = {
  '||': 1, '&&': 2, '|': 3, '^': 4, '&': 5, '==': 6, '!=': 6, '<': 7, '<=': 7, '>': 7, '>=': 7, '<<': 8, '>>': 8, '+': 9, '-': 9, '*': 10, '/': 10, '%': 10,
};
/** The level of `<`, which `in` shares. */
const RELATIONAL = 7;
const UNARY = new Set(['-', '+', '!', '~', '*', '&']);
const ASSIGNMENTS = new Set(['=', '+=', '-=', '*=', '/=', '%=', '&=', '|=', '^=', '<<=', '>>=']);
const FORMATS = new Set(['x', 'd', 'b', 'c', 's']);
/** So many elements of a pointer can be asked for. */
const MOST_ELEMENTS = 1n << 24n;
/** Words that can only start a type. */
const TYPE_WORDS = new Set(['void', 'char', 'short', 'int', 'long', 'unsigned', 'signed', '_Bool', 'bool', 'float', 'double', 'const', 'volatile', 'struct', 'union', 'enum']);
const QUALIFIERS = new Set(['const', 'volatile', 'restrict', '_Atomic']);
const TAGS = new Set(['struct', 'union', 'enum']);

class Parser {
  private readonly tokens: Token[];
  private position = 0;
  constructor(
    private readonly input: string,
    private readonly isType: (name: string) => boolean,
  ) {
    this.tokens = tokenize(input);
  }

  parse(): ParsedInput {
    const expression = this.assignment();
    let format: Format | undefined;
    let count: number | undefined;
    if (this.accept(',')) {
      const word = this.next();
      if (word.kind === 'number' && word.value > 0n && word.value <= MOST_ELEMENTS) count = Number(word.value);
      else if (word.kind !== 'name' || !FORMATS.has(word.text)) throw this.unexpected(word, 'a format: x, d, b, c or s, or a number of elements');
      else format = word.text as Format;
    }
    const rest = this.peek();
    if (rest.kind !== 'end') throw this.unexpected(rest, 'the end of the expression');
    return { expression, format, count };
  }

  private assignment(): Expression {
    const left = this.conditional();
    const token = this.peek();
    if (token.kind !== 'punctuator' || !ASSIGNMENTS.has(token.text)) return left;
    this.position++;
    const operator = token.text === '=' ? undefined : (token.text.slice(0, -1) as BinaryOperator);
    return { kind: 'assign', target: left, operator, value: this.assignment() };
  }

  private conditional(): Expression {
    const test = this.binary(1);
    if (!this.accept('?')) return test;
    const yes = this.conditional();
    this.expect(':');
    return { kind: 'conditional', test, yes, no: this.conditional() };
  }

  private binary(minimum: number): Expression {
    let left = this.unary();
    for (;;) {
      const token = this.peek();
      if (token.kind === 'name' && token.text === 'in' && minimum <= RELATIONAL) {
        left = this.range(left);
        continue;
      }
      if (token.kind !== 'punctuator') return left;
      const operator = token.text as BinaryOperator;
      const precedence = PRECEDENCE[operator];
      if (precedence === undefined || precedence < minimum) return left;
      this.position++;
      left = { kind: 'binary', operator, left, right: this.binary(precedence + 1) };
    }
  }

  /** Behind `in`: `low..high`. */
  private range(operand: Expression): Expression {
    this.position++;
    const low = this.binary(RELATIONAL + 1);
    this.expect('..');
    return { kind: 'in', operand, low, high: this.binary(RELATIONAL + 1) };
  }

  private unary(): Expression {
    const token = this.peek();
    if (token.kind === 'punctuator' && UNARY.has(token.text)) {
      this.position++;
      return { kind: 'unary', operator: token.text as UnaryOperator, operand: this.unary() };
    }
    if (token.kind === 'name' && token.text === 'sizeof') {
      this.position++;
      if (!this.isPunctuator(this.position, '(') || !this.startsType(this.position + 1)) return { kind: 'sizeofValue', operand: this.unary() };
      this.expect('(');
      const type = this.typeName();
      this.expect(')');
      return { kind: 'sizeof', type };
    }
    if (token.kind === 'punctuator' && token.text === '(' && this.startsType(this.position + 1)) {
      this.position++;
      const type = this.typeName();
      this.expect(')');
      return { kind: 'cast', type, operand: this.unary() };
    }
    return this.postfix();
  }

  private postfix(): Expression {
    let expression = this.primary();
    for (;;) {
      if (this.accept('[')) {
        const index = this.assignment();
        this.expect(']');
        expression = { kind: 'index', object: expression, index };
      } else if (this.accept('.')) expression = { kind: 'member', object: expression, name: this.name(), arrow: false };
      else if (this.accept('->')) expression = { kind: 'member', object: expression, name: this.name(), arrow: true };
      else if (this.isPunctuator(this.position, '(')) expression = this.call(expression);
      else return expression;
    }
  }

  /** A function of inspection; the machine's own functions are not called. */
  private call(callee: Expression): Expression {
    if (callee.kind !== 'name' || !INSPECTION_NAMES.has(callee.name)) {
      throw new UserError('expression', `Functions are not called in expressions, at column ${this.peek().at + 1}: the machine would have to run. What can be called is ${[...INSPECTION_NAMES].map((n) => `${n}()`).join(', ')}.`);
    }
    this.expect('(');
    const list: Expression[] = [];
    while (!this.isPunctuator(this.position, ')')) {
      if (list.length > 0) this.expect(',');
      list.push(this.assignment());
    }
    this.expect(')');
    return { kind: 'call', name: callee.name, arguments: list };
  }

  /** `$vmcs(address)` and `$vmcs[address]`, with a field behind a dot. */
  private vmcs([head, ...rest]: readonly string[]): Expression | undefined {
    if (rest.length > 0 || head!.toLowerCase() !== 'vmcs') return undefined;
    const closing = this.accept('(') ? ')' : this.accept('[') ? ']' : undefined;
    if (closing === undefined) return undefined;
    const address = this.assignment();
    this.expect(closing);
    return { kind: 'vmcs', address, field: this.accept('.') ? this.name() : undefined };
  }

  /** Behind `gpa:` stands one operand: `gpa:0x6000 + 8` is 8 bytes behind gpa:0x6000. */
  private spaceOperand(): Expression {
    const operand = this.primary();
    return this.isPunctuator(this.position, '(') ? this.call(operand) : operand;
  }

  private primary(): Expression {
    const token = this.next();
    switch (token.kind) {
      case 'number':
        return { kind: 'number', value: token.value, unsigned: token.unsigned, long: token.long };
      case 'real':
        return { kind: 'real', value: token.value, size: token.size };
      case 'string': {
        let { value } = token;
        for (let next = this.peek(); next.kind === 'string'; next = this.peek()) {
          value += next.value;
          this.position++;
        }
        return { kind: 'string', value };
      }
      case 'machine':
        return this.vmcs(token.path) ?? { kind: 'machine', path: token.path };
      case 'name':
        return { kind: 'name', name: token.text };
      case 'space':
        return { kind: 'space', space: token.space, operand: this.spaceOperand() };
      case 'punctuator':
        if (token.text === '(') {
          let inner = this.assignment();
          while (this.accept(',')) inner = { kind: 'comma', left: inner, right: this.assignment() };
          this.expect(')');
          return inner;
        }
    }
    throw this.unexpected(token, 'a value');
  }

  /** Whether the token at `position` begins a type name. */
  private startsType(position: number): boolean {
    const token = this.tokens[position];
    return token?.kind === 'name' && (TYPE_WORDS.has(token.text) || (this.isType(token.text) && this.closesAsType(position)));
  }

  /** For a typedef's name: only `)` or a declarator may follow, as in `(uint64_t)x`, `(pte_t *)p` and `(pte_t (*)[512])p`. */
  private closesAsType(position: number): boolean {
    let next = position + 1;
    if (this.isPunctuator(next, '[') || (this.isPunctuator(next, '(') && this.isPunctuator(next + 1, '*'))) return true;
    while (this.isPunctuator(next, '*')) next++;
    return this.isPunctuator(next, ')');
  }

  private typeName(): TypeName {
    const words: string[] = [];
    for (let token = this.peek(); token.kind === 'name'; token = this.peek()) {
      this.position++;
      if (QUALIFIERS.has(token.text)) continue;
      words.push(token.text);
      if (TAGS.has(token.text)) words.push(this.name());
    }
    return { base: words.join(' '), derived: this.declarator() };
  }

  /** A declarator without a name: `*`, `(*)[5]`, `(*)(int, int)`. */
  private declarator(): Derivation[] {
    if (this.accept('*')) {
      for (let token = this.peek(); token.kind === 'name' && QUALIFIERS.has(token.text); token = this.peek()) this.position++;
      return [{ kind: 'pointer' }, ...this.declarator()];
    }
    let inner: Derivation[] = [];
    if (this.isPunctuator(this.position, '(') && (this.isPunctuator(this.position + 1, '*') || this.isPunctuator(this.position + 1, '('))) {
      this.position++;
      inner = this.declarator();
      this.expect(')');
    }
    // Of several dimensions the last is the innermost.
    const behind: Derivation[] = [];
    for (;;) {
      if (this.accept('[')) {
        const count = this.peek();
        if (count.kind === 'number') this.position++;
        behind.unshift({ kind: 'array', count: count.kind === 'number' ? Number(count.value) : undefined });
        this.expect(']');
      } else if (this.isPunctuator(this.position, '(')) behind.unshift({ kind: 'function', parameters: this.parameters() });
      else return [...behind, ...inner];
    }
  }

  private parameters(): TypeName[] {
    const list: TypeName[] = [];
    this.expect('(');
    while (!this.isPunctuator(this.position, ')')) {
      if (list.length > 0) this.expect(',');
      list.push(this.typeName());
    }
    this.expect(')');
    return list.length === 1 && list[0]!.base === 'void' && list[0]!.derived.length === 0 ? [] : list;
  }

  private name(): string {
    const token = this.next();
    if (token.kind !== 'name') throw this.unexpected(token, 'a name');
    return token.text;
  }
  private peek(): Token {
    return this.tokens[this.position]!;
  }
  private next(): Token {
    const token = this.tokens[this.position]!;
    if (token.kind !== 'end') this.position++;
    return token;
  }
  private isPunctuator(position: number, text: string): boolean {
    const token = this.tokens[position];
    return token?.kind === 'punctuator' && token.text === text;
  }
  private accept(text: string): boolean {
    if (!this.isPunctuator(this.position, text)) return false;
    this.position++;
    return true;
  }
  private expect(text: string): void {
    if (!this.accept(text)) throw this.unexpected(this.peek(), `"${text}"`);
  }
  private unexpected(token: Token, wanted: string): UserError {
    if (token.kind === 'end') return new UserError('expression', `The expression ends where ${wanted} should follow.`);
    const found = this.input.slice(token.at).split(/\s/)[0];
    return new UserError('expression', `"${found}" at column ${token.at + 1} stands where ${wanted} should be.`);
  }
}

/**
 * Parses one expression, with an optional format after a comma. `isType` says whether a name is a typedef's, which C's
 * casts need. Throws a UserError that names the column.
 */
export function parseExpression(input: string, isType: (name: string) => boolean = () => false): ParsedInput {
  if (input.trim() === '') throw new UserError('expression', 'The expression is empty.');
  return new Parser(input, isType).parse();
}
