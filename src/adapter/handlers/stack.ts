/** stackTrace, scopes, modules, loadedSources. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import { UserError } from '../../base/errors';
import { blameOf } from '../../debug/exits/blame';
import type { InspectionGroup, InspectionNode } from '../../debug/inspect/node';
import { localNodes } from '../../debug/inspect/locals';
import { registerGroups } from '../../debug/inspect/registers';
import { vmcsGroups } from '../../debug/inspect/vmcs';
import type { CodeFrame, StackEntry } from '../../debug/stack/callStack';
import { hex } from '../../base/bits';
import { referenceTo } from '../memoryReference';
import { moduleOf } from '../modules';
import type { Handlers } from '../protocol';
import type { Session } from '../session';
import { hasSource } from '../sourceless';
import { placeOf, sourceOf } from '../sources';
import { processorOf } from '../threads';

/** `sourced`: frames without source stand back behind those that have it; where none has, all are as good. */
async function told(session: Session, stack: readonly StackEntry[], index: number, cpu: number, sourced: boolean): Promise<DebugProtocol.StackFrame> {
  const entry = stack[index]!;
  const id = session.references.frameId(stack, index, cpu);
  if (entry.kind === 'label') return { id, name: entry.name, line: 0, column: 0, presentationHint: 'label' };
  const frame: DebugProtocol.StackFrame = {
    id,
    name: entry.name,
    line: 0,
    column: 0,
    instructionPointerReference: referenceTo(entry.world, entry.frame.pc),
    moduleId: entry.image?.id,
  };
  if (entry.image && entry.file && entry.line > 0) {
    const place = await placeOf(session, entry.image.image, entry.file, entry.line);
    frame.source = place.source;
    frame.line = place.line;
    frame.column = session.format.column(entry.column || 1);
  } else if (sourced) frame.presentationHint = 'subtle';
  return frame;
}

/** The frame a request names; throws a UserError for a label row or one of an earlier stop. */
export function codeFrame(session: Session, frameId: number): CodeFrame {
  const entry = session.references.frame(frameId);
  if (!entry) throw new UserError('frame', 'That frame is of an earlier stop.');
  // What is asked for next belongs to the processor whose frame is selected.
  session.debugger.focus(session.references.processor(frameId)!);
  if (entry.kind === 'label') throw new UserError('frame', 'This row stands between the two worlds: select a frame above or below it.');
  return entry;
}

/** Headings with their lines as nodes. */
const grouped = (groups: readonly InspectionGroup[]): InspectionNode[] => groups.map((g) => ({ name: g.name, value: g.note ?? '', children: () => g.nodes }));

/** Registers of an outer frame: what unwinding recovered. */
function recovered(frame: CodeFrame): InspectionNode[] {
  const names: [string, number][] = [['rip', 16], ['rsp', 7], ['rbp', 6], ['rbx', 3], ['r12', 12], ['r13', 13], ['r14', 14], ['r15', 15]];
  return names.flatMap(([name, number]) => {
    const value = number === 16 ? frame.frame.pc : frame.frame.register(number);
    return value === undefined ? [] : [{ name, value: hex(value, 16), evaluateName: `$${name}` }];
  });
}

export const stackHandlers = (session: Session): Handlers => ({
  async stackTrace(args: DebugProtocol.StackTraceArguments) {
    session.requireStopped();
    const d = session.debugger;
    const cpu = processorOf(d, args.threadId);
    const stack = d.on(cpu, () => d.stack());
    const start = args.startFrame ?? 0;
    const end = Math.min(stack.length, start + (args.levels || stack.length));
    const stackFrames: DebugProtocol.StackFrame[] = [];
    const sourced = await hasSource(session, stack);
    for (let i = start; i < end; i++) stackFrames.push(await told(session, stack, i, cpu, sourced));
    return { stackFrames, totalFrames: stack.length };
  },

  scopes(args: DebugProtocol.ScopesArguments) {
    session.requireStopped();
    const d = session.debugger;
    if (session.references.frame(args.frameId)?.kind === 'label') return { scopes: [] };
    const frame = codeFrame(session, args.frameId);
    const scopes: DebugProtocol.Scope[] = [];
    if (frame.image) {
      const context = session.variableContext(d.evaluator(frame));
      scopes.push({ name: 'Locals', presentationHint: 'locals', expensive: false, variablesReference: session.references.container(() => localNodes(frame, context)) });
    }
    const registers = frame.level === 0 ? () => grouped(registerGroups(frame.registers, frame.world !== d.target.world, (address, size) => d.target.readInteger(frame.world, address, size))) : () => recovered(frame);
    scopes.push({ name: 'Registers', presentationHint: 'registers', expensive: false, variablesReference: session.references.container(registers) });
    if (d.target.vmx.currentVmcs !== undefined) {
      const vmcs = session.references.container(() => grouped(vmcsGroups(d.target.vmx, d.vmcsFacts(), blameOf(session.stopped?.cause))));
      scopes.push({ name: 'VMCS', expensive: false, variablesReference: vmcs });
    }
    return { scopes };
  },

  modules({ startModule = 0, moduleCount }: DebugProtocol.ModulesArguments) {
    const { images } = session.debugger.target.images;
    const end = moduleCount ? startModule + moduleCount : images.length;
    return { modules: images.slice(startModule, end).map((image) => moduleOf(session, image)), totalModules: images.length };
  },

  async loadedSources() {
    const sources = new Map<string, DebugProtocol.Source>();
    for (const { image } of session.debugger.target.images.images) {
      for (const file of image.files()) {
        const source = await sourceOf(session, file);
        if (source.presentationHint === undefined) sources.set(source.path!, source);
      }
    }
    return { sources: [...sources.values()] };
  },
});
