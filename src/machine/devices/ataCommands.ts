/** The commands of ATA drives as tables, and the bits of their registers (ATA/ATAPI-6, "Command descriptions"). */

/** Status bits. */
export const Status = { ERROR: 0x01, DATA_REQUEST: 0x08, SEEK_COMPLETE: 0x10, READY: 0x40 } as const;
/** A drive that waits for a command. */
export const IDLE = Status.READY | Status.SEEK_COMPLETE;
/** A drive that moves data. */
export const MOVING = IDLE | Status.DATA_REQUEST;
/** Error bits. */
export const AtaError = { ABORTED: 0x04, NOT_FOUND: 0x10 } as const;
/** Device control: no interrupts, reset, read the bytes written before the last ones. */
export const Control = { NO_INTERRUPT: 0x02, SOFT_RESET: 0x04, HIGH_ORDER: 0x80 } as const;

/** How a command moves data. */
export interface DataCommand {
  transfer: 'read' | 'write' | 'verify';
  /** 48-bit address and 16-bit count. */
  extended: boolean;
  /** Several sectors per interrupt. */
  multiple: boolean;
  dma: boolean;
}
export const DATA_COMMANDS: ReadonlyMap<number, DataCommand> = (() => {
  const commands = new Map<number, DataCommand>();
  for (const [codes, transfer, extended, multiple, dma] of [
    [[0x20, 0x21], 'read', false, false, false],
    [[0x24], 'read', true, false, false],
    [[0x29], 'read', true, true, false],
    [[0xc4], 'read', false, true, false],
    [[0xc8, 0xc9], 'read', false, false, true],
    [[0x25], 'read', true, false, true],
    [[0x30, 0x31], 'write', false, false, false],
    [[0x34], 'write', true, false, false],
    [[0x39], 'write', true, true, false],
    [[0xc5], 'write', false, true, false],
    [[0xca, 0xcb], 'write', false, false, true],
    [[0x35, 0x3d], 'write', true, false, true],
    [[0x40, 0x41], 'verify', false, false, false],
    [[0x42], 'verify', true, false, false],
  ] as const)
    for (const code of codes) commands.set(code, { transfer, extended, multiple, dma });
  return commands;
})();

/** Commands that succeed and do nothing here: power states, cache, seeks, parameters. */
export const NO_OPERATIONS: ReadonlySet<number> = new Set([0x10, 0x70, 0x91, 0x94, 0x95, 0x96, 0x97, 0x99, 0xe0, 0xe1, 0xe2, 0xe3, 0xe6, 0xe7, 0xea, 0xef]);

/** Further commands. */
export const Ata = {
  NOP: 0x00,
  DEVICE_RESET: 0x08,
  READ_NATIVE_MAXIMUM_EXTENDED: 0x27,
  DIAGNOSTIC: 0x90,
  PACKET: 0xa0,
  IDENTIFY_PACKET: 0xa1,
  SET_MULTIPLE: 0xc6,
  CHECK_POWER: 0xe5,
  IDENTIFY: 0xec,
  READ_NATIVE_MAXIMUM: 0xf8,
} as const;
/** Commands that CD-ROM drives know besides those of packets; they abort the others. */
export const FOR_PACKET_DRIVES: ReadonlySet<number> = new Set([Ata.DIAGNOSTIC, 0xe0, 0xe1, 0xe2, 0xe3, Ata.CHECK_POWER, 0xe6, 0xef]);
/** Interrupt reason, in the count register during a packet command: command or data, to the host. */
export const Reason = { COMMAND: 0x01, TO_HOST: 0x02 } as const;
/** What the cylinder registers of a CD-ROM drive show after a reset. */
export const PACKET_SIGNATURE = { mid: 0x14, high: 0xeb } as const;
