/**
 * Stops where there is no source to show. Editors select the first frame whose source they can open, and show nothing at
 * all where there is none; VS Code opens its Disassembly view, with the first frame selected, for one reason only.
 */
import type { StackEntry } from '../debug/stack/callStack';
import type { Session } from './session';
import { placeOf } from './sources';

/** The reason by which VS Code takes a frame without source for a place to look at. */
export const AT_INSTRUCTION = 'instruction breakpoint';

/** Whether a frame of the world that the processor is in has a line that can be opened. */
export async function hasSource(session: Session, stack: readonly StackEntry[]): Promise<boolean> {
  for (const entry of stack) {
    if (entry.kind === 'label') return false;
    if (!entry.image || !entry.file || entry.line === 0) continue;
    const { source, line } = await placeOf(session, entry.image.image, entry.file, entry.line);
    if (source.presentationHint === undefined && line > 0) return true;
  }
  return false;
}
