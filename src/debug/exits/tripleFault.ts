/** A triple fault in words: which exceptions led to it, and why they could not be delivered. */
import { EventType } from '../../cpu/intercepts';
import { undeliverable } from '../inspect/undeliverable';
import { addressPlace } from '../stack/callStack';
import type { Target } from '../target';
import type { World } from '../world';
import { eventWords } from './exitWords';
import type { DeliveredEvent } from '../run/stopCause';

/** How many delivered events of a processor are remembered, to tell what led to a triple fault. */
const KEPT_EVENTS = 4;

/** Adds an event to those that a processor was delivered last. */
export function remember(events: DeliveredEvent[], event: DeliveredEvent): void {
  if (events.length >= KEPT_EVENTS) events.shift();
  events.push(event);
}

/** Sentences about a triple fault of a world that has just been; `events` are the latest that were delivered, of either world. */
export function tripleFaultLines(target: Target, world: World, events: readonly DeliveredEvent[]): string[] {
  const exceptions = events.filter((e) => e.world === world && e.type === EventType.HARDWARE_EXCEPTION);
  const lines = [`The ${world === 'guest' ? 'guest' : 'VMM'} met an exception that it could not deliver, and then another while delivering the double fault.`];
  if (exceptions.length > 0) lines.push(`What led to it: ${exceptions.map((e) => eventWords(e, (rip) => addressPlace(target, world, rip))).join('; then ')}.`);
  const why = new Set([...new Set(exceptions.map((e) => e.vector))].map((vector) => undeliverable(target, world, vector)));
  for (const sentence of why) if (sentence !== undefined) lines.push(sentence);
  return lines;
}
