/** A command of the Debug Console: words that C has no expression for, as people know them from GDB and from Bochs' debugger. */
import type { Debugger } from '../debugger';
import type { Disassembler } from '../disassembly/disassembler';
import type { Evaluator } from '../evaluate/evaluator';
import type { Format } from '../evaluate/syntax';
import type { InspectionNode } from '../inspect/node';
import type { CodeFrame } from '../stack/callStack';

export interface ConsoleContext {
  debugger: Debugger;
  /** The frame that is selected. */
  frame: CodeFrame | undefined;
  evaluator: Evaluator;
  disassembler: Disassembler;
  /** Evaluates an expression, which may assign, in the frame. Throws a UserError. */
  evaluate(expression: string, format?: Format): InspectionNode;
  /** Lets the machine go on by a step or continue, as the client's buttons do. */
  go(start: () => void): void;
}

export interface ConsoleCommand {
  /** The first is the one that help shows. */
  names: readonly string[];
  /** What stands behind the name, for help. */
  takes: string;
  sentence: string;
  /** `format` is what stood behind a slash. Yields what to print. Throws a UserError. */
  run(context: ConsoleContext, rest: string, format: string): string;
}

/** A line as it is shown in the console: a table where there is one. */
export const shown = (node: InspectionNode): string => node.table?.() ?? node.value;
