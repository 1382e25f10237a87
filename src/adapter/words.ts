/** Stops in the words of the Debug Adapter Protocol and of the user. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { Finding } from '../debug/checks/check';
import type { Debugger } from '../debug/debugger';
import { exitLines, exitTitle, exitWords, failureLines } from '../debug/exits/exitWords';
import { SYSTEM_EVENTS } from '../debug/exits/systemEvents';
import type { StopCause } from '../debug/run/stopCause';
import { tripleFaultLines } from '../debug/exits/tripleFault';
import { addressPlace } from '../debug/stack/callStack';
import { accessWords } from '../debug/watch/dataBreakpoints';

export interface StopWords {
  reason: string;
  /** The whole reason in one sentence. */
  description: string;
  /** The same in a few words, for the call stack view: beside a longer text it has no room for the thread's name. */
  label: string;
  /** Shown on hover and, for exceptions, in the editor. */
  text: string | undefined;
  ids: number[] | undefined;
  exception: DebugProtocol.ExceptionInfoResponse['body'] | undefined;
}

const plain = (reason: string, description: string): StopWords => ({ reason, description, label: description, text: undefined, ids: undefined, exception: undefined });

/** `label` stands for a description that is too long for the call stack view, which the editor then tells with the lines. */
function exception(exceptionId: string, description: string, lines: string[], label?: string): StopWords {
  const text = lines.join('\n');
  const told = label === undefined ? text : [description, ...lines].join('\n');
  return {
    reason: 'exception',
    description,
    label: label ?? description,
    text,
    ids: undefined,
    exception: { exceptionId, description: told, breakMode: 'always', details: { message: description, typeName: exceptionId } },
  };
}

/** What the run-time checks know about a failure, a line each. */
const findingLines = (findings: readonly Finding[] | undefined): string[] => (findings ?? []).flatMap(({ sentence, notes }) => [sentence, ...notes]);

/** What to tell about a stop. */
export function stopWords(d: Debugger, cause: StopCause): StopWords {
  switch (cause.kind) {
    case 'entry':
      return plain('entry', 'Power-on');
    case 'step':
      return plain('step', 'Step');
    case 'goto':
      return plain('goto', 'Jumped');
    case 'restart-frame':
      return plain('restart', 'Function restarted');
    case 'pause':
      return plain('pause', 'Paused');
    case 'breakpoint': {
      const reason = cause.sort === 'source' ? 'breakpoint' : `${cause.sort} breakpoint`;
      return { ...plain(reason, `Paused on ${reason}`), ids: cause.ids };
    }
    case 'exit':
      return exception(exitWords(cause.record), exitTitle(cause.record), exitLines(cause.record));
    case 'data': {
      const { headline, lines } = accessWords(cause.access);
      return { ...plain('data breakpoint', headline), text: lines.join('\n'), ids: [cause.access.breakpoint.id] };
    }
    case 'event':
      return exception(SYSTEM_EVENTS.find((e) => e.kind === cause.event.kind)!.label, cause.event.words, [`At ${addressPlace(d.target, cause.event.world, cause.event.rip)}.`]);
    case 'vmx-failure': {
      const { vmx } = d.target;
      const lines = failureLines(cause.failure, (rip, returns) => d.place(rip, returns), (field) => vmx.fieldWriter(field), (field) => vmx.readField(field));
      const title = `${cause.failure.mnemonic.toUpperCase()} failed`;
      return exception(title, cause.failure.message, [...lines.slice(1), ...findingLines(cause.findings)], title);
    }
    case 'check': {
      const { check, sentence, notes } = cause.finding;
      return exception(check.title, sentence, [...notes, `This is the VMX check "${check.id}"; "vmxChecks": { "${check.id}": false } in the launch configuration switches it off.`], check.title);
    }
    case 'triple-fault': {
      const who = cause.world === 'guest' ? 'guest' : 'VMM';
      const lines = tripleFaultLines(d.target, cause.world, cause.exceptions);
      lines.push(...findingLines(cause.findings));
      if (!cause.record) lines.push(`The processor is shut down: only Restart can go on from here${d.keepsHistory ? ', and Step Back leads to what came before' : ''}.`);
      return exception('Triple fault', `Triple fault in the ${who}`, lines);
    }
    case 'dead-halt':
      return exception('Halted for ever', 'The processor halted with interrupts disabled', ['HLT was executed while interrupts are disabled: nothing but a restart can wake the processor.', ...findingLines(cause.findings)]);
    case 'history-begins':
      return plain('entry', 'Here the history that is kept begins');
    case 'ended':
      return plain('exited', cause.how === 'power-off' ? 'The machine was powered off' : `The debug-exit port was written: ${cause.value}`);
    case 'error':
      return exception('Hyperstep', cause.sentence, [cause.sentence]);
  }
}
