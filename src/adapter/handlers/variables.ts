/** variables, evaluate, setVariable, setExpression, completions, locations. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import { UserError } from '../../base/errors';
import { commandWords, perform } from '../../debug/console/commands';
import { complete, type Completion } from '../../debug/evaluate/completions';
import { fieldConstantText, fieldOfConstant, hoverExpression } from '../../debug/evaluate/hover';
import type { InspectionNode } from '../../debug/inspect/node';
import { evaluatedNode } from '../../debug/inspect/variable';
import { worldFrames, type CodeFrame } from '../../debug/stack/callStack';
import type { Handlers } from '../protocol';
import type { Session } from '../session';
import { placeOf } from '../sources';
import { threadOf } from '../threads';
import { codeFrame } from './stack';

/** A line as the protocol tells it. */
function told(session: Session, node: InspectionNode): DebugProtocol.Variable {
  const { references } = session;
  return {
    name: node.name,
    value: node.value,
    type: node.type,
    evaluateName: node.evaluateName,
    variablesReference: node.children ? references.container(node.children, node.indexed !== undefined) : 0,
    indexedVariables: node.indexed,
    memoryReference: node.memoryReference,
    declarationLocationReference: node.declaration && references.location(node.declaration),
    valueLocationReference: node.origin && references.location(node.origin),
    presentationHint: presentationHint(node),
  };
}

/** VS Code dims the name of what is "internal". */
function presentationHint({ write, notDefined }: InspectionNode): DebugProtocol.VariablePresentationHint | undefined {
  if (write && !notDefined) return undefined;
  return { ...(!write && { attributes: ['readOnly'] }), ...(notDefined && { visibility: 'internal' }) };
}

/** The same as the result of a request. */
function asResult(session: Session, node: InspectionNode): DebugProtocol.SetVariableResponse['body'] {
  const { value, type, variablesReference, indexedVariables, memoryReference, valueLocationReference } = told(session, node);
  return { value, type, variablesReference, indexedVariables, memoryReference, valueLocationReference };
}

function evaluated(session: Session, node: InspectionNode): DebugProtocol.EvaluateResponse['body'] {
  const { value, ...rest } = asResult(session, node);
  return { result: value, variablesReference: 0, ...rest };
}

/** The frame of an evaluation: the one named, else the innermost of the present stop. */
export function frameOf(session: Session, frameId: number | undefined): CodeFrame | undefined {
  if (frameId !== undefined && session.references.frame(frameId)?.kind !== 'label') return codeFrame(session, frameId);
  return session.debugger.stack().find((e): e is CodeFrame => e.kind === 'code');
}

function evaluate(session: Session, args: Pick<DebugProtocol.EvaluateArguments, 'expression' | 'frameId' | 'format'>, mayAssign: boolean): InspectionNode {
  session.requireStopped();
  session.format.asked(args.format);
  const evaluator = session.debugger.evaluator(frameOf(session, args.frameId));
  const { result, format } = evaluator.evaluate(args.expression, mayAssign);
  return evaluatedNode(result, session.variableContext(evaluator, result.reader), args.expression, format ?? session.format.numbers);
}

/** A name under the mouse: what it is for C, else a register or a VMCS field; of a constant that numbers a field, the field too. */
function hover(session: Session, args: DebugProtocol.EvaluateArguments): DebugProtocol.EvaluateResponse['body'] {
  session.requireStopped();
  const evaluator = session.debugger.evaluator(frameOf(session, args.frameId));
  const expression = hoverExpression(args.expression, evaluator);
  const node = evaluate(session, { ...args, expression }, false);
  const constant = fieldOfConstant(expression, evaluator);
  if (!constant) return evaluated(session, node);
  const known = session.debugger.target.vmx.currentVmcs !== undefined;
  const field = known ? evaluate(session, { ...args, expression: `$vmcs.${constant.field.name}` }, false) : undefined;
  return { result: fieldConstantText(constant, field?.value), type: node.type, variablesReference: 0 };
}

/** A line of the Debug Console that is a command rather than an expression: what it prints. */
function command(session: Session, args: DebugProtocol.EvaluateArguments): string | undefined {
  session.requireStopped();
  session.format.asked(args.format);
  const d = session.debugger;
  const frame = frameOf(session, args.frameId);
  return perform({
    debugger: d,
    frame,
    evaluator: d.evaluator(frame),
    disassembler: session.host.disassembler,
    evaluate: (expression, format) => {
      const node = evaluate(session, { ...args, expression: format === undefined ? expression : `${expression},${format}` }, true);
      changedBy(session, expression);
      return node;
    },
    go: (start) => {
      start();
      session.goes();
      session.protocol.after(() => session.protocol.event('continued', { threadId: threadOf(d.run.processor), allThreadsContinued: true }));
    },
  }, args.expression);
}

/** `=`, `+=`, `<<=`; none of `==`, `!=`, `<=` and `>=`. */
const ASSIGNMENT = /([^=!<>]|<<|>>)=(?!=)/;

/** The client's panes are told when an expression assigned. */
function changedBy(session: Session, expression: string): void {
  if (ASSIGNMENT.test(expression)) session.changed();
}

const KINDS: Record<Completion['kind'], DebugProtocol.CompletionItemType> = { variable: 'variable', function: 'function', property: 'property', keyword: 'keyword', field: 'field', constant: 'value', type: 'class' };

export const variableHandlers = (session: Session): Handlers => ({
  variables(args: DebugProtocol.VariablesArguments) {
    session.requireStopped();
    session.format.asked(args.format);
    const cpu = session.references.owner(args.variablesReference);
    if (cpu === undefined) throw new UserError('variables', 'These variables are of an earlier stop.');
    const nodes = session.references.part(args.variablesReference, args.start ?? 0, args.count || undefined, args.filter)!;
    // What is below them is of the same processor.
    return { variables: session.debugger.on(cpu, () => nodes.map((node) => told(session, node))) };
  },

  evaluate(args: DebugProtocol.EvaluateArguments) {
    if (args.context === 'hover') return hover(session, args);
    const printed = args.context === 'repl' ? command(session, args) : undefined;
    if (printed !== undefined) return { result: printed, variablesReference: 0 };
    const mayAssign = args.context === 'repl' || args.context === undefined;
    const node = evaluate(session, args, mayAssign);
    if (mayAssign) changedBy(session, args.expression);
    // The console shows a table as it is; everywhere else the lines open one below the other.
    if (args.context === 'repl' && node.table) return { result: node.table(), variablesReference: 0 };
    return evaluated(session, node);
  },

  setVariable(args: DebugProtocol.SetVariableArguments) {
    session.requireStopped();
    session.format.asked(args.format);
    const { references } = session;
    const line = (): InspectionNode => {
      const node = references.named(args.variablesReference, args.name);
      if (!node) throw new UserError('variables', `There is no ${args.name} here any more.`);
      return node;
    };
    const { write } = line();
    if (!write) throw new UserError('variables', `${args.name} cannot be changed.`);
    write(args.value);
    session.changed();
    // What it shows now is computed anew, of the same frame.
    return session.debugger.on(references.owner(args.variablesReference)!, () => asResult(session, line()));
  },

  setExpression(args: DebugProtocol.SetExpressionArguments) {
    const node = evaluate(session, args, false);
    if (!node.write) throw new UserError('variables', `${args.expression} has no place that could be changed.`);
    node.write(args.value);
    session.changed();
    return asResult(session, evaluate(session, args, false));
  },

  completions(args: DebugProtocol.CompletionsArguments) {
    session.requireStopped();
    const frame = frameOf(session, args.frameId);
    // Of several lines the one counts that is being typed.
    const lines = args.text.split('\n');
    const at = args.line === undefined ? 0 : session.format.fromLine(args.line) - 1;
    const before = (lines[at] ?? args.text).slice(0, session.format.fromColumn(args.column) - 1);
    // Places of completions are counted from 0 in the whole text, whatever the client's columns begin with: so does VS Code.
    const end = lines.slice(0, at).reduce((sum, { length }) => sum + length + 1, 0) + before.length;
    const { length, list } = complete(before, frame, () => session.debugger.evaluator(frame), (world) => worldFrames(session.debugger.target, world)[0]);
    const targets = list.map(({ label, text, detail, kind }): DebugProtocol.CompletionItem => ({ label, text, detail, type: KINDS[kind], start: end - length, length }));
    const words = commandWords(before).map(({ name, sentence, typed }): DebugProtocol.CompletionItem => ({ label: name, detail: sentence, type: 'keyword', start: end - typed, length: typed }));
    // A line that begins like a command may be an expression too; behind `info` there is none.
    return { targets: /\s/.test(before) && words.length > 0 ? words : [...targets, ...words] };
  },

  /** Where a name is declared or a value comes from. */
  async locations(args: DebugProtocol.LocationsArguments) {
    const place = session.references.place(args.locationReference);
    if (!place) throw new UserError('location', 'Symbols know no line for it, or it is of an earlier stop.');
    const { source, line } = await placeOf(session, place.image, place.file, place.line);
    return { source, line };
  },
});
