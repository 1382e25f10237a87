/** continue, pause and the steps; exceptionInfo tells why the machine stands. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import { UserError } from '../../base/errors';
import type { Handlers } from '../protocol';
import type { Session } from '../session';
import { processorOf } from '../threads';
import { placeOf } from './targets';

type StepArguments = Pick<DebugProtocol.NextArguments, 'granularity' | 'threadId'>;

export const executionHandlers = (session: Session): Handlers => {
  /** A step is of one processor; the others run along as time passes. */
  const focus = (thread: number | undefined): void => session.debugger.focus(processorOf(session.debugger, thread));
  const step = (direction: 'in' | 'over' | 'out') => ({ granularity, threadId }: StepArguments) => {
    focus(threadId);
    session.debugger.step(direction, granularity === 'instruction' ? 'instruction' : 'line');
    session.goes();
  };
  return {
    continue() {
      session.debugger.continue();
      session.goes();
      return { allThreadsContinued: true };
    },
    next: step('over'),
    stepIn(args: DebugProtocol.StepInArguments) {
      if (args.targetId === undefined) return step('in')(args);
      focus(args.threadId);
      session.debugger.stepIntoCall(placeOf(session, args.targetId).address);
      session.goes();
    },
    stepOut: step('out'),

    stepBack({ granularity, threadId }: StepArguments) {
      focus(threadId);
      session.debugger.stepBack(granularity === 'instruction' ? 'instruction' : 'line');
      session.goes();
    },
    reverseContinue() {
      session.debugger.reverseContinue();
      session.goes();
    },

    pause() {
      if (!session.debugger.run.running) throw new UserError('pause', 'The machine already stands still.');
      session.debugger.pause();
    },

    exceptionInfo() {
      const { exception } = session.stopped?.words ?? {};
      if (!exception) throw new UserError('exception', 'The machine did not stop for a VM exit or a failure.');
      return exception;
    },
  };
};
