/** What every part of VMX works on: the processor, its current VMCS, what it is capable of, and who watches. */
import { fieldKey } from '../cpu/isa/vmcs';
import { Offset, type CpuState } from '../cpu/state';
import type { Processor } from '../cpu/processor';
import { PHYSICAL_ADDRESS_BITS } from '../cpu/controlBits';
import { cr4Allowed } from '../cpu/system/controlRegisters';
import type { EntryParts } from './entry';
import { ExitFlag } from './guestCode';
import type { VmxObserver } from './observe';
import { VmxMode } from './privateState';
import { ExitRecords } from './record';
import { Capabilities } from './tables/capabilities';
import { Primary } from './tables/controls';
import { FIELDS, Slot } from './tables/fields';
import { type Transfer, transferFor } from './transfer';
import { Translations } from './translations';
import { Vmcs } from './vmcs';

const { PIN_BASED_CONTROLS, PRIMARY_PROCESSOR_BASED_CONTROLS, SECONDARY_PROCESSOR_BASED_CONTROLS, TERTIARY_PROCESSOR_BASED_CONTROLS, VM_EXIT_CONTROLS, VM_ENTRY_CONTROLS } = Slot;

export class Vmx {
  readonly state: CpuState;
  readonly vmcs: Vmcs;
  readonly capabilities: Capabilities;
  readonly translations: Translations;
  readonly transfer: Transfer;
  readonly physicalAddressBits = PHYSICAL_ADDRESS_BITS;
  /** For entry.ts alone. */
  entryParts: EntryParts | undefined = undefined;
  /** For exit.ts alone. */
  readonly exitRecords = new ExitRecords();
  private watcher: VmxObserver | undefined;
  /** What `Transfer.beginExit` is told of the processor. */
  readonly exitFlags: number;
  /** 1 for each slot whose field this processor has. */
  readonly fieldExists: Uint8Array;

  constructor(readonly cpu: Processor) {
    this.state = cpu.state;
    this.vmcs = new Vmcs(cpu.state);
    this.translations = new Translations(this);
    this.transfer = transferFor(cpu.views.memory);
    this.capabilities = new Capabilities({ has: (name) => cpu.features.has(name), cr4Bits: cr4Allowed(cpu.features) });
    this.exitFlags = this.capabilities.has('unrestricted-guest') ? ExitFlag.STORES_LMA : 0;
    this.fieldExists = Uint8Array.from(FIELDS, (f) => (this.capabilities.has(f.feature) ? 1 : 0));
    this.offerFields();
  }

  get observer(): VmxObserver | undefined {
    return this.watcher;
  }
  set observer(observer: VmxObserver | undefined) {
    this.watcher = observer;
    this.offerFields();
  }

  get mode(): number {
    return this.state.get32(Offset.VMX_MODE);
  }
  get nonRoot(): boolean {
    return this.state.get32(Offset.VMX_MODE) === VmxMode.NON_ROOT;
  }

  /** Whether any of the control bits in `mask` is set in the current VMCS. */
  pin(mask: number): boolean {
    return (this.vmcs.low(PIN_BASED_CONTROLS) & mask) !== 0;
  }
  primary(mask: number): boolean {
    return (this.vmcs.low(PRIMARY_PROCESSOR_BASED_CONTROLS) & mask) !== 0;
  }
  /** Secondary controls count as 0 while they are not activated. */
  secondary(mask: number): boolean {
    return (this.vmcs.low(PRIMARY_PROCESSOR_BASED_CONTROLS) & Primary.SECONDARY_CONTROLS) !== 0 && (this.vmcs.low(SECONDARY_PROCESSOR_BASED_CONTROLS) & mask) !== 0;
  }
  /** Tertiary controls count as 0 while they are not activated. */
  tertiary(mask: number): boolean {
    return (this.vmcs.low(PRIMARY_PROCESSOR_BASED_CONTROLS) & Primary.TERTIARY_CONTROLS) !== 0 && (this.vmcs.low(TERTIARY_PROCESSOR_BASED_CONTROLS) & mask) !== 0;
  }
  /** All of them. */
  get secondaryControls(): number {
    return this.secondary(-1) ? this.vmcs.low(SECONDARY_PROCESSOR_BASED_CONTROLS) : 0;
  }
  exitControl(mask: number): boolean {
    return (this.vmcs.low(VM_EXIT_CONTROLS) & mask) !== 0;
  }
  entryControl(mask: number): boolean {
    return (this.vmcs.low(VM_ENTRY_CONTROLS) & mask) !== 0;
  }

  /** Tells generated code which fields exist, so that it performs VMREAD and VMWRITE by itself: none while an observer wants to know of them. An observer that begins or ceases to is assigned anew. */
  private offerFields(): void {
    const table = this.state.base + Offset.VMCS_SLOTS;
    const { u8 } = this.state.views;
    const watched = this.watcher?.fieldRead !== undefined;
    for (const f of FIELDS) u8[table + fieldKey(f.encoding)] = this.fieldExists[f.slot] === 1 && !watched && !this.watchedFields.has(f.encoding) ? f.slot + 1 : 0;
  }

  private watchedFields: ReadonlySet<number> = new Set();
  /** Tells the observer of VMREAD and VMWRITE of these fields (`fieldAccessed`); the others stay as fast as they are. */
  watchFields(encodings: ReadonlySet<number>): void {
    this.watchedFields = encodings;
    this.offerFields();
  }
  /** A field has been read or written by VMREAD or VMWRITE in TypeScript. */
  fieldAccessed(encoding: number, write: boolean): void {
    if (this.watchedFields.has(encoding & ~1)) this.observer?.fieldAccessed?.(encoding, write);
  }

  f64(offset: number): number {
    return this.state.views.f64[(this.state.base + offset) >>> 3]!;
  }
  setF64(offset: number, value: number): void {
    this.state.views.f64[(this.state.base + offset) >>> 3] = value;
  }

  /** The 32 bits at a host-physical address, or undefined where there is no RAM. */
  physical32(address: number): number | undefined {
    const frame = this.cpu.bus.frameForRead(Math.floor(address / 0x1000));
    return frame === 0 ? undefined : this.state.u32[(frame + (address % 0x1000)) >>> 2]!;
  }
}
