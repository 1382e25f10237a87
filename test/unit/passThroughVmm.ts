/** A PC whose BIOS has run, and a VMM that lets its guest have it all. */
import assert from 'node:assert/strict';
import { readFlags } from '../../src/cpu/flags';
import { Gpr } from '../../src/cpu/state';
import { createMachine } from '../../src/machine/machine';
import type { Machine } from '../../src/machine/machineInterface';
import { type ControlKind, controlField, Encoding, Exit, type FieldName, Primary, Secondary, VMCS_REVISION, VmxMsr } from '../../src/vmx';
import { enterLongMode } from './longMode';
import { bytes } from './machineCode';

/** Where things lie: the VMM's tables, its regions, EPT that maps the first 4 GiB one to one, code of both. */
const At = { TABLES: 0x10_0000, VMXON: 0x11_0000, VMCS: 0x11_1000, EPT: 0x12_0000, CODE: 0x13_0000, STACK: 0x14_0000, POINTER: 0x15_0000, GUEST: 0x8000 } as const;
/** What the VMM ends with at a VM exit. */
export const EXITED = 0xee;
const GIB_PAGE = 0x4000_0000n;

/** A VMM that keeps out of its guest's way: EPT one to one, no exits for ports, interrupts or exceptions. */
export class PassThrough {
  readonly m: Machine;

  constructor(disk: Uint8Array) {
    disk.set([0xfa, 0xeb, 0xfe]); // cli; jmp $: the BIOS has done its work
    disk.set([0x55, 0xaa], 510);
    this.m = createMachine({ memory: 64 << 20, cpus: 1, without: [], drives: [{ name: 'disk', bytes: disk }], boot: { kind: 'disk' } });
    this.m.run(1e6);
    assert.equal(this.m.cpus[0]!.state.rip, 0x7c01n);
    this.word(At.TABLES, BigInt(At.TABLES + 0x1007));
    this.word(At.EPT, BigInt(At.EPT + 0x1007));
    for (let i = 0; i < 4; i++) {
      this.word(At.TABLES + 0x1000 + i * 8, BigInt(i) * GIB_PAGE + 0x87n);
      this.word(At.EPT + 0x1000 + i * 8, BigInt(i) * GIB_PAGE + 0xb7n);
    }
    for (const region of [At.VMXON, At.VMCS]) this.word(region, BigInt(VMCS_REVISION));
    enterLongMode(this.m.cpus[0]!, { cr3: At.TABLES, vmx: true });
    this.instruction('f3 0f c7 30 ; vmxon [rax]', At.VMXON);
    this.instruction('66 0f c7 30 ; vmclear [rax]', At.VMCS);
    this.instruction('0f c7 30 ; vmptrld [rax]', At.VMCS);
    this.controls();
  }

  private word(address: number, value: bigint): void {
    const data = new Uint8Array(8);
    new DataView(data.buffer).setBigUint64(0, value, true);
    this.m.writeMemory(address, data);
  }
  /** One VMX instruction with a pointer operand. */
  private instruction(code: string, pointer: number): void {
    this.word(At.POINTER, BigInt(pointer));
    this.run(code, 1000);
    assert.equal(readFlags(this.m.cpus[0]!.state) & 0x41, 0, 'neither CF nor ZF');
  }
  /** Runs the bytes as 64-bit code, with nothing behind them. */
  private run(code: string, ticks: number): string {
    this.m.writeMemory(At.CODE, Uint8Array.from(bytes(`${code}\neb fe ; jmp $`)));
    const s = this.m.cpus[0]!.state;
    s.rip = BigInt(At.CODE);
    s.setReg(Gpr.RSP, BigInt(At.STACK));
    s.setReg(Gpr.RAX, BigInt(At.POINTER));
    return this.m.run(ticks);
  }
  set(values: Partial<Record<FieldName, number | bigint>>): void {
    for (const [name, value] of Object.entries(values)) assert.ok(this.m.vmx[0]!.writeField(Encoding[name as FieldName], BigInt(value)), name);
  }
  private controls(): void {
    const must = (kind: ControlKind, msr: number, bits: number): void => this.set({ [controlField(kind).field]: (Number(this.m.cpus[0]!.intercepts.readMsr(msr)! & 0xffff_ffffn) | bits) >>> 0 });
    must('pin', VmxMsr.TRUE_PINBASED_CTLS, 0);
    must('primary', VmxMsr.TRUE_PROCBASED_CTLS, Primary.SECONDARY_CONTROLS);
    this.set({ SECONDARY_PROCESSOR_BASED_CONTROLS: Secondary.EPT | Secondary.UNRESTRICTED_GUEST });
    must('exit', VmxMsr.TRUE_EXIT_CTLS, Exit.HOST_ADDRESS_SPACE_SIZE);
    must('entry', VmxMsr.TRUE_ENTRY_CTLS, 0);
    this.set({
      HOST_CR0: 0x8000_0031n, HOST_CR3: At.TABLES, HOST_CR4: 0x2020, HOST_CS_SELECTOR: 8, HOST_SS_SELECTOR: 16, HOST_DS_SELECTOR: 16, HOST_ES_SELECTOR: 16, HOST_TR_SELECTOR: 24, HOST_RIP: At.CODE + 0x100, HOST_RSP: At.STACK,
      EPT_POINTER: At.EPT | 0x1e, VMCS_LINK_POINTER: 0xffff_ffff_ffff_ffffn,
      GUEST_CR0: 0x30, GUEST_CR4: 0x2000, GUEST_RFLAGS: 2, GUEST_RIP: At.GUEST, GUEST_RSP: 0x7c00, GUEST_DR7: 0x400, GUEST_IDTR_LIMIT: 0x3ff, GUEST_GDTR_LIMIT: 0xffff,
      GUEST_LDTR_ACCESS_RIGHTS: 0x82, GUEST_LDTR_LIMIT: 0xffff, GUEST_TR_ACCESS_RIGHTS: 0x8b, GUEST_TR_LIMIT: 0xffff,
    });
    for (const seg of ['ES', 'CS', 'SS', 'DS', 'FS', 'GS'] as const) this.set({ [`GUEST_${seg}_ACCESS_RIGHTS`]: seg === 'CS' ? 0x9b : 0x93, [`GUEST_${seg}_LIMIT`]: 0xffff });
    this.m.writeMemory(At.CODE + 0x100, Uint8Array.from(bytes('b0 ee e6 f4 eb fe ; mov al, 0eeh; out 0f4h, al: a VM exit')));
  }
  /** Runs the guest's 16-bit code until it ends by port 0xF4. */
  guest(code: string): number {
    this.enter(code);
    assert.equal(this.m.vmx[0]!.nonRoot, true, 'it is the guest that has ended');
    return this.m.debugExit!;
  }
  /** The same until guest or VMM ends; the VMM does so by the value EXITED when there is a VM exit. */
  enter(code: string): void {
    this.m.writeMemory(At.GUEST, Uint8Array.from(bytes(code)));
    assert.equal(this.run('0f 01 c2 ; vmlaunch', 1e8), 'debug-exit');
  }
}
