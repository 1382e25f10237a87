/** Every rule of docs/vm-entry-checks.md, both ways: a VMM that breaks it, and one that only just keeps it. */
import assert from 'node:assert/strict';
import { Offset, Seg } from '../../src/cpu/state';
import { Encoding, Entry, ENTRY_CHECKS, Exit, type FieldName, MSR_LOAD_CHECKS, VmxMsr } from '../../src/vmx';
import { type EntryCase, EXECUTION_CASES, EXIT_ENTRY_CASES, HOST_CASES, type Writes } from './vmxEntryCases';
import { MSR_CASES, REGISTER_CASES, SEGMENT_CASES, STATE_CASES } from './vmxEntryGuestCases';
import { prepare, rigFor, write } from './vmxEntryVmm';
import { At, type VmxRig } from './vmxRig';

const VMLAUNCH = '0f 01 c2 ; vmlaunch';
const PAGE_DIRECTORY_32 = 0x9000;
const MSR_AREA = 0x4_0000;

/** Puts the VMM, host state included, into 32-bit mode with 4-MiB pages. */
function vmmIn32Bits(rig: VmxRig): void {
  const s = rig.cpu.state;
  for (let i = 0; i < 4; i++) rig.write32(PAGE_DIRECTORY_32 + i * 4, i * 0x40_0000 + 0x87);
  s.set64(Offset.CR3, BigInt(PAGE_DIRECTORY_32));
  s.set64(Offset.CR4, 0x2010n);
  s.set64(Offset.EFER, 0n);
  s.setAccess(Seg.CS, 0xc09b);
  rig.cpu.flushTlb();
  rig.cpu.stateChanged();
  write(rig, { HOST_CR3: PAGE_DIRECTORY_32, HOST_CR4: 0x2010, VM_EXIT_CONTROLS: (v) => v & ~BigInt(Exit.HOST_ADDRESS_SPACE_SIZE) });
}

const bytesOf = (value: bigint, count: number): string => Array.from({ length: count }, (_, i) => ((value >> BigInt(i * 8)) & 0xffn).toString(16).padStart(2, '0')).join(' ');
/** The VMM's code: a VMWRITE for each field, then VMLAUNCH. */
function program(rig: VmxRig, writes: Writes, bits32: boolean): string {
  const code = Object.entries(writes).map(([name, value]) => {
    const number = BigInt.asUintN(64, BigInt(typeof value === 'function' ? value(rig.get(name as FieldName)) : value!));
    const encoding = BigInt(Encoding[name as FieldName]);
    if (!bits32) return `48 ba ${bytesOf(encoding, 8)} 48 b8 ${bytesOf(number, 8)} 0f 79 d0 ; mov rdx, encoding; mov rax, value; vmwrite rdx, rax`;
    const half = (e: bigint, v: bigint): string => `ba ${bytesOf(e, 4)} b8 ${bytesOf(v, 4)} 0f 79 d0 ; the same with 32 bits`;
    return half(encoding, number);
  });
  return [...code, VMLAUNCH].join('\n');
}

function enter(c: EntryCase, outcome: 'fails' | 'holds'): VmxRig {
  const settings = outcome === 'holds' ? { ...c, ...c.keepsIn } : c;
  const rig = rigFor(settings.without ?? [], settings.announce ?? []);
  prepare(rig, settings.guest ?? 'long');
  if (settings.vmm32) vmmIn32Bits(rig);
  c.memory?.(rig, outcome);
  write(rig, c.base ?? {});
  const writes = outcome === 'fails' ? c.breaks : (c.keeps ?? {});
  // 32-bit code writes natural-width fields by 32 bits alone.
  if (settings.vmm32 && Object.values(writes).some((v) => typeof v === 'function')) {
    write(rig, writes);
    rig.host(VMLAUNCH);
  } else rig.host(program(rig, writes, settings.vmm32 === true));
  return rig;
}

const STATUS = { control: 7, host: 8, guest: undefined } as const;

function both(id: string, c: EntryCase): void {
  const check = ENTRY_CHECKS.find((row) => row.id === id)!;
  it(`${id} fails`, () => {
    const rig = enter(c, 'fails');
    const failure = rig.failures.at(-1);
    assert.ok(failure, 'the entry fails');
    const ids = failure.checks.map((f) => f.id);
    assert.ok(ids.includes(id), `${id} is among ${ids.join(', ')}`);
    assert.deepEqual(ids.filter((other) => other !== id && !c.also?.includes(other)), []);
    const status = c.status ?? STATUS[check.stage];
    if (status !== undefined) {
      assert.equal(rig.status, status);
      assert.equal(rig.exits.length, 0);
    } else {
      assert.equal(rig.get('VM_EXIT_REASON'), 0x8000_0021n);
      assert.equal(rig.get('EXIT_QUALIFICATION'), BigInt(check.qualification ?? 0));
    }
    assert.equal(rig.unit.entries, 0);
    const told = failure.checks.find((f) => f.id === id)!;
    for (const field of check.fields) assert.ok(told.message.includes(`${field} is 0x${rig.get(field).toString(16)}`), `${told.message} names ${field}`);
    assert.ok(told.message.includes(check.condition));
  });
  it(`${id} holds`, () => {
    const rig = enter(c, 'holds');
    assert.deepEqual(rig.failures.map((f) => f.message), []);
    assert.equal(rig.unit.entries, 1);
    const exit = 'exit' in c ? c.exit : 'CPUID';
    assert.equal(rig.exits.at(-1)?.name, exit);
  });
}

for (const [area, cases] of [
  ['VM-execution controls', EXECUTION_CASES],
  ['VM-exit and VM-entry controls', EXIT_ENTRY_CASES],
  ['host state', HOST_CASES],
  ['guest registers', REGISTER_CASES],
  ['guest segments', SEGMENT_CASES],
  ['guest state', STATE_CASES],
] as const) {
  describe(`VM-entry checks: ${area}`, () => {
    for (const [id, c] of Object.entries(cases)) both(id, c);
  });
}

describe('VM-entry checks: MSR loading', () => {
  for (const [id, c] of Object.entries(MSR_CASES)) {
    const list = (last: readonly [bigint, bigint], count: number): VmxRig => {
      const rig = rigFor([], []);
      prepare(rig, 'long');
      for (let i = 0; i < count; i++) {
        const [index, value] = i === count - 1 ? last : [0xc000_0102n, 0n];
        rig.write64(MSR_AREA + i * 16, index);
        rig.write64(MSR_AREA + i * 16 + 8, value);
      }
      rig.host(program(rig, { VM_ENTRY_MSR_LOAD_ADDRESS: MSR_AREA, VM_ENTRY_MSR_LOAD_COUNT: count }, false));
      return rig;
    };
    it(`${id} fails`, () => {
      const count = c.count ?? 2;
      const rig = list(c.breaks, count);
      assert.equal(rig.get('VM_EXIT_REASON'), 0x8000_0022n);
      assert.equal(rig.get('EXIT_QUALIFICATION'), BigInt(count));
      const [told] = rig.failures.at(-1)!.checks;
      assert.equal(told!.id, id);
      assert.match(told!.message, new RegExp(`^Entry ${count} at 0x[0-9a-f]+ is MSR 0x${(c.breaks[0] & 0xffff_ffffn).toString(16)}`));
      assert.deepEqual(told!.fields, [Encoding.VM_ENTRY_MSR_LOAD_ADDRESS, Encoding.VM_ENTRY_MSR_LOAD_COUNT]);
    });
    it(`${id} holds`, () => {
      const rig = list(c.keeps, c.keepsCount ?? 2);
      assert.deepEqual(rig.failures, []);
      assert.equal(rig.exits.at(-1)!.name, 'CPUID');
    });
  }
});

describe('VM-entry checks: before the VMCS is looked at', () => {
  const ready = (announce: string[] = []): VmxRig => {
    const rig = rigFor([], announce);
    prepare(rig, 'long');
    return rig;
  };
  const enters = (rig: VmxRig, code = VMLAUNCH): void => {
    rig.host(code);
    assert.equal(rig.exits.at(-1)!.name, 'CPUID');
    assert.deepEqual(rig.failures, []);
  };
  const fails = (rig: VmxRig, code: string, status: 'invalid' | number): void => {
    rig.host(code);
    assert.equal(rig.status, status);
    assert.equal(rig.failures.length, 1);
  };

  it('basic.current-vmcs fails', () => {
    const rig = ready();
    rig.pointer('66 0f c7 30 ; vmclear [rax]', At.VMCS);
    fails(rig, VMLAUNCH, 'invalid');
  });
  it('basic.current-vmcs holds', () => enters(ready()));
  it('basic.shadow-vmcs fails', () => {
    const rig = ready(['vmcs-shadowing']);
    rig.write32(At.VMCS, Number(rig.unit.capabilities.read(VmxMsr.BASIC)! & 0x7fff_ffffn) + 0x8000_0000);
    fails(rig, VMLAUNCH, 'invalid');
  });
  it('basic.shadow-vmcs holds', () => enters(ready(['vmcs-shadowing'])));
  it('basic.mov-ss fails', () => fails(ready(), `31 d2 8e d2 ; xor edx, edx; mov ss, edx\n${VMLAUNCH}`, 26));
  it('basic.mov-ss holds', () => enters(ready(), `31 d2 8e d2 90 ; xor edx, edx; mov ss, edx; nop\n${VMLAUNCH}`));
  it('basic.launch-state.clear fails', () => {
    const rig = ready();
    rig.host(VMLAUNCH);
    fails(rig, VMLAUNCH, 4);
  });
  it('basic.launch-state.clear holds', () => enters(ready()));
  it('basic.launch-state.launched fails', () => fails(ready(), '0f 01 c3 ; vmresume', 5));
  it('basic.launch-state.launched holds', () => {
    const rig = ready();
    enters(rig);
    enters(rig, '0f 01 c3 ; vmresume');
  });
});

describe('VM-entry checks: the tables', () => {
  it('rules of MSR loading and of the VMCS have different names', () => {
    const ids = [...ENTRY_CHECKS, ...MSR_LOAD_CHECKS].map((c) => c.id);
    assert.equal(new Set(ids).size, ids.length);
  });
});

describe('VM-entry checks: IA32_EFER of a processor without some of its bits', () => {
  const NXE = 0x800;
  const LONG_MODE = 0x500;
  const launch = (without: string[], writes: Parameters<typeof write>[1]): VmxRig => {
    const rig = rigFor(without, []);
    prepare(rig, 'long');
    write(rig, { VM_EXIT_CONTROLS: (v) => v | BigInt(Exit.LOAD_EFER), VM_ENTRY_CONTROLS: (v) => v | BigInt(Entry.LOAD_EFER), HOST_IA32_EFER: LONG_MODE, GUEST_IA32_EFER: LONG_MODE, ...writes });
    rig.host('0f 01 c2 ; vmlaunch');
    return rig;
  };
  it('guest.efer.reserved: NXE is reserved where there is no execute-disable', () => {
    assert.equal(launch([], { GUEST_IA32_EFER: LONG_MODE | NXE }).exits.at(-1)!.name, 'CPUID');
    assert.deepEqual(launch(['nx'], { GUEST_IA32_EFER: LONG_MODE | NXE }).failures.at(-1)!.checks.map((c) => c.id), ['guest.efer.reserved']);
  });
  it('host.efer.reserved: so it is in the host state', () => {
    assert.equal(launch([], { HOST_IA32_EFER: LONG_MODE | NXE }).exits.at(-1)!.name, 'CPUID');
    assert.equal(launch(['nx'], { HOST_IA32_EFER: LONG_MODE | NXE }).status, 8);
  });
});
