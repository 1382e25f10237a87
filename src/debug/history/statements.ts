/** The statements of the function that the processor is in, and of its caller: where stepping back may stop. */
import { lookupAddress } from '../../symbols/frame';
import type { LineEntry, SymbolImage } from '../../symbols/image';
import { callerOf } from '../stack/callStack';
import { innermostFrame } from '../stack/innermostFrame';
import type { Target } from '../target';

export interface Statements {
  /** Everything to be watched for. */
  readonly addresses: ReadonlySet<bigint>;
  /** First instruction of the function: a call begins there. */
  readonly entry: bigint;
  /** Whether a canonical frame address is that of the present call, or of its caller; without call frame information every one is. */
  sameFrame(cfa: bigint | undefined): boolean;
  callersFrame(cfa: bigint | undefined): boolean;
  /** The line whose statement begins at an address, as a text that differs from line to line. */
  lineAt(pc: bigint): string | undefined;
  callersLineAt(pc: bigint): string | undefined;
}

type Lines = Map<bigint, string>;

/** Statements of the function at an address; those of the prologue are no places to stop. */
function linesOf(image: SymbolImage, address: bigint): { low: bigint; lines: Lines } | undefined {
  const fn = image.functionAt(address);
  const symbol = fn ? undefined : image.symbolAt(address);
  const lines: Lines = new Map();
  const add = (row: LineEntry): void => void (row.isStmt && row.line > 0 && lines.set(row.address, `${row.file.path}:${row.line}`));
  if (fn) {
    const body = image.afterPrologue(fn);
    for (const { low, high } of fn.ranges) for (const row of image.rows(low, high)) if (row.address >= body || low !== fn.low) add(row);
    return { low: fn.low, lines };
  }
  if (!symbol) return undefined;
  // Assembly: the rows around the address, up to the next symbol.
  const low = symbol.symbol.address;
  const high = symbol.symbol.size > 0n ? low + symbol.symbol.size : address + 0x400n;
  for (const row of image.rows(low, high)) if (image.symbolAt(row.address)?.symbol === symbol.symbol) add(row);
  return lines.size > 0 ? { low, lines } : undefined;
}

/** Undefined where there are no lines. */
export function statementsOf(target: Target): Statements | undefined {
  const { world } = target;
  const frame = innermostFrame(target, target.registers(world));
  const image = frame && target.images.at(world, frame.pc)?.image;
  const own = image && linesOf(image, frame.pc);
  if (!own || own.lines.size === 0) return undefined;
  const caller = callerOf(target, world, frame);
  const outer = caller && callerOf(target, world, caller.frame);
  const at = caller && lookupAddress(caller.frame);
  const callerImage = at === undefined ? undefined : target.images.at(world, at)?.image;
  const callers = callerImage && linesOf(callerImage, at!);
  const same = (wanted: bigint | undefined) => (cfa: bigint | undefined) => wanted === undefined || cfa === undefined || cfa === wanted;
  const isOwn = same(caller?.cfa);
  const recursive = callers?.low === own.low;
  const isCallers = same(outer?.cfa);
  return {
    addresses: new Set([own.low, ...own.lines.keys(), ...(callers?.lines.keys() ?? [])]),
    entry: own.low,
    sameFrame: isOwn,
    callersFrame: (cfa) => caller !== undefined && (!recursive || cfa !== undefined) && isCallers(cfa),
    lineAt: (pc) => own.lines.get(pc),
    callersLineAt: (pc) => callers?.lines.get(pc),
  };
}
