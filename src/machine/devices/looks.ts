/**
 * Software that waits by looking at a clock again and again, for milliseconds or seconds. On a PC each look takes about a
 * microsecond of the bus, here one instruction; so time passes for who has looked often in a row: a share of the time that
 * the row has taken.
 */
const ROW = { gap: 500, least: 32, share: 16, most: 20_000 } as const;

/** Looks in a row: how many, since when, and when the row goes on at the latest. In ticks of the machine's clock. */
export const noLooks = () => ({ looks: 0, since: 0, until: 0 });

/** Counts a look at tick `now`. Returns how many ticks pass with it. */
export function ticksOfLook(row: ReturnType<typeof noLooks>, now: number): number {
  if (now > row.until) {
    row.looks = 0;
    row.since = now;
  }
  const ticks = ++row.looks < ROW.least ? 0 : Math.min(ROW.most, Math.floor((now - row.since) / ROW.share));
  row.until = now + ticks + ROW.gap;
  return ticks;
}
