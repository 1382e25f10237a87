import assert from 'node:assert/strict';
import { createMachine } from '../../src/machine/machine';
import type { DiskImage, Machine } from '../../src/machine/machineInterface';
import { UserError } from '../../src/base/errors';
import { bytes as code } from './machineCode';

const KIB = 1024;
const MEMORY = 16 << 20;

/** A firmware image of 128 KiB whose program, at its beginning 0xE000:0000, is jumped to from the reset vector. */
function rom(program: readonly number[]): DiskImage {
  const bytes = new Uint8Array(128 * KIB).fill(0xff);
  bytes.set(program, 0);
  bytes.set([0xea, 0x00, 0x00, 0x00, 0xe0], bytes.length - 16); // jmp 0xe000:0
  return { name: 'rom', bytes };
}

/** Flash with a firmware volume of UEFI's. */
function variables(): DiskImage {
  const bytes = new Uint8Array(8 * KIB).fill(0xff);
  bytes.set(new TextEncoder().encode('_FVH'), 40);
  return { name: 'vars', bytes };
}
const started = (...images: DiskImage[]): Machine => createMachine({ memory: MEMORY, cpus: 1, without: [], drives: [], boot: { kind: 'firmware', images, kernel: undefined, initrd: undefined, append: '' } });
const bytesAt = (m: Machine, address: number, length: number): number[] => [...m.readMemory(address, length)!];

/** Real mode with a data segment of 4 GiB, by a moment of protected mode; at 0xE000:0000. */
const FLAT = code(`
  fa                        ; cli
  2e 66 0f 01 16 1c 00      ; lgdt cs:[0x1c]
  0f 20 c0 0c 01 0f 22 c0   ; CR0.PE = 1
  b9 08 00 8e d9            ; mov cx, 8; mov ds, cx
  24 fe 0f 22 c0            ; CR0.PE = 0
  eb 1c                     ; jmp behind the descriptors
  0f 00 28 00 0e 00         ; limit 15, base 0xe0028
  90 90 90 90 90 90         ; to the next multiple of 8
  00 00 00 00 00 00 00 00
  ff ff 00 00 00 93 8f 00   ; data, 4 GiB
`);
const flat = (body: string): number[] => [...FLAT, ...code(body), 0xf4];

describe('firmware of others', () => {
  it('begins at the reset vector of an image that ends at 4 GiB, whose last 128 KiB are seen below 1 MiB', () => {
    const image = rom(code('b8 34 12 a3 00 05 f4')); // mov ax, 0x1234; mov [0x500], ax; hlt
    const m = started(image);
    assert.deepEqual(bytesAt(m, 0xe_0000, 3), [0xb8, 0x34, 0x12]);
    assert.deepEqual(bytesAt(m, 0xfffe_0000, 3), [0xb8, 0x34, 0x12]);
    m.run(1000);
    assert.deepEqual(bytesAt(m, 0x500, 2), [0x34, 0x12]);
  });

  it('has RAM behind its ROM, by the host bridge: written first, read and written then, read alone at last', () => {
    // Segment 0xE000 to 0xE3FFF is PAM5's lower half, 0x5E.
    const pam = (value: string): string => `66 b8 5c 00 00 80 66 ba f8 0c 00 00 66 ef ba fe 0c b0 ${value} ee `; // 0xCF8 = 0x8000005C; 0xCFE = value
    const segment = 'b8 00 e0 8e d8 '; // mov ax, 0xe000; mov ds, ax
    const write = (value: string): string => `c6 06 00 30 ${value} `; // mov byte [0x3000], value
    const note = (at: string): string => `a0 00 30 31 c9 8e c1 26 a2 ${at} `; // mov al, [0x3000]; xor cx, cx; mov es, cx; mov es:[at], al
    const image = rom(code(''));
    // The program is in the last segment, which stays ROM.
    image.bytes.set(code(segment + write('11') + note('00 05') + pam('02') + write('22') + note('01 05') + pam('03') + note('02 05') + write('33') + note('03 05') + pam('01') + write('44') + note('04 05') + pam('00') + note('05 05') + 'f4'), 0x1_0000);
    image.bytes.set([0xea, 0x00, 0x00, 0x00, 0xf0], image.bytes.length - 16);
    const m = started(image);
    m.run(1000);
    assert.deepEqual(bytesAt(m, 0x500, 6), [0xff, 0xff, 0x22, 0x33, 0x33, 0xff]);
  });

  it('programs and erases its flash by commands, reads the status meanwhile, and goes back and forth with snapshots', () => {
    const put = (value: string): string => `67 c6 05 10 e0 fd ff ${value} `; // mov byte [0xfffde010], value
    const read = (to: string): string => `67 a0 10 e0 fd ff 31 c9 8e c1 26 a2 ${to} `;
    const m = started(rom(flat([
      put('50'), put('70'), read('00 05'), // clear status, read it: 0
      put('40'), put('a5'), read('01 05'), // program: the status is ready
      put('ff'), read('02 05'), // and the cell has it
      put('10'), put('5a'), put('ff'), read('03 05'), // bits go to 0 alone
      put('20'), put('d0'), put('ff'), read('04 05'), // erased
      put('40'), put('77'), put('ff'),
    ].join(''))), variables());
    const fresh = m.snapshot();
    m.run(1000);
    assert.deepEqual(bytesAt(m, 0x500, 5), [0x00, 0x80, 0xa5, 0x00, 0xff]);
    assert.deepEqual(bytesAt(m, 0xfffd_e010, 1), [0x77]);
    const later = m.snapshot();
    m.restore(fresh);
    assert.deepEqual(bytesAt(m, 0xfffd_e010, 1), [0xff]);
    m.restore(later);
    assert.deepEqual(bytesAt(m, 0xfffd_e010, 1), [0x77]);
    m.restore(fresh);
    m.run(1000);
    assert.deepEqual(bytesAt(m, 0xfffd_e010, 1), [0x77]);
  });

  it('does nothing when a BIOS writes to its ROM, where UEFI would give the chip a command', () => {
    const m = started(rom(flat('67 c6 05 10 00 fe ff 20 67 a0 10 00 fe ff 31 c9 8e c1 26 a2 00 05'))); // mov byte [0xfffe0010], 0x20 (erase); mov al, [0xfffe0010]; note al
    const before = bytesAt(m, 0xfffe_0010, 1);
    m.run(1000);
    assert.deepEqual(bytesAt(m, 0x500, 1), before);
  });

  it('finds IA32_FEATURE_CONTROL open, which it locks itself', () => {
    const image = rom(flat(`
      66 b9 3a 00 00 00 0f 32         ; rdmsr
      31 c9 8e c1 26 66 a3 00 05      ; note eax
      66 b9 3a 00 00 00 66 b8 05 00 00 00 66 31 d2 0f 30 0f 32   ; wrmsr 5, rdmsr
      31 c9 26 66 a3 04 05            ; note eax
    `));
    const m = started(image);
    m.run(1000);
    assert.deepEqual(bytesAt(m, 0x500, 8), [0, 0, 0, 0, 5, 0, 0, 0]);
  });

  it('puts the pixels of the display, and the registers of ACPI, where it wants them', () => {
    const config = (address: string, value: string): string => `66 b8 ${address} 80 ba f8 0c 66 ef 66 b8 ${value} ba fc 0c 66 ef `;
    const m = started(rom(flat([
      config('10 10 00', '00 00 00 90'), config('04 10 00', '02 00 00 00'), // display: BAR0 = 0x90000000, memory on
      '67 c6 05 05 00 00 90 42 ', // mov byte [0x90000005], 0x42
      '67 a0 05 00 00 90 31 c9 8e c1 26 a2 00 05 ',
      config('40 0b 00', '01 b0 00 00'), config('80 0b 00', '01 00 00 00'), // power management: 0xB000, on
      'ba 04 b0 ed 26 a3 02 05 ', // in ax, 0xb004 (as ax in 16-bit code)
    ].join(''))));
    m.run(1000);
    assert.deepEqual(bytesAt(m, 0x500, 1), [0x42]);
    assert.deepEqual(bytesAt(m, 0x9000_0005, 1), [0x42]);
    assert.equal(bytesAt(m, 0x502, 1)[0]! & 1, 1, 'ACPI is on');
    assert.equal(m.readMemory(0xfd00_0005, 1), undefined);
  });

  it('finds the display adapter\'s own BIOS behind its expansion ROM register, and sees the pixels at 0xA0000', () => {
    const config = (address: string, value: string): string => `66 b8 ${address} 80 ba f8 0c 66 ef 66 b8 ${value} ba fc 0c 66 ef `;
    const displayRom: DiskImage = { name: 'vgabios', bytes: Uint8Array.from({ length: 1024 }, (_, n) => [0x55, 0xaa, 2][n] ?? n & 0xff) };
    const image = rom(flat([
      config('30 10 00', 'fe ff ff ff'), '66 ed 31 c9 8e c1 26 66 a3 00 05 ', // display: the ROM's size, noted
      config('30 10 00', '00 00 00 e0'), config('04 10 00', '02 00 00 00'), // ROM at 0xE0000000, memory on
      '67 66 a1 00 00 00 e0 26 66 a3 04 05 ', // off: note 0xE0000000
      config('30 10 00', '01 00 00 e0'),
      '67 66 a1 00 00 00 e0 26 66 a3 08 05 ', // on
      'ba c4 03 b8 04 0e ef ba ce 03 b8 05 40 ef b8 06 05 ef ', // mode 13h: planes chained, 256 colours, graphics at 0xA0000
      '67 c6 05 07 00 0a 00 42 67 a0 07 00 0a 00 26 a2 0c 05 ', // mov byte [0xA0007], 0x42; note it
      config('10 10 00', '00 00 00 90'), '67 a0 07 00 00 90 26 a2 0d 05 ', // the same among the pixels
      'ba c4 03 b8 04 06 ef ba ce 03 b8 05 00 ef ', // planes: byte 7 is plane 3 of byte 1
      'b8 04 03 ef 67 a0 01 00 0a 00 26 a2 0e 05 ',
    ].join('')));
    for (const images of [[image, displayRom], [displayRom, image]]) {
      const m = started(...images);
      m.run(1000);
      assert.deepEqual(bytesAt(m, 0x500, 15), [0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x55, 0xaa, 0x02, 0x03, 0x42, 0x42, 0x42]);
    }
    const without = started(image);
    without.run(1000);
    assert.deepEqual(bytesAt(without, 0x500, 4), [0, 0, 0, 0], 'no ROM, no register');
    assert.throws(() => started(image, displayRom, displayRom), /both expansion ROMs/);
    assert.throws(() => started(displayRom), /vgabios is the BIOS of a display adapter/);
  });

  it('refuses images that are none, with their names', () => {
    const refused = (images: DiskImage[], pattern: RegExp): void => assert.throws(() => started(...images), (error) => error instanceof UserError && pattern.test(error.message));
    refused([{ name: 'odd', bytes: new Uint8Array(1000) }], /odd has 1000 bytes/);
    refused([variables(), rom(code('f4'))], /vars has no code at the reset vector.*OVMF_VARS/);
    refused([rom(code('f4')), { name: 'big', bytes: new Uint8Array(16 << 20) }], /rom and big have/);
  });
});
