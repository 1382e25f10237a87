import { At, Tag } from './dwarf/constants';
import { Die } from './dwarf/die';
import { FunctionInfo, Functions } from './functions';

/** DW_OP_reg0 and the last of its kind, and DW_OP_regx. */
const REG0 = 0x50;
const REG31 = 0x6f;

const isCallSite = (die: Die): boolean => die.tag === Tag.call_site || die.tag === Tag.GNU_call_site;
const isTailCall = (site: Die): boolean => site.flag(At.call_tail_call) || site.flag(At.call_all_tail_calls) || site.flag(At.GNU_tail_call);

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
    return low === undefined ? target.name === fn.name : low === fn.low;
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

  /**
   * The call that led to a function, when it returns to `back`; undefined where none is described, or the function was
   * come to by a jump from the one that was called.
   */
  callTo(fn: FunctionInfo, back: bigint): Die | undefined {
    const caller = this.functions.at(back - 1n);
    const site = caller && this.callsOf(caller).sites.get(back);
    if (!site) return undefined;
    const target = this.targetOf(site);
    // A call through a pointer may have led to any function; the one it was made for is the one that runs, unless that jumped on.
    if (target && !this.leadsTo(target, fn)) return undefined;
    return this.mayReturnToItself(fn) ? undefined : site;
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
