/** APIC virtualization: TPR shadow, APIC-access page, APIC-register virtualization. Tiny VMMs; a title names its rule. */
import assert from 'node:assert/strict';
import { Gpr } from '../../src/cpu/state';
import { Primary, Secondary, VmxMsr } from '../../src/vmx';
import { ACCESS_PAGE, APIC, ApicRig, type ApicControls } from './vmxApicRig';
import { GUEST_CODE, VmxRig } from './vmxRig';

const SHADOW = Primary.TPR_SHADOW;
const ACCESSES = Secondary.VIRTUALIZE_APIC_ACCESSES;
const REGISTERS = Secondary.APIC_REGISTER_VIRTUALIZATION;
const hex = (n: number): string => [0, 8, 16, 24].map((shift) => ((n >>> shift) & 0xff).toString(16)).join(' ');
/** Reads or writes the APIC's page; RBX is its address. */
const READ = (offset: number): string => `8b 83 ${hex(offset)} f4 ; mov eax, [rbx+${offset}]; hlt`;
const WRITE = (offset: number): string => `89 83 ${hex(offset)} f4 ; mov [rbx+${offset}], eax; hlt`;
const start = (code: string, controls: ApicControls): ApicRig => {
  const rig = new ApicRig(code, controls);
  rig.cpu.state.setReg(Gpr.RBX, BigInt(APIC));
  return rig;
};

describe('VMX: TPR shadow', () => {
  it('apic.cr8.read: MOV from CR8 yields bits 7:4 of VTPR', () => {
    const rig = start('44 0f 20 c0 f4 ; mov rax, cr8; hlt', { primary: SHADOW }).setApic(0x80, 0x5a);
    assert.equal(rig.launch().name, 'HLT');
    assert.equal(rig.cpu.state.reg(Gpr.RAX), 5n);
  });
  it('apic.cr8.write: MOV to CR8 writes bits 7:4 of VTPR and clears the rest', () => {
    const rig = start('44 0f 22 c0 f4 ; mov cr8, rax; hlt', { primary: SHADOW }).setApic(0x80, 0xffff_ff3f);
    assert.equal(rig.launch({ RAX: 9n }).name, 'HLT');
    assert.equal(rig.apic(0x80), 0x90);
  });
  it('apic.cr8.reserved: a CR8 above 15 raises #GP', () => {
    const rig = start('44 0f 22 c0 f4 ; mov cr8, rax; hlt', { primary: SHADOW });
    rig.set({ EXCEPTION_BITMAP: 1 << 13 });
    assert.equal(rig.launch({ RAX: 16n }).details.exception, '#GP');
  });
  it('apic.threshold.cr8: a task priority below the threshold exits behind MOV to CR8', () => {
    const rig = start('44 0f 22 c0 f4 ; mov cr8, rax; hlt', { primary: SHADOW }).setApic(0x80, 0x80);
    rig.set({ TPR_THRESHOLD: 7 });
    const exit = rig.launch({ RAX: 6n });
    assert.deepEqual([exit.name, exit.guestRip, exit.qualification], ['TPR_BELOW_THRESHOLD', BigInt(GUEST_CODE + 4), 0n]);
    assert.equal(rig.apic(0x80), 0x60);
    const equal = start('44 0f 22 c0 f4 ; mov cr8, rax; hlt', { primary: SHADOW }).setApic(0x80, 0x80);
    equal.set({ TPR_THRESHOLD: 7 });
    assert.equal(equal.launch({ RAX: 7n }).name, 'HLT');
  });
  it('apic.threshold.entry: with virtualized APIC accesses VM entry exits at once, after injection', () => {
    const rig = start('f4', { primary: SHADOW, secondary: ACCESSES }).setApic(0x80, 0x20);
    rig.set({ TPR_THRESHOLD: 3, VM_ENTRY_INTERRUPTION_INFO: 0x8000_0020, GUEST_RFLAGS: 0x202 });
    const exit = rig.launch();
    assert.deepEqual([exit.name, exit.guestRip], ['TPR_BELOW_THRESHOLD', 0x9020n]);
  });
  it('apic.threshold.hlt: the exit ends the HLT state, whatever RFLAGS.IF and blocking say', () => {
    const rig = start('f4', { primary: SHADOW, secondary: ACCESSES });
    rig.set({ TPR_THRESHOLD: 3, GUEST_ACTIVITY_STATE: 1 });
    assert.equal(rig.launch().name, 'TPR_BELOW_THRESHOLD');
    assert.equal(rig.get('GUEST_ACTIVITY_STATE'), 1n);
  });
  it('apic.cr8.exiting: CR8 exits come before the shadow', () => {
    const rig = start('44 0f 20 c0 f4 ; mov rax, cr8; hlt', { primary: SHADOW | Primary.CR8_STORE_EXITING | Primary.CR8_LOAD_EXITING });
    assert.equal(rig.launch().name, 'CR_ACCESS');
  });
});

describe('VMX: the APIC-access page', () => {
  const access = (code: string, controls: ApicControls, prepare: (rig: ApicRig) => void = () => undefined) => {
    const rig = start(code, controls);
    prepare(rig);
    const exit = rig.launch({ RBX: BigInt(APIC), RAX: 0x1234_5678n });
    return { rig, exit, at: Number(exit.qualification & 0xfffn), type: Number(exit.qualification >> 12n) };
  };
  it('apic.access.no-shadow: without a TPR shadow every access exits, with its offset and type', () => {
    const read = access(READ(0x80), { secondary: ACCESSES });
    assert.deepEqual([read.exit.name, read.at, read.type, read.exit.guestRip], ['APIC_ACCESS', 0x80, 0, BigInt(GUEST_CODE)]);
    assert.equal(read.rig.get('VM_EXIT_INSTRUCTION_LENGTH'), 6n);
    const write = access(WRITE(0x20), { secondary: ACCESSES });
    assert.deepEqual([write.exit.name, write.at, write.type], ['APIC_ACCESS', 0x20, 1]);
    assert.deepEqual(write.exit.details, { access: 'write', offset: 0x20 });
  });
  it('apic.access.fetch: an instruction fetch exits with type 2', () => {
    const { exit, type } = access('ff e3 ; jmp rbx', { primary: SHADOW, secondary: ACCESSES | REGISTERS });
    assert.deepEqual([exit.name, type, exit.guestRip], ['APIC_ACCESS', 2, BigInt(APIC)]);
  });
  it('apic.access.delivery: pushes of an event delivery exit with type 3 and IDT-vectoring information', () => {
    const { rig, exit, type } = access('cd 40 ; int 0x40', { primary: SHADOW, secondary: ACCESSES | REGISTERS }, (r) => r.set({ GUEST_RSP: APIC + 0x800 }));
    assert.deepEqual([exit.name, type], ['APIC_ACCESS', 3]);
    assert.equal(rig.get('IDT_VECTORING_INFO'), 0x8000_0440n);
    assert.equal(rig.get('VM_EXIT_INSTRUCTION_LENGTH'), 2n);
  });
  it('apic.access.guest-physical: a paging structure on the page exits with type 15', () => {
    const { exit, type } = access(READ(0), { primary: SHADOW, secondary: ACCESSES }, (r) => r.write64(r.eptEntry(0x2000), BigInt(ACCESS_PAGE + 0x37)));
    assert.deepEqual([exit.name, type], ['APIC_ACCESS', 15]);
  });
  it('apic.access.tpr: reads and writes of 80H use the virtual-APIC page', () => {
    const read = access(READ(0x80), { primary: SHADOW, secondary: ACCESSES }, (r) => r.setApic(0x80, 0xabcd_ef12));
    assert.equal(read.exit.name, 'HLT');
    assert.equal(read.rig.cpu.state.reg(Gpr.RAX), 0xabcd_ef12n);
    const write = access(WRITE(0x80), { primary: SHADOW, secondary: ACCESSES });
    assert.equal(write.exit.name, 'HLT');
    assert.equal(write.rig.apic(0x80), 0x78); // bytes 3:1 are cleared
    assert.equal(write.rig.read64(ACCESS_PAGE + 0x80), 0n);
  });
  it('apic.access.threshold: a write to 80H that falls below the threshold exits behind the instruction', () => {
    const { rig, exit } = access(WRITE(0x80), { primary: SHADOW, secondary: ACCESSES }, (r) => {
      r.setApic(0x80, 0x90);
      r.set({ TPR_THRESHOLD: 8 });
    });
    assert.deepEqual([exit.name, exit.guestRip, rig.apic(0x80)], ['TPR_BELOW_THRESHOLD', BigInt(GUEST_CODE + 6), 0x78]);
  });
  it('apic.access.others: without APIC-register virtualization other registers exit', () => {
    for (const offset of [0x20, 0x30, 0x84, 0xb0, 0xf0, 0x300]) {
      assert.equal(access(READ(offset), { primary: SHADOW, secondary: ACCESSES }).exit.name, 'APIC_ACCESS');
      assert.equal(access(WRITE(offset), { primary: SHADOW, secondary: ACCESSES }).exit.name, 'APIC_ACCESS');
    }
  });
  it('apic.access.size: more than four bytes, or other than the low four of sixteen, exit', () => {
    const all = { primary: SHADOW, secondary: ACCESSES | REGISTERS };
    assert.equal(access('48 8b 83 80 00 00 00 f4 ; mov rax, [rbx+0x80]', all).exit.name, 'APIC_ACCESS');
    assert.equal(access('8b 83 82 00 00 00 f4 ; mov eax, [rbx+0x82]', all).exit.name, 'APIC_ACCESS');
    assert.equal(access('8a 83 83 00 00 00 f4 ; mov al, [rbx+0x83]', all).exit.name, 'HLT');
    assert.equal(access('8a 83 84 00 00 00 f4 ; mov al, [rbx+0x84]', all).exit.name, 'APIC_ACCESS');
    const crossing = access('8b 83 fe ff ff ff f4 ; mov eax, [rbx-2]', all);
    assert.deepEqual([crossing.exit.name, crossing.at], ['APIC_ACCESS', 0]);
    const leaving = access('8b 83 fe 0f 00 00 f4 ; mov eax, [rbx+0xffe]', all);
    assert.deepEqual([leaving.exit.name, leaving.at], ['APIC_ACCESS', 0xffe]);
  });
  it('apic.access.second-write: an operation may write once', () => {
    const { exit, at } = access('fa ff 33 f4 ; cli; push [rbx]', { primary: SHADOW, secondary: ACCESSES | REGISTERS });
    assert.deepEqual([exit.name, at], ['APIC_ACCESS', 0]);
  });
  it('apic.registers.read: APIC-register virtualization reads exactly the registers of the SDM', () => {
    const readable: number[] = [];
    const rig = start(READ(0), { primary: SHADOW, secondary: ACCESSES | REGISTERS });
    rig.launch();
    for (let offset = 0; offset < 0x1000; offset += 0x10) {
      rig.setApic(offset, 0x5500 + offset).guest(GUEST_CODE, READ(offset));
      rig.set({ GUEST_RIP: GUEST_CODE });
      const exit = rig.resume({ RBX: BigInt(APIC) });
      if (exit.name !== 'HLT') continue;
      readable.push(offset >>> 4);
      assert.equal(rig.cpu.state.reg(Gpr.RAX), BigInt(0x5500 + offset));
    }
    const isr = Array.from({ length: 25 }, (_, i) => 0x10 + i);
    assert.deepEqual(readable, [2, 3, 8, 0xb, 0xd, 0xe, 0xf, ...isr, 0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38, 0x3e]);
  });
  it('apic.registers.write: writes go to the page and then exit with reason 56, but TPR and ICR_HIGH', () => {
    const all = { primary: SHADOW, secondary: ACCESSES | REGISTERS };
    for (const offset of [0x20, 0xb0, 0xd0, 0xe0, 0xf0, 0x280, 0x300, 0x320, 0x370, 0x380, 0x3e0]) {
      const { rig, exit } = access(WRITE(offset), all);
      assert.deepEqual([exit.name, exit.qualification, exit.guestRip, rig.apic(offset)], ['APIC_WRITE', BigInt(offset), BigInt(GUEST_CODE + 6), 0x1234_5678]);
    }
    for (const offset of [0x30, 0xa0, 0x100, 0x200, 0x390, 0x3f0]) assert.equal(access(WRITE(offset), all).exit.name, 'APIC_ACCESS');
    assert.equal(access(WRITE(0x80), all).exit.name, 'HLT');
    const high = access(WRITE(0x310), all);
    assert.deepEqual([high.exit.name, high.rig.apic(0x310)], ['HLT', 0x1200_0000]);
    // A byte inside TPR is no TPR write.
    assert.deepEqual(access('88 83 81 00 00 00 f4 ; mov [rbx+0x81], al', all).exit.qualification, 0x81n);
  });
  it('apic.access.string: a repeated string instruction is not let through the page', () => {
    const { exit, at } = access('48 89 de bf 00 00 06 00 b9 40 00 00 00 f3 a4 f4 ; mov rsi, rbx; mov edi, 0x60000; mov ecx, 64; rep movsb', { primary: SHADOW, secondary: ACCESSES });
    assert.deepEqual([exit.name, at], ['APIC_ACCESS', 0]);
  });
  it('apic.access.debug-trap: a single-step trap stays pending over an APIC-write exit', () => {
    const { rig, exit } = access(WRITE(0xf0), { primary: SHADOW, secondary: ACCESSES | REGISTERS }, (r) => r.set({ GUEST_RFLAGS: 0x102 }));
    assert.equal(exit.name, 'APIC_WRITE');
    assert.equal(rig.get('GUEST_PENDING_DEBUG_EXCEPTIONS'), 0x4000n);
  });
  it('apic.access.off: without the control the page is memory', () => {
    const { rig, exit } = access(WRITE(0x80), { primary: SHADOW });
    assert.equal(exit.name, 'HLT');
    assert.equal(rig.read64(ACCESS_PAGE + 0x80), 0x1234_5678n);
  });
  it('apic.access.cached: a translation that was cached before the control was set does not survive', () => {
    const rig = start('8b 83 80 00 00 00 f4 eb f7 ; mov eax, [rbx+0x80]; hlt; again', { secondary: Secondary.VPID });
    rig.set({ VPID: 1 });
    assert.equal(rig.launch({ RBX: BigInt(APIC) }).name, 'HLT');
    rig.control('secondary', Secondary.EPT | Secondary.UNRESTRICTED_GUEST | Secondary.VPID | ACCESSES);
    assert.equal(rig.resumeBehind().name, 'APIC_ACCESS');
  });
});

describe('VMX: APIC controls are told truthfully', () => {
  it('apic.capabilities: they are announced, and withheld ones are not', () => {
    const secondary = (without: string[]): number => Number(new VmxRig(without).unit.capabilities.read(VmxMsr.PROCBASED_CTLS2)! >> 32n);
    const all = ACCESSES | REGISTERS | Secondary.VIRTUALIZE_X2APIC | Secondary.VIRTUAL_INTERRUPT_DELIVERY;
    assert.equal(secondary([]) & all, all);
    assert.equal(secondary(['tpr-shadow']) & all, ACCESSES);
  });
  it('apic.page.host: the VMM itself is not virtualized', () => {
    const rig = start(READ(0x80), { secondary: ACCESSES });
    rig.launch({ RBX: BigInt(APIC) });
    rig.host('8b 03 ; mov eax, [rbx]', { RBX: BigInt(ACCESS_PAGE) });
    assert.equal(rig.exits.length, 1);
  });
});
