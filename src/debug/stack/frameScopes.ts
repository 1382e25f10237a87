/** What a frame can name: its own blocks, not those of the function it was inlined into. */
import { lookupAddress } from '../../symbols/frame';
import type { Scope, Variable } from '../../symbols/image';
import type { CodeFrame } from './callStack';

/** Parameters and locals of a frame by scope, innermost first. */
export function frameScopes({ image, frame, nesting }: CodeFrame): Scope[] {
  const scopes: Scope[] = [];
  let level = 0;
  for (const scope of image?.image.scopesAt(lookupAddress(frame)) ?? []) {
    if (level === nesting) scopes.push(scope);
    // An inlined call's scope, or the function's, is the outermost of its frame.
    if (scope.kind !== 'block') level++;
  }
  return scopes;
}

/** The same as one list; an inner variable hides an outer one of its name. */
export const frameVariables = (frame: CodeFrame): Variable[] => frameScopes(frame).flatMap((scope) => scope.variables);
