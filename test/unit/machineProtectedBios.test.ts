/** What the BIOS has for protected mode: the BIOS32 service directory, the PCI BIOS, and power management. */
import assert from 'node:assert/strict';
import { createMachine } from '../../src/machine/machine';
import { bytes } from './machineCode';

/** Sees the first 4 MiB at 0 and, as Linux does, at 0xC0000000. */
const PROGRAM = bytes(`
  fa                         ; cli
  31 c0                      ; xor ax, ax
  8e d8                      ; mov ds, ax
  8e c0                      ; mov es, ax
  b8 03 53                   ; mov ax, 0x5303
  31 db                      ; xor bx, bx
  cd 15                      ; int 0x15
  66 89 1e 00 71             ; mov [0x7100], ebx
  0f 01 16 b0 7d             ; lgdt [0x7db0]
  0f 20 e0                   ; mov eax, cr4
  0c 10                      ; or al, 0x10
  0f 22 e0                   ; mov cr4, eax
  66 c7 06 00 80 83 00 00 00 ; mov [0x8000], 0x83
  66 c7 06 00 8c 83 00 00 00 ; mov [0x8c00], 0x83
  66 b8 00 80 00 00          ; mov eax, 0x8000
  0f 22 d8                   ; mov cr3, eax
  0f 20 c0                   ; mov eax, cr0
  66 0d 01 00 00 80          ; or eax, 0x80000001
  0f 22 c0                   ; mov cr0, eax
  ea 4c 7c 08 00             ; jmp 0x8:0x7c4c
  66 b8 10 00                ; mov ax, 0x10
  8e d8                      ; mov ds, ax
  8e d0                      ; mov ss, ax
  bc 00 7c 00 00             ; mov esp, 0x7c00
  b8 24 50 43 49             ; mov eax, 0x49435024
  31 db                      ; xor ebx, ebx
  be d0 5e 0f c0             ; mov esi, 0xc00f5ed0
  6a 08                      ; push 0x8
  56                         ; push esi
  ff 1c 24                   ; call far [esp]
  a2 00 70 00 00             ; mov [0x7000], al
  89 1d 04 70 00 00          ; mov [0x7004], ebx
  89 0d 08 70 00 00          ; mov [0x7008], ecx
  89 15 0c 70 00 00          ; mov [0x700c], edx
  b8 21 00 00 00             ; mov eax, 0x21
  ff 1c 24                   ; call far [esp]
  a2 01 70 00 00             ; mov [0x7001], al
  8d 84 13 00 00 00 c0       ; lea eax, [ebx+edx+0xc0000000]
  89 04 24                   ; mov [esp], eax
  b8 09 b1 00 00             ; mov eax, 0xb109
  bb 08 00 00 00             ; mov ebx, 0x8
  31 ff                      ; xor edi, edi
  f8                         ; clc
  ff 1c 24                   ; call far [esp]
  0f 92 05 10 70 00 00       ; setb [0x7010]
  89 0d 14 70 00 00          ; mov [0x7014], ecx
  b8 02 b1 00 00             ; mov eax, 0xb102
  31 c9                      ; xor ecx, ecx
  ba 34 12 00 00             ; mov edx, 0x1234
  ff 1c 24                   ; call far [esp]
  0f 92 05 11 70 00 00       ; setb [0x7011]
  a3 18 70 00 00             ; mov [0x7018], eax
  c7 44 24 04 18 00 00 00    ; mov [esp+0x4], 0x18
  a1 00 71 00 00             ; mov eax, [0x7100]
  89 04 24                   ; mov [esp], eax
  b8 0b 53 00 00             ; mov eax, 0x530b
  ff 1c 24                   ; call far [esp]
  0f 92 05 12 70 00 00       ; setb [0x7012]
  88 25 13 70 00 00          ; mov [0x7013], ah
  b8 07 53 00 00             ; mov eax, 0x5307
  bb 01 00 00 00             ; mov ebx, 0x1
  b9 03 00 00 00             ; mov ecx, 0x3
  ff 1c 24                   ; call far [esp]
  c6 05 20 70 00 00 01       ; mov [0x7020], 0x1
  f4                         ; hlt
`);
/** Flat code and data, and the BIOS's segment; then what lgdt takes. */
const DESCRIPTORS = bytes('00 00 00 00 00 00 00 00 ff ff 00 00 00 9b cf 00 ff ff 00 00 00 93 cf 00 ff ff 00 00 0f 9b 40 00 1f 00 90 7d 00 00');
const DESCRIPTORS_AT = 0x190;
const BIOS = 0xf_0000;

describe('BIOS in protected mode', () => {
  it('has a service directory that leads to the PCI BIOS, wherever it is mapped, and switches itself off by APM', () => {
    const disk = new Uint8Array(512 * 64);
    disk.set(PROGRAM);
    assert.ok(PROGRAM.length <= DESCRIPTORS_AT);
    disk.set(DESCRIPTORS, DESCRIPTORS_AT);
    disk.set([0x55, 0xaa], 510);
    const m = createMachine({ memory: 16 << 20, cpus: 1, without: [], drives: [{ name: 'boot.img', bytes: disk }], boot: { kind: 'disk' } });
    const rom = m.readMemory(BIOS, 0x1_0000)!;
    const directory = Array.from({ length: 0x1000 }, (_, n) => rom.subarray(16 * n, 16 * n + 16)).filter((bytes16) => String.fromCharCode(...bytes16.subarray(0, 4)) === '_32_');
    assert.equal(directory.length, 1);
    assert.equal(directory[0]!.reduce((sum, byte) => sum + byte, 0) & 0xff, 0);
    assert.equal(new DataView(directory[0]!.slice().buffer).getUint32(4, true), BIOS + 0x5ed0, 'the entry that the program calls');
    assert.equal(m.run(1e6), 'power-off');
    const data = new DataView(m.readMemory(0x7000, 0x40)!.slice().buffer);
    const at = (offset: number): number => data.getUint32(offset, true);
    assert.deepEqual([data.getUint8(0), at(4), at(8)], [0, BIOS, 0x1_0000], 'the PCI BIOS is there');
    assert.equal(data.getUint8(1), 0x80, 'another service is not');
    assert.deepEqual([data.getUint8(0x10), at(0x14) & 0xffff], [0, 0x8086], 'the vendor of the ISA bridge');
    assert.deepEqual([data.getUint8(0x11), at(0x18) & 0xffff], [1, 0x8602], 'no such function');
    assert.deepEqual([data.getUint8(0x12), data.getUint8(0x13)], [1, 0x80], 'nothing has happened to its power');
    assert.equal(data.getUint8(0x20), 0, 'it is off at once');
  });
});
