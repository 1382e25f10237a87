import { At, Tag } from './dwarf/constants';
import { Die } from './dwarf/die';
import { AddressRange, beginsAt, contains, rangesOf } from './dwarf/ranges';
import { Unit } from './dwarf/unit';
import { UnitIndex } from './dwarf/unitIndex';
import { entryOf, Lines, SourceFile } from './lines';
import { NameIndex } from './nameIndex';

/** A function that has code of its own (an out-of-line copy), or one inlined into another. */
export interface FunctionInfo {
  /** The name in the source. */
  readonly name: string;
  /** The name in the symbol table where it differs. */
  readonly linkageName?: string;
  /** First address. */
  readonly low: bigint;
  /** All code, in the order the compiler lists it: hot part first. */
  readonly ranges: readonly AddressRange[];
  readonly file?: SourceFile;
  /** Line of the declaration. */
  readonly line?: number;
  readonly external: boolean;
  readonly die: Die;
}

/** A call that was inlined at an address: the function called, and where the call is written. */
export interface InlinedCall extends FunctionInfo {
  readonly callFile?: SourceFile;
  readonly callLine?: number;
  readonly callColumn?: number;
}

/** What has code inside of a function. */
const NESTED: ReadonlySet<number> = new Set([Tag.lexical_block, Tag.inlined_subroutine]);

const wildcard = (pattern: string): RegExp =>
  new RegExp('^' + pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&').replace(/\*/g, '.*').replace(/\?/g, '.') + '$');

/** What the symbol table calls an address. */
const symbolName = (unit: Unit, address: bigint): string | undefined => {
  const { symbols } = unit.sections.elf;
  const before = symbols.countUpTo(address);
  const symbol = before > 0 ? symbols.at(before - 1) : undefined;
  return symbol?.address === address ? symbol.name : undefined;
};

/** A DIE that has code, and what is known of where. */
interface Code {
  readonly die: Die;
  /** Where it begins; undefined for one that DW_AT_ranges describes. */
  readonly low: bigint | undefined;
  ranges?: readonly AddressRange[];
}

/** The DIEs that have code. Thousands are looked at for one that is wanted: no more than where they begin is read. */
const withCode = (dies: Iterable<Die>): Code[] => {
  const list: Code[] = [];
  for (const die of dies) {
    if (die.has(At.ranges)) list.push({ die, low: undefined });
    else if (die.has(At.low_pc)) list.push({ die, low: die.address(At.low_pc) });
  }
  return list;
};

/** The one whose code covers an address. */
const covering = (list: readonly Code[], address: bigint): Code | undefined => {
  let nearest: Code | undefined;
  for (const code of list) {
    if (code.low === undefined) {
      if (contains((code.ranges ??= codeOf(code.die)), address)) return code;
    } else if (code.low <= address && (nearest === undefined || code.low >= nearest.low!)) nearest = code;
  }
  return nearest && contains((nearest.ranges ??= codeOf(nearest.die)), address) ? nearest : undefined;
};

/** Where a DIE has code. Functions that the linker dropped keep address 0 and are no code of the image. */
const codeOf = (die: Die): AddressRange[] => rangesOf(die).filter(({ low }) => die.unit.sections.elf.isCode(low));

/** Functions of an image by address and by name; each unit is read when a question touches it. */
export class Functions {
  private readonly byUnit = new Map<Unit, Code[]>();
  /** Functions inside of functions. */
  private readonly innerByUnit = new Map<Unit, Code[]>();
  private readonly byDie = new Map<number, FunctionInfo>();

  constructor(
    private readonly units: UnitIndex,
    private readonly lines: Lines,
    private readonly names: NameIndex,
  ) {}

  /** Describes a DIE of a function with code. */
  describe(die: Die, ranges: readonly AddressRange[] = rangesOf(die)): FunctionInfo {
    const declared = die.holder(At.decl_line);
    const line = declared?.number(At.decl_line);
    const fileIndex = declared?.number(At.decl_file);
    const low = die.address(At.low_pc) ?? die.address(At.entry_pc) ?? ranges[0]?.low ?? 0n;
    // A name can be in a debug file that is missing.
    const name = die.name ?? symbolName(die.unit, low) ?? '';
    const linkage = die.holder(At.linkage_name)?.string(At.linkage_name) ?? die.holder(At.MIPS_linkage_name)?.string(At.MIPS_linkage_name);
    return {
      name,
      linkageName: linkage === name ? undefined : linkage,
      low,
      ranges,
      file: declared && fileIndex !== undefined ? this.lines.file(declared.unit, fileIndex) : undefined,
      line,
      external: die.holder(At.external)?.flag(At.external) ?? false,
      die,
    };
  }

  /** The function of a unit whose code covers an address. */
  private inUnit(unit: Unit, address: bigint): Code | undefined {
    const found = covering(entryOf(this.byUnit, unit, () => withCode(unit.tree.functions())), address);
    // Code of functions inside of functions lies beside theirs.
    return found ?? covering(entryOf(this.innerByUnit, unit, () => withCode(unit.tree.functionsInFunctions())), address);
  }

  /** The function whose code covers an address; the innermost where GNU C nests them. */
  at(address: bigint): FunctionInfo | undefined {
    for (const unit of this.units.at(address)) {
      const found = this.inUnit(unit, address);
      if (found) return this.known(found.die, found.ranges!);
    }
    return undefined;
  }

  /** Functions whose name (or linkage name) matches; `*` and `?` stand for any text and any character. */
  find(nameOrPattern: string): FunctionInfo[] {
    const names = this.matching('function', nameOrPattern);
    const found = new Set<FunctionInfo>();
    for (const name of names) {
      for (const die of this.names.find('function', name)) {
        const ranges = codeOf(die);
        if (ranges.length > 0) found.add(this.known(die, ranges));
      }
    }
    return [...found];
  }

  /** How many names of functions a pattern stands for, inlined ones too. */
  count(pattern: string): number {
    return new Set([...this.matching('function', pattern), ...this.matching('inlined', pattern)]).size;
  }

  private matching(kind: 'function' | 'inlined', nameOrPattern: string): string[] {
    if (!/[*?]/.test(nameOrPattern)) return [nameOrPattern];
    const pattern = wildcard(nameOrPattern);
    return [...this.names.names(kind)].filter((name) => pattern.test(name));
  }

  /** The functions of a name or pattern that were inlined somewhere: the unit that has each, and its identity there. */
  inlined(nameOrPattern: string): { name: string; unit: Unit; identity: number }[] {
    return this.matching('inlined', nameOrPattern).flatMap((name) => this.names.entries('inlined', name).map(({ unit, offset }) => ({ name, unit, identity: unit.firstIdentity + offset })));
  }

  /** One object per function, so that it is known again. */
  private known(die: Die, ranges: readonly AddressRange[]): FunctionInfo {
    let info = this.byDie.get(die.identity);
    if (!info) this.byDie.set(die.identity, (info = this.describe(die, ranges)));
    return info;
  }

  /** DIEs from the function's inwards whose code covers an address: blocks and inlined calls, outermost first. */
  *nest(die: Die, address: bigint): IterableIterator<Die> {
    for (const child of die.children(NESTED)) {
      const ranges = rangesOf(child);
      // A block without code of its own may still contain some.
      if (ranges.length > 0 && !contains(ranges, address) && !beginsAt(child, address)) continue;
      const inner = [...this.nest(child, address)];
      if (ranges.length === 0 && inner.length === 0) continue;
      if (ranges.length > 0) yield child;
      yield* inner;
      return;
    }
  }

  /** Calls that are inlined at an address, innermost first. */
  inlinedAt(address: bigint): InlinedCall[] {
    const outer = this.at(address);
    if (!outer) return [];
    const calls: InlinedCall[] = [];
    for (const die of this.nest(outer.die, address)) {
      if (die.tag !== Tag.inlined_subroutine) continue;
      const fileIndex = die.number(At.call_file);
      calls.unshift({
        ...this.describe(die),
        callFile: fileIndex === undefined ? undefined : this.lines.file(die.unit, fileIndex),
        callLine: die.number(At.call_line),
        callColumn: die.number(At.call_column),
      });
    }
    return calls;
  }
}
