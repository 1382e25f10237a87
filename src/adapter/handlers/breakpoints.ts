/** Breakpoints on lines, functions, instructions; VM exits and failures as exception filters. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import { UserError } from '../../base/errors';
import type { Breakpoint } from '../../debug/breakpoints/breakpoints';
import type { ExitBreakpointRequest } from '../../debug/exits/exitBreakpoints';
import type { World } from '../../debug/world';
import { exceptionFilters, exitOfFilter } from '../filters';
import { exitRequest } from '../launch/breakOnExit';
import { parseReference, referenceTo } from '../memoryReference';
import type { Handlers } from '../protocol';
import type { Session } from '../session';
import { placeOf } from '../sources';

async function told(session: Session, breakpoint: Breakpoint, original?: { source: DebugProtocol.Source; line: number }): Promise<DebugProtocol.Breakpoint> {
  const first = breakpoint.locations[0];
  const answer: DebugProtocol.Breakpoint = {
    id: breakpoint.id,
    verified: breakpoint.message === undefined && first !== undefined,
    message: breakpoint.message,
    instructionReference: first && referenceTo(first.world ?? 'vmm', first.address),
  };
  if (original) {
    answer.source = original.source;
    answer.line = original.line;
  }
  if (breakpoint.image && breakpoint.file && breakpoint.line !== undefined) {
    const place = await placeOf(session, breakpoint.image.image, breakpoint.file, breakpoint.line);
    if (place.line > 0) answer.line = place.line;
    if (!original) answer.source = place.source;
  }
  return answer;
}

export const breakpointHandlers = (session: Session): Handlers => ({
  async setBreakpoints(args: DebugProtocol.SetBreakpointsArguments) {
    const d = session.debugger;
    const path = session.format.fromPath(args.source.path ?? args.source.name ?? '');
    const requests = args.breakpoints ?? (args.lines ?? []).map((line) => ({ line }));
    const answers: DebugProtocol.Breakpoint[] = [];
    const resolved = await Promise.all(
      requests.map(async ({ line, condition, hitCondition, logMessage }: DebugProtocol.SourceBreakpoint) => {
        const places = await Promise.all(d.target.images.images.map(async (image) => ({ image, ...(await session.run.sources.toImage(image.image, path, session.format.fromLine(line))) })));
        // Images that know more of the path know the file; the others merely have one of the same name.
        const best = Math.max(0, ...places.map((p) => p.fit));
        const files = places.filter((p) => p.fit === best && p.fit > 0).flatMap((p) => p.files.map((file) => ({ image: p.image, file, line: p.line })));
        return { files, options: { condition, hitCondition, logMessage } };
      }),
    );
    const set = d.breakpoints.setSource(path, resolved);
    for (let i = 0; i < set.length; i++) answers.push(await told(session, set[i]!, { source: args.source, line: requests[i]!.line }));
    return { breakpoints: answers };
  },

  async breakpointLocations(args: DebugProtocol.BreakpointLocationsArguments) {
    const path = session.format.fromPath(args.source.path ?? '');
    const lines = new Set<number>();
    for (const { image } of session.debugger.target.images.images) {
      for (let line = session.format.fromLine(args.line); line <= session.format.fromLine(args.endLine ?? args.line); line++) {
        const at = await session.run.sources.toImage(image, path, line);
        if (at.files.some((file) => image.addressesOf(file, at.line)[0]?.line === at.line)) lines.add(line);
      }
    }
    return { breakpoints: [...lines].sort((a, b) => a - b).map((line) => ({ line: session.format.line(line) })) };
  },

  async setFunctionBreakpoints(args: DebugProtocol.SetFunctionBreakpointsArguments) {
    const set = session.debugger.breakpoints.setFunctions(args.breakpoints.map(({ name, condition, hitCondition }) => ({ name, condition, hitCondition })));
    return { breakpoints: await Promise.all(set.map((b) => told(session, b))) };
  },

  async setInstructionBreakpoints(args: DebugProtocol.SetInstructionBreakpointsArguments) {
    const { target, breakpoints } = session.debugger;
    const set = breakpoints.setInstructions(
      args.breakpoints.map(({ instructionReference, offset, condition, hitCondition }) => {
        const { space, address } = parseReference(instructionReference, target.world);
        if (space !== 'vmm' && space !== 'guest') throw new UserError('breakpoint', 'A breakpoint needs a linear address: vmm:0x... or guest:0x...');
        return { address: address + BigInt(offset ?? 0), world: space as World, condition, hitCondition };
      }),
    );
    return { breakpoints: await Promise.all(set.map((b) => told(session, b))) };
  },

  setExceptionBreakpoints(args: DebugProtocol.SetExceptionBreakpointsArguments) {
    const wanted = [...args.filters.map((filterId) => ({ filterId, condition: undefined })), ...(args.filterOptions ?? [])];
    const known = new Set(exceptionFilters().map((f) => f.filter));
    const exits: ExitBreakpointRequest[] = [];
    const failures = new Set<string>();
    const answers: DebugProtocol.Breakpoint[] = [];
    for (const { filterId, condition } of wanted) {
      const name = exitOfFilter(filterId);
      if (name === null) failures.add(filterId);
      else exits.push({ name, condition });
      answers.push({ verified: known.has(filterId), message: known.has(filterId) ? undefined : `There is no filter ${filterId}.` });
    }
    session.debugger.setFailures(failures);
    // Those of the launch configuration hold besides.
    const complaints = session.debugger.exitBreakpoints.set([...exits, ...session.run.configuration.breakOnExit.map(exitRequest)]);
    let exit = 0;
    wanted.forEach(({ filterId }, i) => {
      if (exitOfFilter(filterId) === null) return;
      const complaint = complaints[exit++];
      if (complaint !== undefined) answers[i] = { verified: false, message: complaint };
    });
    return { breakpoints: answers };
  },
});
