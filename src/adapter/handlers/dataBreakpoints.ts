/** Data breakpoints: what can be watched, from the Variables pane or by name, and the breakpoints themselves. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import { hex } from '../../base/bits';
import { attempt, UserError } from '../../base/errors';
import type { AccessType, DataBreakpoint, DataRequest } from '../../debug/watch/dataBreakpoints';
import { describe, nameOf, watchableNamed, type Watchable } from '../../debug/watch/watchable';
import { sizeOf } from '../../symbols/types';
import { integerOf } from '../../symbols/values';
import type { Handlers } from '../protocol';
import type { Session } from '../session';
import { worldOfMode } from './breakpoints';
import { frameOf } from './variables';

/** The mode of a data breakpoint that waits for another value. */
const CHANGE = 'change';

/** `vmm:0x1000+8!change guest->lapic`: what is watched, a mode, and what the user calls it. */
const DATA_ID = /^(\S+?)(?:!([a-z]+))?(?: (.*))?$/;

/** An expression in an address space. */
const IN_SPACE = /^\s*(vmm|guest|gpa|hpa)\s*:/;

/** What a name, or a line of the Variables pane, stands for. Throws a UserError that says why it cannot be watched. */
function watchable(session: Session, args: DebugProtocol.DataBreakpointInfoArguments): { watched: Watchable; label: string } {
  const { target } = session.debugger;
  const { name } = args;
  if (args.variablesReference) {
    const node = session.references.named(args.variablesReference, name);
    const found = watchableNamed(node?.watch ?? node?.evaluateName ?? '', target.world);
    if (!found) throw new UserError('data-breakpoint', `${name} is nowhere that could be watched.`);
    return { watched: found, label: node?.evaluateName ?? name };
  }
  const frame = frameOf(session, args.frameId);
  const world = frame?.world ?? target.world;
  const bare = /^(0x[0-9a-f]+|[0-9]+)$/i.test(name.trim()) ? `${world}:${name.trim()}` : name.trim();
  const named = watchableNamed(bare, world);
  if (named) return { watched: named.kind === 'memory' && args.bytes ? { ...named, length: args.bytes } : named, label: name };
  const { result } = session.debugger.evaluator(frame).evaluate(name, false);
  const { value, space } = result;
  // `$vmcs(guest.vmcs).GUEST_RIP`: the row knows by which address the field is watched.
  const ofRow = result.node?.watch === undefined ? undefined : watchableNamed(result.node.watch, world);
  if (ofRow) return { watched: ofRow, label: name };
  // `gpa:` in front of an expression makes it the address of what is meant, as in memory views.
  const isAddress = args.asAddress === true || (IN_SPACE.test(name) && value.location.kind !== 'memory');
  const address = isAddress ? integerOf(value, result.reader) : value.location.kind === 'memory' ? value.location.address : undefined;
  if (address === undefined) throw new UserError('data-breakpoint', `${name} is a value that is in no memory: watch a variable, an address such as vmm:0x1000, a register such as $cr3, or a field such as $vmcs.GUEST_RIP.`);
  return { watched: { kind: 'memory', space, address: BigInt.asUintN(64, address), length: args.bytes ?? (isAddress ? 8 : (sizeOf(value.type) ?? 8)) }, label: args.asAddress ? `${args.bytes ?? 8} bytes at ${hex(address)}` : name };
}

function requestOf(session: Session, { dataId, accessType, condition, hitCondition }: DebugProtocol.DataBreakpoint): DataRequest {
  const [, name = '', mode, label] = DATA_ID.exec(dataId) ?? [];
  const watched = watchableNamed(name, session.debugger.target.world);
  if (!watched) throw new UserError('data-breakpoint', `"${dataId}" is nothing that could be watched.`);
  const access: AccessType = mode === CHANGE ? 'change' : (accessType ?? 'write');
  return { watched, access, label: label ?? nameOf(watched), condition, hitCondition, world: mode === CHANGE ? undefined : worldOfMode(mode) };
}

/** A data breakpoint as the client is told it; one on guest-physical memory that EPT does not map waits. */
function told(session: Session, made: DataBreakpoint): DebugProtocol.Breakpoint {
  const { id, message } = made;
  if (message !== undefined) return { id, verified: false, reason: 'failed', message };
  const waits = session.debugger.data.waitsForMapping(made);
  return waits === undefined ? { id, verified: true } : { id, verified: false, reason: 'pending', message: `EPT does not map ${hex(waits)} of the guest now: it is watched from when it does.` };
}

/** Tells at each stop of the breakpoints that no longer wait, or wait again. */
class Waiting {
  private known: { breakpoint: DataBreakpoint; verified: boolean }[] = [];

  constructor(private readonly session: Session) {
    session.atStop.push(() => this.look());
  }

  set(breakpoints: readonly DataBreakpoint[]): void {
    this.known = breakpoints.map((breakpoint) => ({ breakpoint, verified: told(this.session, breakpoint).verified }));
  }

  private look(): void {
    for (const entry of this.known) {
      const breakpoint = told(this.session, entry.breakpoint);
      if (breakpoint.verified === entry.verified) continue;
      entry.verified = breakpoint.verified;
      this.session.protocol.event('breakpoint', { reason: 'changed', breakpoint });
    }
  }
}

export const dataBreakpointHandlers = (session: Session, waiting = new Waiting(session)): Handlers => ({
  dataBreakpointInfo(args: DebugProtocol.DataBreakpointInfoArguments): DebugProtocol.DataBreakpointInfoResponse['body'] {
    session.requireStopped();
    try {
      const { watched, label } = watchable(session, args);
      if (args.mode !== undefined && args.mode !== CHANGE) worldOfMode(args.mode);
      const local = frameOf(session, args.frameId) && watched.kind === 'memory' && watched.space !== 'gpa' && watched.space !== 'hpa';
      return {
        dataId: `${nameOf(watched)}${args.mode === undefined || args.mode === 'both' ? '' : `!${args.mode}`} ${label}`,
        description: `${label}: ${describe(watched)}`,
        accessTypes: ['read', 'write', 'readWrite'],
        // A variable of the stack means nothing in the next session.
        canPersist: !local,
      };
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      return { dataId: null, description: error.message };
    }
  },

  setDataBreakpoints(args: DebugProtocol.SetDataBreakpointsArguments) {
    const requests = args.breakpoints.map((breakpoint) => attempt(() => requestOf(session, breakpoint)));
    const set: readonly DataBreakpoint[] = session.debugger.data.set(requests.filter((r): r is DataRequest => !(r instanceof UserError)));
    waiting.set(set);
    let next = 0;
    const breakpoints = requests.map((request): DebugProtocol.Breakpoint => (request instanceof UserError ? { verified: false, reason: 'failed', message: request.message } : told(session, set[next++]!)));
    return { breakpoints };
  },
});
