/** Reads what questions need of large symbol images before anybody asks, in short turns between other work. */
import type { SymbolImage } from '../../symbols/image';
import type { Scheduler } from '../run/scheduler';

/** Milliseconds of a turn: messages and the machine get theirs in between. */
const TURN_MS = 4;

/** Begins to read; it ends by itself. Damage is told when a question meets it, not here. */
export function readAhead(images: readonly SymbolImage[], scheduler: Scheduler): void {
  const pieces = piecesOf(images);
  const turn = (): void => {
    const start = scheduler.now();
    do {
      if (pieces.next().done) return;
    } while (scheduler.now() - start < TURN_MS);
    scheduler.soon(turn);
  };
  scheduler.soon(turn);
}

function* piecesOf(images: readonly SymbolImage[]): IterableIterator<void> {
  for (const image of images) {
    try {
      yield* image.readAhead();
    } catch {
      // The next image may be whole.
    }
  }
}
