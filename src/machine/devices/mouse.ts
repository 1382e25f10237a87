/** A PS/2 mouse as a driver finds it: it answers every command, and nobody moves it. */

const ACKNOWLEDGE = 0xfa;
const RESEND = 0xfe;
const SELF_TEST_PASSED = 0xaa;
/** Identifier of a mouse with two or three buttons and no wheel. */
const PLAIN_MOUSE = 0x00;
const REPORTING = 0x20;
const REMOTE = 0x40;

export const mouseAtReset = () => ({
  /** Command that waits for its data byte, or 0. */
  waiting: 0,
  /** Status byte: reporting enabled, remote mode, scaling 2:1. */
  status: 0,
  /** Counts per millimetre as a power of two; reports a second. */
  resolution: 2,
  rate: 100,
});
export type MouseState = ReturnType<typeof mouseAtReset>;

/** What the mouse answers to a byte that is sent to it; changes `m`. */
export function mouseAnswer(m: MouseState, value: number): number[] {
  const command = m.waiting;
  m.waiting = 0;
  if (command !== 0) {
    if (command === 0xe8) m.resolution = value & 3;
    else m.rate = value;
    return [ACKNOWLEDGE];
  }
  switch (value) {
    case 0xe6: // scaling 1:1 and 2:1
    case 0xe7:
      m.status = value === 0xe7 ? m.status | 0x10 : m.status & ~0x10;
      return [ACKNOWLEDGE];
    case 0xe8: // resolution, rate: one data byte each
    case 0xf3:
      m.waiting = value;
      return [ACKNOWLEDGE];
    case 0xe9:
      return [ACKNOWLEDGE, m.status, m.resolution, m.rate];
    case 0xea: // stream and remote mode
    case 0xf0:
      m.status = value === 0xf0 ? m.status | REMOTE : m.status & ~REMOTE;
      return [ACKNOWLEDGE];
    case 0xeb: // read data: no button, no movement
      return [ACKNOWLEDGE, 0x08, 0, 0];
    case 0xec:
      return [ACKNOWLEDGE];
    case 0xf2:
      return [ACKNOWLEDGE, PLAIN_MOUSE];
    case 0xf4:
    case 0xf5:
      m.status = value === 0xf4 ? m.status | REPORTING : m.status & ~REPORTING;
      return [ACKNOWLEDGE];
    case 0xf6:
      Object.assign(m, mouseAtReset());
      return [ACKNOWLEDGE];
    case 0xff:
      Object.assign(m, mouseAtReset());
      return [ACKNOWLEDGE, SELF_TEST_PASSED, PLAIN_MOUSE];
    default:
      return [RESEND];
  }
}
