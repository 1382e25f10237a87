/** What the processor needs from the machine it is in. `machine/` implements it. */

/** Physical memory and the devices in it. Addresses are host-physical, numbers of at most 52 bits. */
export interface PhysicalBus {
  /**
   * Byte offset, in the WebAssembly memory, of the 4-KiB frame behind a physical page, or 0 when reads of that page have
   * to go through `read` (devices, nothing there). RAM is handed out on first touch and a frame never moves.
   */
  frameForRead(page: number): number;
  /**
   * The same for writing; 0 for devices, ROM, nothing. Called before the first write to a page after a snapshot and
   * before every direct write, so that the snapshot keeps the old bytes.
   */
  frameForWrite(page: number): number;
  /** A frame of ones for a page where nothing is, so that only its first read has to go through `read`; else 0. It holds until translations are dropped. */
  onesFrame?(page: number): number;
  /** The frame of a page to which a direct write needs no call of `frameForWrite`, as one since the last snapshot has made it ready; else 0. */
  frameWritten?(page: number): number;
  /** Reads 1, 2 or 4 bytes of a device; the value is unsigned. Absent memory reads as all ones. */
  read(address: number, size: number): number;
  write(address: number, size: number, value: number): void;
  /** Port input and output of 1, 2 or 4 bytes; absent ports read as all ones. */
  in(port: number, size: number): number;
  out(port: number, size: number, value: number): void;
  /**
   * Tick up to which a 1-byte input that was just made would have the same answer, without any effect, if nothing but time
   * passed; 0 when that is not known. A write to a device that gives such promises, and whatever else breaks one, has to be
   * told to the processors (`forgetPortAnswers`).
   */
  steadyUntil?(port: number): number;
}

/** The interrupt controller as the processor sees it (local APIC with the 8259s behind its LINT0). */
export interface InterruptController {
  /** Whether a maskable interrupt waits. Cheap: asked before every slice. */
  pending(): boolean;
  /** Acknowledges and yields its vector, 0 to 255. */
  acknowledge(): number;
  /** CR8: the task priority, 0 to 15. */
  getTaskPriority(): number;
  setTaskPriority(value: number): void;
  /** Sends a fixed interrupt to the physical destination that a posted-interrupt descriptor names: an x2APIC identifier, or an xAPIC's in bits 15:8. */
  sendInterrupt?(vector: number, destination: number): void;
  /** Ends the interrupt in service, as a write to the EOI register does. */
  endOfInterrupt?(): void;
  /** Told when INIT has reset the processor. */
  init?(): void;
  /** Told when IA32_APIC_BASE changes. */
  setBase(value: bigint): void;
}

/** The pins by which a PC/AT learns of x87 exceptions while CR0.NE is clear. */
export interface CoprocessorPins {
  /** IGNNE#: x87 instructions execute although an exception waits. */
  readonly ignoresErrors: boolean;
  /** FERR# is asserted: an instruction waits for somebody to look at the exception. */
  reportError(): void;
  /** FERR# is no longer asserted. */
  errorGone(): void;
}

/** MSRs that belong to devices (x2APIC); undefined or false when it is not one of theirs (the processor then raises #GP). */
export interface DeviceMsrs {
  read(index: number): bigint | undefined;
  write(index: number, value: bigint): boolean;
}
