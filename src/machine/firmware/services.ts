/** What a BIOS service gets to work with. */
import type { Board } from '../devices/board';
import type { DeviceHost } from '../device';
import type { Drive } from '../disk/drive';
import type { PhysicalMemory } from '../memory/physicalMemory';
import type { CallFrame } from './callFrame';
import type { EmulatedDisk } from './emulatedDisk';
import type { TextScreen } from './textScreen';

export interface FirmwareParts {
  memory: PhysicalMemory;
  board: Board;
  /** Hard disks in the BIOS's order, floppy disks, and CDs. */
  drives: readonly Drive[];
  floppies: readonly Drive[];
  cds: readonly Drive[];
  /** A disk made of a part of the CD that is booted, until `endEmulation`. */
  readonly emulated: EmulatedDisk | undefined;
  endEmulation(): void;
  /** Whether the CD comes before the disk. */
  bootsCd: boolean;
  /** Whether the hard disk comes before floppy disks. */
  bootsHardDisk: boolean;
  /** Starts the kernel anew that the machine boots itself; false where it boots a disk or a CD. */
  restartKernel(): boolean;
  screen: TextScreen;
  host: DeviceHost;
  /** Called by a service that was asked for something which is not there yet: see POLL_TICKS. */
  polled(): void;
}

/**
 * What a look for a key or at the time takes, in ticks: boot loaders do nothing else for the seconds that a menu is shown, and on a
 * PC too it is the firmware that most of the time goes to. Time only passes; nothing is executed.
 */
export const POLL_TICKS = 100_000;

/** Returns true when its stub shall take the other way (wait and call again, or stop): see StubKind. */
export type Service = (call: CallFrame, parts: FirmwareParts) => boolean | void;

/** The user is told of a function that this BIOS lacks by this. */
export function missingService(vector: number, call: CallFrame): string {
  const hex = (v: number): string => v.toString(16).toUpperCase().padStart(2, '0');
  return `The guest called BIOS service INT ${hex(vector)}h with AX=${hex(call.ah)}${hex(call.al)}h, which Hyperstep's BIOS does not have.`;
}

/** For functions that this BIOS lacks: CF set, AH 0x86, and one sentence for the user. */
export function unsupported(call: CallFrame, parts: FirmwareParts, vector: number): void {
  parts.host.warn(missingService(vector, call));
  call.fail(0x86);
}
