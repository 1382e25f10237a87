import { At, Tag } from './dwarf/constants';
import { Die } from './dwarf/die';
import { FunctionInfo, Functions } from './functions';

/** DW_OP_reg0 and the last of its kind, and DW_OP_regx. */
const REG0 = 0x50;
const REG31 = 0x6f;

const isCallSite = (die: Die): boolean => die.tag === Tag.call_site || die.tag === Tag.GNU_call_site;
const isTailCall = (site: Die): boolean => site.flag(At.call_tail_call) || site.flag(At.call_all_tail_calls) || site.flag(At.GNU_tail_call);

/** What the linker calls a function that is declared: gcc names `memchr` __builtin_memchr where it knows what it does. */
const linkedName = (declared: Die): string | undefined => declared.string(At.linkage_name) ?? declared.string(At.MIPS_linkage_name) ?? declared.name;

/** Longer chains of jumps from function to function are not followed. */
const MOST_TAIL_CALLS = 5;

/** The calls of a function that debug information describes (DWARF 5, "Call Site Entries"; GNU's before that). */
interface Calls {
  /** By return address. */
  readonly sites: ReadonlyMap<bigint, Die>;
  readonly tailCalls: readonly Die[];
}

/** What callers passed: how a register or parameter had been set when a function was called. */
export class CallSites {
  private readonly known = new Map<number, Calls>();

  constructor(private readonly functions: Functions) {}

  private callsOf(fn: FunctionInfo): Calls {
    const key = fn.die.identity;
    let calls = this.known.get(key);
    if (calls) return calls;
    const sites = new Map<bigint, Die>();
    const tailCalls: Die[] = [];
    const visit = (parent: Die): void => {
      for (const die of parent.children()) {
        if (die.tag === Tag.lexical_block || die.tag === Tag.inlined_subroutine) visit(die);
        if (!isCallSite(die)) continue;
        const back = die.address(At.call_return_pc) ?? die.address(At.low_pc);
        if (back !== undefined) sites.set(back, die);
        if (isTailCall(die)) tailCalls.push(die);
      }
    };
    visit(fn.die);
    this.known.set(key, (calls = { sites, tailCalls }));
    return calls;
  }

  /** The function that a call leads to, as declared where the call is; undefined for a call through a pointer. */
  private targetOf(site: Die): Die | undefined {
    return site.reference(At.call_origin) ?? site.reference(At.abstract_origin);
  }

  private leadsTo(target: Die, fn: FunctionInfo): boolean {
    const low = target.address(At.low_pc);
    if (low !== undefined) return low === fn.low;
    const name = linkedName(target);
    return name !== undefined && (name === (fn.linkageName ?? fn.name) || name === fn.name);
  }

  /** Whether a function may have been left by jumps and come to again: then its caller's call says nothing of it. */
  private mayReturnToItself(fn: FunctionInfo): boolean {
    const seen = new Set<number>();
    const todo = [fn];
    for (let from = todo.pop(); from; from = todo.pop()) {
      for (const site of this.callsOf(from).tailCalls) {
        const target = this.targetOf(site);
        if (!target) continue;
        if (this.leadsTo(target, fn)) return true;
        const low = target.address(At.low_pc);
        const next = low === undefined ? undefined : this.functions.at(low);
        if (!next || seen.has(next.die.identity)) continue;
        seen.add(next.die.identity);
        todo.push(next);
      }
    }
    return false;
  }

  /** The function with code that a DIE declares or defines. */
  private defined(target: Die): FunctionInfo | undefined {
    const low = target.address(At.low_pc);
    if (low !== undefined) return this.functions.at(low);
    const linked = linkedName(target);
    const found = linked === undefined ? [] : this.functions.find(linked);
    const named = found.length === 0 && target.name !== undefined ? this.functions.find(target.name) : found;
    return named.length === 1 ? named[0] : named.find((fn) => fn.die.unit === target.unit);
  }

  /** The tail calls that lead from one function to another, where there is one way alone. */
  private tailCalls(from: FunctionInfo, to: FunctionInfo): Die[] | undefined {
    const ways: Die[][] = [];
    const seen = new Set<number>();
    const follow = (fn: FunctionInfo, way: Die[]): void => {
      if (way.length > MOST_TAIL_CALLS || seen.has(fn.die.identity) || ways.length > 1) return;
      seen.add(fn.die.identity);
      for (const site of this.callsOf(fn).tailCalls) {
        const target = this.targetOf(site);
        if (target && this.leadsTo(target, to)) ways.push([...way, site]);
        else {
          const next = target && this.defined(target);
          if (next) follow(next, [...way, site]);
        }
      }
      seen.delete(fn.die.identity);
    };
    follow(from, []);
    return ways.length === 1 ? ways[0] : undefined;
  }

  /**
   * The calls that led to a function which returns to `back`: the call there, and the tail calls behind it. Undefined
   * where they are not described, or more than one way leads there.
   */
  callsTo(fn: FunctionInfo, back: bigint): Die[] | undefined {
    const caller = this.functions.at(back - 1n);
    const site = caller && this.callsOf(caller).sites.get(back);
    if (!site || this.mayReturnToItself(fn)) return undefined;
    const target = this.targetOf(site);
    // A call through a pointer may have led to any function; the one it was made for is the one that runs, unless that jumped on.
    if (!target || this.leadsTo(target, fn)) return [site];
    const called = this.defined(target);
    const rest = called && this.tailCalls(called, fn);
    return rest && [site, ...rest];
  }

  private parameters(site: Die): Die[] {
    return [...site.children()].filter((die) => die.tag === Tag.call_site_parameter || die.tag === Tag.GNU_call_site_parameter);
  }

  /** The expression, to be computed in the caller, of what a register (by the image's number) had at a call. */
  passedIn(site: Die, register: number): Uint8Array | undefined {
    const parameter = this.parameters(site).find((die) => {
      const location = die.block(At.location);
      return location?.length === 1 && location[0]! >= REG0 && location[0]! <= REG31 && location[0]! - REG0 === register;
    });
    return parameter && this.valueOf(parameter);
  }

  /** The same of a parameter that the callee declares. */
  passedAs(site: Die, declared: Die): Uint8Array | undefined {
    const parameter = this.parameters(site).find((die) => (die.reference(At.call_parameter) ?? die.reference(At.abstract_origin))?.identity === declared.identity);
    return parameter && this.valueOf(parameter);
  }

  private valueOf(parameter: Die): Uint8Array | undefined {
    return parameter.block(At.call_value) ?? parameter.block(At.GNU_call_site_value);
  }
}
