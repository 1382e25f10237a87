/**
 * Where things are on the PCI bus and how its interrupts reach the interrupt controllers: the one table that the board,
 * the BIOS, the MP table and the ACPI tables read.
 */

/** Device numbers on bus 0. */
export const PciSlot = { HOST: 0, CHIPSET: 1, DISPLAY: 2, CONSOLE: 3, ENTROPY: 4, FIRST_BLOCK: 5 } as const;
/** Functions of the chip set. */
export const ChipsetFunction = { ISA: 0, IDE: 1, POWER: 3 } as const;
/** Most virtio disks. */
export const MAXIMUM_BLOCKS = 4;

/** What the firmware hands out to base address registers; a host bridge's _CRS. Last addresses are inclusive. */
export const PCI_PORTS = { first: 0xc000, last: 0xcfff } as const;
export const PCI_MEMORY = { first: 0xe000_0000, last: 0xfeaf_ffff } as const;
/** The configuration spaces of bus 0 as memory: a page for each of 32 devices with 8 functions. */
export const CONFIGURATION_WINDOW = 0xfeb0_0000;
export const CONFIGURATION_WINDOW_SIZE = 0x10_0000;

/** ISA line that the firmware routes PIRQA# to PIRQD# to, through the ISA bridge. Level-triggered. */
export const PIRQ_LINES = [10, 11, 10, 11] as const;
/** I/O APIC input that each of the four is also wired to. */
export const PIRQ_INPUTS = [16, 17, 18, 19] as const;

/** Which of PIRQA# to PIRQD# (0 to 3) an interrupt pin (1 is INTA#) of a device is wired to. */
export const pirqOf = (device: number, pin: number): number => (device + pin - 2) & 3;

export interface InterruptRoute {
  device: number;
  /** 0 is INTA#, as the MP table and _PRT count. */
  pin: number;
  /** ISA line, for the 8259s; the I/O APIC's input of the same number gets it too. */
  line: number;
  /** Input of the I/O APIC that nothing else uses. */
  input: number;
}

/** Every pin of every device number that this bus can have. */
export const INTERRUPT_ROUTES: readonly InterruptRoute[] = Array.from({ length: PciSlot.FIRST_BLOCK + MAXIMUM_BLOCKS }, (_, device) => device)
  .filter((device) => device > 0)
  .flatMap((device) => [0, 1, 2, 3].map((pin) => ({ device, pin, line: PIRQ_LINES[pirqOf(device, pin + 1)]!, input: PIRQ_INPUTS[pirqOf(device, pin + 1)]! })));
