/** The chip set's functions that are little more than a configuration space: host bridge and ISA bridge. */
import type { MemoryAttributes } from './memoryAttributes';
import type { PciFunction } from './pciFunction';
import { ChipsetFunction, PciSlot } from './pciTable';

const INTEL = 0x8086;
/** Identity that the chip set's functions share. */
const chip = { vendorId: INTEL, subsystemVendorId: 0, subsystemId: 0, pin: 0, bars: [], capabilities: [] } as const;

/** 82441FX. Its DRAM registers can be written and change nothing; so do its PAM registers with this machine's own BIOS, which has no RAM behind it. */
export const hostBridge = (attributes?: MemoryAttributes): PciFunction => ({
  ...chip,
  name: 'host bridge',
  device: PciSlot.HOST,
  fn: 0,
  deviceId: 0x1237,
  classCode: 0x06_0000,
  revision: 2,
  writable: [[0x50, 0x7f]],
  ...(attributes && { written: (space) => attributes.apply(space), restored: (space) => attributes.apply(space) }),
});

/** Registers PIRQRCA to PIRQRCD: bit 7 set is not routed, else the low bits are the ISA line. */
export const PIRQ_ROUTE = 0x60;
export const NOT_ROUTED = 0x80;

/** PIIX3, function 0: routes the four PCI interrupt lines to ISA lines. */
export const isaBridge = (routed: (lines: readonly (number | undefined)[]) => void): PciFunction => ({
  ...chip,
  name: 'ISA bridge',
  device: PciSlot.CHIPSET,
  fn: ChipsetFunction.ISA,
  deviceId: 0x7000,
  classCode: 0x06_0100,
  revision: 0,
  multifunction: true,
  preset: [[PIRQ_ROUTE, NOT_ROUTED, NOT_ROUTED, NOT_ROUTED, NOT_ROUTED]],
  writable: [[0x4c, 0x4f], [PIRQ_ROUTE, PIRQ_ROUTE + 3], [0x69, 0x71], [0x76, 0x77], [0x80, 0x82]],
  written: (space) => routed([0, 1, 2, 3].map((n) => (space[PIRQ_ROUTE + n]! & NOT_ROUTED ? undefined : space[PIRQ_ROUTE + n]! & 15))),
});
