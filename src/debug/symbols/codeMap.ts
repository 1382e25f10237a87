/** What the symbol images say about addresses of a world, checked against the bytes in its memory. */
import type { FunctionInfo, LineEntry, SymbolImage } from '../../symbols/image';
import { contains } from '../../symbols/dwarf/ranges';
import type { World } from '../world';
import type { ImageSet } from './imageSet';

export interface CodeLine {
  /** `line` is never 0. */
  entry: LineEntry;
  /** First address of the function that holds it. */
  functionLow: bigint | undefined;
  /** The line is one of an assembly file. */
  assembly: boolean;
  /** The calls inlined there, outermost first, as numbers that tell them apart. */
  inlines: readonly number[];
}

/** Names of assembly files, and of what they include. */
export const ASSEMBLY = /\.(s|asm|nasm|inc)$/i;

/** The line that makes a call, and the function called. */
export interface CallSite {
  name: string;
  path: string;
  line: number;
}

export class CodeMap {
  private readonly compiled = new WeakMap<SymbolImage, boolean>();
  private readonly statements = new WeakMap<FunctionInfo, readonly bigint[]>();

  constructor(private readonly images: ImageSet) {}

  /** The line of an address, undefined where there is none; with `around` code of no line counts as what is before it in its function. */
  lineAt(world: World, pc: bigint, around = false): CodeLine | undefined {
    const image = this.images.at(world, pc)?.image;
    const entry = around ? image?.lineAround(pc) : image?.lineAt(pc);
    if (!image || !entry || entry.line === 0) return undefined;
    return { entry, functionLow: image.functionAt(pc)?.low, assembly: ASSEMBLY.test(entry.file.path), inlines: image.inlinedAt(pc).map((call) => call.die.identity).reverse() };
  }

  /** Whether the symbols of the code at an address know of other sources than assembly. Of a large image they are not looked through: it has. */
  isCompiled(world: World, pc: bigint): boolean {
    const image = this.images.at(world, pc)?.image;
    if (!image) return false;
    let compiled = this.compiled.get(image);
    if (compiled === undefined) this.compiled.set(image, (compiled = image.isLarge || image.files().some(({ path }) => !ASSEMBLY.test(path))));
    return compiled;
  }

  /**
   * Of the calls inlined at an address those whose code begins there, or goes on behind other code, outermost first. A
   * processor that has arrived there can be said to be in front of them as well as in them.
   */
  callsBeginning(world: World, pc: bigint): readonly CallSite[] {
    const calls = this.images.at(world, pc)?.image.inlinedAt(pc) ?? [];
    const sites: CallSite[] = [];
    for (const { name, low, ranges, callFile, callLine } of calls) {
      const begins = low === pc || (contains(ranges, pc) && !contains(ranges, pc - 1n));
      if (!begins || !callFile || callLine === undefined) break;
      sites.unshift({ name, path: callFile.path, line: callLine });
    }
    return sites;
  }

  /** When `pc` is the first instruction of a function: where its body begins, behind the prologue. */
  bodyOf(world: World, pc: bigint): bigint | undefined {
    const image = this.images.at(world, pc)?.image;
    const fn = image?.functionAt(pc);
    return image && fn && fn.low === pc ? image.afterPrologue(fn) : undefined;
  }

  /** Where the statements of the function around an address begin. */
  statementsAround(world: World, pc: bigint): readonly bigint[] {
    const image = this.images.at(world, pc)?.image;
    const fn = image?.functionAt(pc);
    if (!image || !fn) return [];
    let known = this.statements.get(fn);
    if (!known) {
      const rows = fn.ranges.flatMap(({ low, high }) => [...image.rows(low, high)]);
      known = [...new Set(rows.filter((row) => row.isStmt && row.line > 0 && row.address !== fn.low).map((row) => row.address))];
      this.statements.set(fn, known);
    }
    return known;
  }

  /** Whether `pc` is the first instruction of a function or symbol. */
  isFunctionStart(world: World, pc: bigint): boolean {
    return this.images.at(world, pc)?.image.symbolAt(pc)?.offset === 0n;
  }
}
