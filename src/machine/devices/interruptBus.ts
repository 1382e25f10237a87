/**
 * What carries interrupt messages between the I/O APIC and the local APICs (SDM volume 3, "Local and I/O APICs" and
 * "Determining IPI Destination"). A message arrives at once.
 */
import { DeliveryMode, Shorthand } from './apicRegisters';
import type { LocalApic } from './localApic';

export interface InterruptMessage {
  vector: number;
  /** One of DeliveryMode. */
  mode: number;
  /** Level-triggered, not edge-triggered. */
  level: boolean;
  /** APIC identifier, or set of logical processors: 8 bits from the I/O APIC and in xAPIC mode, 32 bits in x2APIC mode. */
  destination: number;
  logical: boolean;
  /** For every processor, whatever `destination` says. */
  broadcast: boolean;
}

export class InterruptBus {
  constructor(private readonly apics: readonly LocalApic[]) {}

  /** Delivers a message. Returns whether any processor was addressed. */
  send(message: InterruptMessage): boolean {
    return this.deliver(message, this.apics.filter((apic) => apic.accepts(message)));
  }

  /** Delivers a message of a local APIC that names its destination by one of Shorthand. */
  sendFrom(sender: LocalApic, message: InterruptMessage, shorthand: number): boolean {
    if (shorthand === Shorthand.NONE) return this.send(message);
    if (shorthand === Shorthand.SELF) return this.deliver(message, [sender]);
    return this.deliver(message, this.apics.filter((apic) => apic.listening && (shorthand === Shorthand.ALL || apic !== sender)));
  }

  private deliver(message: InterruptMessage, to: readonly LocalApic[]): boolean {
    if (to.length === 0) return false;
    const receivers = message.mode === DeliveryMode.LOWEST ? [this.lowest(to)] : to;
    for (const apic of receivers) apic.receive(message);
    return true;
  }

  /** Arbitration: the lowest processor priority wins, among equals the first that can take interrupts at all. */
  private lowest(of: readonly LocalApic[]): LocalApic {
    const able = of.filter((apic) => apic.softwareEnabled);
    return (able.length > 0 ? able : of).reduce((best, apic) => (apic.arbitrationPriority < best.arbitrationPriority ? apic : best));
  }
}
