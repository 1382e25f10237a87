/** Data breakpoints of rows in views: VS Code lets extensions set none, so that the adapter keeps them, and the rows show them. */
import { UserError } from '../base/errors';
import type { InspectionNode } from '../debug/inspect/node';
import { describe, nameOf, watchableNamed } from '../debug/watch/watchable';
import type { BreakOnDataArguments, BreakOnDataResponse, DataAccess } from './messages';
import type { Session } from './session';

const ACCESSES: readonly DataAccess[] = ['change', 'read', 'readWrite'];

/** What a row calls what it stands for: registers, MSRs and fields; memory is watched from the Variables pane. */
const isOfRow = (name: string): boolean => name.startsWith('$');

/** Sets, replaces or removes the breakpoint of a row. Throws a UserError for what cannot be watched. */
export function breakOnData(session: Session, { watched: name, label, access }: BreakOnDataArguments): BreakOnDataResponse {
  session.requireStopped();
  const watched = typeof name === 'string' && isOfRow(name) ? watchableNamed(name, session.debugger.target.world) : undefined;
  if (!watched) throw new UserError('data-breakpoint', `${name} cannot be watched: registers other than RIP, MSRs and VMCS fields can.`);
  if (access !== undefined && !ACCESSES.includes(access)) throw new UserError('data-breakpoint', `"access" is ${ACCESSES.join(', ')}.`);
  const { data } = session.debugger;
  const others = data.of('view').filter((request) => nameOf(request.watched) !== nameOf(watched));
  data.set(access === undefined ? others : [...others, { watched, access, label: label ?? name }], 'view');
  return { description: describe(watched) };
}

/** How a row can be watched, and how it is. */
export function breakMarks(session: Session, { watch }: InspectionNode): { breakable?: string; breaksOn?: DataAccess } {
  if (watch === undefined || !isOfRow(watch)) return {};
  const request = session.debugger.data.of('view').find(({ watched }) => nameOf(watched) === watch);
  return { breakable: watch, ...(request && { breaksOn: request.access as DataAccess }) };
}
