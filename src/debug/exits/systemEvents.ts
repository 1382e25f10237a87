/**
 * What happens to the processor besides VM exits and can stop the machine: VM entries, events that are delivered,
 * changes of mode, loads of CR3. A row per kind: the filters, their conditions and the sentences come from here.
 */
import { hex } from '../../base/bits';
import { EventType } from '../../cpu/intercepts';
import type { VmxInspection } from '../../vmx/observe';
import { Encoding, vectorName } from '../../vmx/tables';
import type { EntryRecord } from './exitRecorder';
import type { DeliveredEvent } from '../run/stopCause';
import { WORLD_NAME, type World } from '../world';
import type { Operand, Subject } from './condition';

export type SystemEventKind = 'entry' | 'guest-exception' | 'vmm-exception' | 'interrupt' | 'mode' | 'cr3';

export interface SystemEvent {
  kind: SystemEventKind;
  /** The world it happens in. */
  world: World;
  /** Where, as RIP of that world. */
  rip: bigint;
  details: Readonly<Record<string, Operand>>;
  /** As a headline. */
  words: string;
}

export interface SystemEventFilter {
  kind: SystemEventKind;
  label: string;
  description: string;
  /** An example of a condition. */
  example: string;
  /** The detail that a bare number means. */
  main: string | undefined;
}

export const SYSTEM_EVENTS: readonly SystemEventFilter[] = [
  { kind: 'entry', label: 'VM entry', description: 'Stops at the guest\'s first instruction behind each VM entry.', example: 'launch, or injects && vector == 14', main: 'n' },
  { kind: 'guest-exception', label: 'Exception in the guest', description: 'Stops when an exception is delivered through the guest\'s IDT; one that exits to the VMM is a VM exit.', example: 'vector == PF, or just 14', main: 'vector' },
  { kind: 'vmm-exception', label: 'Exception in the VMM', description: 'Stops when an exception is delivered through the VMM\'s IDT.', example: 'vector == GP, or just 13', main: 'vector' },
  { kind: 'interrupt', label: 'Interrupt', description: 'Stops when an interrupt, by hardware or by INT n, is delivered through the IDT of either world.', example: 'vector == 0x20 && guest', main: 'vector' },
  { kind: 'mode', label: 'Mode changed', description: 'Stops when a world switches between real, virtual-8086, protected, compatibility and 64-bit mode.', example: 'to == "64-bit mode"', main: undefined },
  { kind: 'cr3', label: 'CR3 loaded', description: 'Stops behind MOV to CR3, and behind a task switch that changes CR3.', example: 'value == 0x6000 && guest', main: 'value' },
];

const name = (event: DeliveredEvent): string =>
  event.type === EventType.HARDWARE_EXCEPTION || event.type === EventType.SOFTWARE_EXCEPTION || event.type === EventType.PRIVILEGED_SOFTWARE || event.type === EventType.NMI ? vectorName(event.vector) : `interrupt ${hex(event.vector)}`;

/** An event that is delivered through the IDT. */
export function deliveryEvent(event: DeliveredEvent): SystemEvent {
  const exception = event.type === EventType.HARDWARE_EXCEPTION || event.type === EventType.SOFTWARE_EXCEPTION || event.type === EventType.PRIVILEGED_SOFTWARE;
  return {
    kind: !exception ? 'interrupt' : event.world === 'guest' ? 'guest-exception' : 'vmm-exception',
    world: event.world,
    rip: event.rip,
    details: {
      vector: BigInt(event.vector),
      ...(event.errorCode === undefined ? {} : { errorCode: BigInt(event.errorCode) }),
      hardware: event.type === EventType.EXTERNAL || event.type === EventType.NMI,
    },
    words: `${name(event)}${event.errorCode === undefined ? '' : `, error code ${hex(event.errorCode)},`} in the ${WORLD_NAME[event.world]}`,
  };
}

const VALID = 1n << 31n;

/** A VM entry that has completed: `rip` is the guest's. */
export function entryEvent(entry: EntryRecord, vmx: VmxInspection, rip: bigint): SystemEvent {
  const info = vmx.readField(Encoding.VM_ENTRY_INTERRUPTION_INFO) ?? 0n;
  const injects = (info & VALID) !== 0n;
  return {
    kind: 'entry',
    world: 'guest',
    rip,
    details: { n: BigInt(entry.n), launch: entry.launch, injects, ...(injects ? { vector: info & 0xffn } : {}) },
    words: `VM entry ${entry.n} by ${entry.launch ? 'VMLAUNCH' : 'VMRESUME'}${injects ? `, with ${vectorName(Number(info & 0xffn))} injected` : ''}`,
  };
}

/** A system event as conditions see it. */
export function eventSubject(event: SystemEvent, functionAt: (world: World, rip: bigint) => string): Subject {
  const { label, main } = SYSTEM_EVENTS.find((e) => e.kind === event.kind)!;
  const common: Record<string, () => Operand> = { world: () => event.world, rip: () => event.rip, function: () => functionAt(event.world, event.rip) };
  return {
    what: `The event "${label}"`,
    main,
    lookup: (wanted) => (Object.hasOwn(event.details, wanted) ? event.details[wanted] : common[wanted]?.()),
    names: () => [...Object.keys(event.details), ...Object.keys(common)],
  };
}
