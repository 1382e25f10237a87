/** variables, evaluate, setVariable, setExpression, completions. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import { UserError } from '../../base/errors';
import type { InspectionNode } from '../../debug/inspect/node';
import { evaluatedNode } from '../../debug/inspect/variable';
import { REGISTERS } from '../../debug/registers/registerTable';
import type { CodeFrame } from '../../debug/stack/callStack';
import { FIELDS } from '../../vmx/tables';
import { lookupAddress } from '../../symbols/frame';
import type { Handlers } from '../protocol';
import type { Session } from '../session';
import { codeFrame } from './stack';

/** A line as the protocol tells it. */
function told(session: Session, node: InspectionNode): DebugProtocol.Variable {
  const reference = node.children ? session.references.container(node.children) : 0;
  return {
    name: node.name,
    value: node.value,
    type: node.type,
    evaluateName: node.evaluateName,
    variablesReference: reference,
    indexedVariables: node.indexed,
    memoryReference: node.memoryReference,
    presentationHint: node.write ? undefined : { attributes: ['readOnly'] },
  };
}

/** The frame of an evaluation: the one named, else the innermost of the present stop. */
function frameOf(session: Session, frameId: number | undefined): CodeFrame | undefined {
  if (frameId !== undefined && session.references.frame(frameId)?.kind !== 'label') return codeFrame(session, frameId);
  return session.debugger.stack().find((e): e is CodeFrame => e.kind === 'code');
}

function evaluate(session: Session, args: Pick<DebugProtocol.EvaluateArguments, 'expression' | 'frameId' | 'format'>, mayAssign: boolean): InspectionNode {
  session.requireStopped();
  const evaluator = session.debugger.evaluator(frameOf(session, args.frameId));
  const { result, format } = evaluator.evaluate(args.expression, mayAssign);
  return evaluatedNode(result, evaluator.variableContext(result.reader), args.expression, format ?? (args.format?.hex ? 'x' : undefined));
}

export const variableHandlers = (session: Session): Handlers => ({
  variables(args: DebugProtocol.VariablesArguments) {
    session.requireStopped();
    const nodes = session.references.children(args.variablesReference);
    if (!nodes) throw new UserError('variables', 'These variables are of an earlier stop.');
    const start = args.start ?? 0;
    const shown = args.count ? nodes.slice(start, start + args.count) : nodes.slice(start);
    return { variables: shown.map((node) => told(session, node)) };
  },

  evaluate(args: DebugProtocol.EvaluateArguments) {
    const mayAssign = args.context === 'repl' || args.context === undefined;
    const node = evaluate(session, args, mayAssign);
    if (mayAssign && /[^=!<>]=[^=]/.test(args.expression)) session.changed();
    const { value, type, variablesReference, indexedVariables, memoryReference } = told(session, node);
    return { result: value, type, variablesReference, indexedVariables, memoryReference };
  },

  setVariable(args: DebugProtocol.SetVariableArguments) {
    session.requireStopped();
    const node = session.references.children(args.variablesReference)?.find((n) => n.name === args.name);
    if (!node) throw new UserError('variables', `There is no ${args.name} here any more.`);
    if (!node.write) throw new UserError('variables', `${args.name} cannot be changed.`);
    node.write(args.value);
    session.changed();
    // The line itself was computed before: what it shows now is asked for by its expression, where it has one.
    if (node.evaluateName === undefined) return { value: args.value };
    const { value, type } = evaluate(session, { expression: node.evaluateName }, false);
    return { value, type };
  },

  setExpression(args: DebugProtocol.SetExpressionArguments) {
    const node = evaluate(session, args, false);
    if (!node.write) throw new UserError('variables', `${args.expression} has no place that could be changed.`);
    node.write(args.value);
    session.changed();
    return { value: evaluate(session, args, false).value };
  },

  completions(args: DebugProtocol.CompletionsArguments) {
    session.requireStopped();
    const before = args.text.slice(0, args.column - 1);
    const word = /(\$[A-Za-z0-9_.]*|[A-Za-z_][A-Za-z0-9_]*)$/.exec(before)?.[0] ?? '';
    const start = before.length - word.length;
    const names = word.startsWith('$') ? machineNames(word) : variableNames(frameOf(session, args.frameId), word);
    return { targets: names.map((label) => ({ label, start, length: word.length })) };
  },
});

function machineNames(word: string): string[] {
  const [, world] = /^\$(vmm|guest)\./i.exec(word) ?? [];
  const names = [
    ...REGISTERS.map((r) => `$${world ? `${world}.` : ''}${r.name}`),
    ...(world ? [] : ['$vmm', '$guest', '$vmcs', ...FIELDS.map((f) => `$vmcs.${f.name}`)]),
  ];
  return names.filter((name) => name.toLowerCase().startsWith(word.toLowerCase())).slice(0, 100);
}

function variableNames(frame: CodeFrame | undefined, word: string): string[] {
  const image = frame?.image?.image;
  if (!frame || !image) return [];
  const names = [...image.variablesAt(lookupAddress(frame.frame)).map((v) => v.name), ...image.globalNames()];
  return [...new Set(names)].filter((name) => name.startsWith(word)).slice(0, 100);
}
