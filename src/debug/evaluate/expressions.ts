/** Expressions where the processor in focus stands, and what they need to know of the session. */
import { attempt, UserError } from '../../base/errors';
import { expandMacroCalls, type MacroText } from '../../symbols/macroCalls';
import { interpolated } from '../breakpoints/logMessage';
import { helperCall, writerPlace } from '../exits/fieldWriter';
import type { VmcsFacts } from '../inspect/vmcs';
import type { GuestMap } from '../memory/guestMap';
import type { Processors } from '../processors';
import { callingPlace, worldFrames, type CodeFrame } from '../stack/callStack';
import { builtInType } from './arithmetic';
import { Evaluator } from './evaluator';
import type { EvaluatorFacts } from './inspectionFunctions';
import { parseExpression } from './parser';
import { CHANGES, someOf } from './syntax';

export class Expressions {
  private readonly facts: EvaluatorFacts;

  constructor(
    private readonly processors: Processors,
    guestMap: () => GuestMap | undefined,
  ) {
    this.facts = {
      vmcs: () => this.vmcsFacts(),
      guestMap,
      entriesAtExit: (space, address) => this.processors.at.translations.entriesAtExit(space, address),
    };
  }

  evaluator(frame: CodeFrame | undefined): Evaluator {
    return new Evaluator(this.processors.target, frame, this.facts);
  }

  /** In the frame that the processor executes. */
  innermost(): Evaluator {
    const { target } = this.processors;
    return this.evaluator(worldFrames(target, target.world)[0]);
  }

  /** What the VMCS's lines tell beside its values: who wrote a field, and what since the last exit. */
  vmcsFacts(): VmcsFacts {
    const { target, recorder } = this.processors.at;
    // A few lines of the VMM write most of the fields.
    const places = new Map<string, string>();
    const describe = (rip: bigint, returns?: readonly bigint[]): string => {
      const key = [rip, ...(returns ?? [])].join();
      const known = places.get(key) ?? this.place(rip, returns);
      places.set(key, known);
      return known;
    };
    return {
      describe,
      place: (rip, returns) => callingPlace(target, 'vmm', (returns && helperCall(target, { rip, returns })) ?? rip),
      lastExit: target.world === 'vmm' ? recorder.lastExit?.icount : undefined,
    };
  }

  /** `function (file:line)` of a VMM address; with what was on the stack at a VMWRITE there, also of its caller. */
  place(rip: bigint, returns: readonly bigint[] = []): string {
    return writerPlace(this.processors.target, { rip, returns });
  }

  /** What is wrong with an expression of a breakpoint wherever it is computed. */
  syntaxFault(text: string): string | undefined {
    const isType = (name: string): boolean => builtInType(name) !== undefined || this.processors.target.images.images.some(({ image }) => image.types(name).length > 0);
    const parsed = attempt(() => parseExpression(expandMacroCalls(text, (name) => this.macroNamed(name)), isType));
    if (parsed instanceof UserError) return parsed.message;
    return someOf(parsed.expression, ({ kind }) => kind === 'assign') ? CHANGES : undefined;
  }

  /** A macro of any image: which of several is meant shows where the expression is computed. */
  private macroNamed(name: string): MacroText | undefined {
    for (const { image } of this.processors.target.images.images) {
      const macro = image.macros.find(name, undefined);
      if (macro && 'text' in macro) return macro;
    }
    return undefined;
  }

  /** A log message with the expressions in its braces computed. */
  interpolate(message: string): string {
    const evaluator = this.innermost();
    return interpolated(message, (expression) => evaluator.show(expression));
  }
}
