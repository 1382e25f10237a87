/** Data breakpoints of rows in views: VS Code lets extensions set none, so that the adapter keeps them, and the rows show them. */
import { UserError } from '../base/errors';
import type { InspectionNode } from '../debug/inspect/node';
import { describe, nameOf, watchableNamed, type Watchable } from '../debug/watch/watchable';
import type { BreakOnDataArguments, BreakOnDataResponse, DataAccess } from './messages';
import type { Session } from './session';

const ACCESSES: readonly DataAccess[] = ['change', 'read', 'readWrite'];

/** What a row stands for, where that can be watched: RIP, or a part of a register, cannot. */
function watchableOf(session: Session, expression: string | undefined): Watchable | undefined {
  if (expression?.startsWith('$') !== true) return undefined;
  try {
    return watchableNamed(expression, session.debugger.target.world);
  } catch (error) {
    if (error instanceof UserError) return undefined;
    throw error;
  }
}

/** Sets, replaces or removes the breakpoint of a row. Throws a UserError for a row that cannot be watched. */
export function breakOnData(session: Session, { expression, access }: BreakOnDataArguments): BreakOnDataResponse {
  session.requireStopped();
  const watched = watchableOf(session, expression);
  if (!watched) throw new UserError('data-breakpoint', `${expression} cannot be watched: registers other than RIP, MSRs and VMCS fields can.`);
  if (access !== undefined && !ACCESSES.includes(access)) throw new UserError('data-breakpoint', `"access" is ${ACCESSES.join(', ')}.`);
  const { data } = session.debugger;
  const name = nameOf(watched);
  const others = data.of('view').filter((request) => nameOf(request.watched) !== name);
  data.set(access === undefined ? others : [...others, { watched, access, label: expression }], 'view');
  return { description: describe(watched) };
}

/** Whether a row can be watched, and how it is. */
export function breakMarks(session: Session, node: InspectionNode): { breakable?: true; breaksOn?: DataAccess } {
  const watched = watchableOf(session, node.evaluateName);
  if (!watched) return {};
  const name = nameOf(watched);
  const request = session.debugger.data.of('view').find((r) => nameOf(r.watched) === name);
  return { breakable: true, ...(request && { breaksOn: request.access as DataAccess }) };
}
