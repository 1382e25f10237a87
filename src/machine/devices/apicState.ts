/** The local APIC's state, and what follows from it alone: priorities, and whether a message is for this processor. */
import { bit } from '../../base/bits';
import { Lvt, MASKED, SOFTWARE_ENABLE } from './apicRegisters';
import type { InterruptMessage } from './interruptBus';
import { emptySet, highestVector } from './priorityVector';

/** At reset, with the identifier `id`. Plain data. */
export function apicAtReset(id: number) {
  return {
    id,
    /** Physical page of the registers, enabled, x2APIC: from IA32_APIC_BASE. */
    page: 0xfee00,
    enabled: true,
    x2apic: false,
    tpr: 0,
    logicalDestination: 0,
    destinationFormat: 0xffff_ffff,
    spurious: 0xff,
    isr: emptySet(),
    tmr: emptySet(),
    irr: emptySet(),
    errors: 0,
    errorsShown: 0,
    /** An ExtINT message asked for an interrupt of the 8259s. */
    external: false,
    icrLow: 0,
    icrHigh: 0,
    lvt: new Array<number>(Lvt.COUNT).fill(MASKED),
    initialCount: 0,
    divide: 0,
    /** Tick at which the present count began, and at which it reaches 0 (Infinity when stopped). */
    start: 0,
    expiry: Infinity,
    /** IA32_TSC_DEADLINE. */
    tscDeadline: 0n,
  };
}
export type ApicState = ReturnType<typeof apicAtReset>;

/** The logical identifier in x2APIC mode: cluster, and the processor's bit in it. */
export const x2apicLogical = (id: number): number => (((id >> 4) << 16) | (1 << (id & 15))) >>> 0;

export const enabledBySoftware = (s: ApicState): boolean => s.enabled && (s.spurious & SOFTWARE_ENABLE) !== 0;

/** The processor priority: task priority, or what is in service if that is of a higher class. */
export function processorPriority({ isr, tpr }: ApicState): number {
  const served = highestVector(isr);
  const servedClass = served < 0 ? 0 : served & 0xf0;
  return (tpr & 0xf0) >= servedClass ? tpr : servedClass;
}

/** What lowest-priority arbitration compares: the greater of task priority and what is requested or served. */
export const arbitrationPriority = ({ irr, isr, tpr }: ApicState): number => Math.max(tpr, Math.max(highestVector(irr), highestVector(isr), 0) & 0xf0);

/** Vector of a request above the processor priority, or -1. */
export function requestedVector(s: ApicState): number {
  if (!enabledBySoftware(s)) return -1;
  const vector = highestVector(s.irr);
  return vector >= 0 && vector >> 4 > processorPriority(s) >> 4 ? vector : -1;
}

/** Whether a message is for this processor (SDM volume 3, "Determining IPI Destination"). */
export function isFor(s: ApicState, { destination, logical, broadcast }: InterruptMessage): boolean {
  if (!s.enabled) return false;
  if (broadcast) return true;
  if (!logical) return destination === s.id;
  if (s.x2apic) return destination >>> 16 === s.id >> 4 && bit(destination, s.id & 15);
  const mine = s.logicalDestination >>> 24;
  if (s.destinationFormat >>> 28 === 0xf) return (mine & destination) !== 0;
  return mine >> 4 === (destination & 0xff) >> 4 && (mine & destination & 15) !== 0;
}
