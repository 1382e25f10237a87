/** What VM entries and VM exits remember in the processor's state beside the VMCS, from 0xe00 to 0xeff and from 0x2800 to 0x2fff; state.ts leaves the room. */
import { FIELDS } from './tables/fields';

export const Held = {
  /** 16 x u64 each: the general-purpose registers at the VM entry before the last one, and at the last. */
  BEFORE_GPR: 0xe00,
  ENTRY_GPR: 0xe80,
  /** A copy of the fields: see checkMemo.ts. */
  FIELDS: 0x2800,
  /** What `compare` of transfer.ts finds, a byte for each pair of slots. */
  CHANGED: 0x2f00,
  /** What the translations of VMX root and non-root operation depend on, words: see stateCode.ts and translations.ts. */
  HOST: 0x2f80,
  GUEST: 0x2fa0,
} as const;

/** Bytes of a vector: two slots or registers. */
export const PAIR = 16;
export const PAIRS = (FIELDS.length + 1) >> 1;
if (Held.FIELDS + PAIRS * PAIR > Held.CHANGED || Held.CHANGED + PAIRS > Held.HOST) throw new Error('The VMCS has more fields than the processor state has room for.');
