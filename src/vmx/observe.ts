/** What VMX tells whoever watches: the debugger, the exit trace, the run-time checks. */

/** For so many more exits of its processor a record that is reported stays what it is. */
export const LASTING_EXITS = 1000;

/** What some exits tell as a plain number, without any words being made: names of their conditions. */
export const PLAIN_NUMBERS = ['leaf', 'subleaf', 'msr', 'port', 'number'] as const;
export type PlainNumber = (typeof PLAIN_NUMBERS)[number];

/** One VM exit, complete: host state is loaded when it is reported. */
export interface ExitRecord {
  /** 1 for the machine's first exit. */
  n: number;
  cpu: number;
  icount: number;
  /** Basic exit reason, 0 to 65535. */
  reason: number;
  /** The SDM's name in capitals with underscores: `CPUID`, `EPT_VIOLATION`. */
  name: string;
  qualification: bigint;
  guestRip: bigint;
  instructionLength: number;
  /** Guest-linear and guest-physical address where this reason has one. */
  linear: bigint | undefined;
  gpa: number | undefined;
  /** The qualification and the guest's operands in words, per reason: `{leaf: 1}`, `{port: 0x70, direction: 'out', size: 1, value: 2}`, `{number: 1}` for a VMCALL's RAX. */
  details: Record<string, number | string | boolean>;
  /** A detail that is a number below 2^32 without working out the words; undefined where only `details` tells. For conditions that are asked at every exit. */
  number?(name: PlainNumber): number | undefined;
}

/** The record of the exit that is reported, which is used again for another when LASTING_EXITS more have happened. */
export interface PassingExit extends ExitRecord {
  /** The same, for as long as one likes. */
  copy(): PassingExit;
}

/** One failed check of a VM entry: a row of docs/vm-entry-checks.md. */
export interface FailedCheck {
  id: string;
  /** Title of the SDM section, volume 3. */
  section: string;
  /** What must be so, as a sentence. */
  condition: string;
  /** The values that are wrong, and the condition. */
  message: string;
  /** Encodings of the fields to blame. */
  fields: number[];
}

/** A VM entry that failed, or another VMX instruction that did. */
export interface VmxFailure {
  icount: number;
  /** RIP of the instruction. */
  rip: bigint;
  mnemonic: string;
  /** VM-instruction error, or 0 for VMfailInvalid; undefined when the entry failed late, by an exit. */
  error: number | undefined;
  /** 33, 34 or 41 for a late failure. */
  exitReason: number | undefined;
  /** The failure in words. */
  message: string;
  /** The address in the operand of VMXON, VMCLEAR and VMPTRLD. */
  pointer?: bigint;
  /** Every failed check, not the first alone. */
  checks: FailedCheck[];
}

export interface FieldWriter {
  icount: number;
  rip: bigint;
  /** Addresses that were where a caller's return address may be, at [RSP] and [RBP + 8]; none where they are not known. */
  returns: readonly bigint[];
}

export interface VmxObserver {
  exit(record: PassingExit): void;
  /** Told when a VM entry has completed; `launch` for VMLAUNCH. */
  entry(icount: number, launch: boolean): void;
  failure(failure: VmxFailure): void;
  /**
   * An event is about to be delivered through the IDT, in any operation; RIP and RSP are still those it interrupts.
   * `type` is in the numbering of EventType; `length` is what the return address adds to RIP.
   */
  delivering?(type: number, vector: number, errorCode: number | undefined, length: number): void;
  /** The VMM has read a field by VMREAD. With this function VMREAD and VMWRITE are slow, so an observer has it only while it needs it, and is assigned anew when that changes. */
  fieldRead?(encoding: number): void;
  /** VMPTRLD has made another VMCS current: its host-physical address. */
  vmcsLoaded?(address: number): void;
  /** VMREAD or VMWRITE has accessed a field that `watchFields` names; a write has been done. */
  fieldAccessed?(encoding: number, write: boolean): void;
  /** INVEPT has succeeded. */
  eptInvalidated?(): void;
  /** EPT was walked for an access of the guest, at a miss of the TLB: page numbers, the host's -1 where nothing is mapped; `rights` as the entries' bits 2:0. */
  eptWalked?(gpaPage: number, page: number, rights: number): void;
}

/** The debugger's view of one processor's VMX. `vmx/unit.ts` implements it. */
export interface VmxInspection {
  observer: VmxObserver | undefined;
  /** Number of exits and entries since power-on. */
  readonly exits: number;
  readonly entries: number;
  readonly nonRoot: boolean;
  /** Host-physical address of the current VMCS, or undefined. */
  readonly currentVmcs: number | undefined;
  /** The last exit's record, if there was one. */
  readonly lastExit: ExitRecord | undefined;
  /** The guest's general-purpose registers at the last exit, as pairs of 32 bits by number: a view that follows. */
  readonly exitRegisters: Uint32Array;
  /** Which of them were not as at the exit before that, one bit each. */
  readonly exitChanges: number;
  /** The same registers at the VM entry before the last one, and which were not at the last as at the exit between. */
  readonly registersBefore: Uint32Array;
  readonly entryChanges: number;
  /** Reads a field of the current VMCS by encoding; undefined when the field or a current VMCS does not exist. Guest fields are the saved ones: in non-root operation they are those of the last entry. */
  readField(encoding: number): bigint | undefined;
  /** 32 bits of a field of the current VMCS, the upper ones by the encoding of its high access; 0 where there is none. For what is looked at at every VM entry. */
  fieldWord(encoding: number): number;
  /** Writes a field as the debugger, read-only ones too. False when it does not exist. */
  writeField(encoding: number, value: bigint): boolean;
  /** The same of any VMCS, by the host-physical address of its region; undefined where there is no VMCS of this processor's revision. */
  readFieldOf(address: number, encoding: number): bigint | undefined;
  /** Writes a field of any VMCS as the debugger. False where there is none of this processor's revision, or no such field. */
  writeFieldOf(address: number, encoding: number, value: bigint): boolean;
  /** Whether a VMCS has been launched; undefined where there is none. */
  launched(address: number): boolean | undefined;
  /** Which fields the observer's `fieldAccessed` is told of; replaces those named before. */
  watchFields?(encodings: ReadonlySet<number>): void;
  /** Where the VMM last wrote the field. */
  fieldWriter(encoding: number): FieldWriter | undefined;
  /** EPT walk without side effects for the current VMCS's EPTP (whether or not the guest runs): the Hpa, or undefined. With no EPT in use the Gpa itself. */
  peekGpa(gpa: number): number | undefined;
}
