/**
 * The local APIC's registers as a table: where they are, and what may be done to them as memory (xAPIC) and as MSRs
 * (x2APIC). SDM volume 3, "Local APIC Register Address Map" and "x2APIC Register Address Space".
 */

/** Register offsets in the page of registers. The MSR is 0x800 + offset / 16. */
export const Reg = { ID: 0x20, VERSION: 0x30, TPR: 0x80, APR: 0x90, PPR: 0xa0, EOI: 0xb0, LDR: 0xd0, DFR: 0xe0, SVR: 0xf0, ISR: 0x100, TMR: 0x180, IRR: 0x200, ESR: 0x280, ICR_LOW: 0x300, ICR_HIGH: 0x310, LVT: 0x320, INITIAL: 0x380, CURRENT: 0x390, DIVIDE: 0x3e0, SELF_IPI: 0x3f0 } as const;
/** The local vector table: timer, thermal sensor, performance counters, LINT0, LINT1, error. */
export const Lvt = { TIMER: 0, THERMAL: 1, COUNTERS: 2, LINT0: 3, LINT1: 4, ERROR: 5, COUNT: 6 } as const;
/** Which bits of each entry of the local vector table can be written. */
export const LVT_WRITABLE: readonly number[] = [0x700ff, 0x107ff, 0x107ff, 0x1a7ff, 0x1a7ff, 0x100ff];
export const MASKED = 1 << 16;
/** Version 0x14, highest entry of the local vector table 5. */
export const VERSION = 0x0005_0014;
export const SOFTWARE_ENABLE = 0x100;
/** Delivery modes of messages and of entries of the local vector table. */
export const DeliveryMode = { FIXED: 0, LOWEST: 1, SMI: 2, NMI: 4, INIT: 5, STARTUP: 6, EXTINT: 7 } as const;
/** Timer modes, bits 18:17 of its table entry. */
export const TimerMode = { ONE_SHOT: 0, PERIODIC: 1, TSC_DEADLINE: 2 } as const;
/** Bits of the error status register. */
export const ApicError = { SEND_ILLEGAL_VECTOR: 0x20, RECEIVE_ILLEGAL_VECTOR: 0x40, ILLEGAL_REGISTER: 0x80 } as const;
/** Fields of the interrupt command register's low half. */
/** DELIVERY_STATUS is read-only in xAPIC mode and undefined in x2APIC mode, where processors take it without #GP and ignore it. */
export const Icr = { LOGICAL: 1 << 11, DELIVERY_STATUS: 1 << 12, ASSERT: 1 << 14, LEVEL: 1 << 15, WRITABLE: 0x000c_cfff } as const;
/** Destination shorthands of the interrupt command register. */
export const Shorthand = { NONE: 0, SELF: 1, ALL: 2, OTHERS: 3 } as const;

/** Bits that an MSR write may set without #GP; read-only bits of the local vector table are among them, because software writes back what it read. */
const LVT_ACCEPTED = LVT_WRITABLE.map((bits) => bits | (1 << 12) | (1 << 14));

interface RegisterRow {
  /** Offset of the first register, and how many follow each other. */
  at: number;
  count?: number;
  /** Exists as memory; as an MSR that can be read; bits that may be written to the MSR (undefined: no write). */
  memory: boolean;
  read: boolean;
  write?: number;
}

const ROWS: readonly RegisterRow[] = [
  { at: Reg.ID, memory: true, read: true },
  { at: Reg.VERSION, memory: true, read: true },
  { at: Reg.TPR, memory: true, read: true, write: 0xff },
  { at: Reg.APR, memory: true, read: false },
  { at: Reg.PPR, memory: true, read: true },
  { at: Reg.EOI, memory: true, read: false, write: 0 },
  { at: Reg.LDR, memory: true, read: true },
  { at: Reg.DFR, memory: true, read: false },
  { at: Reg.SVR, memory: true, read: true, write: 0x1ff },
  { at: Reg.ISR, count: 24, memory: true, read: true },
  { at: Reg.ESR, memory: true, read: true, write: 0 },
  { at: Reg.ICR_LOW, memory: true, read: true, write: Icr.WRITABLE | Icr.DELIVERY_STATUS },
  { at: Reg.ICR_HIGH, memory: true, read: false },
  ...LVT_ACCEPTED.map((write, n) => ({ at: Reg.LVT + n * 16, memory: true, read: true, write })),
  { at: Reg.INITIAL, memory: true, read: true, write: 0xffff_ffff },
  { at: Reg.CURRENT, memory: true, read: true },
  { at: Reg.DIVIDE, memory: true, read: true, write: 0xb },
  { at: Reg.SELF_IPI, memory: false, read: false, write: 0xff },
];

/** The row of a register by its number (offset / 16), undefined where there is none. */
export const REGISTERS: readonly (RegisterRow | undefined)[] = (() => {
  const rows = new Array<RegisterRow | undefined>(256).fill(undefined);
  for (const row of ROWS) for (let n = 0; n < (row.count ?? 1); n++) rows[(row.at >> 4) + n] = row;
  return rows;
})();
