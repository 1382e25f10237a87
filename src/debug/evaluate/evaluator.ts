/** Computes expressions in a frame: names, members, pointers, arithmetic, registers, VMCS fields, assignments. */
import { UserError } from '../../base/errors';
import { hex } from '../../base/bits';
import { sizeOf, stripped, typeName, type Type } from '../../symbols/types';
import { readable } from '../../symbols/rustValues';
import { dereference, elementOf, memberOf, type Numeric, type Value, type ValueReader } from '../../symbols/values';
import type { Unit } from '../../symbols/dwarf/unit';
import type { SymbolImage } from '../../symbols/image';
import { lookupAddress } from '../../symbols/frame';
import { expandMacroCalls, type MacroText } from '../../symbols/macroCalls';
import { evaluatedNode, type VariableContext } from '../inspect/variable';
import { memoryNode } from '../inspect/memory';
import { knownVmcs } from '../inspect/vmcs';
import type { SpaceName } from '../memory/memorySpace';
import { worldFrames, type CodeFrame } from '../stack/callStack';
import { frameVariables } from '../stack/frameScopes';
import type { Target } from '../target';
import type { World } from '../world';
import { builtInType, BYTE, CHAR, DOUBLE, FLOAT, INT, LONG, LONG_DOUBLE, pointerTo, UNSIGNED, UNSIGNED_LONG } from './arithmetic';
import { computed, placed, type Evaluated, type EvaluatedIn, withoutPlace } from './evaluated';
import { inspect, placeOf, type EvaluatorFacts } from './inspectionFunctions';
import { machineValue, type MachineValue, vmcsNamed } from './machineNames';
import { castTo, computedReal, decayed, integer, numeric, offset, operate, operateUnary, truth } from './operations';
import { parseExpression } from './parser';
import { spaceReader } from './spaceReader';
import type { Expression, Format, ParsedInput, TypeName } from './syntax';
import { aType } from './typeWords';

const REALS = { 'float': FLOAT, 'double': DOUBLE, 'long double': LONG_DOUBLE };

export class Evaluator {
  private readonly world: World;
  private readonly reader: ValueReader;
  private readonly images: SymbolImage[];
  /** Whether what is computed is asked for its place or type alone. */
  private addressed = false;
  /** Macros that are being expanded. */
  private readonly expanding = new Set<string>();

  /** `frame` undefined: no stack can be told; globals and registers of the world that runs are still there. */
  constructor(
    private readonly target: Target,
    private readonly frame: CodeFrame | undefined,
    private readonly facts: EvaluatorFacts,
    /** The world, where there is no frame that tells it. */
    world: World = target.world,
  ) {
    this.world = frame?.world ?? world;
    this.reader = frame?.frame ?? spaceReader(target, this.world);
    // The frame's own image first; then others that can be of this world.
    const own = frame?.image;
    const others = target.images.images.filter((i) => i !== own && (i.world === undefined || i.world === this.world));
    this.images = [...(own ? [own] : []), ...others].map((i) => i.image);
  }

  /** Computes `text`. Assignments happen only with `mayAssign`. Throws a UserError that says what is wrong. */
  evaluate(text: string, mayAssign: boolean): { result: Evaluated; format: Format | undefined } {
    const { expression, format, count } = this.parse(text);
    const result = this.compute(expression, mayAssign);
    return { result: count === undefined ? result : this.elements(result, count), format };
  }

  /** What a text says, its calls of macros replaced. */
  private parse(text: string): ParsedInput {
    const expanded = expandMacroCalls(text, (name) => this.macroNamed(name));
    try {
      // A variable may have the name of a struct.
      return parseExpression(expanded, (name) => this.findType(name) !== undefined && !this.knows(name));
    } catch (error) {
      if (expanded === text || !(error instanceof UserError)) throw error;
      throw new UserError('expression', `Macros make this "${expanded}", which has no value here: ${error.message}`);
    }
  }

  /** The number that a part of a condition is. */
  numberOf(expression: Expression): bigint {
    return integer(decayed(this.compute(expression, false)));
  }

  /** What a pointer or array points to, as an array of so many elements. */
  private elements(pointer: Evaluated, count: number): Evaluated {
    const first = decayed(pointer);
    const bare = stripped(first.value.type);
    if (bare.kind !== 'pointer' || stripped(bare.target).kind === 'void') throw new UserError('expression', `${pointer.value.name} is ${aType(pointer.value.type)}: only what a pointer points to can be shown as so many elements.`);
    return this.place({ name: pointer.value.name, type: { kind: 'array', element: bare.target, count }, location: { kind: 'memory', address: integer(first) } }, first);
  }

  /** The place that an expression is an address of, in the space that it names or in the frame's world. Throws a UserError. */
  addressOf(text: string): { space: SpaceName; address: bigint } {
    return placeOf(this.evaluate(text, false).result, (e) => integer(decayed(e)));
  }

  /** Addresses that can stand in `$vmcs(address)`. */
  get vmcsAddresses(): number[] {
    return knownVmcs(this.target);
  }

  /** Whether a name means something here: a variable, a function, a constant. */
  knows(name: string): boolean {
    try {
      this.lookup(name);
      return true;
    } catch (error) {
      if (error instanceof UserError) return false;
      throw error;
    }
  }

  /** The type that a text names, or that an expression has. Throws a UserError. */
  typeIn(text: string): Type {
    const [, base, pointers] = /^\s*((?:(?:struct|union|enum)\s+)?[A-Za-z_][\w :]*?)\s*(\**)\s*$/.exec(text) ?? [];
    const named = base === undefined || this.knows(base) ? undefined : this.findType(base.replace(/\s+/g, ' '));
    if (named) return Array.from(pointers!).reduce((type: Type) => pointerTo(type), named);
    return this.evaluate(text, false).result.value.type;
  }

  /** Whether a condition holds. */
  holds(text: string): boolean {
    return truth(this.evaluate(text, false).result);
  }

  /** Computes `text` and tells its value in one line. Throws a UserError that says what is wrong. */
  show(text: string): string {
    const { result, format } = this.evaluate(text, false);
    return evaluatedNode(result, this.variableContext(result.reader), text, format).value;
  }

  /** What showing values and typing new ones needs of this frame. */
  variableContext(reader: ValueReader | undefined = this.reader): VariableContext {
    return { target: this.target, frame: this.frame, space: this.world, reader, parse: (typed) => this.number(typed) };
  }

  /** The number that an expression is, for a value that the user types. */
  number(text: string): Numeric {
    return numeric(decayed(this.evaluate(text, false).result));
  }

  private get common(): EvaluatedIn {
    return { reader: this.reader, space: this.world };
  }

  private compute(e: Expression, mayAssign: boolean): Evaluated {
    switch (e.kind) {
      case 'number': {
        const small = e.unsigned ? e.value <= 0xffff_ffffn : e.value <= 0x7fff_ffffn;
        const type = e.long || !small ? (e.unsigned || e.value > 0x7fff_ffff_ffff_ffffn ? UNSIGNED_LONG : LONG) : e.unsigned ? UNSIGNED : INT;
        return computed(String(e.value), type, e.value, this.common);
      }
      case 'real':
        return computedReal(String(e.value), REALS[e.size], e.size === 'float' ? Math.fround(Number(e.value)) : e.value, this.common);
      case 'string':
        return withoutPlace('"..."', { kind: 'array', element: CHAR, count: e.value.length + 1 }, new TextEncoder().encode(e.value + '\0'), this.common);
      case 'name':
        return this.lookup(e.name);
      case 'machine':
        return this.ofMachine(machineValue(this.target, this.frame, e.path, this.facts.vmcs, this.common));
      case 'vmcs':
        return this.ofMachine(vmcsNamed(this.target, placeOf(this.compute(e.address, mayAssign), (a) => integer(decayed(a))), e.field, this.facts.vmcs, this.common));
      case 'space':
        return this.inSpace(e.space, e.operand, mayAssign);
      case 'call':
        return this.call(e.name, e.arguments, mayAssign);
      case 'member':
        return this.member(this.compute(e.object, mayAssign), e.name, e.arrow);
      case 'index':
        return this.element(this.compute(e.object, mayAssign), integer(this.compute(e.index, mayAssign)));
      case 'unary':
        return this.unary(e, mayAssign);
      case 'binary':
        return this.binary(e, mayAssign);
      case 'in': {
        const value = decayed(this.compute(e.operand, mayAssign));
        const within = truth(operate('>=', value, this.compute(e.low, mayAssign), this.common)) && truth(operate('<=', value, this.compute(e.high, mayAssign), this.common));
        return computed('in', INT, within ? 1n : 0n, this.common);
      }
      case 'conditional':
        return this.compute(truth(this.compute(e.test, mayAssign)) ? e.yes : e.no, mayAssign);
      case 'cast':
        return castTo(this.typeNamed(e.type), this.compute(e.operand, mayAssign));
      case 'sizeof':
        return this.sizeOf(this.typeNamed(e.type));
      case 'sizeofValue':
        return this.sizeOf(this.addressing(() => this.compute(e.operand, false)).value.type);
      case 'comma':
        this.compute(e.left, mayAssign);
        return this.compute(e.right, mayAssign);
      case 'assign':
        return this.assign(e, mayAssign);
    }
  }

  /** A register or field; one that holds an address of another space is an address there. */
  private ofMachine({ value, space }: MachineValue): Evaluated {
    return space === value.space ? value : { ...value, space, reader: spaceReader(this.target, space) };
  }

  private lookup(name: string): Evaluated {
    if (this.frame?.image) {
      const local = frameVariables(this.frame).find((v) => v.name === name);
      if (local) return this.place(this.frame.image.image.valueOf(local, this.frame.frame));
    }
    for (const image of this.images) {
      const global = this.nearest(image, image.globals(name), (v) => v.unit);
      // A global needs no frame, only memory; any frame serves.
      if (global) return this.place(image.valueOf(global, this.frame?.frame ?? this.anyFrame()));
      const fn = this.nearest(image, image.findFunctions(name), (f) => f.die.unit);
      if (fn) return this.place({ name, type: image.typeOf(fn), location: { kind: 'memory', address: fn.low } });
      const [enumeration] = image.enumerationsWith(name);
      const enumerator = enumeration?.kind === 'enum' && enumeration.enumerators.find((e) => e.name === name.slice(name.lastIndexOf(':') + 1));
      if (enumerator) return computed(name, enumeration, enumerator.value, this.common);
      const [symbol] = image.symbolsNamed(name);
      // A label of assembly has an address and nothing else.
      if (symbol) return this.place({ name, type: { kind: 'array', element: CHAR, count: undefined }, location: { kind: 'memory', address: symbol.address } });
    }
    const macro = this.macro(name);
    if (macro) return macro;
    if (name === 'true' || name === 'false') return computed(name, INT, name === 'true' ? 1n : 0n, this.common);
    throw new UserError('expression', `There is no variable ${name} here. Registers are written $rax, VMCS fields $vmcs.GUEST_RIP.`);
  }

  /** What a macro's name stands for where the frame is; undefined for no macro. Throws a UserError for one that is defined in several ways. */
  private macroNamed(name: string): MacroText | undefined {
    const frame = this.frame?.image;
    for (const image of this.images) {
      const macro = image.macros.find(name, frame && frame.image === image ? lookupAddress(this.frame!.frame) : undefined);
      if (!macro) continue;
      if ('ambiguous' in macro) throw new UserError('expression', `The macro ${name} is defined in several ways: ${macro.ambiguous.slice(0, 4).join(', ')}. Write its value, or build with -g3.`);
      return macro;
    }
    return undefined;
  }

  /** What a macro of C without parameters stands for, computed here. Throws a UserError when that is no expression. */
  private macro(name: string): Evaluated | undefined {
    // As the preprocessor does: a name inside of its own text is no macro any more.
    if (this.expanding.has(name)) return undefined;
    const macro = this.macroNamed(name);
    if (!macro) return undefined;
    if (macro.parameters) throw new UserError('expression', `${name} is a macro with parameters: write ${name}(${macro.parameters.join(', ')}).`);
    this.expanding.add(name);
    try {
      const value = this.compute(this.parse(macro.text).expression, false);
      return { ...value, value: { ...value.value, name } };
    } catch (error) {
      if (error instanceof UserError) throw new UserError('expression', `${name} is a macro that stands for "${macro.text}", which has no value here: ${error.message}`);
      throw error;
    } finally {
      this.expanding.delete(name);
    }
  }

  /** Of several static ones of a name the one of the file that the frame's code is of. */
  private nearest<T>(image: SymbolImage, candidates: readonly T[], unitOf: (candidate: T) => Unit): T | undefined {
    if (candidates.length < 2 || this.frame?.image?.image !== image) return candidates[0];
    const unit = image.functionAt(lookupAddress(this.frame.frame))?.die.unit;
    return candidates.find((c) => unitOf(c) === unit) ?? candidates[0];
  }

  private anyFrame() {
    return { pc: 0n, isCaller: false, bits: 64 as const, register: () => undefined, memory: this.reader.memory.bind(this.reader) };
  }

  private place(value: Value, { space, reader }: EvaluatedIn = this.common): Evaluated {
    return placed(this.target, this.frame, space, value, reader);
  }

  /** `gpa:0x6000` is a place in memory; `guest:ticks` is the guest's variable of that name. */
  private inSpace(space: SpaceName, operand: Expression, mayAssign: boolean): Evaluated {
    if ((space === 'vmm' || space === 'guest') && space !== this.world) {
      const other = new Evaluator(this.target, worldFrames(this.target, space)[0], this.facts, space);
      return other.inSpace(space, operand, mayAssign);
    }
    const inner = this.compute(operand, mayAssign);
    // `guest:idt()` asks the function about the guest.
    if (operand.kind === 'call' && (space === 'vmm' || space === 'guest')) return inner;
    if (inner.value.location.kind === 'memory' && (space === 'vmm' || space === 'guest')) return inner;
    const address = BigInt.asUintN(64, integer(decayed(inner)));
    const bare = stripped(inner.value.type);
    const type = bare.kind === 'pointer' ? inner.value.type : pointerTo(BYTE);
    const reader = space === this.world ? this.reader : spaceReader(this.target, space);
    return { ...computed(`${space}:${hex(address)}`, type, address, { space, reader }), node: bare.kind === 'pointer' ? undefined : memoryNode(this.target, space, address) };
  }

  private call(name: string, list: readonly Expression[], mayAssign: boolean): Evaluated {
    const { target, facts, world, common } = this;
    return inspect(name, list.map((e) => this.compute(e, mayAssign)), { target, facts, world, common, integer: (e) => integer(decayed(e)) });
  }

  private member(object: Evaluated, name: string, arrow: boolean): Evaluated {
    const bare = stripped(object.value.type);
    if (arrow && bare.kind !== 'pointer' && bare.kind !== 'array') throw new UserError('expression', `${object.value.name} is ${aType(object.value.type)}, not a pointer: write "." instead of "->".`);
    const struct = bare.kind === 'pointer' ? stripped(bare.target) : bare.kind === 'array' ? stripped(bare.element) : bare;
    if (struct.kind !== 'struct') throw new UserError('expression', `${object.value.name} is ${aType(object.value.type)} and has no members.`);
    const holder = bare.kind === 'array' ? elementOf(object.value, 0, object.reader) : bare.kind === 'pointer' && this.addressed ? this.pointee(object, `*${object.value.name}`).value : object.value;
    const found = holder && memberOf(holder, name, object.reader);
    if (found) return this.place({ ...found, name: `${object.value.name}${arrow ? '->' : '.'}${name}` }, object);
    if (bare.kind === 'pointer' && !this.readable(object)) throw new UserError('expression', `${object.value.name} points to nothing that can be read: ${hex(integer(object))}.`);
    const names = struct.members.map((m) => m.name).filter((n) => n !== '');
    throw new UserError('expression', `${typeName(struct)} has no member ${name}; it has ${names.join(', ')}.`);
  }

  private readable(pointer: Evaluated): boolean {
    return dereference(pointer.value, pointer.reader) !== undefined;
  }

  private element(declared: Evaluated, index: bigint): Evaluated {
    const object = { ...declared, value: readable(declared.value, declared.reader) };
    const bare = stripped(object.value.type);
    if (bare.kind === 'array' && object.value.location.kind !== 'memory') {
      const element = elementOf(object.value, Number(index), object.reader);
      if (element) return this.place({ ...element, name: `${object.value.name}[${index}]` }, object);
    }
    return this.pointee(offset(decayed(object), index), `${object.value.name}[${index}]`);
  }

  /** What a pointer points to. */
  private pointee(pointer: Evaluated, name: string): Evaluated {
    const bare = stripped(pointer.value.type);
    if (bare.kind !== 'pointer') throw new UserError('expression', `${pointer.value.name} is ${aType(pointer.value.type)}, not a pointer: cast it, as in *(uint64_t *)${pointer.value.name}.`);
    const target = stripped(bare.target);
    if (target.kind === 'void') throw new UserError('expression', `${pointer.value.name} is a void pointer: cast it to say what it points to.`);
    const address = integer(pointer);
    return this.place({ name, type: bare.target, location: { kind: 'memory', address } }, pointer);
  }

  private unary(e: Expression & { kind: 'unary' }, mayAssign: boolean): Evaluated {
    if (e.operator === '&') {
      const operand = this.addressing(() => this.compute(e.operand, mayAssign));
      const { name, type, location, bitField } = operand.value;
      if (location.kind !== 'memory' || bitField) throw new UserError('expression', `${name} is not in memory and has no address.`);
      return computed(`&${name}`, pointerTo(type, this.frame?.frame.bits === 32 ? 4 : 8), location.address, operand);
    }
    const operand = this.compute(e.operand, mayAssign);
    if (e.operator === '*') return this.pointee(decayed(operand), `*${operand.value.name}`);
    return operateUnary(e.operator, operand, this.common);
  }

  private binary(e: Expression & { kind: 'binary' }, mayAssign: boolean): Evaluated {
    const left = decayed(this.compute(e.left, mayAssign));
    if (e.operator === '&&' || e.operator === '||') {
      const decided = truth(left) === (e.operator === '||');
      const result = decided ? e.operator === '||' : truth(this.compute(e.right, mayAssign));
      return computed(e.operator, INT, result ? 1n : 0n, this.common);
    }
    return operate(e.operator, left, decayed(this.compute(e.right, mayAssign)), this.common);
  }

  private assign(e: Expression & { kind: 'assign' }, mayAssign: boolean): Evaluated {
    if (!mayAssign) throw new UserError('expression', 'An assignment changes the machine: write it in the Debug Console.');
    const target = this.compute(e.target, mayAssign);
    if (!target.store) throw new UserError('expression', `${target.value.name} has no place that could be assigned.`);
    // Registers are wider than any type of C.
    if (e.operator === undefined && e.target.kind === 'machine' && e.value.kind === 'number') {
      target.store(e.value.value);
      return this.compute(e.target, false);
    }
    let value = decayed(this.compute(e.value, mayAssign));
    if (e.operator !== undefined) value = operate(e.operator, target, value, this.common);
    target.store(numeric(value));
    return this.compute(e.target, false);
  }

  private findType(name: string): Type | undefined {
    for (const image of this.images) {
      const [type] = image.types(name);
      if (type) return type;
    }
    return builtInType(name);
  }

  private typeNamed(name: TypeName): Type {
    let type: Type | undefined = name.base === 'void' ? { kind: 'void' } : this.findType(name.base);
    if (!type) throw new UserError('expression', `There is no type ${name.base} here.`);
    for (const derived of name.derived) {
      if (derived.kind === 'pointer') type = pointerTo(type);
      else if (derived.kind === 'array') type = { kind: 'array', element: type, count: derived.count };
      else type = { kind: 'function', returns: type, parameters: derived.parameters.map((p) => this.typeNamed(p)), variadic: false, prototyped: true };
    }
    return type;
  }

  private sizeOf(type: Type): Evaluated {
    const size = sizeOf(type);
    if (size === undefined) throw new UserError('expression', `The size of ${typeName(type)} is not known.`);
    return computed('sizeof', UNSIGNED_LONG, BigInt(size), this.common);
  }

  /** Computes what stands behind `&` or `sizeof`: of that nothing has to be there. */
  private addressing(compute: () => Evaluated): Evaluated {
    const before = this.addressed;
    this.addressed = true;
    try {
      return compute();
    } finally {
      this.addressed = before;
    }
  }
}
