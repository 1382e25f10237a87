/** Breakpoints on lines, functions, instructions; VM exits and failures as exception filters. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import { UserError } from '../../base/errors';
import type { Breakpoint } from '../../debug/breakpoints/breakpoints';
import type { Debugger } from '../../debug/debugger';
import type { ExitBreakpointRequest } from '../../debug/exits/exitBreakpoints';
import type { World } from '../../debug/world';
import { behindName, exitMeant, exitOfFunctionName } from '../launch/breakOnExit';
import { isFailureFilter, requestOfFilter } from '../filters';
import { parseReference, referenceTo } from '../memoryReference';
import type { Handlers } from '../protocol';
import type { Session } from '../session';
import { placeOf } from '../sources';

async function told(session: Session, breakpoint: Breakpoint, original?: { source: DebugProtocol.Source; line: number }): Promise<DebugProtocol.Breakpoint> {
  const first = breakpoint.locations[0];
  const verified = breakpoint.message === undefined && first !== undefined;
  const answer: DebugProtocol.Breakpoint = {
    id: breakpoint.id,
    verified,
    message: breakpoint.message,
    instructionReference: first && referenceTo(first.world ?? 'vmm', first.address),
  };
  if (!verified) answer.reason = 'failed';
  if (original) {
    answer.source = original.source;
    answer.line = original.line;
  }
  if (breakpoint.image && breakpoint.file && breakpoint.line !== undefined) {
    const place = await placeOf(session, breakpoint.image.image, breakpoint.file, breakpoint.line);
    if (place.line > 0) answer.line = place.line;
    if (breakpoint.column) answer.column = session.format.column(breakpoint.column);
    if (!original) answer.source = place.source;
    else if (verified && place.line !== original.line) answer.message = `Line ${original.line} has no code: the breakpoint is on line ${place.line}.`;
  }
  if (breakpoint.locations.length > 1) answer.message ??= `Stops in ${breakpoint.locations.length} places.`;
  return answer;
}

/** `handle_* if $guest.rax == 1`: a condition behind the name counts where there is no other. */
function functionOf(text: string, condition: string | undefined): { name: string; condition: string | undefined } {
  const behind = behindName(text);
  return { name: behind.name, condition: condition ?? behind.condition };
}

/** The modes of a breakpoint: which world it stops. */
export const BREAKPOINT_MODES: DebugProtocol.BreakpointMode[] = [
  { mode: 'both', label: 'VMM and guest', description: 'Stops whichever of the two executes the code.', appliesTo: ['source', 'instruction', 'data'] },
  { mode: 'vmm', label: 'VMM', description: 'Stops the VMM only.', appliesTo: ['source', 'instruction', 'data'] },
  { mode: 'guest', label: 'Guest', description: 'Stops the guest only.', appliesTo: ['source', 'instruction', 'data'] },
  { mode: 'change', label: 'Change', description: 'Stops when the value becomes another one; writing the same value again does not count.', appliesTo: ['data'] },
];

/** The world that a mode means. Throws a UserError for a mode that does not exist. */
export function worldOfMode(mode: string | undefined): World | undefined {
  if (mode === undefined || mode === 'both') return undefined;
  if (mode === 'vmm' || mode === 'guest') return mode;
  throw new UserError('breakpoint', `There is no breakpoint mode "${mode}": the modes are vmm, guest and both.`);
}

export const breakpointHandlers = (session: Session): Handlers => ({
  async setBreakpoints(args: DebugProtocol.SetBreakpointsArguments) {
    const d = session.debugger;
    const path = session.format.fromPath(args.source.path ?? args.source.name ?? '');
    const requests: DebugProtocol.SourceBreakpoint[] = args.breakpoints ?? (args.lines ?? []).map((line) => ({ line }));
    const resolved = await Promise.all(
      requests.map(async ({ line, column, condition, hitCondition, logMessage, mode }) => {
        const asked = session.format.fromLine(line);
        const places = await Promise.all(d.target.images.images.map(async (image) => ({ image, ...(await session.run.sources.toImage(image.image, path, asked)) })));
        // Images that know more of the path know the file; the others merely have one of the same name.
        const best = Math.max(0, ...places.map((p) => p.fit));
        const files = places.filter((p) => p.fit === best && p.fit > 0).flatMap((p) => p.files.map((file) => ({ image: p.image, file, line: p.line })));
        return { asked, files, column: column === undefined ? undefined : session.format.fromColumn(column), options: { condition, hitCondition, logMessage, world: worldOfMode(mode) } };
      }),
    );
    const set = d.breakpoints.setSource(path, resolved);
    return { breakpoints: await Promise.all(set.map((b, i) => told(session, b, { source: args.source, line: requests[i]!.line }))) };
  },

  async breakpointLocations(args: DebugProtocol.BreakpointLocationsArguments) {
    const path = session.format.fromPath(args.source.path ?? '');
    const first = session.format.fromLine(args.line);
    const last = session.format.fromLine(args.endLine ?? args.line);
    const columns = new Map<number, Set<number>>();
    for (const { image } of session.debugger.target.images.images) {
      for (let line = first; line <= last; line++) {
        const at = await session.run.sources.toImage(image, path, line);
        for (const file of at.files) {
          if (image.addressesOf(file, at.line)[0]?.line !== at.line) continue;
          const here = columns.get(line) ?? new Set();
          for (const column of image.columnsOf(file, at.line)) here.add(column);
          columns.set(line, here);
        }
      }
    }
    // Columns bound the first and the last line only.
    const left = args.column === undefined ? 0 : session.format.fromColumn(args.column);
    const right = args.endColumn === undefined ? Infinity : session.format.fromColumn(args.endColumn);
    const isAsked = (line: number, column: number): boolean => (line > first || column >= left) && (line < last || column <= right);
    const breakpoints = [...columns].sort(([a], [b]) => a - b).flatMap(([line, here]): DebugProtocol.BreakpointLocation[] => {
      const told = session.format.line(line);
      if (here.size === 0) return [{ line: told }];
      return [...here].filter((column) => isAsked(line, column)).sort((a, b) => a - b).map((column) => ({ line: told, column: session.format.column(column) }));
    });
    return { breakpoints };
  },

  /** Functions; and, by the names `exit:CPUID` and `event:cr3`, what the filters stop at too, here with a count of hits. */
  async setFunctionBreakpoints(args: DebugProtocol.SetFunctionBreakpointsArguments) {
    const d = session.debugger;
    const parsed = args.breakpoints.map(({ name, condition, hitCondition }) => {
      try {
        const exit = exitOfFunctionName(name);
        return exit ? { exit: { ...exit, condition: condition ?? exit.condition, hitCondition } } : { fn: { ...functionOf(name, condition), hitCondition } };
      } catch (error) {
        if (error instanceof UserError) return { fault: error.message };
        throw error;
      }
    });
    const functions = [...d.breakpoints.setFunctions(parsed.flatMap((p) => p.fn ?? []))];
    const toldFunction = async (name: string): Promise<DebugProtocol.Breakpoint> => {
      const answer = await told(session, functions.shift()!);
      return answer.verified ? answer : { ...answer, message: [answer.message, exitMeant(name)].filter(Boolean).join(' ') };
    };
    const complaints = d.exitBreakpoints.set(parsed.flatMap((p) => p.exit ?? []), 'functions');
    const breakpoints: DebugProtocol.Breakpoint[] = [];
    for (const p of parsed) {
      const message = p.exit ? complaints.shift() : p.fault;
      breakpoints.push(p.fn ? await toldFunction(p.fn.name) : { verified: message === undefined, message, ...(message === undefined ? {} : { reason: 'failed' }) });
    }
    return { breakpoints };
  },

  async setInstructionBreakpoints(args: DebugProtocol.SetInstructionBreakpointsArguments) {
    const { target, breakpoints } = session.debugger;
    const set = breakpoints.setInstructions(
      args.breakpoints.map(({ instructionReference, offset, condition, hitCondition, mode }) => {
        const { space, address } = parseReference(instructionReference, target.world);
        if (space !== 'vmm' && space !== 'guest') throw new UserError('breakpoint', 'A breakpoint needs a linear address: vmm:0x... or guest:0x...');
        // The world of the address, unless a mode asks for another or for both.
        return { address: BigInt.asUintN(64, address + BigInt(offset ?? 0)), world: mode === undefined ? space : worldOfMode(mode), condition, hitCondition };
      }),
    );
    return { breakpoints: await Promise.all(set.map((b) => told(session, b))) };
  },

  setExceptionBreakpoints(args: DebugProtocol.SetExceptionBreakpointsArguments) {
    const wanted = [...args.filters.map((filterId) => ({ filterId, condition: undefined })), ...(args.filterOptions ?? [])];
    const d = session.debugger;
    const requests = wanted.map(({ filterId, condition }) => {
      const request = requestOfFilter(filterId);
      return request && { ...request, condition };
    });
    dropUnticked(d, requests);
    const exits = requests.filter((r) => r !== undefined);
    const complaints = d.exitBreakpoints.set(exits, 'filters');
    d.setFailures(new Set(wanted.map((w) => w.filterId).filter(isFailureFilter)));
    const breakpoints = wanted.map(({ filterId }, i): DebugProtocol.Breakpoint => {
      const request = requests[i];
      const message = request ? complaints[exits.indexOf(request)] : isFailureFilter(filterId) ? undefined : `There is no filter ${filterId}.`;
      return { verified: message === undefined, message };
    });
    return { breakpoints };
  },
});

/**
 * What launch.json's "breakOnExit" asks for holds besides the filters. But who ticks a filter and unticks it again means
 * that there are to be no such stops any more: the entries for the same exit go with it.
 */
function dropUnticked(d: Debugger, requests: readonly (ExitBreakpointRequest | undefined)[]): void {
  const same = (a: ExitBreakpointRequest, b: ExitBreakpointRequest): boolean => a.name === b.name && a.event === b.event;
  const unticked = d.exitBreakpoints.of('filters').filter((old) => !requests.some((r) => r && same(r, old)));
  if (unticked.length === 0) return;
  d.exitBreakpoints.set(d.exitBreakpoints.of('launch').filter((l) => !unticked.some((u) => same(u, l))), 'launch');
}
