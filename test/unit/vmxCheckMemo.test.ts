/** Entry checks that are not made again must give what making them all gives, whatever was written in between. */
import assert from 'node:assert/strict';
import { Encoding, FIELDS } from '../../src/vmx';
import { allChecksHold, failedChecks } from '../../src/vmx/entry';
import { At, VmxRig } from './vmxRig';

const VALUES = [0n, 1n, 2n, 3n, 7n, 0x10n, 0x80n, 0x93n, 0x400n, 0xfffn, 0x1000n, 0xffff_ffffn, 0x8000_0000_0000n, 0xffff_8000_0000_0000n, 0xffff_ffff_ffff_ffffn];

describe('VM-entry checks that are remembered', () => {
  it('agree with all checks after random changes of random fields, and after they are taken back', () => {
    const rig = new VmxRig().longModeGuest('f4');
    let seed = 12345;
    const random = (n: number): number => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      return (seed >>> 8) % n;
    };
    const agree = (what: string): boolean => {
      const holds = failedChecks(rig.unit).length === 0;
      assert.equal(allChecksHold(rig.unit), holds, what);
      return holds;
    };
    assert.equal(agree('at first'), true);
    const fields = FIELDS.filter((f) => rig.unit.readField(f.encoding) !== undefined);
    let failures = 0;
    for (let i = 0; i < 1500; i++) {
      const field = fields[random(fields.length)]!;
      const before = rig.unit.readField(field.encoding)!;
      const value = random(2) === 0 ? VALUES[random(VALUES.length)]! : before ^ (1n << BigInt(random(64)));
      rig.unit.writeField(field.encoding, value);
      if (!agree(`${field.name} = 0x${value.toString(16)}`)) failures++;
      // Most changes are taken back; those that remain make the next ones meet other combinations.
      if (failures > 0 && (random(8) !== 0 || failedChecks(rig.unit).length > 0)) rig.unit.writeField(field.encoding, before);
      assert.equal(agree(`${field.name} taken back`), true);
    }
    assert.ok(failures > 200);
  });

  it('notice a change of memory and of the VMCS', () => {
    const rig = new VmxRig().longModeGuest('0f a2 f4 ; cpuid; hlt');
    assert.equal(rig.launch().name, 'CPUID');
    assert.equal(rig.resumeBehind().name, 'HLT');
    rig.set({ HOST_CR3: 1n << 60n });
    rig.host('0f 01 c3 ; vmresume');
    assert.equal(rig.status, 8);
    rig.set({ HOST_CR3: At.PAGE_TABLES });
    assert.equal(rig.resume().name, 'HLT');
    rig.pointer('0f c7 30 ; vmptrld [rax]', At.OTHER_VMCS);
    rig.host('0f 01 c2 ; vmlaunch');
    assert.equal(rig.status, 7);
  });

  it('VMREAD and VMWRITE run as generated code unless somebody watches', () => {
    const code = '0f 79 c1 0f 78 c3 ; vmwrite rax, rcx; vmread rbx, rax';
    const rig = new VmxRig().vmxOn();
    const told: number[] = [];
    for (const watched of [false, true]) {
      const { observer } = rig.unit;
      if (watched) rig.unit.observer = { ...observer!, fieldRead: (e) => void told.push(e) };
      for (const [name, value] of [['GUEST_CS_SELECTOR', 0xffffn], ['GUEST_CS_LIMIT', 0xffff_ffffn], ['GUEST_RIP', 0xffff_ffff_ffff_ffffn], ['TSC_OFFSET', 0xffff_ffff_ffff_ffffn]] as const) {
        rig.host(code, { RAX: BigInt(Encoding[name]), RCX: 0xffff_ffff_ffff_ffffn, RBX: 0n });
        assert.equal(rig.cpu.state.reg(3), value, name);
        assert.equal(rig.status, 'succeed');
        const writer = rig.unit.fieldWriter(Encoding[name])!;
        assert.deepEqual([writer.rip, writer.icount], [BigInt(At.HOST_CODE), rig.cpu.state.icount - 3]);
      }
    }
    assert.equal(told.length, 4);
  });
});
