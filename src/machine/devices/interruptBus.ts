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

/** Writes to these addresses are interrupt messages (SDM volume 3, "Message Address Register Format"). */
const MESSAGES = 0xfee0_0000;
const MESSAGES_END = 0xfef0_0000;
/** Bits of a message's address and data. */
const ADDRESS_LOGICAL = 1 << 2;
const ADDRESS_REDIRECTION = 1 << 3;
const DATA_ASSERT = 1 << 14;
const DATA_LEVEL = 1 << 15;
const EVERYONE = 0xff;

/** Whether a write of a device to this address is an interrupt message. */
export const isMessage = (address: number): boolean => address >= MESSAGES && address < MESSAGES_END;

export class InterruptBus {
  constructor(private readonly apics: readonly LocalApic[]) {}

  /** Delivers a message. Returns whether any processor was addressed. */
  send(message: InterruptMessage): boolean {
    return this.deliver(message, this.apics.filter((apic) => apic.accepts(message)));
  }

  /** A device's write of 32 bits that carries an interrupt, as PCI functions make them. Returns whether any processor was addressed. */
  write(address: number, data: number): boolean {
    const level = (data & DATA_LEVEL) !== 0;
    if (level && !(data & DATA_ASSERT)) return false; // a level that falls interrupts nobody
    const destination = (address >>> 12) & 0xff;
    const fixed = (data >>> 8) & 7;
    const mode = fixed === DeliveryMode.FIXED && address & ADDRESS_REDIRECTION ? DeliveryMode.LOWEST : fixed;
    return this.send({ vector: data & 0xff, mode, level, destination, logical: (address & ADDRESS_LOGICAL) !== 0, broadcast: destination === EVERYONE });
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
