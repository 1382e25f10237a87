/**
 * How a BIOS of others (SeaBIOS) boots a Linux kernel that the user names: it finds an option ROM with the configuration
 * device and starts it (BIOS Boot Specification, "Bootstrap Entry Vector"); the ROM fetches the kernel's pieces from the
 * same device by transfers to memory and enters the kernel's setup code. UEFI takes no notice: it fetches kernels itself.
 */
import { REAL_MODE_ENTRY, realModePieces } from '../boot/linuxRealMode';
import type { Boot } from '../machineInterface';
import { checksum, u16, u32 } from './tableBytes';

type Linux = Extract<Boot, { kind: 'linux' }>;

/** Keys of the pieces: no firmware's own. */
const FIRST_KEY = 0x3f00;
const NAME = 'genroms/kernel.bin';
/** The ROM is first in the order of what is booted, by the name that firmware gives it. */
const ORDER = `/rom@${NAME}\0`;
/** SeaBIOS keeps its own tables at the end of RAM. */
const FIRMWARE_RAM = 0x10_0000;
const SECTOR = 512;

/** Offsets in the ROM: its header's entry, expansion header, product's name, code, descriptions of transfers. */
const At = { ENTRY: 0x03, PNP_POINTER: 0x1a, PNP: 0x20, PRODUCT: 0x40, BOOT: 0x60, TRANSFERS: 0x100 } as const;
const PRODUCT = 'Linux kernel\0';
const DMA_ADDRESS_HIGH = 0x514;
const DMA_ADDRESS_LOW = 0x518;
/** Select the item in the upper half, and read. */
const TRANSFER = 0x0a;
const TRANSFER_SIZE = 16;

/** Files and items for the configuration device. Throws the UserErrors of a kernel that cannot be booted so. */
export function kernelRom(boot: Linux, lowEnd: number): { files: [string, Uint8Array][]; items: [number, Uint8Array][] } {
  const pieces = realModePieces(boot, lowEnd - FIRMWARE_RAM);
  return {
    files: [[NAME, rom(pieces)], ['bootorder', new TextEncoder().encode(ORDER)]],
    items: pieces.map(({ bytes }, n) => [FIRST_KEY + n, bytes]),
  };
}

function rom(pieces: readonly { address: number; bytes: Uint8Array }[]): Uint8Array {
  const bytes = new Uint8Array(Math.ceil((At.TRANSFERS + pieces.length * TRANSFER_SIZE + 1) / SECTOR) * SECTOR);
  const data = new DataView(bytes.buffer);
  bytes.set([0x55, 0xaa, bytes.length / SECTOR, 0x31, 0xc0, 0xcb]); // entry: xor ax, ax; retf
  data.setUint16(At.PNP_POINTER, At.PNP, true);
  bytes.set(new TextEncoder().encode('$PnP'), At.PNP);
  bytes.set([0x01, 0x02], At.PNP + 4); // version 1, 32 bytes
  data.setUint16(At.PNP + 0x10, At.PRODUCT, true);
  data.setUint16(At.PNP + 0x1a, At.BOOT, true);
  bytes[At.PNP + 9] = checksum([...bytes.subarray(At.PNP, At.PNP + 0x20)]);
  bytes.set(new TextEncoder().encode(PRODUCT), At.PRODUCT);
  bytes.set(bootCode(pieces.length), At.BOOT);
  pieces.forEach(({ address, bytes: { length } }, n) => {
    const at = At.TRANSFERS + n * TRANSFER_SIZE;
    data.setUint32(at, (FIRST_KEY + n) * 0x1_0000 + TRANSFER);
    data.setUint32(at + 4, length);
    data.setBigUint64(at + 8, BigInt(address));
  });
  bytes[bytes.length - 1] = checksum([...bytes]);
  return bytes;
}

/** Real-mode code: each transfer is over when its address has been written. */
function bootCode(transfers: number): number[] {
  const transfer = (n: number): number[] =>
    [
      [0x66, 0x31, 0xc0, 0x8c, 0xc8], // xor eax, eax; mov ax, cs
      [0x66, 0xc1, 0xe0, 0x04], // shl eax, 4
      [0x66, 0x05, ...u32(At.TRANSFERS + n * TRANSFER_SIZE)], // add eax, offset
      [0x66, 0x0f, 0xc8], // bswap eax: the device's numbers are big-endian
      [0xba, ...u16(DMA_ADDRESS_LOW)], // mov dx, port
      [0x66, 0xef], // out dx, eax
    ].flat();
  return [
    [0xfa, 0xfc, 0x66, 0x31, 0xc0, 0xba, ...u16(DMA_ADDRESS_HIGH), 0x66, 0xef], // cli; cld; xor eax, eax; mov dx, port; out dx, eax
    ...Array.from({ length: transfers }, (_, n) => transfer(n)),
    [0xb8, ...u16(REAL_MODE_ENTRY.data)], // mov ax, segment
    [0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xe0, 0x8e, 0xe8], // mov ds, ax; es, fs, gs
    [0x8e, 0xd0, 0x66, 0xbc, ...u32(REAL_MODE_ENTRY.stack)], // mov ss, ax; mov esp, stack
    [0xea, 0x00, 0x00, ...u16(REAL_MODE_ENTRY.code)], // jmp far
  ].flat();
}
