/** Arguments and locals of a frame, as lines. */
import type { CodeFrame } from '../stack/callStack';
import { frameScopes } from '../stack/frameScopes';
import type { InspectionNode } from './node';
import { variableNode, type VariableContext } from './variable';

/** Arguments first, in their order; then locals from the outermost block inwards. What an inner block hides is left out. */
export function localNodes(frame: CodeFrame, context: VariableContext): InspectionNode[] {
  const image = frame.image?.image;
  if (!image) return [];
  const seen = new Set<string>();
  // Scopes are told innermost first, so that the first of a name is the one C means.
  const visible = frameScopes(frame).map((scope) =>
    scope.variables.filter((variable) => {
      if (seen.has(variable.name)) return false;
      seen.add(variable.name);
      return true;
    }),
  );
  const ordered = visible.reverse().flat();
  const sorted = [...ordered.filter((v) => v.isParameter), ...ordered.filter((v) => !v.isParameter)];
  return sorted.map((variable) => {
    const { file, line } = variable;
    const declaration = file && line ? () => ({ image, file, line }) : undefined;
    return { ...variableNode(image.valueOf(variable, frame.frame), context, variable.name, context.format), declaration };
  });
}
