/** initialize, launch, configurationDone, restart, terminate, disconnect. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import { UserError } from '../../base/errors';
import { exceptionFilters } from '../filters';
import { readConfiguration } from '../launch/configuration';
import { NOT_BUILT } from '../launch/targets';
import type { ExtensionArguments } from '../messages';
import type { Handlers } from '../protocol';
import { BREAKPOINT_MODES } from './breakpoints';
import { breakOnExits, isExitName } from './custom';
import type { Session } from '../session';
import { threadOf, threadsOf } from '../threads';

/** What this adapter can do; nothing is announced that is not there. */
function capabilities(): DebugProtocol.Capabilities {
  return {
    supportsConfigurationDoneRequest: true,
    supportsFunctionBreakpoints: true,
    supportsConditionalBreakpoints: true,
    supportsHitConditionalBreakpoints: true,
    supportsLogPoints: true,
    supportsInstructionBreakpoints: true,
    supportsDataBreakpoints: true,
    supportsDataBreakpointBytes: true,
    supportsBreakpointLocationsRequest: true,
    supportsExceptionOptions: false,
    supportsExceptionFilterOptions: true,
    supportsExceptionInfoRequest: true,
    exceptionBreakpointFilters: exceptionFilters(),
    breakpointModes: BREAKPOINT_MODES,
    supportsEvaluateForHovers: true,
    supportsSetVariable: true,
    supportsSetExpression: true,
    supportsValueFormattingOptions: true,
    supportsSteppingGranularity: true,
    supportsDelayedStackTraceLoading: true,
    supportsReadMemoryRequest: true,
    supportsWriteMemoryRequest: true,
    supportsDisassembleRequest: true,
    supportsModulesRequest: true,
    supportsLoadedSourcesRequest: true,
    supportsCompletionsRequest: true,
    completionTriggerCharacters: ['.', '$', '>'],
    supportsRestartRequest: true,
    supportsTerminateRequest: true,
    supportTerminateDebuggee: false,
    supportsStepBack: true,
    supportsStepInTargetsRequest: true,
    supportsGotoTargetsRequest: true,
    supportsRestartFrame: true,
  };
}

export const lifecycleHandlers = (session: Session): Handlers => ({
  initialize(args: DebugProtocol.InitializeRequestArguments) {
    session.format.initialize(args);
    session.progress.supported = args.supportsProgressReporting === true;
    session.understands.invalidated = args.supportsInvalidatedEvent === true;
    session.understands.memory = args.supportsMemoryEvent === true;
    return capabilities();
  },

  async launch(args: unknown) {
    const { __remedyNotBuilt: remedy, __breakOnExits: ticked, __exitConditions: conditions, __hexadecimal: hexadecimal, __disassembles: disassembles } = args as ExtensionArguments;
    if (remedy) session.protocol.remedies.set(NOT_BUILT, remedy);
    session.format.hexadecimal = hexadecimal === true;
    session.understands.disassembly = disassembles === true;
    await session.launch(readConfiguration(args));
    if (!ticked) return;
    const { complaints } = breakOnExits(session, { names: ticked.filter(isExitName), ...(conditions && { conditions }) });
    for (const [name, sentence] of Object.entries(complaints)) session.tell(`The condition on ${name} exits, in the VM exits view, is wrong: ${sentence}`, 'important');
  },

  attach() {
    throw new UserError('attach', 'Hyperstep hosts the machine itself, so there is nothing to attach to: use "request": "launch".');
  },

  configurationDone() {
    const d = session.debugger;
    session.protocol.after(() => {
      if (standsAtPowerOn(session)) session.hasStopped({ kind: 'entry' });
      // GDB beside this client may have been faster.
      else if (!d.run.running) go(session);
    });
  },

  /** Back to power-on: a snapshot taken then is restored, so nothing is read or compiled again. */
  restart() {
    const d = session.debugger;
    d.restart();
    session.state({ what: 'restarted', icount: d.machine.icount });
    session.run.serial.flush();
    session.run.sources.forget();
    session.references.clear();
    void session.tellChangedImages();
    session.protocol.after(() => {
      if (standsAtPowerOn(session)) session.hasStopped({ kind: 'entry' });
      else {
        session.protocol.event('continued', { threadId: threadOf(0), allThreadsContinued: true });
        go(session);
      }
    });
  },

  async terminate() {
    await session.terminate();
  },

  async disconnect() {
    await session.terminate();
    session.protocol.after(() => session.onEnd());
  },

  cancel() {},

  threads() {
    return { threads: threadsOf(session.debugger) };
  },
});

/** Whether the user wants to look before the first instruction. */
const standsAtPowerOn = ({ run: { configuration } }: Session): boolean => configuration.stopOnEntry && !configuration.noDebug;

function go(session: Session): void {
  session.goes();
  session.debugger.continue();
}
