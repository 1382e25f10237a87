import assert from 'node:assert/strict';
import { CpuFeatures, featureNames } from '../../src/cpu/system/features';
import {
  Capabilities, CONTROL_FIELDS, decodeField, decodeQualification, Encoding, ENTRY_CHECKS, Entry, Exit, EXIT_REASONS, exitReasonName, fieldOf, FIELDS, INSTRUCTION_ERRORS, Pin, Primary, Secondary, Slot, slotOf, VMX_FEATURES, VmxMsr,
} from '../../src/vmx/tables';
import { Region, SLOT_CAPACITY } from '../../src/vmx/vmcs';

const everything = new Capabilities({ has: () => true, cr4Bits: 0x37_2fff });

const unique = (values: readonly unknown[]): boolean => new Set(values).size === values.length;

describe('VMX tables: fields', () => {
  it('encodings and names are unique and ascend', () => {
    assert.ok(unique(FIELDS.map((f) => f.encoding)));
    assert.ok(unique(FIELDS.map((f) => f.name)));
    assert.deepEqual(FIELDS.map((f) => f.encoding), FIELDS.map((f) => f.encoding).sort((a, b) => a - b));
  });

  it('encodings are those of full accesses with no reserved bit, and say width and group', () => {
    for (const f of FIELDS) assert.equal(f.encoding & ~0x6ffe, 0, f.name);
    assert.deepEqual([fieldOf(0x681e)!.name, fieldOf(0x681e)!.width, fieldOf(0x681e)!.group], ['GUEST_RIP', 'natural', 'guest']);
    assert.deepEqual([fieldOf(0x4402)!.name, fieldOf(0x4402)!.width, fieldOf(0x4402)!.group], ['VM_EXIT_REASON', 32, 'exit-information']);
    assert.deepEqual([fieldOf(0x201a)!.name, fieldOf(0x201a)!.width, fieldOf(0x201a)!.group], ['EPT_POINTER', 64, 'control']);
    assert.deepEqual([fieldOf(0x0c0c)!.name, fieldOf(0x0c0c)!.width, fieldOf(0x0c0c)!.group], ['HOST_TR_SELECTOR', 16, 'host']);
  });

  it('the high half of a field exists for 64-bit fields alone', () => {
    assert.equal(slotOf(0x2801), Slot.VMCS_LINK_POINTER);
    assert.equal(slotOf(0x681f), -1);
    assert.equal(slotOf(0x4403), -1);
    assert.equal(slotOf(0x6fff), -1);
    assert.equal(slotOf(0x8000), -1);
  });

  it('segment fields lie in the order of the segment registers', () => {
    const order = ['ES', 'CS', 'SS', 'DS', 'FS', 'GS', 'LDTR', 'TR'] as const;
    order.forEach((s, i) => {
      assert.equal(Slot[`GUEST_${s}_SELECTOR`], Slot.GUEST_ES_SELECTOR + i);
      assert.equal(Slot[`GUEST_${s}_LIMIT`], Slot.GUEST_ES_LIMIT + i);
      assert.equal(Slot[`GUEST_${s}_ACCESS_RIGHTS`], Slot.GUEST_ES_ACCESS_RIGHTS + i);
      assert.equal(Slot[`GUEST_${s}_BASE`], Slot.GUEST_ES_BASE + i);
    });
  });

  it('all fields have room in the state and in a VMCS region', () => {
    assert.ok(FIELDS.length <= SLOT_CAPACITY);
    assert.ok(Region.FIELDS + FIELDS.length * Region.STRIDE <= 0x1000);
  });

  it('every field decodes every value to words', () => {
    for (const f of FIELDS) {
      for (const value of [0n, 1n, 0xffff_ffffn, 0xffff_ffff_ffff_ffffn]) {
        for (const exitReason of [undefined, 0, 28, 30, 48]) {
          const decoded = decodeField(f, value, exitReason === undefined ? {} : { exitReason });
          assert.ok(decoded.text.length > 0, f.name);
        }
      }
    }
  });

  it('values read as a person would say them', () => {
    const words = (name: keyof typeof Encoding, value: bigint, exitReason?: number): string => decodeField(fieldOf(Encoding[name])!, value, exitReason === undefined ? {} : { exitReason }).text;
    assert.equal(words('GUEST_CS_ACCESS_RIGHTS', 0xa09bn), 'code readable accessed, 64-bit, DPL 0, granularity 4 KiB');
    assert.equal(words('GUEST_LDTR_ACCESS_RIGHTS', 0x10000n), 'unusable');
    assert.equal(words('GUEST_TR_ACCESS_RIGHTS', 0x8bn), 'busy TSS, DPL 0');
    assert.equal(words('EPT_POINTER', 0x1018n), 'root 0x1000, 4 levels, uncacheable');
    assert.equal(words('VM_EXIT_INTERRUPTION_INFO', 0x80000b0en), 'hardware exception #PF with error code');
    assert.equal(words('VM_EXIT_REASON', 0x80000021n), 'ENTRY_FAILURE_GUEST_STATE (VM-entry failure): A VM entry failed because the guest state is invalid.');
    assert.equal(words('EXIT_QUALIFICATION', 0x0070_0000n, 30), 'OUT, port 0x70, 1 byte');
    assert.equal(words('EXIT_QUALIFICATION', 0x182n, 48), 'write, not present');
    assert.equal(words('EXIT_QUALIFICATION', 0x300n, 28), 'MOV CR0, RBX');
    assert.equal(words('PIN_BASED_CONTROLS', 0x17n), 'external-interrupt exiting');
    assert.equal(words('SECONDARY_PROCESSOR_BASED_CONTROLS', 0x82n), 'enable EPT, unrestricted guest');
    assert.equal(words('VM_INSTRUCTION_ERROR', 12n), 'VMREAD or VMWRITE of a field that this processor does not have.');
    assert.equal(words('GUEST_RFLAGS', 0x202n), 'IF');
  });
});

describe('VMX tables: controls and capabilities', () => {
  it('bits are unique, and bits with a name are not reserved ones', () => {
    for (const c of CONTROL_FIELDS) {
      assert.ok(unique(c.bits.map((b) => b.bit)), c.kind);
      assert.ok(unique(c.bits.map((b) => b.key)), c.kind);
      for (const b of c.bits) {
        const isDefault1 = ((c.default1 >>> b.bit) & 1) === 1;
        assert.equal(isDefault1, ((c.mayBeZero >>> b.bit) & 1) === 1, `${c.kind} ${b.name}`);
      }
    }
    assert.deepEqual([Pin.EXTERNAL_INTERRUPT_EXITING, Primary.SECONDARY_CONTROLS >>> 0, Secondary.UNRESTRICTED_GUEST, Exit.HOST_ADDRESS_SPACE_SIZE, Entry.IA32E_MODE_GUEST], [1, 0x8000_0000, 0x80, 0x200, 0x200]);
  });

  it('the controls of the course system are allowed by the TRUE capability MSRs', () => {
    const within = (value: number, kind: 'pin' | 'primary' | 'secondary' | 'exit' | 'entry'): void => {
      const { must, may } = everything.controls[kind];
      assert.equal((value & must) >>> 0, must, kind);
      assert.equal((value & ~may) >>> 0, 0, kind);
    };
    within(0x17, 'pin');
    within(0x8600_61f2, 'primary');
    within(0x82, 'secondary');
    within(0x3_efff, 'exit');
    within(0x11ff, 'entry');
  });

  it('without TRUE controls CR3 exiting is required, and MSR 0x482 always says so', () => {
    const old = new Capabilities({ has: (name) => name !== 'true-controls', cr4Bits: 0 });
    assert.equal(everything.read(VmxMsr.BASIC)! >> 55n & 1n, 1n);
    assert.equal(old.read(VmxMsr.BASIC)! >> 55n & 1n, 0n);
    assert.equal(old.read(VmxMsr.TRUE_PROCBASED_CTLS), undefined);
    assert.equal(everything.read(VmxMsr.PROCBASED_CTLS)! & 0x18000n, 0x18000n);
    assert.equal(everything.read(VmxMsr.TRUE_PROCBASED_CTLS)! & 0x18000n, 0n);
    assert.equal(old.controls.primary.must & 0x18000, 0x18000);
  });

  it('a withheld feature disappears with what needs it', () => {
    const noEpt = new Capabilities({ has: (name) => name !== 'ept', cr4Bits: 0 });
    assert.equal(noEpt.controls.secondary.may & (Secondary.EPT | Secondary.UNRESTRICTED_GUEST), 0);
    assert.equal(noEpt.read(VmxMsr.EPT_VPID_CAP)! & 0xffff_ffffn, 0n);
    const noSecondary = new Capabilities({ has: (name) => name !== 'secondary-controls', cr4Bits: 0 });
    assert.equal(noSecondary.read(VmxMsr.PROCBASED_CTLS2), undefined);
    assert.equal(noSecondary.read(VmxMsr.EPT_VPID_CAP), undefined);
  });

  it('EPT capabilities name what the walk can do', () => {
    const cap = everything.read(VmxMsr.EPT_VPID_CAP)!;
    for (const bit of [0, 6, 8, 14, 16, 17, 20, 21, 25, 26, 32, 40, 41, 42, 43]) assert.equal((cap >> BigInt(bit)) & 1n, 1n, `bit ${bit}`);
  });

  it('the processor knows every feature of VMX by the same name', () => {
    const withheldable = new Set(featureNames());
    // What depends on an instruction that the processor does not have yet cannot be withheld yet.
    const notYet = new Set(['rdrand-exiting', 'rdseed-exiting']);
    for (const [name] of VMX_FEATURES) assert.ok(withheldable.has(name) || notYet.has(name), name);
    const features = new CpuFeatures([]);
    const real = new Capabilities({ has: (name) => features.has(name), cr4Bits: 0 });
    for (const [name] of VMX_FEATURES) if (!notYet.has(name)) assert.ok(real.has(name), name);
  });
});

describe('VMX tables: reasons, errors, checks', () => {
  it('exit reasons and instruction errors are unique', () => {
    assert.ok(unique(EXIT_REASONS.map((r) => r.number)));
    assert.ok(unique(EXIT_REASONS.map((r) => r.name)));
    for (const r of EXIT_REASONS) assert.match(r.name, /^[A-Z][A-Z0-9_]*$/);
    assert.ok(unique(INSTRUCTION_ERRORS.map((e) => e.number)));
    assert.deepEqual(INSTRUCTION_ERRORS.map((e) => e.number), Array.from({ length: 28 }, (_, i) => i + 1).filter((n) => ![14, 21, 27].includes(n)));
    assert.equal(exitReasonName(18), 'VMCALL');
    assert.equal(exitReasonName(35), 'REASON_35');
  });

  it('every reason with a qualification decodes it', () => {
    for (const r of EXIT_REASONS) assert.ok(decodeQualification(r.number, 0x1234_5678n).text.length > 0, r.name);
  });

  it('check ids are unique and begin with their stage, and come in the order of the SDM', () => {
    assert.ok(unique(ENTRY_CHECKS.map((c) => c.id)));
    for (const c of ENTRY_CHECKS) {
      assert.ok(c.id.startsWith(`${c.stage}.`), c.id);
      assert.ok(c.fields.length > 0, c.id);
      assert.match(c.condition, /^[A-Z].*\.$/, c.id);
      for (const f of c.fields) assert.ok(Slot[f] !== undefined, `${c.id} ${f}`);
    }
    const stages = ENTRY_CHECKS.map((c) => ['control', 'host', 'guest'].indexOf(c.stage));
    assert.deepEqual(stages, [...stages].sort());
  });
});
