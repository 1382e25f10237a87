/**
 * The machine's only clock is the instruction count: one tick is one retired instruction and stands for one nanosecond.
 * Everything that has a frequency of its own is converted here, exactly, with integers below 2^53.
 */

/** Ticks per second: the time-stamp counter and the instruction count run at 1 GHz. */
export const TICKS_PER_SECOND = 1_000_000_000;

/** Input clock of the 8254 timer, in hertz: a third of the colour subcarrier, as in every PC. */
export const PIT_HERTZ = 1_193_182;

/** ACPI's power-management timer, in hertz: the colour subcarrier. */
export const PM_TIMER_HERTZ = 3_579_545;

/** Ticks per count of the local APIC's timer before its divider: a clock of 1 GHz, as virtual machines have it. Kernels that write a count of their own rely on that. */
export const APIC_TIMER_TICKS = 1;

/** Clocks of a `hertz` oscillator that are complete at `ticks`. */
export function clocksAt(ticks: number, hertz: number): number {
  const seconds = Math.floor(ticks / TICKS_PER_SECOND);
  const rest = ticks - seconds * TICKS_PER_SECOND;
  return seconds * hertz + Math.floor((rest * hertz) / TICKS_PER_SECOND);
}

/** First tick at which `clocks` clocks of a `hertz` oscillator are complete: the inverse of `clocksAt`. */
export function ticksAt(clocks: number, hertz: number): number {
  if (clocks === Infinity) return Infinity;
  const seconds = Math.floor(clocks / hertz);
  const rest = clocks - seconds * hertz;
  return seconds * TICKS_PER_SECOND + Math.ceil((rest * TICKS_PER_SECOND) / hertz);
}
