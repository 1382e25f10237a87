import assert from 'node:assert/strict';
import { Gpr, Offset } from '../../src/cpu/state';
import { Instruction } from '../../src/cpu/decode/instruction';
import { Vector } from '../../src/cpu/fault';
import { Encoding, VMCS_REVISION, VmxUnit } from '../../src/vmx';
import { At, VmxRig } from './vmxRig';

const VMXON = 'f3 0f c7 30 ; vmxon [rax]';
const VMCLEAR = '66 0f c7 30 ; vmclear [rax]';
const VMPTRLD = '0f c7 30 ; vmptrld [rax]';
const VMPTRST = '0f c7 38 ; vmptrst [rax]';
const VMREAD = '0f 78 da ; vmread rdx, rbx';
const VMWRITE = '0f 79 d8 ; vmwrite rbx, rax';

/** The exception that a VMX instruction raises. */
function faultOf(rig: VmxRig, mnemonic: string): number {
  try {
    rig.unit.execute(mnemonic, new Instruction());
  } catch (thrown) {
    assert.equal(thrown, rig.cpu.fault);
    return rig.cpu.fault.vector;
  }
  return -1;
}

describe('VMX instructions: VMXON and the current VMCS', () => {
  it('VMXON, VMCLEAR, VMPTRLD, VMPTRST, VMXOFF succeed', () => {
    const rig = new VmxRig();
    rig.pointer(VMXON, At.VMXON);
    assert.equal(rig.status, 'succeed');
    assert.equal(rig.unit.inVmx, true);
    assert.equal(rig.unit.currentVmcs, undefined);
    rig.pointer(VMCLEAR, At.VMCS);
    assert.equal(rig.status, 'succeed');
    rig.pointer(VMPTRLD, At.VMCS);
    assert.equal(rig.unit.currentVmcs, At.VMCS);
    rig.pointer(VMPTRST, 0);
    assert.equal(rig.read64(At.POINTER), BigInt(At.VMCS));
    rig.host('0f 01 c4 ; vmxoff');
    assert.equal(rig.unit.inVmx, false);
  });

  it('outside VMX operation everything but VMXON raises #UD, and VMXON without CR4.VMXE too', () => {
    const rig = new VmxRig();
    for (const m of ['vmclear', 'vmptrld', 'vmptrst', 'vmread', 'vmwrite', 'vmlaunch', 'vmresume', 'vmxoff', 'vmcall', 'invept', 'invvpid', 'vmfunc']) assert.equal(faultOf(rig, m), Vector.UD, m);
    rig.cpu.state.set64(Offset.CR4, 0x20n);
    assert.equal(faultOf(rig, 'vmxon'), Vector.UD);
  });

  it('VMXON raises #GP at CPL 3, with an unlocked feature control MSR, with CR0.NE 0', () => {
    const rig = new VmxRig();
    const s = rig.cpu.state;
    s.set32(Offset.CPL, 3);
    assert.equal(faultOf(rig, 'vmxon'), Vector.GP);
    s.set32(Offset.CPL, 0);
    for (const control of [0n, 1n, 4n]) {
      s.set64(Offset.FEATURE_CONTROL, control);
      assert.equal(faultOf(rig, 'vmxon'), Vector.GP, `IA32_FEATURE_CONTROL ${control}`);
    }
    s.set64(Offset.FEATURE_CONTROL, 5n);
    s.set64(Offset.CR0, 0x8000_0011n);
    assert.equal(faultOf(rig, 'vmxon'), Vector.GP);
  });

  it('VMXON fails without an error number on bad pointers and revisions', () => {
    const rig = new VmxRig();
    for (const pointer of [At.VMXON + 8, 1n << 41n]) {
      rig.pointer(VMXON, pointer);
      assert.equal(rig.status, 'invalid');
    }
    rig.write32(At.VMXON, VMCS_REVISION + 1);
    rig.pointer(VMXON, At.VMXON);
    assert.equal(rig.status, 'invalid');
    assert.match(rig.failures.at(-1)!.message, /revision/);
  });

  it('errors 2, 3, 9, 10, 11, 15 and 1', () => {
    const rig = new VmxRig().vmxOn();
    rig.pointer(VMCLEAR, At.VMCS + 1);
    assert.equal(rig.status, 2);
    rig.pointer(VMCLEAR, At.VMXON);
    assert.equal(rig.status, 3);
    rig.pointer(VMPTRLD, At.VMCS + 4);
    assert.equal(rig.status, 9);
    rig.pointer(VMPTRLD, At.VMXON);
    assert.equal(rig.status, 10);
    rig.write32(At.OTHER_VMCS, 7);
    rig.pointer(VMPTRLD, At.OTHER_VMCS);
    assert.equal(rig.status, 11);
    rig.pointer(VMXON, At.VMXON);
    assert.equal(rig.status, 15);
    rig.host('0f 01 c1 ; vmcall');
    assert.equal(rig.status, 1);
    assert.equal(rig.failures.at(-1)!.error, 1);
  });
});

describe('VMX instructions: fields', () => {
  const write = (rig: VmxRig, encoding: number, value: bigint): void => rig.host(VMWRITE, { RBX: BigInt(encoding), RAX: value });
  const read = (rig: VmxRig, encoding: number): bigint => {
    rig.host(VMREAD, { RBX: BigInt(encoding), RDX: 0n });
    return rig.cpu.state.reg(Gpr.RDX);
  };

  it('VMWRITE truncates to the width of the field, VMREAD zero-extends', () => {
    const rig = new VmxRig().vmxOn();
    for (const [name, expected] of [['GUEST_ES_SELECTOR', 0x8899n], ['EXCEPTION_BITMAP', 0x6677_8899n], ['IO_BITMAP_A', 0x1122_3344_6677_8899n], ['GUEST_RIP', 0x1122_3344_6677_8899n]] as const) {
      write(rig, Encoding[name], 0x1122_3344_6677_8899n);
      assert.equal(rig.status, 'succeed');
      assert.equal(read(rig, Encoding[name]), expected, name);
    }
  });

  it('the high half of a 64-bit field is written and read alone', () => {
    const rig = new VmxRig().vmxOn();
    write(rig, Encoding.VMCS_LINK_POINTER, 0xffff_ffffn);
    write(rig, Encoding.VMCS_LINK_POINTER + 1, 0xffff_ffffn);
    assert.equal(read(rig, Encoding.VMCS_LINK_POINTER), 0xffff_ffff_ffff_ffffn);
    write(rig, Encoding.VMCS_LINK_POINTER + 1, 0x12n);
    assert.equal(read(rig, Encoding.VMCS_LINK_POINTER), 0x12_ffff_ffffn);
    assert.equal(read(rig, Encoding.VMCS_LINK_POINTER + 1), 0x12n);
  });

  it('error 12 for fields that do not exist, by encoding or by feature', () => {
    const rig = new VmxRig(['ept']).vmxOn();
    for (const encoding of [0x7ffe, 0x681f, 0x1_0000, Encoding.EPT_POINTER, Encoding.GUEST_PHYSICAL_ADDRESS, Encoding.PML_ADDRESS]) {
      write(rig, encoding, 1n);
      assert.equal(rig.status, 12, encoding.toString(16));
      assert.equal(read(rig, encoding), 0n);
      assert.equal(rig.status, 12);
    }
    assert.equal(rig.unit.readField(Encoding.EPT_POINTER), undefined);
  });

  it('exit information can be written, unless that feature is withheld: error 13', () => {
    const modern = new VmxRig().vmxOn();
    write(modern, Encoding.VM_EXIT_REASON, 10n);
    assert.equal(modern.status, 'succeed');
    const old = new VmxRig(['vmwrite-any-field']).vmxOn();
    write(old, Encoding.VM_EXIT_REASON, 10n);
    assert.equal(old.status, 13);
  });

  it('what was on the stack at a VMWRITE is kept: the return address of a helper, with and without a frame', () => {
    const rig = new VmxRig().vmxOn();
    const registers = { RDX: BigInt(Encoding.GUEST_RIP), RAX: 0x1234n };
    const back = BigInt(At.HOST_CODE) + 5n;
    rig.host('e8 01 00 00 00 f4 0f 79 d0 c3 ; call 1f; hlt; 1: vmwrite rdx, rax; ret', registers);
    assert.equal(rig.unit.fieldWriter(Encoding.GUEST_RIP)!.returns[0], back);
    rig.host('e8 01 00 00 00 f4 55 48 89 e5 50 0f 79 d0 c9 c3 ; call 1f; hlt; 1: push rbp; mov rbp, rsp; push rax; vmwrite rdx, rax; leave; ret', registers);
    assert.equal(rig.unit.fieldWriter(Encoding.GUEST_RIP)!.returns[1], back);
    rig.pointer(VMPTRLD, At.OTHER_VMCS);
    assert.deepEqual(rig.unit.fieldWriter(Encoding.GUEST_RIP)?.returns ?? [], []);
    rig.pointer(VMPTRLD, At.VMCS);
    assert.equal(rig.unit.fieldWriter(Encoding.GUEST_RIP)!.returns[1], back);
    // A stack that is not mapped gives nothing, and no fault.
    rig.host('48 bc 00 00 00 00 00 10 00 00 31 ed 0f 79 d0 ; mov rsp, 1 << 44; xor ebp, ebp; vmwrite rdx, rax', registers);
    assert.equal(rig.status, 'succeed');
    assert.ok(!rig.unit.fieldWriter(Encoding.GUEST_RIP)!.returns.includes(back));
  });

  it('fields, their writers and the launch state survive in the region', () => {
    const rig = new VmxRig().vmxOn();
    write(rig, Encoding.GUEST_RIP, 0xffff_8000_0000_1234n);
    const writer = rig.unit.fieldWriter(Encoding.GUEST_RIP)!;
    assert.equal(writer.rip, BigInt(At.HOST_CODE));
    assert.ok(writer.icount > 0);
    assert.equal(rig.unit.fieldWriter(Encoding.GUEST_RSP), undefined);
    rig.pointer(VMCLEAR, At.OTHER_VMCS);
    rig.pointer(VMPTRLD, At.OTHER_VMCS);
    assert.equal(read(rig, Encoding.GUEST_RIP), 0n);
    rig.pointer(VMPTRLD, At.VMCS);
    assert.equal(read(rig, Encoding.GUEST_RIP), 0xffff_8000_0000_1234n);
    assert.deepEqual(rig.unit.fieldWriter(Encoding.GUEST_RIP), writer);
    rig.pointer(VMCLEAR, At.VMCS);
    assert.equal(rig.unit.currentVmcs, undefined);
    rig.host(VMREAD, { RBX: BigInt(Encoding.GUEST_RIP) });
    assert.equal(rig.status, 'invalid');
    rig.pointer(VMPTRLD, At.VMCS);
    assert.deepEqual(rig.unit.fieldWriter(Encoding.GUEST_RIP), writer);
  });

  it('nothing of VMX is kept outside the processor\'s state', () => {
    const rig = new VmxRig().vmxOn();
    write(rig, Encoding.GUEST_RIP, 0x1234n);
    const another = new VmxUnit(rig.cpu);
    assert.equal(another.readField(Encoding.GUEST_RIP), 0x1234n);
    assert.equal(another.currentVmcs, At.VMCS);
    assert.equal(another.inVmx, true);
  });
});

describe('VMX instructions: INVEPT and INVVPID', () => {
  const INVEPT = '66 0f 38 80 08 ; invept rcx, [rax]';
  const INVVPID = '66 0f 38 81 08 ; invvpid rcx, [rax]';
  const descriptor = (rig: VmxRig, code: string, type: bigint, low: bigint, high = 0n): void => {
    rig.write64(At.POINTER, low);
    rig.write64(At.POINTER + 8, high);
    rig.host(code, { RAX: BigInt(At.POINTER), RCX: type });
  };

  it('take their types and valid descriptors, else error 28', () => {
    const rig = new VmxRig().vmxOn();
    descriptor(rig, INVEPT, 2n, 0n);
    assert.equal(rig.status, 'succeed');
    descriptor(rig, INVEPT, 1n, 0x2_001en);
    assert.equal(rig.status, 'succeed');
    descriptor(rig, INVEPT, 1n, 0x2_0006n); // walk length 1
    assert.equal(rig.status, 28);
    descriptor(rig, INVEPT, 0n, 0n);
    assert.equal(rig.status, 28);
    descriptor(rig, INVVPID, 2n, 0n);
    assert.equal(rig.status, 'succeed');
    descriptor(rig, INVVPID, 1n, 5n);
    assert.equal(rig.status, 'succeed');
    descriptor(rig, INVVPID, 1n, 0n);
    assert.equal(rig.status, 28);
    descriptor(rig, INVVPID, 0n, 5n, 0x8000_0000_0000n);
    assert.equal(rig.status, 28);
    descriptor(rig, INVVPID, 4n, 5n);
    assert.equal(rig.status, 28);
  });
});
