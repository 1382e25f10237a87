/** What the firmware does to the PCI bus before anything boots: addresses, interrupt lines, routing. */
import type { Board } from '../devices/board';
import { Command, Config } from '../devices/pci/pciFunction';
import { PIRQ_ROUTE } from '../devices/pci/chipset';
import { ChipsetFunction, PCI_MEMORY, PCI_PORTS, PciSlot, PIRQ_LINES, pirqOf } from '../devices/pci/pciTable';

/** Edge/level control registers of the 8259s. */
const ELCR = 0x4d0;

const configurationAddress = (device: number, fn: number, register: number): number => (0x8000_0000 | (device << 11) | (fn << 8) | (register & 0xfc)) >>> 0;

/** Hands out addresses in ascending order, each aligned to its size, and switches every function on. */
export function setUpPci({ pci, pic }: Board): void {
  const next = { io: PCI_PORTS.first as number, memory: PCI_MEMORY.first as number };
  for (const { device, fn, bars, pin } of pci.functions) {
    const write = (register: number, size: number, value: number): void => pci.configurationWrite(configurationAddress(device, fn, register), register & 3, size, value);
    for (const { index, kind, size, at } of bars) {
      if (at !== undefined) {
        write(Config.BAR0 + 4 * index, 4, at);
        continue;
      }
      const base = Math.ceil(next[kind] / size) * size;
      next[kind] = base + size;
      write(Config.BAR0 + 4 * index, 4, base);
    }
    if (pin > 0) write(Config.INTERRUPT_LINE, 1, PIRQ_LINES[pirqOf(device, pin)]!);
    write(Config.COMMAND, 2, Command.IO | Command.MEMORY | Command.MASTER);
  }
  PIRQ_LINES.forEach((irq, n) => pci.configurationWrite(configurationAddress(PciSlot.CHIPSET, ChipsetFunction.ISA, PIRQ_ROUTE), n, 1, irq));
  const levels = PIRQ_LINES.reduce((bits, irq) => bits | (1 << irq), 0);
  pic.writePort(ELCR, levels & 0xff);
  pic.writePort(ELCR + 1, levels >> 8);
}
