/**
 * What a course's hypervisor tree needs of the machine, need by need: the boot path of its two disk images, the devices that
 * both kernels drive, and the VMX that its VMM asks for. Ids are `need.*`.
 */
import assert from 'node:assert/strict';
import { Gpr } from '../../src/cpu/state';
import { createMachine } from '../../src/machine/machine';
import type { DiskImage, Machine } from '../../src/machine/machineInterface';
import { Encoding, type ExitRecord } from '../../src/vmx';
import { board } from './machineBoard';
import { STAGE1 } from './machinePrograms';
import { bytes } from './machineCode';
import { At, GUEST_CODE, VmxRig } from './vmxRig';

const MIB = 2 ** 20;

/** A boot disk of 64 sectors with a program behind its boot sector. */
function bootDisk(sector: ArrayLike<number>, program: ArrayLike<number> = []): DiskImage {
  const image = new Uint8Array(64 * 512);
  image.set(sector);
  image.set([0x55, 0xaa], 510);
  image.set(program, 512);
  return { name: 'kernel.img', bytes: image };
}
const pc = (disks: DiskImage[], memory = 64 * MIB): Machine & { warnings: string[] } => {
  const m = Object.assign(createMachine({ memory, cpus: 1, without: [], drives: disks, boot: { kind: 'disk' } }), { warnings: [] as string[] });
  m.onWarning = (sentence) => m.warnings.push(sentence);
  return m;
};

describe('a course tree boots', () => {
  it('need.boot.mbr: the first sector of disk 0 runs in real mode at 0x7C00, DL names the drive', () => {
    const m = pc([bootDisk(bytes('e8 00 00 58 3d 03 7c 75 04 88 d0 e6 f4 f4 ; call $+3; pop ax; cmp ax, 0x7c03; jne; mov al, dl; out 0xf4, al; hlt'))]);
    assert.equal(m.run(1e7), 'debug-exit');
    assert.equal(m.debugExit, 0x80);
  });

  it('need.boot.memory: 64 MiB and 512 MiB are reported by E820 and by CMOS', () => {
    for (const size of [64, 512]) {
      const m = pc([bootDisk([0xf4])], size * MIB);
      assert.equal(m.e820().find((e) => e.base === BigInt(MIB))!.length, BigInt((size - 1) * MIB));
    }
    const b = board();
    const cmos = (index: number): number => {
      b.out8(0x70, index);
      return b.in8(0x71);
    };
    assert.equal(cmos(0x15) | (cmos(0x16) << 8), 640);
    assert.equal((cmos(0x17) | (cmos(0x18) << 8)) * 1024, Math.min(63 * MIB, 0xffff * 1024));
    assert.equal((cmos(0x34) | (cmos(0x35) << 8)) * 65_536, 48 * MIB);
  });

  it('need.boot.e820: the map by INT 15h, entry by entry, from real mode', () => {
    const m = pc([bootDisk(bytes(`
      66 31 db 8e c3 bf 00 80 31 ed ; xor ebx, ebx; mov es, bx; mov di, 8000h; xor bp, bp
      66 b8 20 e8 00 00             ; mov eax, 0E820h
      66 ba 50 41 4d 53             ; mov edx, 'SMAP'
      66 b9 14 00 00 00             ; mov ecx, 20
      cd 15 72 11                   ; int 15h; jc done
      66 3d 50 41 4d 53 75 09       ; cmp eax, 'SMAP'; jne done
      45 83 c7 14                   ; inc bp; add di, 20
      66 85 db 75 d9                ; test ebx, ebx; jnz the next
      89 e8 e6 f4                   ; mov ax, bp; out 0f4h, al`))]);
    assert.equal(m.run(1e7), 'debug-exit');
    const expected = m.e820();
    assert.equal(m.debugExit, expected.length);
    const map = Buffer.from(m.readMemory(0x8000, 20 * expected.length)!);
    expected.forEach(({ base, length, type }, n) => assert.deepEqual([map.readBigUInt64LE(20 * n), map.readBigUInt64LE(20 * n + 8), map.readUInt32LE(20 * n + 16)], [base, length, type]));
  });

  it('need.boot.long-mode: from 32-bit code at 1 MiB to 64-bit code on pages of 2 MiB', () => {
    const m = pc([bootDisk(STAGE1, bytes(`
      c7 05 00 20 00 00 07 30 00 00 c7 05 00 30 00 00 07 40 00 00 ; mov dword [2000h], 3007h; mov dword [3000h], 4007h
      bf 00 40 00 00 b8 83 00 00 00 b9 20 00 00 00                ; mov edi, 4000h; mov eax, 83h; mov ecx, 32
      89 07 c7 47 04 00 00 00 00 83 c7 08 05 00 00 20 00 e2 ed    ; a page of 2 MiB for each
      0f 20 e0 83 c8 20 0f 22 e0 b8 00 20 00 00 0f 22 d8          ; CR4.PAE; CR3 = 2000h
      b9 80 00 00 c0 0f 32 0f ba e8 08 0f 30                      ; EFER.LME
      0f 20 c0 0f ba e8 1f 0f 22 c0                               ; CR0.PG
      0f 01 15 9a 00 10 00 ea 6c 00 10 00 08 00                   ; lgdt; jmp far 8:10006Ch
      48 b8 07 00 00 00 03 00 00 00                               ; mov rax, 300000007h
      48 89 04 25 00 00 20 00 48 8b 1c 25 00 00 20 00             ; mov [200000h], rax; mov rbx, [200000h]
      b9 80 00 00 c0 0f 32 c1 e8 08 24 05                         ; EFER: LME and LMA
      48 c1 eb 20 00 d8 e6 f4                                     ; shr rbx, 32; add al, bl; out 0f4h, al
      0f 00 a0 00 10 00                                           ; the table's limit and base
      00 00 00 00 00 00 00 00 ff ff 00 00 00 9a af 00             ; null, 64-bit code`))]);
    assert.equal(m.run(1e7), 'debug-exit');
    assert.equal(m.debugExit, 5 + 3);
  });

  it('need.boot.stage1: A20 by the keyboard controller, protected mode, LBA28 reads of single sectors, a jump to 1 MiB', () => {
    const m = pc([bootDisk(STAGE1, bytes('a1 00 00 10 00 3b 05 00 00 00 00 0f 95 c0 e6 f4 ; mov eax, [0x100000]; cmp eax, [0]; setne al; out 0xf4, al'))]);
    assert.equal(m.run(1e7), 'debug-exit');
    assert.equal(m.debugExit, 1);
    assert.deepEqual(m.warnings, []);
  });

  it('need.boot.mp: MP tables where kernels look for them: in the extended BIOS data area, which is on top of base memory, and in the ROM', () => {
    const m = pc([bootDisk([0xf4])]);
    m.run(1e6);
    const data = Buffer.from(m.readMemory(0x400, 0x100)!);
    const ebda = data.readUInt16LE(0x0e) * 16;
    assert.equal(ebda, data.readUInt16LE(0x13) * 1024);
    const area = Buffer.from(m.readMemory(ebda, 1024)!);
    const found = area.indexOf('_MP_');
    assert.ok(found >= 0 && found % 16 === 0);
    assert.equal(area.subarray(found, found + 16).reduce((sum, byte) => sum + byte) & 0xff, 0);
    assert.equal(Buffer.from(m.readMemory(area.readUInt32LE(found + 4), 4)!).toString(), 'PCMP');
    const rom = Buffer.from(m.readMemory(0xf_0000, 0x1_0000)!);
    const pointer = rom.indexOf('_MP_');
    assert.ok(pointer >= 0 && pointer % 16 === 0);
    const table = rom.readUInt32LE(pointer + 4);
    assert.equal(Buffer.from(m.readMemory(table, 4)!).toString(), 'PCMP');
  });
});

describe('the devices that a course tree drives are ready at once', () => {
  it('need.device.ide: two disks on the primary channel, polled; data is there right after the command', () => {
    const b = board([16, 16]);
    for (const [drive, value] of [[0xe0, 3], [0xf0, 4]] as const) {
      assert.equal(b.in8(0x1f7) & 0xc0, 0x40);
      b.out8(0x1f2, 1);
      b.out8(0x1f3, 3);
      b.out8(0x1f4, 0);
      b.out8(0x1f5, 0);
      b.out8(0x1f6, drive);
      b.out8(0x1f7, 0x20);
      assert.equal(b.in8(0x1f7) & 0xc9, 0x48, 'ready, with data, without an error');
      for (let i = 0; i < 128; i++) assert.equal(b.in32(0x1f0), value * 0x0101_0101);
      assert.equal(b.in8(0x1f7) & 0xc9, 0x40);
    }
    assert.equal(b.time, 0);
  });

  it('need.device.serial: the transmitter is empty after every byte, whatever the speed', () => {
    const b = board();
    let sent = '';
    b.board.onConsole = (byte) => (sent += String.fromCharCode(byte));
    b.out8(0x3fb, 0x80);
    b.out8(0x3f8, 12);
    b.out8(0x3f9, 0);
    b.out8(0x3fb, 3);
    for (const c of 'JOS') {
      assert.equal(b.in8(0x3fd) & 0x20, 0x20);
      b.out8(0x3f8, c.charCodeAt(0));
    }
    assert.deepEqual([sent, b.time], ['JOS', 0]);
  });

  it('need.device.parallel: the printer is never busy', () => {
    const b = board();
    for (let i = 0; i < 3; i++) {
      assert.equal(b.in8(0x379) & 0x80, 0x80);
      b.out8(0x378, 0x41);
      b.out8(0x37a, 0x0d);
      b.out8(0x37a, 0x0c);
    }
  });

  it('need.device.display: the cursor is where CRTC registers 14 and 15 put it', () => {
    const b = board();
    for (const [index, value] of [[14, 0x03], [15, 0x20]] as const) {
      b.out8(0x3d4, index);
      b.out8(0x3d5, value);
      b.out8(0x3d4, index);
      assert.equal(b.in8(0x3d5), value);
    }
  });

  it('need.device.text: 0xB8000 keeps what is written, as the probe for a colour display expects, and is what the screen shows', () => {
    const m = pc([bootDisk(bytes('b8 00 b8 8e d8 31 db c7 07 5a a5 81 3f 5a a5 75 0a c7 07 4a 0f c7 47 02 53 0f e6 f4 ; mov ds, 0B800h; mov word [0], 0A55Ah; cmp word [0], 0A55Ah; jne; write JS; out 0f4h, al'))]);
    assert.equal(m.run(1e7), 'debug-exit');
    assert.equal(m.screenText()[0], 'JS');
  });

  it('need.device.keyboard: keys are found by polling the status, as scan codes', () => {
    const b = board();
    assert.equal(b.in8(0x64) & 1, 0);
    b.board.keyboard.type('j');
    const codes: number[] = [];
    while (b.in8(0x64) & 1) codes.push(b.in8(0x60));
    assert.deepEqual(codes, [0x24, 0xa4]);
  });

  it('need.device.apic-timer: periodic, undivided, until it is masked', () => {
    const b = board();
    b.setApic(0xf0, 0x127);
    b.setApic(0x3e0, 0xb);
    b.setApic(0x320, 0x2_0020);
    b.setApic(0x380, 10_000_000);
    for (let i = 0; i < 3; i++) {
      b.pass(10_000_000);
      assert.deepEqual(b.interrupts(), [0x20]);
      b.setApic(0xb0, 0);
    }
    b.setApic(0x320, 0x1_0020);
    b.pass(100_000_000);
    assert.deepEqual(b.interrupts(), []);
  });

  it('need.device.pic: the master ends interrupts by itself', () => {
    const b = board();
    b.initialisePics(3);
    b.out8(0x43, 0x34);
    b.out8(0x40, 0, 1);
    b.setApic(0xf0, 0x1ff);
    b.setApic(0x350, 0x700);
    for (let i = 0; i < 3; i++) {
      b.pass(500_000);
      assert.deepEqual(b.interrupts().slice(0, 1), [0x20], 'without an end-of-interrupt command');
    }
  });

  it('need.device.apic: LINT0 is ExtINT after the firmware, and an INIT broadcast is delivered at once', () => {
    const m = pc([bootDisk([0xf4])]);
    m.run(1e6);
    const [cpu] = m.cpus;
    assert.equal(cpu!.readPhysical(0xfee0_0350, 4) & 0x1_0700n, 0x700n);
    const b = board();
    b.setApic(0xf0, 0x1ff);
    for (const command of [0x000c_c500, 0x000c_8500]) {
      b.setApic(0x300, command);
      assert.equal(b.apic(0x300) & 0x1000, 0);
    }
  });

  it('need.device.absent: no PCI device answers with ones, and port 0x84 is a delay that nobody is told of', () => {
    const b = board();
    b.out32(0xcf8, 0x8000_f800);
    assert.equal(b.in32(0xcfc), 0xffff_ffff);
    for (let i = 0; i < 4; i++) b.in8(0x84);
    assert.deepEqual(b.warnings, []);
  });
});

describe('the VMX that a course tree asks for', () => {
  /** Control fields as such a tree writes them. */
  const AS_FOUND = { PIN_BASED_CONTROLS: 0x17, PRIMARY_PROCESSOR_BASED_CONTROLS: 0x8600_61f2, SECONDARY_PROCESSOR_BASED_CONTROLS: 0x82, VM_EXIT_CONTROLS: 0x3_efff, VM_ENTRY_CONTROLS: 0x11ff };
  /** One EFER entry in each list, and only the clock's ports in the I/O bitmap. */
  function tree(code: string): VmxRig {
    const rig = new VmxRig().realModeGuest(code);
    rig.set({ ...AS_FOUND, VM_EXIT_MSR_STORE_ADDRESS: At.MSR_LISTS, VM_EXIT_MSR_STORE_COUNT: 1, VM_ENTRY_MSR_LOAD_ADDRESS: At.MSR_LISTS, VM_ENTRY_MSR_LOAD_COUNT: 1, VM_EXIT_MSR_LOAD_ADDRESS: At.MSR_LISTS + 16, VM_EXIT_MSR_LOAD_COUNT: 1 });
    rig.write64(At.MSR_LISTS, 0xc000_0080n);
    rig.write64(At.MSR_LISTS + 8, 0n);
    rig.write64(At.MSR_LISTS + 16, 0xc000_0080n);
    rig.write64(At.MSR_LISTS + 24, 0x500n);
    rig.writeBytes(At.IO_BITMAPS, new Array<number>(0x2000).fill(0));
    rig.writeBytes(At.IO_BITMAPS + 0x70 / 8, [3]);
    return rig;
  }
  const next = (rig: VmxRig): ExitRecord => {
    rig.pointer('0f c7 30 ; vmptrld [rax]', At.VMCS);
    return rig.resumeBehind();
  };

  it('need.vmx.msrs: the capability MSRs that it reads exist, true controls are announced, and CR3 exits can be off', () => {
    const rig = new VmxRig();
    const msr = (index: number): bigint => {
      rig.host('0f 32 ; rdmsr', { RCX: BigInt(index) });
      return (rig.cpu.state.reg(Gpr.RDX) << 32n) | rig.cpu.state.reg(Gpr.RAX);
    };
    for (const index of [0x3a, 0x480, 0x481, 0x482, 0x483, 0x484, 0x486, 0x487, 0x488, 0x489, 0x48b]) assert.notEqual(msr(index), 0n, index.toString(16));
    assert.equal((msr(0x480) >> 55n) & 1n, 1n);
    assert.equal(msr(0x482) & 0x1_8000n, 0x1_8000n, 'required by the old MSR');
    assert.equal(msr(0x48e) & 0x1_8000n, 0n, 'but not by the true one');
  });

  it('need.cpu.cpuid: leaves 0, 1 and 0x80000001 tell of an Intel processor with VMX and long mode', () => {
    const rig = new VmxRig();
    const leaf = (n: number): bigint[] => {
      rig.host('0f a2 ; cpuid', { RAX: BigInt(n), RCX: 0n });
      return [Gpr.RBX, Gpr.RCX, Gpr.RDX].map((r) => rig.cpu.state.reg(r) & 0xffff_ffffn);
    };
    assert.deepEqual(leaf(0), [0x756e_6547n, 0x6c65_746en, 0x4965_6e69n]);
    assert.equal((leaf(1)[1]! >> 5n) & 1n, 1n);
    assert.equal((leaf(0x8000_0001)[2]! >> 29n) & 1n, 1n);
  });

  it('need.cpu.efer: is read and written', () => {
    const rig = new VmxRig();
    rig.host('0f 32 83 c8 01 0f 30 0f 32 ; rdmsr; or eax, 1; wrmsr; rdmsr', { RCX: 0xc000_0080n });
    assert.equal(rig.cpu.state.reg(Gpr.RAX), 0x501n);
  });

  it('need.vmx.guest-start: an unrestricted guest in real mode, by these very controls', () => {
    const rig = tree('0f a2 ; cpuid');
    const exit = rig.launch();
    assert.deepEqual([exit.name, exit.guestRip], ['CPUID', BigInt(GUEST_CODE)]);
  });

  it('need.vmx.ports: only the clock exits; all other ports are the guest\'s own', () => {
    const rig = tree('b0 41 e6 f0 ba f8 03 ee e4 71 ; mov al, 0x41; out 0xf0, al; mov dx, 0x3f8; out dx, al; in al, 0x71');
    const exit = rig.launch();
    assert.deepEqual([exit.name, exit.details.port], ['IO_INSTRUCTION', 0x71]);
    assert.deepEqual(rig.ports.map((p) => p.port), [0xf0, 0x3f8]);
  });

  it('need.vmx.exits: every reason that it handles, under these controls', () => {
    const first = (code: string, change: (rig: VmxRig) => void = () => {}): ExitRecord => {
      const rig = tree(code);
      change(rig);
      return rig.launch({ RCX: 0xc000_0080n });
    };
    const interrupt = first('eb fe ; jmp $', (rig) => rig.interrupts.push(0x31));
    assert.deepEqual([interrupt.reason, interrupt.details.vector], [1, 0x31], 'acknowledged on exit');
    assert.equal(first('fb 90 90 f4 ; sti; nop; nop; hlt', (rig) => rig.set({ PRIMARY_PROCESSOR_BASED_CONTROLS: AS_FOUND.PRIMARY_PROCESSOR_BASED_CONTROLS | 4 })).reason, 7, 'interrupt window');
    assert.equal(first('0f a2 ; cpuid').reason, 10);
    assert.equal(first('f4 ; hlt').reason, 12);
    assert.equal(first('0f 01 c1 ; vmcall').reason, 18);
    assert.equal(first('e6 70 ; out 70h, al').reason, 30);
    assert.equal(first('0f 32 ; rdmsr').reason, 31, 'without an MSR bitmap every one exits');
    assert.equal(first('0f 30 ; wrmsr').reason, 32);
    const violation = first('a0 00 90 ; mov al, [9000h]', (rig) => rig.write64(rig.eptEntry(0x9000), 0n));
    assert.deepEqual([violation.reason, Number(violation.gpa)], [48, 0x9000]);
  });

  it('need.vmx.relaunch: VMPTRLD of the current VMCS before every entry keeps its launch state', () => {
    const rig = tree('0f a2 0f a2 f4 ; cpuid; cpuid; hlt');
    rig.launch();
    assert.equal(next(rig).name, 'CPUID');
    assert.equal(next(rig).name, 'HLT');
  });

  it('need.vmx.high-half: VMWRITE to encoding 0x2801 writes the upper half alone', () => {
    const rig = new VmxRig().vmxOn();
    rig.set({ VMCS_LINK_POINTER: 0x1234n });
    rig.host('0f 79 c1 ; vmwrite rax, rcx', { RAX: BigInt(Encoding.VMCS_LINK_POINTER + 1), RCX: 0xffff_ffffn });
    assert.equal(rig.get('VMCS_LINK_POINTER'), 0xffff_ffff_0000_1234n);
  });

  it('need.vmx.efer: the lists swap EFER, and the exit notes the guest\'s mode in the entry controls', () => {
    const rig = tree('f4');
    rig.launch();
    assert.equal(rig.cpu.state.efer, 0x500);
    assert.equal(rig.get('VM_ENTRY_CONTROLS') & 0x200n, 0n);
    const wide = new VmxRig().longModeGuest('f4');
    wide.launch();
    assert.equal(wide.get('VM_ENTRY_CONTROLS') & 0x200n, 0x200n);
  });

  it('need.vmx.vmcall: a hypercall from 32-bit protected mode without paging, and from user mode', () => {
    const rig = new VmxRig().realModeGuest('0f 01 c1 ; vmcall');
    rig.set({ GUEST_CR0: 0x31, GUEST_CS_ACCESS_RIGHTS: 0xc09b, GUEST_CS_LIMIT: 0xffff_ffff });
    assert.equal(rig.launch({ RAX: 1n }).name, 'VMCALL');
    const user = new VmxRig().longModeGuest('0f 01 c1 ; vmcall');
    user.set({ GUEST_CS_ACCESS_RIGHTS: 0xa0fb, GUEST_CS_SELECTOR: 0x1b, GUEST_SS_ACCESS_RIGHTS: 0xc0f3, GUEST_SS_SELECTOR: 0x23 });
    assert.equal(user.launch({ RAX: 2n }).name, 'VMCALL');
  });

  it('need.vmx.ept: leaves of 0x77 that are overwritten while the guest waits, without INVEPT', () => {
    const rig = tree('a0 00 00 0f a2 a0 00 00 f4 ; mov al, [0]; cpuid; mov al, [0]; hlt');
    const leaf = (gpa: number, to: number): void => rig.host('48 89 08 ; mov [rax], rcx', { RAX: BigInt(rig.eptEntry(gpa)), RCX: BigInt(At.GUEST + to + 0x77) });
    rig.guest(0x9000, '07');
    rig.guest(0xa000, '09');
    leaf(0, 0x9000);
    rig.launch();
    leaf(0, 0xa000);
    const exit = next(rig);
    assert.equal(exit.name, 'HLT');
    assert.equal(rig.cpu.state.reg(Gpr.RAX) & 0xffn, 9n);
  });
});
