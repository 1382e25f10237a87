/** What has changed of the display's picture since somebody looked last: the lines from the first to the last that is another. */
import type { Machine } from '../machine/machineInterface';
import type { ShownPicture } from '../machine/pictureColours';
import { toBase64 } from './memoryReference';
import type { PictureResponse } from './messages';

/** Lines from `first` to before `end`; undefined when all are the same. */
function changedLines(now: ShownPicture, before: ShownPicture | undefined): { first: number; end: number } | undefined {
  const { width, height, words, rgb } = now;
  if (!before || before.width !== width || before.height !== height || before.words !== words) return { first: 0, end: height };
  const old = before.rgb;
  let from = 0;
  while (from < rgb.length && rgb[from] === old[from]) from++;
  if (from === rgb.length) return undefined;
  let to = rgb.length - 1;
  while (rgb[to] === old[to]) to--;
  return { first: Math.floor(from / (3 * width)), end: Math.floor(to / (3 * width)) + 1 };
}

export class PictureChanges {
  /** At which time the machine was looked at, and what it showed. */
  private at: number | undefined;
  private shown: ShownPicture | undefined;

  constructor(private readonly machine: Machine) {}

  /** The lines to draw anew, or that text is shown; undefined when nothing has changed. */
  changed(): PictureResponse | undefined {
    // A machine that has done nothing shows nothing new.
    if (this.at === this.machine.icount) return undefined;
    const begins = this.at === undefined;
    this.at = this.machine.icount;
    const before = this.shown;
    const now = (this.shown = this.machine.picture?.());
    if (!now) return before || begins ? {} : undefined;
    const lines = changedLines(now, before);
    if (!lines) return undefined;
    const { width, height, words, rgb } = now;
    const { first, end } = lines;
    return { picture: { width, height, words, first, rgb: toBase64(rgb.subarray(3 * width * first, 3 * width * end)) } };
  }
}
