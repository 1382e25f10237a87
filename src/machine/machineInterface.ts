/** The whole PC as the debugger, the adapter and the command line see it. `machine.ts` implements it. */
import type { Processor, StopReason } from '../cpu/processor';
import type { VmxInspection } from '../vmx/observe';
import type { ShownPicture } from './pictureColours';
import type { Screen } from './screen';

export interface DiskImage {
  /** For messages: the path that the user gave. */
  name: string;
  bytes: Uint8Array;
  /** How a drive is connected; undefined: a file named .iso is a CD, a boot disk of a floppy disk's size is one, everything else an IDE disk. */
  attachment?: 'ide' | 'cdrom' | 'virtio' | 'floppy' | undefined;
}

/** How the machine starts. */
export type Boot =
  /** BIOS, master boot record of drive 0. */
  /** `hardDisk`: from the first hard disk, whether or not a floppy disk could be started, too. */
  | { kind: 'disk'; hardDisk?: boolean }
  /** BIOS, El Torito boot record of the first CD. */
  | { kind: 'cdrom' }
  /** A kernel with a multiboot header, version 1 or 2. */
  | { kind: 'multiboot'; image: DiskImage; append: string; modules: BootModule[] }
  /** A Linux kernel (bzImage) with its initial RAM disk and command line; `entry` in bits, the widest that it has unless told. */
  | { kind: 'linux'; image: DiskImage; initrd: DiskImage | undefined; append: string; entry?: 16 | 32 | 64 | undefined }
  /** An ELF that has the entry of PVH. */
  | { kind: 'pvh'; image: DiskImage; append: string; modules: BootModule[] }
  /** An ELF that is started at its entry point with nothing told. */
  | { kind: 'elf'; image: DiskImage }
  /**
   * Firmware (OVMF, SeaBIOS) in place of this machine's BIOS: flash images, the first of which ends at 4 GiB, each further
   * one below the one before; and the display adapter's expansion ROM. It starts what it finds on the drives, or the Linux kernel or UEFI application named here.
   */
  | { kind: 'firmware'; images: DiskImage[]; kernel: DiskImage | undefined; initrd: DiskImage | undefined; append: string };

/** A file that the loader puts into memory beside the kernel. */
export interface BootModule {
  image: DiskImage;
  append: string;
}

export interface MachineOptions {
  /** Bytes of RAM. */
  memory: number;
  cpus: number;
  /** Features withheld: `unrestricted-guest`, `ept`, `vmx`, ... An unknown name is a UserError. */
  without: string[];
  /** IDE disks fill primary master, primary slave, secondary master, secondary slave in order; CDs the secondary channel first. Writes go to an overlay. */
  drives: DiskImage[];
  boot: Boot;
  /** The address map that the firmware reports in place of the true one. */
  e820?: readonly E820Entry[] | undefined;
  /** False: hot code is interpreted like all other. The guest cannot tell. */
  translator?: boolean | undefined;
}

/** Address map types of INT 15h E820: 1 usable, 2 reserved, 3 ACPI reclaimable, 4 ACPI NVS, 5 bad. */
export interface E820Entry {
  base: bigint;
  length: bigint;
  type: number;
}

export type MachineStop =
  | StopReason
  /** The guest wrote port 0xF4; `debugExit` has the value. */
  | 'debug-exit'
  | 'power-off';

/** A byte that was typed, and the tick at which it reaches its device. */
export interface RecordedInput {
  icount: number;
  device: 'serial' | 'keyboard';
  byte: number;
}

/** A whole machine at an instant. Opaque; cheap until pages are written. */
export interface Snapshot {
  readonly icount: number;
}

export interface Machine {
  readonly options: MachineOptions;
  readonly cpus: readonly Processor[];
  /** VMX of each processor. */
  readonly vmx: readonly VmxInspection[];
  /** Number of the processor that executed last; when the machine stopped for a breakpoint or a request, the one that it was for. */
  readonly current: number;
  /** Ticks since power-on: instructions retired plus time skipped while halted. */
  readonly icount: number;
  /** Instructions retired since power-on. */
  readonly instructions: number;
  /** Why the machine can never run on (shutdown, power-off, debug-exit), or undefined. */
  readonly ended: MachineStop | undefined;
  readonly debugExit: number | undefined;

  /** Runs at most `budget` ticks; devices, timers and idle skipping included. 'halt': every processor waits and no timer is set. */
  run(budget: number): MachineStop;
  /** Runs until processor `cpu` has executed one instruction; the others run as their turns come. 'elsewhere': it has not had its turn for a long time, call again. */
  step(cpu: number): MachineStop | 'elsewhere';
  /** Asks a running `run` (from a callback) to come back after the present instruction. */
  requestStop(): void;

  /** Serial port COM1: called with each byte that the guest transmits. */
  onSerial: (byte: number) => void;
  /** Queues bytes for COM1's receiver; recorded with the icount at which they arrive. */
  typeSerial(bytes: Uint8Array): void;
  /** Types on the PS/2 keyboard, as on a US one; recorded in the same way. */
  typeKeyboard?(text: string): void;
  /** Everything typed so far, with its arrival: given to `restore`, it makes the run repeat exactly. */
  readonly recordedInput?: readonly RecordedInput[];
  /** One sentence about something the guest touched that Hyperstep does not have, once per thing. */
  onWarning: (sentence: string) => void;

  /** VGA text screen with its colours and cursor. */
  screen(): Screen;
  /** What the display shows when it is not text. */
  picture?(): ShownPicture | undefined;
  /** VGA text screen as 25 lines of characters. */
  screenText(): string[];
  /** The map that the firmware reports. */
  e820(): E820Entry[];

  /** Physical memory for the debugger: absent pages read as undefined, nothing is allocated, no device is touched. */
  readMemory(hpa: number, length: number): Uint8Array | undefined;
  /** Writes RAM (and drops decoded code); false where there is no RAM. */
  writeMemory(hpa: number, bytes: Uint8Array): boolean;

  snapshot(): Snapshot;
  /** Goes back (or forwards) to a snapshot. What was typed after it is forgotten, unless `input`, a `recordedInput`, is given to be replayed. */
  restore(snapshot: Snapshot, input?: readonly RecordedInput[]): void;
  /** Pages of 4 KiB that the snapshots hold copies of. */
  readonly keptPages?: number;
  /** Frees what a snapshot keeps. */
  release(snapshot: Snapshot): void;
}
