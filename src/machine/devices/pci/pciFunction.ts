/** What a function on the PCI bus is made of (PCI Local Bus Specification 3.0, "Configuration Space"). */

/** What is behind a base address register. `offset` is relative to its base. */
export interface BarRegion {
  read(offset: number, size: number): number;
  write(offset: number, size: number, value: number): void;
}

export interface Bar {
  /** Number of the base address register, 0 to 5, or EXPANSION_ROM. */
  index: number;
  kind: 'io' | 'memory';
  /** Bytes: a power of two, at least 16 for ports and 4096 for memory. */
  size: number;
  /** Absent where there is plain memory, which the memory map has: then `at` says where this machine's BIOS puts it. */
  region?: BarRegion;
  at?: number;
  /** For plain memory that software can move: where it is from now on, undefined for nowhere. */
  moved?(base: number | undefined): void;
}

/** The expansion ROM's base address is behind the six others as if it were number 8. Its bit 0 switches the ROM on. */
export const EXPANSION_ROM = 8;
const ROM_ENABLED = 1;
const ROM_ADDRESS = 0xffff_f800;

/** A capability: its bytes, with 0 for the link to the next, and which of their bits software may write (none unless told). */
export interface Capability {
  readonly bytes: readonly number[];
  readonly writable?: readonly number[];
}

/** Registers that lead elsewhere; `space` tells where to. */
export interface ConfigurationWindow {
  readonly at: number;
  readonly size: number;
  read(space: Uint8Array): number;
  write(space: Uint8Array, value: number): void;
}

/** One function. Its configuration space itself is kept by the host bridge: see `PciHost`. */
export interface PciFunction {
  /** For messages. */
  readonly name: string;
  readonly device: number;
  readonly fn: number;
  readonly vendorId: number;
  readonly deviceId: number;
  /** Class, subclass and programming interface: 24 bits. */
  readonly classCode: number;
  readonly revision: number;
  readonly subsystemVendorId: number;
  readonly subsystemId: number;
  /** Whether the device has further functions; said by its function 0. */
  readonly multifunction?: boolean;
  /** Interrupt pin: 0 none, 1 INTA#, ... */
  readonly pin: number;
  readonly bars: readonly Bar[];
  /** Placed one behind the other from FIRST_CAPABILITY on. */
  readonly capabilities: readonly Capability[];
  /** Registers of its own that hold something at reset: offset, then bytes. */
  readonly preset?: readonly (readonly [offset: number, ...bytes: number[]])[];
  /** Bytes of its own that software may write: first and last offset, and the bits of each that it may change (all unless told). */
  readonly writable?: readonly (readonly [first: number, last: number, bits?: number])[];
  /** Registers of its configuration space that lead elsewhere: accesses that begin in them are the device's. */
  readonly window?: ConfigurationWindow;
  /** Told when software has written its configuration space. */
  written?(space: Uint8Array): void;
  /** Told when the whole machine's state was replaced: what is derived from the configuration space is brought in line. */
  restored?(space: Uint8Array): void;
}

/** Offsets of the common header. */
export const Config = {
  VENDOR: 0x00,
  DEVICE: 0x02,
  COMMAND: 0x04,
  STATUS: 0x06,
  REVISION: 0x08,
  CLASS: 0x09,
  HEADER_TYPE: 0x0e,
  BAR0: 0x10,
  SUBSYSTEM_VENDOR: 0x2c,
  SUBSYSTEM: 0x2e,
  CAPABILITIES: 0x34,
  INTERRUPT_LINE: 0x3c,
  INTERRUPT_PIN: 0x3d,
} as const;
/** Command register: answer ports, answer memory, be a bus master. */
export const Command = { IO: 1, MEMORY: 2, MASTER: 4 } as const;
/** Writable bits of the command register: those three, SERR#, parity, interrupt disable. */
const COMMAND_WRITABLE = 0x0547;
export const INTERRUPT_DISABLE = 0x0400;
const FIRST_CAPABILITY = 0x40;
/** Status: there is a capability list; medium DEVSEL timing. */
const STATUS_CAPABILITIES = 0x0010;
const STATUS_TIMING = 0x0200;
export const CONFIGURATION_SIZE = 256;

/** Where each of a function's capabilities is. */
export function capabilityOffsets(f: PciFunction): number[] {
  let next = FIRST_CAPABILITY;
  return f.capabilities.map(({ bytes }) => {
    const at = next;
    next = (at + bytes.length + 3) & ~3;
    return at;
  });
}

/** A function's configuration space at reset. */
export function spaceAtReset(f: PciFunction): Uint8Array {
  const space = new Uint8Array(CONFIGURATION_SIZE);
  const data = new DataView(space.buffer);
  data.setUint16(Config.VENDOR, f.vendorId, true);
  data.setUint16(Config.DEVICE, f.deviceId, true);
  data.setUint16(Config.STATUS, STATUS_TIMING | (f.capabilities.length > 0 ? STATUS_CAPABILITIES : 0), true);
  data.setUint32(Config.REVISION, ((f.classCode << 8) | f.revision) >>> 0, true);
  data.setUint8(Config.HEADER_TYPE, f.multifunction ? 0x80 : 0);
  data.setUint16(Config.SUBSYSTEM_VENDOR, f.subsystemVendorId, true);
  data.setUint16(Config.SUBSYSTEM, f.subsystemId, true);
  data.setUint8(Config.INTERRUPT_PIN, f.pin);
  for (const bar of f.bars) data.setUint32(Config.BAR0 + 4 * bar.index, bar.kind === 'io' ? 1 : 0, true);
  const offsets = capabilityOffsets(f);
  space[Config.CAPABILITIES] = offsets[0] ?? 0;
  f.capabilities.forEach(({ bytes }, n) => {
    space.set(bytes, offsets[n]);
    space[offsets[n]! + 1] = offsets[n + 1] ?? 0;
  });
  for (const [offset, ...bytes] of f.preset ?? []) space.set(bytes, offset);
  return space;
}

/** Which bits of its configuration space software may change. A base address register has as many as its size leaves. */
export function writableBits(f: PciFunction): Uint8Array {
  const mask = new Uint8Array(CONFIGURATION_SIZE);
  const data = new DataView(mask.buffer);
  data.setUint16(Config.COMMAND, COMMAND_WRITABLE, true);
  data.setUint16(0x0c, 0xffff, true); // cache line size, latency timer
  data.setUint8(Config.INTERRUPT_LINE, 0xff);
  for (const bar of f.bars) data.setUint32(Config.BAR0 + 4 * bar.index, (bar.index === EXPANSION_ROM ? (-bar.size & ROM_ADDRESS) | ROM_ENABLED : -bar.size & (bar.kind === 'io' ? 0xffff_fffc : 0xffff_fff0)) >>> 0, true);
  const offsets = capabilityOffsets(f);
  f.capabilities.forEach(({ writable }, n) => mask.set(writable ?? [], offsets[n]));
  for (const [first, last, bits] of f.writable ?? []) mask.fill(bits ?? 0xff, first, last + 1);
  return mask;
}

/** Base address that a register holds. */
export function barBase(space: Uint8Array, bar: Bar): number {
  const value = new DataView(space.buffer, space.byteOffset).getUint32(Config.BAR0 + 4 * bar.index, true);
  // A processor has no ports beyond 64 KiB: such a register leads nowhere.
  if (bar.kind === 'io') return value < 0x1_0000 ? value & 0xfffc : 0;
  if (bar.index === EXPANSION_ROM) return value & ROM_ENABLED ? (value & ROM_ADDRESS) >>> 0 : 0;
  return (value & 0xffff_fff0) >>> 0;
}
