import { CallSites } from './callSites';
import { At, Tag } from './dwarf/constants';
import { Die } from './dwarf/die';
import { compute, ExpressionContext, locate } from './dwarf/expression';
import { expressionAt } from './dwarf/locationList';
import { TypeReader } from './dwarf/typeReader';
import { Unit } from './dwarf/unit';
import { bytesOf, Frame, lookupAddress, unsignedOf } from './frame';
import { FunctionInfo, Functions } from './functions';
import { Lines, SourceFile } from './lines';
import { Location, readLocation, unavailable } from './location';
import { Entry, NameIndex } from './nameIndex';
import { SymbolTable } from './symbolTable';
import { sizeOf, stripped, Type } from './types';

/** A variable or parameter as declared. Where it is depends on the frame: `SymbolImage.locate`. */
export interface Variable {
  readonly name: string;
  readonly type: Type;
  readonly isParameter: boolean;
  readonly file?: SourceFile;
  readonly line?: number;
  readonly die: Die;
  /** What it was compiled in. */
  readonly unit: Unit;
  /** The function whose frame base it counts from; absent for globals. */
  readonly function?: FunctionInfo;
}

/** Variables of one block, function or inlined call. */
export interface Scope {
  readonly kind: 'block' | 'inlined' | 'function';
  /** Name of the function or inlined function the scope is part of. */
  readonly functionName: string;
  readonly variables: readonly Variable[];
}

const SUBRANGE: ReadonlySet<number> = new Set([Tag.subrange_type]);

/** A longer array of a length computed at run time is none that a stack holds. */
const MOST_ELEMENTS = 2 ** 32;

/** Variables, their types and places. */
export class Variables {
  private readonly callSites: CallSites;
  private readonly typeReader = new TypeReader((tag, name) => this.names.find('type', name).find((die) => die.tag === tag));

  constructor(
    private readonly names: NameIndex,
    private readonly lines: Lines,
    private readonly functions: Functions,
    private readonly elf: { readonly machine: 'x86' | 'x86-64'; readonly symbols: SymbolTable },
    /** The caller of a frame in this image, and the frame's CFA. */
    private readonly caller: (frame: Frame) => { frame: Frame; cfa: bigint } | undefined,
  ) {
    this.callSites = new CallSites(functions);
  }

  private describe(die: Die, fn?: FunctionInfo): Variable {
    const declared = die.holder(At.decl_line);
    const fileIndex = declared?.number(At.decl_file);
    const { typeReader, lines } = this;
    return {
      name: die.name ?? '',
      get type() { return typeReader.typeOf(die); },
      isParameter: die.tag === Tag.formal_parameter,
      // Thousands of files may have a static variable of a name.
      get file() { return declared && fileIndex !== undefined ? lines.file(declared.unit, fileIndex) : undefined; },
      line: declared?.number(At.decl_line),
      die,
      unit: die.unit,
      function: fn,
    };
  }

  /** A variable at file scope. Thousands of units may have one of a name, of which one is wanted: it is read when something is asked of it. */
  private global({ unit, offset }: Entry): Variable {
    let known: Variable | undefined;
    const read = (): Variable => (known ??= this.describe(unit.dieAt(offset)!));
    return {
      get name() { return read().name; },
      get type() { return read().type; },
      isParameter: false,
      get file() { return read().file; },
      get line() { return read().line; },
      get die() { return read().die; },
      unit,
    };
  }

  /** The variables of a scope; what is the same in all copies of a function (`static`), or was dropped in this one, is only with the original. */
  private declaredIn(die: Die): Die[] {
    const isVariable = ({ tag }: Die): boolean => tag === Tag.variable || tag === Tag.formal_parameter;
    const own = [...die.children()].filter(isVariable);
    const origin = die.reference(At.abstract_origin);
    if (!origin) return own;
    const copied = new Set(own.map((child) => child.reference(At.abstract_origin)?.identity));
    return [...own, ...[...origin.children()].filter((child) => isVariable(child) && !copied.has(child.identity))];
  }

  /** Scopes that cover an address, innermost first; scopes without variables are left out, but for the function. */
  scopesAt(address: bigint): Scope[] {
    const fn = this.functions.at(address);
    if (!fn) return [];
    const scopes: Scope[] = [];
    let functionName = fn.name;
    for (const die of [fn.die, ...this.functions.nest(fn.die, address)]) {
      if (die.tag === Tag.inlined_subroutine) functionName = die.name ?? '';
      const variables: Variable[] = [];
      for (const child of this.declaredIn(die)) {
        // `extern` inside a function declares a global, which is found as such.
        if (child.name !== undefined && !child.flag(At.declaration)) variables.push(this.describe(child, fn));
      }
      const kind = die === fn.die ? 'function' : die.tag === Tag.inlined_subroutine ? 'inlined' : 'block';
      if (variables.length > 0 || kind !== 'block') scopes.unshift({ kind, functionName, variables });
    }
    return scopes;
  }

  /** Variables at file scope of a name: several when files have static ones of the same name. */
  globals(name: string): Variable[] {
    const defined = this.names.entries('global', name);
    // What the linker has defined, or assembly: Linux's `jiffies` is another name of `jiffies_64`.
    const known = defined.length > 0 || this.elf.symbols.named(name).length === 0 ? defined : this.names.entries('declared', name);
    return known.map((entry) => this.global(entry));
  }

  /** Names of all variables at file scope. */
  globalNames(): string[] {
    return [...this.names.names('global')];
  }

  /** Types by name; `struct x`, `union x` and `enum x` name only such. */
  types(name: string): Type[] {
    const [, keyword, bare] = /^(?:(struct|union|enum)\s+)?(.*)$/.exec(name.trim())!;
    const wanted = { struct: Tag.structure_type, union: Tag.union_type, enum: Tag.enumeration_type }[keyword];
    const dies = this.names.find('type', bare).filter((die) => wanted === undefined || die.tag === wanted);
    return dies.map((die) => this.typeReader.read(die));
  }

  /** Enumerations that have an enumerator of that name. */
  enumerationsWith(name: string): Type[] {
    return this.names.find('enumerator', name).map((die) => this.typeReader.read(die));
  }

  typeOfFunction(fn: FunctionInfo): Type {
    return this.typeReader.read([...fn.die.origins()].pop() ?? fn.die);
  }

  private context(frame: Frame, unit: Unit, fn: FunctionInfo | undefined): ExpressionContext {
    const context: ExpressionContext = {
      frame,
      machine: this.elf.machine,
      addressSize: unit.addressSize,
      unit,
      cfa: () => this.caller(frame)?.cfa,
      frameBase: () => {
        const expression = fn && expressionAt(fn.die, At.frame_base, lookupAddress(frame));
        // A frame base has none of its own.
        return expression && compute(expression, { ...context, frameBase: () => undefined });
      },
      entryRegister: (register) => this.atEntry(frame, fn, (site) => this.callSites.passedIn(site, register)),
      entryParameter: (declared) => this.atEntry(frame, fn, (site) => this.callSites.passedAs(site, declared)),
    };
    return context;
  }

  /** What the last of several calls passed; all but the first are jumps of functions that have gone, of which what they were passed is known. */
  private passedAt(sites: readonly Die[], caller: Frame, passed: (site: Die) => Uint8Array | undefined): bigint | undefined {
    const site = sites.at(-1)!;
    const expression = passed(site);
    if (!expression) return undefined;
    const context = this.context(caller, site.unit, this.functions.at(lookupAddress(caller)));
    if (sites.length === 1) return compute(expression, context);
    const before = sites.slice(0, -1);
    return compute(expression, {
      ...context,
      frameBase: () => undefined,
      entryRegister: (register) => this.passedAt(before, caller, (earlier) => this.callSites.passedIn(earlier, register)),
      entryParameter: (declared) => this.passedAt(before, caller, (earlier) => this.callSites.passedAs(earlier, declared)),
    });
  }

  /** What the caller of a function passed, computed where it goes on: only registers that a call keeps are known there, and those do. */
  private atEntry(frame: Frame, fn: FunctionInfo | undefined, passed: (site: Die) => Uint8Array | undefined): bigint | undefined {
    const caller = fn && this.caller(frame)?.frame;
    if (!fn || !caller?.isCaller) return undefined;
    const sites = this.callSites.callsTo(fn, caller.pc);
    return sites && this.passedAt(sites, caller, passed);
  }

  /** Where a variable is in a frame of its function; any frame does for a global. */
  locate(variable: Variable, frame: Frame): Location {
    const { die } = variable;
    const constant = this.constant(variable);
    if (constant) return { kind: 'value', bytes: constant };
    const holder = die.holder(At.location);
    if (!holder) return this.declared(variable) ?? unavailable('optimized out');
    const expression = expressionAt(holder, At.location, lookupAddress(frame));
    if (!expression || expression.length === 0) return unavailable(holder.block(At.location) ? 'optimized out' : 'optimized out here');
    return locate(expression, this.context(frame, holder.unit, variable.function));
  }

  /** Where the symbol of a variable is that is only declared. */
  private declared({ name, die }: Variable): Location | undefined {
    const symbol = die.flag(At.declaration) ? this.elf.symbols.named(name)[0] : undefined;
    return symbol && { kind: 'memory', address: symbol.address };
  }

  /** The type of a variable in a frame: an array whose length is computed when it is declared has one only there. */
  typeIn(variable: Variable, frame: Frame): Type {
    const bare = stripped(variable.type);
    if (bare.kind !== 'array' || bare.count !== undefined) return variable.type;
    let die = variable.die.holder(At.type)?.reference(At.type);
    while (die && die.tag !== Tag.array_type) die = die.reference(At.type);
    if (!die) return variable.type;
    const counts = [...die.children(SUBRANGE)].map((range) => this.countOf(range, variable, frame));
    const element = this.typeReader.typeOf(die);
    return counts.reduceRight<Type>((inner, count) => ({ kind: 'array', element: inner, count }), element);
  }

  /** How many elements a dimension has; undefined where nothing tells. */
  private countOf(range: Die, variable: Variable, frame: Frame): number | undefined {
    const count = this.bound(range, At.count, variable, frame);
    if (count !== undefined) return Number(count);
    const upper = this.bound(range, At.upper_bound, variable, frame);
    const length = upper === undefined ? undefined : Number(BigInt.asIntN(64, upper) - (range.constant(At.lower_bound) ?? 0n)) + 1;
    // What has not been set yet may be anything.
    return length === undefined || length < 0 || length > MOST_ELEMENTS ? undefined : length;
  }

  /** A bound: a constant, an expression, or a variable that the compiler has made for it. */
  private bound(range: Die, attribute: number, variable: Variable, frame: Frame): bigint | undefined {
    const constant = range.constant(attribute);
    if (constant !== undefined) return constant;
    const block = range.block(attribute);
    if (block) return compute(block, this.context(frame, range.unit, variable.function));
    const holder = range.reference(attribute);
    if (!holder) return undefined;
    const made = this.describe(holder, variable.function);
    const read = readLocation(this.locate(made, frame), sizeOf(made.type) ?? 8, frame);
    return 'reason' in read ? undefined : unsignedOf(read.bytes);
  }

  private constant(variable: Variable): Uint8Array | undefined {
    const holder = variable.die.holder(At.const_value);
    if (!holder) return undefined;
    const block = holder.block(At.const_value);
    if (block) return block;
    const value = holder.constant(At.const_value);
    if (value !== undefined) return bytesOf(value, Math.min(sizeOf(variable.type) ?? 8, 16));
    const text = holder.string(At.const_value);
    return text !== undefined && stripped(variable.type).kind === 'array' ? new TextEncoder().encode(text + '\0') : undefined;
  }
}
