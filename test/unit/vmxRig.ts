/** A processor with VMX over flat RAM, a VMM of single instructions, and a guest in its own memory behind EPT. */
import { createEngine } from '../../src/cpu/engine/engine';
import type { Cpu } from '../../src/cpu/engine/cpu';
import { resetProcessor } from '../../src/cpu/engine/reset';
import { readFlags } from '../../src/cpu/flags';
import { Gpr, Offset } from '../../src/cpu/state';
import { CpuFeatures } from '../../src/cpu/system/features';
import { Capabilities, type ControlKind, controlField, Encoding, Entry, Exit, type ExitRecord, type FieldName, FIELDS, Primary, Secondary, VMCS_REVISION, type VmxFailure, VmxUnit } from '../../src/vmx';
import { tellFrames } from '../silicon/flatMachine';
import { enterLongMode } from './longMode';
import { bytes } from './machineCode';

export const MEBIBYTES = 16;
/** Host-physical addresses. */
export const At = {
  PAGE_TABLES: 0x1000, VMXON: 0x1_0000, VMCS: 0x1_1000, OTHER_VMCS: 0x1_2000, MSR_BITMAP: 0x1_3000, IO_BITMAPS: 0x1_4000, MSR_LISTS: 0x1_6000, POINTER: 0x1_7000,
  EPT: 0x2_0000, HOST_CODE: 0x10_0000, EXIT_HANDLER: 0x10_1000, HOST_STACK: 0x11_0000, GUEST: 0x40_0000,
} as const;
/** Guest-physical addresses, and what is mapped by EPT. */
export const GUEST_CODE = 0x7000;
export const GUEST_PAGES = 512;
const HLT = 0xf4;

export class VmxRig {
  readonly cpu: Cpu;
  readonly unit: VmxUnit;
  readonly exits: ExitRecord[] = [];
  readonly failures: VmxFailure[] = [];
  readonly ports: { port: number; size: number; value: number }[] = [];
  /** Vectors of the interrupts that wait. */
  interrupts: number[] = [];
  /** Where RAM begins in the engine's memory. */
  readonly ram: number;

  /** `announce` names features of VMX that the processor is to announce although they may not be implemented. */
  constructor(without: string[] = [], announce: string[] = []) {
    const engine = createEngine({ ramBytes: MEBIBYTES << 20, cpus: 1 });
    this.ram = engine.frameBase;
    const frame = (page: number): number => (page < MEBIBYTES << 8 ? engine.frameBase + page * 0x1000 : 0);
    tellFrames(engine, MEBIBYTES << 8, frame);
    this.cpu = engine.createProcessor(0, {
      bus: { frameForRead: frame, frameForWrite: frame, read: () => 0xffff_ffff, write: () => undefined, in: () => 0x5a5a_5a5a, out: (port, size, value) => void this.ports.push({ port, size, value }) },
      interrupts: { pending: () => this.interrupts.length > 0, acknowledge: () => this.interrupts.shift()!, getTaskPriority: () => 0, setTaskPriority: () => undefined, setBase: () => undefined },
      deviceMsrs: { read: () => undefined, write: () => false },
      features: new CpuFeatures(without),
    });
    this.unit = new VmxUnit(this.cpu);
    if (announce.length > 0) this.announce(new Set(announce));
    this.cpu.intercepts = this.cpu.secondLevel = this.unit;
    resetProcessor(this.cpu);
    this.unit.observer = { exit: (r) => void this.exits.push(r), entry: () => undefined, failure: (f) => void this.failures.push(f) };
    this.longMode();
  }

  private announce(features: ReadonlySet<string>): void {
    const VMFUNC = 0x491;
    const real = this.unit.capabilities;
    const facts = { has: (name: string) => this.cpu.features.has(name), cr4Bits: real.cr4Fixed1 };
    class Announcing extends Capabilities {
      override has(feature: string): boolean {
        return features.has(feature) || super.has(feature);
      }
      override read(index: number): bigint | undefined {
        return super.read(index) ?? (index === VMFUNC && features.has('vmfunc') ? 1n : undefined);
      }
    }
    (this.unit as { capabilities: Capabilities }).capabilities = new Announcing(facts);
    FIELDS.forEach((field, slot) => (this.unit.fieldExists[slot] = this.unit.capabilities.has(field.feature) ? 1 : 0));
  }

  /** Power-on again: a new rig without the cost of an engine. */
  restart(): this {
    this.cpu.views.u8.fill(0, this.ram, this.ram + (MEBIBYTES << 20));
    for (let n = 0; n < MEBIBYTES << 8; n++) this.cpu.memoryChanged(n);
    this.exits.length = this.failures.length = this.ports.length = this.interrupts.length = 0;
    resetProcessor(this.cpu);
    this.longMode();
    return this;
  }

  /** 64-bit VMM: RAM mapped one to one, VMX allowed and enabled. */
  private longMode(): void {
    this.write64(0x1000, 0x2007n);
    this.write64(0x2000, 0x3007n);
    for (let i = 0; i < MEBIBYTES / 2; i++) this.write64(0x3000 + i * 8, BigInt(i) * 0x20_0000n + 0x87n);
    this.cpu.state.set64(Offset.FEATURE_CONTROL, 5n);
    enterLongMode(this.cpu, { cr3: At.PAGE_TABLES, vmx: true });
    this.writeBytes(At.EXIT_HANDLER, [HLT]);
    for (const region of [At.VMXON, At.VMCS, At.OTHER_VMCS]) this.write32(region, VMCS_REVISION);
  }

  writeBytes(address: number, data: number[]): void {
    this.cpu.views.u8.set(data, this.ram + address);
    for (let page = address >>> 12; page <= (address + data.length) >>> 12; page++) this.cpu.memoryChanged(page);
  }
  write32(address: number, value: number): void {
    this.cpu.views.data.setUint32(this.ram + address, value, true);
    this.cpu.memoryChanged(address >>> 12);
  }
  write64(address: number, value: bigint): void {
    this.cpu.views.data.setBigUint64(this.ram + address, value, true);
    this.cpu.memoryChanged(address >>> 12);
  }
  read64(address: number): bigint {
    return this.cpu.views.data.getBigUint64(this.ram + address, true);
  }

  /** Executes the VMM's bytes (a HLT is appended) with registers as given. */
  host(code: string, registers: Partial<Record<keyof typeof Gpr, bigint>> = {}): void {
    const s = this.cpu.state;
    this.writeBytes(At.HOST_CODE, [...bytes(code), HLT]);
    s.rip = BigInt(At.HOST_CODE);
    s.set32(Offset.ACTIVITY, 0);
    s.setReg(Gpr.RSP, BigInt(At.HOST_STACK));
    for (const [name, value] of Object.entries(registers)) s.setReg(Gpr[name as keyof typeof Gpr], value);
    const stop = this.cpu.run(1_000_000);
    if (stop !== 'halt') throw new Error(`The VMM stopped with "${stop}" at 0x${s.rip.toString(16)}.`);
  }
  /** VMXON, VMCLEAR, VMPTRLD and the like with a pointer operand. */
  pointer(code: string, address: number | bigint): void {
    this.write64(At.POINTER, BigInt(address));
    this.host(code, { RAX: BigInt(At.POINTER) });
  }
  get status(): 'succeed' | 'invalid' | number {
    const flags = readFlags(this.cpu.state);
    if (flags & 1) return 'invalid';
    return flags & 0x40 ? Number(this.get('VM_INSTRUCTION_ERROR')) : 'succeed';
  }

  get(name: FieldName): bigint {
    return this.unit.readField(Encoding[name])!;
  }
  set(values: Partial<Record<FieldName, number | bigint>>): void {
    for (const [name, value] of Object.entries(values)) {
      if (!this.unit.writeField(Encoding[name as FieldName], BigInt(value))) throw new Error(`There is no field ${name}.`);
    }
  }
  /** Sets control bits beside those that must be 1. */
  control(kind: ControlKind, bits: number): void {
    this.set({ [controlField(kind).field]: (this.unit.capabilities.controls[kind].must | bits) >>> 0 });
  }

  vmxOn(): this {
    this.pointer('f3 0f c7 30 ; vmxon [rax]', At.VMXON);
    this.pointer('66 0f c7 30 ; vmclear [rax]', At.VMCS);
    this.pointer('0f c7 30 ; vmptrld [rax]', At.VMCS);
    return this;
  }

  /** A VMCS that enters a guest in real mode at GUEST_CODE, 2 MiB of its own memory mapped by 4-KiB EPT pages. */
  realModeGuest(code: string): this {
    this.vmxOn();
    this.control('pin', 0);
    this.control('primary', Primary.SECONDARY_CONTROLS | Primary.HLT_EXITING | Primary.MSR_BITMAPS);
    this.control('secondary', Secondary.EPT | Secondary.UNRESTRICTED_GUEST);
    this.control('exit', Exit.HOST_ADDRESS_SPACE_SIZE);
    this.control('entry', 0);
    this.set({
      HOST_CR0: this.cpu.state.cr0, HOST_CR3: At.PAGE_TABLES, HOST_CR4: this.cpu.state.cr4, HOST_CS_SELECTOR: 8, HOST_SS_SELECTOR: 16, HOST_DS_SELECTOR: 16, HOST_ES_SELECTOR: 16, HOST_TR_SELECTOR: 24,
      HOST_RIP: At.EXIT_HANDLER, HOST_RSP: At.HOST_STACK, HOST_IDTR_BASE: 0x5000, HOST_GDTR_BASE: 0x6000,
      GUEST_CR0: 0x20, GUEST_CR4: 0x2000, GUEST_RFLAGS: 2, GUEST_RIP: GUEST_CODE, GUEST_RSP: 0x6000, GUEST_DR7: 0x400, VMCS_LINK_POINTER: 0xffff_ffff_ffff_ffffn,
      GUEST_IDTR_LIMIT: 0x3ff, GUEST_GDTR_LIMIT: 0xffff, GUEST_LDTR_ACCESS_RIGHTS: 0x82, GUEST_LDTR_LIMIT: 0xffff, GUEST_TR_ACCESS_RIGHTS: 0x8b, GUEST_TR_LIMIT: 0xffff,
      EPT_POINTER: At.EPT | 0x18, MSR_BITMAP: At.MSR_BITMAP, IO_BITMAP_A: At.IO_BITMAPS, IO_BITMAP_B: At.IO_BITMAPS + 0x1000,
    });
    for (const s of ['ES', 'CS', 'SS', 'DS', 'FS', 'GS'] as const) this.set({ [`GUEST_${s}_ACCESS_RIGHTS`]: 0x93, [`GUEST_${s}_LIMIT`]: 0xffff });
    this.write64(At.EPT, BigInt(At.EPT + 0x1007));
    this.write64(At.EPT + 0x1000, BigInt(At.EPT + 0x2007));
    this.write64(At.EPT + 0x2000, BigInt(At.EPT + 0x3007));
    for (let i = 0; i < GUEST_PAGES; i++) this.write64(this.eptEntry(i * 0x1000), BigInt(At.GUEST + i * 0x1000 + 0x37));
    this.guest(GUEST_CODE, code);
    return this;
  }

  /** The same guest in 64-bit mode at CPL 0; the first 2 MiB mapped one to one by 4-KiB pages (tables from 0x1000). */
  longModeGuest(code: string): this {
    this.realModeGuest(code);
    this.guest64(0x1000, 0x2007n);
    this.guest64(0x2000, 0x3007n);
    this.guest64(0x3000, 0x4007n);
    for (let i = 0; i < 512; i++) this.guest64(0x4000 + i * 8, BigInt(i * 0x1000 + 7));
    this.control('entry', Entry.IA32E_MODE_GUEST);
    this.set({ GUEST_CR0: 0x8000_0031n, GUEST_CR3: 0x1000, GUEST_CR4: 0x2020, GUEST_CS_ACCESS_RIGHTS: 0xa09b, GUEST_CS_LIMIT: 0xffff_ffff, GUEST_CS_SELECTOR: 8 });
    for (const s of ['ES', 'SS', 'DS', 'FS', 'GS'] as const) this.set({ [`GUEST_${s}_ACCESS_RIGHTS`]: 0xc093, [`GUEST_${s}_LIMIT`]: 0xffff_ffff, [`GUEST_${s}_SELECTOR`]: 16 });
    return this;
  }

  /** Host-physical address of the EPT entry of a guest-physical page below 2 MiB. */
  eptEntry(gpa: number): number {
    return At.EPT + 0x3000 + (gpa >>> 12) * 8;
  }
  guest(gpa: number, code: string): void {
    this.writeBytes(At.GUEST + gpa, bytes(code));
  }
  guest64(gpa: number, value: bigint): void {
    this.write64(At.GUEST + gpa, value);
  }

  /** VMLAUNCH; returns the exit that follows. */
  launch(registers: Partial<Record<keyof typeof Gpr, bigint>> = {}): ExitRecord {
    return this.enter('0f 01 c2 ; vmlaunch', registers);
  }
  resume(registers: Partial<Record<keyof typeof Gpr, bigint>> = {}): ExitRecord {
    return this.enter('0f 01 c3 ; vmresume', registers);
  }
  /** VMRESUME behind the instruction that exited. */
  resumeBehind(): ExitRecord {
    this.set({ GUEST_RIP: this.get('GUEST_RIP') + this.get('VM_EXIT_INSTRUCTION_LENGTH') });
    return this.resume();
  }
  private enter(code: string, registers: Partial<Record<keyof typeof Gpr, bigint>>): ExitRecord {
    const before = this.exits.length;
    this.host(code, registers);
    if (this.exits.length === before) throw new Error(`There was no VM exit: ${this.failures.at(-1)?.message ?? `status ${this.status}`}`);
    return this.exits.at(-1)!;
  }
}
