/**
 * Whose turn it is. One processor executes at a time and all share one clock, so that every instant has one number and a
 * run repeats exactly; the others' time passes while they wait. What is decided here follows from the state below and
 * from what the processors do at exact instants, never from how the machine is run in slices.
 *
 * A turn is long enough to cost nothing and ends early where waiting would: with HLT, with PAUSE while another processor
 * could run, and when a signal arrives for another processor, which is then given a short turn in between.
 */

/** Ticks of a turn. Measured: shorter ones cost speed, longer ones only help what spins without PAUSE to waste time. */
export const TURN = 20_000;
/** Ticks of a turn in between: enough to take an interrupt and answer it. */
export const SHORT_TURN = 4_000;

/** Only the first processor runs at power-on. */
const firstTurn = (count: number) => ({
  current: 0,
  /** Tick at which the turn ends; Infinity while no other processor could run. */
  end: Infinity,
  /** The processor whose turn it is or would be without a turn in between. */
  regular: 0,
  /** A turn in between is under way. */
  between: false,
  /** Ticks that it left of the regular turn. */
  left: 0,
  /** Processors, as bits, that wait for nothing but a signal, and those that got one since their last turn. */
  asleep: (1 << count) - 2,
  signalled: 0,
});

export class Turns {
  state: ReturnType<typeof firstTurn>;
  private readonly all: number;

  constructor(private readonly count: number) {
    this.all = (1 << count) - 1;
    this.state = firstTurn(count);
  }

  reset(): void {
    this.state = firstTurn(this.count);
  }

  /** Whether another processor than the current one could run. */
  get contended(): boolean {
    const { asleep, current } = this.state;
    return (this.all & ~asleep & ~(1 << current)) !== 0;
  }

  isAsleep(cpu: number): boolean {
    return (this.state.asleep & (1 << cpu)) !== 0;
  }

  /** The processor to run at tick `now`, or -1 when all are asleep. */
  next(now: number): number {
    const s = this.state;
    if (now >= s.end || this.isAsleep(s.current)) this.begin(now);
    return this.isAsleep(s.current) ? -1 : s.current;
  }

  private begin(now: number): void {
    const s = this.state;
    const awake = this.all & ~s.asleep;
    if (awake === 0) return;
    const signalled = s.signalled & awake;
    if (signalled !== 0 && !s.between && awake !== signalled) {
      s.between = true;
      s.current = lowestBit(signalled);
      s.end = now + SHORT_TURN;
    } else {
      const resumed = s.left > 0 && (awake & (1 << s.regular)) !== 0;
      const length = resumed ? s.left : TURN;
      if (!resumed) s.regular = this.follower(awake);
      s.between = false;
      s.left = 0;
      s.current = s.regular;
      s.end = this.contended ? now + length : Infinity;
    }
    s.signalled &= ~(1 << s.current);
  }

  /** The next processor that is awake, in turn. */
  private follower(awake: number): number {
    let cpu = this.state.regular;
    do cpu = (cpu + 1) % this.count;
    while (!(awake & (1 << cpu)));
    return cpu;
  }

  /** A signal arrived for a processor at tick `now`. Returns whether the present turn ends. */
  signal(cpu: number, now: number): boolean {
    const s = this.state;
    s.asleep &= ~(1 << cpu);
    if (cpu === s.current) return false;
    s.signalled |= 1 << cpu;
    if (s.between) return false;
    s.left = Math.max(0, Math.min(s.end - now, TURN));
    s.end = now;
    return true;
  }

  /** The current processor has nothing to do until something happens: it gives up its turn. */
  yield(): void {
    const s = this.state;
    if (!s.between) s.left = 0;
    s.end = 0;
  }

  /** When all wait, somebody outside may have changed what they wait for: all look again. */
  lookAgain(): void {
    if (this.state.asleep === this.all) this.state.asleep = 0;
  }

  /** The current processor waits for a signal. */
  sleep(): void {
    this.state.asleep |= 1 << this.state.current;
    this.yield();
  }
}

const lowestBit = (bits: number): number => 31 - Math.clz32(bits & -bits);
