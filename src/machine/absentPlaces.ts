/**
 * Ports and memory that software probes on every PC and that many PCs lack, so that finding nothing there is no news.
 * Everything else that is absent is reported once.
 */

/** First port, last port, what would be there. */
const COMMONLY_ABSENT: readonly (readonly [number, number, string])[] = [
  [0x0022, 0x0023, 'chip-set index, interrupt mode control register'],
  [0x002e, 0x002f, 'super I/O'],
  [0x004e, 0x004f, 'super I/O'],
  [0x00ed, 0x00ee, 'delays'],
  [0x00f1, 0x00f1, 'coprocessor reset'],
  [0x0170, 0x0177, 'second IDE channel'],
  [0x0376, 0x0377, 'second IDE channel'],
  [0x0200, 0x0207, 'game port'],
  [0x0220, 0x022f, 'sound'],
  [0x0278, 0x027f, 'second parallel port, plug and play'],
  [0x02e8, 0x02ef, 'COM4'],
  [0x02f8, 0x02ff, 'COM2'],
  [0x03b0, 0x03bf, 'monochrome display, third parallel port'],
  [0x03e8, 0x03ef, 'COM3'],
  [0x03f0, 0x03f5, 'floppy disk'],
  [0x03f7, 0x03f7, 'floppy disk'],
  [0x0400, 0x040f, 'extended DMA'],
  [0x0779, 0x077b, 'parallel port, ECP'],
  [0x0a79, 0x0a79, 'plug and play'],
  [0x4000, 0x4fff, 'power management, SMBus'],
  [0x5658, 0x5659, 'virtual machine detection'],
  [0xaf00, 0xaf0b, 'adding processors while the machine runs'],
  [0xc000, 0xcfff, 'PCI configuration mechanism 2'],
];

export const isCommonlyAbsent = (port: number): boolean => COMMONLY_ABSENT.some(([first, last]) => port >= first && port <= last);

/** First and last address of physical memory that software probes in the same way. */
const COMMONLY_PROBED: readonly (readonly [number, number, string])[] = [
  [0x000a_0000, 0x000f_ffff, 'display, option ROMs'],
  [0xfec0_0000, 0xffff_ffff, 'interrupt controllers, trusted platform module, DMA remapping, firmware'],
];

export const isCommonlyProbed = (address: number): boolean => COMMONLY_PROBED.some(([first, last]) => address >= first && address <= last);
