/** Intel SDM volume 3, "Checks on VMX Controls", parts "VM-Exit Control Fields" and "VM-Entry Control Fields". */
import { MSR_LIST_LIMIT } from './capabilities';
import { Entry, Exit, Pin } from './controls';
import { checksOf, type EntryCheck, type EntryContext } from './entryCheck';
import { allowed, deliversErrorCode, disallowed, entry, Event, eventType, eventVector, exit, injects, PE, physical, pin, unrestricted } from './entryCheckTerms';
import { type FieldName, Slot } from './fields';

const ofExit = checksOf('control', 'VM-Exit Control Fields');
const ofEntry = checksOf('control', 'VM-Entry Control Fields');

const ENTRY_SIZE = 16;
const AREA = 'must be 16-byte aligned and, with its last byte, inside the physical-address width.';

function msrArea(c: EntryContext, count: number, address: number): boolean {
  const n = c.low(count);
  if (n === 0) return true;
  const last = c.high(address) * 2 ** 32 + c.low(address) + n * ENTRY_SIZE - 1;
  return physical(c, address, ENTRY_SIZE - 1) && last < 2 ** c.physicalAddressBits;
}

const area = (make: typeof ofExit, id: string, address: FieldName, count: FieldName, what: string): EntryCheck =>
  make(id, [address, count], `${what} ${AREA}`, (c) => msrArea(c, Slot[count], Slot[address]));

const { SECONDARY_EXIT_CONTROLS, SAVE_PREEMPTION_TIMER } = Exit;

export const EXIT_CONTROL_CHECKS: readonly EntryCheck[] = [
  ofExit('exit.reserved', ['VM_EXIT_CONTROLS'], 'Each control must have a value that IA32_VMX_(TRUE_)EXIT_CTLS allows.', (c) => allowed(c, 'exit'), { explain: (c) => disallowed(c, 'exit') }),
  ofExit('exit.secondary.reserved', ['SECONDARY_VM_EXIT_CONTROLS'], 'Each control must have a value that IA32_VMX_EXIT_CTLS2 allows.', (c) => !exit(c, SECONDARY_EXIT_CONTROLS) || allowed(c, 'secondary-exit'), { explain: (c) => disallowed(c, 'secondary-exit'), feature: 'secondary-exit-controls' }),
  ofExit('exit.preemption-timer', ['VM_EXIT_CONTROLS', 'PIN_BASED_CONTROLS'], 'Save VMX-preemption timer value needs activate VMX-preemption timer.', (c) => !exit(c, SAVE_PREEMPTION_TIMER) || pin(c, Pin.PREEMPTION_TIMER), { feature: 'preemption-timer' }),
  area(ofExit, 'exit.msr-store', 'VM_EXIT_MSR_STORE_ADDRESS', 'VM_EXIT_MSR_STORE_COUNT', 'The VM-exit MSR-store area'),
  area(ofExit, 'exit.msr-load', 'VM_EXIT_MSR_LOAD_ADDRESS', 'VM_EXIT_MSR_LOAD_COUNT', 'The VM-exit MSR-load area'),
  // The SDM leaves longer lists undefined ("Miscellaneous Data"). A sentence at the entry is kinder than an abort at the exit.
  ofExit('exit.msr-store-count', ['VM_EXIT_MSR_STORE_COUNT'], `The VM-exit MSR-store area must not have more than ${MSR_LIST_LIMIT} entries, the limit that IA32_VMX_MISC recommends.`, (c) => c.low(Slot.VM_EXIT_MSR_STORE_COUNT) <= MSR_LIST_LIMIT),
  ofExit('exit.msr-load-count', ['VM_EXIT_MSR_LOAD_COUNT'], `The VM-exit MSR-load area must not have more than ${MSR_LIST_LIMIT} entries, the limit that IA32_VMX_MISC recommends.`, (c) => c.low(Slot.VM_EXIT_MSR_LOAD_COUNT) <= MSR_LIST_LIMIT),
];

const INFO = 'VM_ENTRY_INTERRUPTION_INFO';
/** Exceptions that push an error code: #DF #TS #NP #SS #GP #PF #AC. */
const WITH_ERROR_CODE = (1 << 8) | (1 << 10) | (1 << 11) | (1 << 12) | (1 << 13) | (1 << 14) | (1 << 17);
const LAST_EXCEPTION = 31;
const NMI_VECTOR = 2;

function vectorFits(c: EntryContext): boolean {
  switch (eventType(c)) {
    case Event.NMI:
      return eventVector(c) === NMI_VECTOR;
    case Event.HARDWARE_EXCEPTION:
      return eventVector(c) <= LAST_EXCEPTION;
    case Event.OTHER:
      return eventVector(c) === 0;
    default:
      return true;
  }
}
const pushesErrorCode = (c: EntryContext): boolean => eventType(c) === Event.HARDWARE_EXCEPTION && eventVector(c) <= LAST_EXCEPTION && ((WITH_ERROR_CODE >>> eventVector(c)) & 1) === 1;
const protectedMode = (c: EntryContext): boolean => !unrestricted(c) || (c.low(Slot.GUEST_CR0) & PE) !== 0;
const isSoftware = (c: EntryContext): boolean => eventType(c) >= Event.SOFTWARE_INTERRUPT && eventType(c) <= Event.SOFTWARE_EXCEPTION;
/** IA32_VMX_MISC: software events may be injected with instruction length 0. */
const MISC_LENGTH_ZERO = 1 << 30;
const LONGEST_INSTRUCTION = 15;

export const ENTRY_CONTROL_CHECKS: readonly EntryCheck[] = [
  ofEntry('entry.reserved', ['VM_ENTRY_CONTROLS'], 'Each control must have a value that IA32_VMX_(TRUE_)ENTRY_CTLS allows.', (c) => allowed(c, 'entry'), { explain: (c) => disallowed(c, 'entry') }),
  ofEntry('entry.event-type', [INFO], 'The type of the injected event (bits 10:8) must not be 1, which is reserved, nor 7 on a processor without monitor trap flag.', (c) => !injects(c) || (eventType(c) !== Event.RESERVED && (eventType(c) !== Event.OTHER || c.capabilities.has('monitor-trap-flag')))),
  ofEntry('entry.event-vector', [INFO], 'The vector of the injected event must fit its type: 2 for an NMI, at most 31 for a hardware exception, 0 for a pending monitor-trap-flag exit.', (c) => !injects(c) || vectorFits(c)),
  ofEntry('entry.event-error-code', [INFO, 'GUEST_CR0'], 'An error code must be delivered (bit 11) exactly for the hardware exceptions #DF, #TS, #NP, #SS, #GP, #PF and #AC, and not in real mode.', (c) => !injects(c) || deliversErrorCode(c) === (pushesErrorCode(c) && protectedMode(c))),
  ofEntry('entry.event-reserved', [INFO], 'Bits 30:12 of the VM-entry interruption information must be 0.', (c) => !injects(c) || (c.low(Slot[INFO]) & 0x7fff_f000) === 0),
  ofEntry('entry.error-code', ['VM_ENTRY_EXCEPTION_ERROR_CODE'], 'The error code to be delivered must not have more than 16 bits.', (c) => !injects(c) || !deliversErrorCode(c) || c.low(Slot.VM_ENTRY_EXCEPTION_ERROR_CODE) >>> 16 === 0),
  ofEntry('entry.instruction-length', ['VM_ENTRY_INSTRUCTION_LENGTH', INFO], 'A software interrupt or exception must have an instruction length of at most 15, and of at least 1 where IA32_VMX_MISC does not allow 0.', (c) => {
    if (!injects(c) || !isSoftware(c)) return true;
    const length = c.low(Slot.VM_ENTRY_INSTRUCTION_LENGTH);
    return length <= LONGEST_INSTRUCTION && (length > 0 || (c.misc & MISC_LENGTH_ZERO) !== 0);
  }),
  area(ofEntry, 'entry.msr-load', 'VM_ENTRY_MSR_LOAD_ADDRESS', 'VM_ENTRY_MSR_LOAD_COUNT', 'The VM-entry MSR-load area'),
  // A VMM outside system-management mode, which this machine does not have.
  ofEntry('entry.smm', ['VM_ENTRY_CONTROLS'], 'Entry to SMM and deactivate dual-monitor treatment must be 0 outside system-management mode.', (c) => !entry(c, Entry.ENTRY_TO_SMM | Entry.DEACTIVATE_DUAL_MONITOR)),
];
