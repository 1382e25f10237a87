/**
 * What public hypervisors and course trees demand of the processor before they start, as numbers: the controls that they
 * refuse to do without, the state that firmware has to leave, instructions that a guest mirrored from its host goes on using.
 * Ids are `tree.*`.
 */
import assert from 'node:assert/strict';
import { Gpr, Offset, Seg } from '../../src/cpu/state';
import { cpuid } from '../../src/cpu/system/cpuid';
import { withheldBy } from '../../src/cpu/system/models';
import { createMachine } from '../../src/machine/machine';
import type { Machine } from '../../src/machine/machineInterface';
import { Encoding, Exit, Secondary } from '../../src/vmx';
import { bytes } from './machineCode';
import { PassThrough } from './passThroughVmm';
import { At as Place, VmxRig } from './vmxRig';

const mask = (...bits: number[]): number => bits.reduce((all, bit) => (all | (1 << bit)) >>> 0, 0);

/** Bits of controls and capabilities without which a hypervisor does not start. */
interface Demand {
  who: string;
  pin?: number;
  primary?: number;
  secondary?: number;
  exit?: number;
  entry?: number;
  /** Bits of the primary controls that must be allowed to be 0 although they are of the default1 class. */
  clearable?: number;
  /** Bits of IA32_VMX_EPT_VPID_CAP, low and high half. */
  ept?: number;
  vpid?: number;
  /** Bits of IA32_VMX_MISC. */
  misc?: number;
}

const CR3_EXITING = mask(15, 16);
const DEMANDS: readonly Demand[] = [
  { who: 'Jailhouse', pin: mask(3, 6), primary: mask(25, 28, 31), secondary: mask(0, 1, 7), exit: mask(9, 20, 21), entry: mask(9, 15), ept: mask(6, 14, 20, 25), misc: mask(6) },
  { who: 'seL4', pin: mask(0, 3, 5), primary: mask(25, 28, 31), secondary: mask(1, 5), exit: mask(2, 9, 15, 18, 19, 20, 21), entry: mask(9) },
  { who: 'NOVA', pin: mask(0, 3, 5), primary: mask(7, 24, 25, 31), secondary: mask(1, 5, 7), exit: mask(9, 15, 21), entry: mask(15), ept: mask(16, 17, 20), vpid: mask(0) },
  { who: 'ACRN', pin: mask(0, 7), primary: mask(21, 31), secondary: mask(0, 1, 4, 8, 9), ept: mask(17, 20), vpid: mask(0, 9, 10), misc: mask(5) },
  { who: 'RVM', pin: mask(3), primary: mask(28, 31), clearable: CR3_EXITING, secondary: mask(1, 3, 7, 12, 20), exit: mask(9, 18, 19, 20, 21), entry: mask(9, 14, 15) },
  { who: 'hypercraft, axvm', pin: mask(0, 3), primary: mask(24, 27, 28, 31), clearable: CR3_EXITING, secondary: mask(1, 3, 7, 12), exit: mask(9, 15, 18, 19, 20, 21), entry: mask(14, 15) },
  { who: 'BitVisor', pin: mask(0, 3, 5), primary: mask(3, 9, 24, 25, 28, 31), clearable: CR3_EXITING, secondary: mask(1, 3, 5, 7, 12, 14, 20), exit: mask(9, 18, 19, 20, 21), entry: mask(14, 15), ept: mask(6, 14, 16, 20, 26), vpid: mask(0, 9), misc: mask(8) },
  { who: 'Mythril', pin: mask(0), primary: mask(24, 28, 31), secondary: mask(0, 1, 5, 7, 12), exit: mask(9, 15), ept: mask(20, 25, 26), vpid: mask(0, 8, 9, 10, 11) },
  { who: 'Dune', pin: mask(0, 3), primary: mask(25, 28, 31), clearable: CR3_EXITING, secondary: mask(1, 3, 5, 6, 12), exit: mask(9), ept: mask(20, 21, 25) },
  { who: 'Xvisor', primary: mask(31), secondary: mask(1, 5) },
];

/**
 * Akaros wants each bit that can be changed to be one that it knows, so it needs a processor of its time: what it sets,
 * clears or tries of the primary and of the secondary controls.
 */
const KNOWN_TO_AKAROS = { primary: mask(2, 3, 7, 9, 10, 11, 12, 15, 16, 19, 20, 21, 22, 23, 24, 25, 27, 28, 29, 30, 31), secondary: mask(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 16, 18, 20, 25) };

describe('what public hypervisors refuse to do without', () => {
  const rig = new VmxRig();
  const { controls } = rig.unit.capabilities;
  const msr = (index: number): bigint => rig.unit.capabilities.read(index)!;

  for (const { who, ept = 0, vpid = 0, misc = 0, clearable = 0, ...wanted } of DEMANDS) {
    it(`tree.controls: ${who}`, () => {
      for (const [kind, bits] of Object.entries(wanted)) assert.equal((controls[kind as keyof typeof controls].may & bits) >>> 0, bits, kind);
      assert.equal(controls.primary.must & clearable, 0, 'may be 0');
      const [low, high] = [Number(msr(0x48c) & 0xffff_ffffn), Number(msr(0x48c) >> 32n)];
      assert.deepEqual([(low & ept) >>> 0, (high & vpid) >>> 0, Number(msr(0x485) & 0xffff_ffffn) & misc], [ept, vpid, misc]);
    });
  }

  it('tree.controls: VMCS regions of at most a page, in write-back memory, at any physical address', () => {
    const basic = msr(0x480);
    assert.ok(((basic >> 32n) & 0x1fffn) <= 0x1000n);
    assert.deepEqual([(basic >> 48n) & 1n, (basic >> 50n) & 15n, (basic >> 31n) & 1n], [0n, 6n, 0n]);
  });

  it('tree.controls: Akaros starts on the model haswell, which has no control that it does not know', () => {
    const { controls: haswell } = new VmxRig(withheldBy('haswell')).unit.capabilities;
    for (const kind of ['primary', 'secondary'] as const) {
      const changeable = (haswell[kind].may & ~haswell[kind].must) >>> 0;
      assert.equal((changeable & ~KNOWN_TO_AKAROS[kind]) >>> 0, 0, kind);
    }
  });

  it('tree.cpu: what ACRN looks for: fast strings, SMEP, SMAP, NX, pages of 1 GiB, the TSC deadline, MTRRs and leaf 0x15', () => {
    const { cpu } = rig;
    assert.equal(cpu.state.get64(Offset.MISC_ENABLE) & 1n, 1n);
    assert.ok(cpuid(cpu, 0, 0).eax >= 0x15);
    assert.equal(cpuid(cpu, 7, 0).ebx & mask(7, 9, 20), mask(7, 9, 20));
    assert.equal(cpuid(cpu, 1, 0).ecx & mask(24), mask(24));
    assert.equal(cpuid(cpu, 1, 0).edx & mask(12), mask(12));
    assert.equal(cpuid(cpu, 0x8000_0001, 0).edx & mask(20, 26, 29), mask(20, 26, 29));
  });
});

describe('what kernels do without asking', () => {
  it('tree.cpu: CR4.MCE is switched on, as every processor has it', () => {
    const rig = new VmxRig();
    rig.host('0f 20 e0 0c 40 0f 22 e0 ; mov rax, cr4; or al, 40h; mov cr4, rax');
    assert.equal(rig.cpu.state.cr4 & 0x40, 0x40);
    assert.equal(cpuid(rig.cpu, 1, 0).edx & mask(7), mask(7));
  });

  it('tree.cpu: registers of the model that the signature names can be read', () => {
    const rig = new VmxRig();
    const read = (index: number): bigint => {
      rig.host('0f 32 ; rdmsr', { RCX: BigInt(index) });
      return (rig.cpu.state.reg(Gpr.RDX) << 32n) | rig.cpu.state.reg(Gpr.RAX);
    };
    const clock = BigInt(cpuid(rig.cpu, 0x16, 0).eax / cpuid(rig.cpu, 0x16, 0).ecx);
    assert.equal((read(0xce) >> 8n) & 0xffn, clock);
    assert.equal((read(0x198) >> 8n) & 0xffn, clock);
    for (const index of [0x0, 0x1, 0x17, 0x34, 0x8b, 0x179, 0x1a0]) read(index);
  });
});

describe('what firmware leaves for a hypervisor', () => {
  /** 16-bit code: reads IA32_FEATURE_CONTROL and ends with its value. */
  const READ = bytes('66 b9 3a 00 00 00 0f 32 e6 f4 ; mov ecx, 3ah; rdmsr; out 0f4h, al');
  const boot = (sector: number[], cpus = 1): Machine => {
    const image = new Uint8Array(4 * 512);
    image.set(sector);
    image.set([0x55, 0xaa], 510);
    return createMachine({ memory: 64 << 20, cpus, without: [], drives: [{ name: 'disk', bytes: image }], boot: { kind: 'disk' } });
  };

  it('tree.firmware.vmx: IA32_FEATURE_CONTROL is locked with VMX permitted, as some trees look at nothing else before VMXON', () => {
    const m = boot(READ);
    assert.equal(m.run(1e7), 'debug-exit');
    assert.equal(m.debugExit, 5);
  });

  it('tree.firmware.vmx: so it is on a processor that waits for its start-up IPI', () => {
    const m = boot(
      bytes(`
      31 c0 8e d8 8e c0 be 40 7c bf 00 80 b9 20 00 f3 a4 ; xor ax, ax; mov ds, ax; mov es, ax; mov si, 7c40h; mov di, 8000h; mov cx, 32; rep movsb
      66 b9 1b 00 00 00 0f 32 80 cc 0c 0f 30             ; IA32_APIC_BASE: x2APIC mode
      66 b9 30 08 00 00 66 31 d2 42                      ; mov ecx, 830h; xor edx, edx; inc dx
      66 b8 00 45 00 00 0f 30                            ; INIT to APIC 1
      66 b8 08 46 00 00 0f 30                            ; start-up at page 8
      eb fe 90 90 90 90 90 90                            ; jmp $, and up to 40h`).concat(READ),
      2,
    );
    assert.equal(m.run(1e7), 'debug-exit');
    assert.equal(m.debugExit, 5);
  });
});

describe('a guest that was the host a moment ago', () => {
  /** The guest's area lies at 0x10000, aligned. */
  const AREA = 0x1_0000n;
  const XSAVES = '48 0f c7 2f ; xsaves [rdi]';
  const XRSTORS = '48 0f c7 1f ; xrstors [rdi]';
  const guest = (secondary: number): VmxRig => {
    const rig = new VmxRig().longModeGuest(`${XSAVES}\n${XRSTORS}\nf4 ; hlt`);
    rig.control('secondary', Secondary.EPT | Secondary.UNRESTRICTED_GUEST | secondary);
    rig.set({ GUEST_CR4: 0x2020 | (1 << 18) | (1 << 9), EXCEPTION_BITMAP: mask(6) });
    return rig;
  };

  it('tree.xsaves: XSAVES and XRSTORS work once the control is set', () => {
    const exit = guest(Secondary.XSAVES).launch({ RDI: AREA, RAX: 3n, RDX: 0n });
    assert.equal(exit.name, 'HLT');
  });

  it('tree.xsaves: without the control they raise #UD', () => {
    const exit = guest(0).launch({ RDI: AREA, RAX: 3n, RDX: 0n });
    assert.deepEqual([exit.name, exit.details.vector], ['EXCEPTION_OR_NMI', 6]);
  });

  it('tree.xsaves: the XSS-exiting bitmap can be written', () => {
    const rig = guest(Secondary.XSAVES);
    rig.host('0f 79 c1 ; vmwrite rax, rcx', { RAX: 0x202cn, RCX: 0n });
    assert.equal(rig.status, 'succeed');
  });

  it('tree.xsaves: a processor without XSAVES does not have the control', () => {
    assert.equal(new VmxRig(['xsaves']).unit.capabilities.controls.secondary.may & Secondary.XSAVES, 0);
  });
});

describe('a guest that boots by the machine\'s own BIOS', () => {
  it('tree.bios: INT 13h reads a sector into the guest\'s memory', () => {
    const disk = new Uint8Array(8 * 512);
    disk.set([0x5a], 3 * 512);
    const vmm = new PassThrough(disk);
    assert.equal(vmm.guest('b8 01 02 bb 00 90 b9 04 00 ba 80 00 cd 13 72 03 a0 00 90 e6 f4 ; mov ax, 0201h; mov bx, 9000h; mov cx, 4; mov dx, 80h; int 13h; jc; mov al, [9000h]; out 0f4h, al'), 0x5a);
  });

  it('tree.bios: INT 15h tells the memory map, with the machine\'s timer interrupting', () => {
    const vmm = new PassThrough(new Uint8Array(4 * 512));
    const code = `
      fb 66 31 db bf 00 91 31 ed     ; sti; xor ebx, ebx; mov di, 9100h; xor bp, bp
      66 b8 20 e8 00 00              ; mov eax, 0E820h
      66 ba 50 41 4d 53              ; mov edx, 'SMAP'
      66 b9 14 00 00 00 cd 15        ; mov ecx, 20; int 15h
      72 05 45 66 85 db 75 e3        ; jc done; inc bp; test ebx, ebx; jnz the next
      89 e8 e6 f4                    ; mov ax, bp; out 0f4h, al`;
    assert.equal(vmm.guest(code), vmm.m.e820().length);
  });
});

describe('a VMM in 32-bit code', () => {
  /** Protected mode with 4-MiB pages, one to one, and a guest in real mode. */
  function vmm32(code: string): VmxRig {
    const rig = new VmxRig();
    for (let i = 0; i < 1024; i++) rig.write32(Place.PAGE_TABLES + i * 4, ((i << 22) | 0x83) >>> 0);
    const s = rig.cpu.state;
    s.set64(Offset.EFER, 0n);
    s.set64(Offset.CR4, 0x2010n);
    s.setAccess(Seg.CS, 0xc09b);
    rig.cpu.flushTlb();
    rig.cpu.stateChanged();
    rig.realModeGuest(code);
    rig.control('exit', 0);
    return rig;
  }

  it('tree.vmm32: enters a guest and has its VM exits, in protected mode again', () => {
    const rig = vmm32('0f a2 f4 ; cpuid; hlt');
    assert.equal(rig.launch().name, 'CPUID');
    const s = rig.cpu.state;
    assert.deepEqual([s.get64(Offset.EFER), s.cr4, s.get32(Offset.CPL)], [0n, 0x2010, 0]);
    assert.equal(rig.resumeBehind().name, 'HLT');
  });

  it('tree.vmm32: VMREAD and VMWRITE move 64-bit fields by halves', () => {
    const rig = vmm32('f4');
    const write = (field: number, value: bigint): void => rig.host('0f 79 c1 ; vmwrite eax, ecx', { RAX: BigInt(field), RCX: value });
    write(Encoding.VMCS_LINK_POINTER, 0x1234_5678n);
    assert.equal(rig.get('VMCS_LINK_POINTER'), 0x1234_5678n, 'the upper half is cleared');
    write(Encoding.VMCS_LINK_POINTER + 1, 0x9abc_def0n);
    assert.equal(rig.get('VMCS_LINK_POINTER'), 0x9abc_def0_1234_5678n);
    rig.host('0f 78 c1 ; vmread ecx, eax', { RAX: BigInt(Encoding.VMCS_LINK_POINTER + 1) });
    assert.equal(rig.cpu.state.reg(Gpr.RCX) & 0xffff_ffffn, 0x9abc_def0n);
  });

  it('tree.vmm32: an exit to 64-bit mode from there is refused', () => {
    const rig = vmm32('f4');
    rig.control('exit', Exit.HOST_ADDRESS_SPACE_SIZE);
    rig.host('0f 01 c2 ; vmlaunch');
    assert.equal(rig.status, 8);
  });
});
