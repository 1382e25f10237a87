/**
 * Booting a Linux kernel by the boot protocol of its documentation ("The Linux/x86 Boot Protocol"): the kernel's own
 * setup header tells where it goes and which entries it has; the 64-bit entry is used when there is one, else the
 * 32-bit one.
 */
import { UserError } from '../../base/errors';
import { Cr0, Cr4, Efer } from '../../cpu/controlBits';
import { writeFlags } from '../../cpu/flags';
import type { Processor } from '../../cpu/processor';
import { Gpr, Offset, Seg } from '../../cpu/state';
import type { Boot, DiskImage } from '../machineInterface';
import { EXTENDED_RAM } from '../memory/addressMap';
import type { PhysicalMemory } from '../memory/physicalMemory';

type Linux = Extract<Boot, { kind: 'linux' }>;

/** Fields of the setup header, as offsets in the file; boot_params repeats them at the same offsets. */
const Header = {
  SETUP_SECTORS: 0x1f1,
  PARAGRAPHS: 0x1f4,
  VIDEO_MODE: 0x1fa,
  SIGNATURE: 0x1fe,
  JUMP_LENGTH: 0x201,
  MAGIC: 0x202,
  VERSION: 0x206,
  LOADER: 0x210,
  LOAD_FLAGS: 0x211,
  INITRD_ADDRESS: 0x218,
  INITRD_SIZE: 0x21c,
  HEAP_END: 0x224,
  COMMAND_LINE: 0x228,
  INITRD_HIGHEST: 0x22c,
  ALIGNMENT: 0x230,
  RELOCATABLE: 0x234,
  EXTENDED_LOAD_FLAGS: 0x236,
  COMMAND_LINE_SIZE: 0x238,
  PREFERRED_ADDRESS: 0x258,
  INIT_SIZE: 0x260,
} as const;
/** Fields of boot_params that the header does not have. */
const Params = { E820_ENTRIES: 0x1e8, HEADER: 0x1f1, E820_TABLE: 0x2d0 } as const;
const PARAMS_SIZE = 4096;
const E820_MOST = 128;

const HEADER_MAGIC = 0x5372_6448; // "HdrS"
const BOOT_SIGNATURE = 0xaa55;
/** First version with a 32-bit entry that is told its command line and a relocatable kernel's needs. */
const OLDEST_VERSION = 0x0205;
const VERSION_WITH_INIT_SIZE = 0x020a;
const VERSION_WITH_64_BIT_ENTRY = 0x020c;
/** "No identifier assigned": the loader says nothing about itself. */
const UNKNOWN_LOADER = 0xff;
const LOADED_HIGH = 0x01;
const HEAP_USABLE = 0x80;
const HAS_64_BIT_ENTRY = 0x01;
const ENTRY_64 = 0x200;
const SECTOR = 512;
const PARAGRAPH = 16;
const PAGE = 0x1000;

/** What the loader leaves in low memory. The kernel keeps away from its first 64 KiB, and copies the rest before it uses it. */
const Low = { PAGE_TABLES: 0x1_0000, PARAMS: 0x1_8000, GDT: 0x1_9000, COMMAND_LINE: 0x2_0000, COMMAND_LINE_END: 0x3_0000, STACK: 0x7c00 } as const;
/** __BOOT_CS and __BOOT_DS of the protocol. */
const SELECTOR_CODE = 0x10;
const SELECTOR_DATA = 0x18;
/** Gigabytes that the 64-bit entry finds mapped one to one. */
const MAPPED_GIGABYTES = 4;

interface Kernel {
  /** The header's bytes, to be repeated in boot_params. */
  header: Uint8Array;
  /** The protected-mode kernel. */
  code: Uint8Array;
  /** Where it prefers to be, the alignment it wants, and the bytes it needs from there. */
  preferred: number;
  alignment: number;
  size: number;
  relocatable: boolean;
  wide: boolean;
  commandLineSize: number;
  initrdHighest: number;
}

/** Loads kernel and initial RAM disk and puts the processor at the kernel's entry. Throws a UserError that names the file or key. */
export function bootLinux(boot: Linux, cpu: Processor, memory: PhysicalMemory): void {
  const kernel = linuxKernelOf(boot.image);
  const wide = kernel.wide && cpu.features.has('lm');
  const address = placeKernel(kernel, boot.image, memory);
  memory.writeBytes(address, kernel.code);
  const initrd = boot.initrd ? placeInitrd(boot.initrd, kernel, address, memory) : undefined;
  writeCommandLine(boot, kernel, memory);
  writeParams(kernel, initrd, memory);
  enter(cpu, memory, wide ? address + ENTRY_64 : address, wide);
}

/** Checks an image without loading it. Throws the same UserErrors. */
export function linuxKernelOf({ name, bytes }: DiskImage): Kernel {
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const not = (why: string): UserError => new UserError('boot.notLinux', `${name} is not a Linux kernel to boot: ${why}; give the bzImage ("vmlinuz").`);
  if (bytes.length < 0x264) throw not(`it has only ${bytes.length} bytes`);
  if (data.getUint16(Header.SIGNATURE, true) !== BOOT_SIGNATURE) throw not('it has no boot signature (0x55 0xAA at offset 510)');
  if (data.getUint32(Header.MAGIC, true) !== HEADER_MAGIC) throw not('it has no setup header ("HdrS" at offset 0x202)');
  const version = data.getUint16(Header.VERSION, true);
  if (version < OLDEST_VERSION) throw new UserError('boot.linuxVersion', `${name} speaks version ${version >> 8}.${String(version & 0xff).padStart(2, '0')} of the Linux boot protocol, but Hyperstep needs 2.05 (Linux 2.6.20) or newer.`);
  if (!(data.getUint8(Header.LOAD_FLAGS) & LOADED_HIGH)) throw new UserError('boot.linuxVersion', `${name} is a zImage that wants to be loaded low; build it as a bzImage.`);
  const setup = ((data.getUint8(Header.SETUP_SECTORS) || 4) + 1) * SECTOR;
  const whole = setup + data.getUint32(Header.PARAGRAPHS, true) * PARAGRAPH;
  // The size is rounded up to paragraphs; the file may end inside the last one.
  if (setup >= bytes.length || whole - bytes.length >= PARAGRAPH) throw new UserError('boot.truncated', `${name} is truncated: its setup header describes ${Math.max(whole, setup + 1)} bytes, the file has ${bytes.length}.`);
  const code = bytes.subarray(setup);
  const sized = version >= VERSION_WITH_INIT_SIZE;
  return {
    header: bytes.subarray(Header.SETUP_SECTORS, Header.MAGIC + data.getUint8(Header.JUMP_LENGTH)),
    code,
    preferred: sized ? Number(data.getBigUint64(Header.PREFERRED_ADDRESS, true)) : EXTENDED_RAM,
    alignment: data.getUint32(Header.ALIGNMENT, true) || PAGE,
    // Older kernels do not say what they need for decompression: three times their own size is ample.
    size: Math.max(sized ? data.getUint32(Header.INIT_SIZE, true) : 3 * code.length, code.length),
    relocatable: data.getUint8(Header.RELOCATABLE) !== 0,
    wide: version >= VERSION_WITH_64_BIT_ENTRY && (data.getUint16(Header.EXTENDED_LOAD_FLAGS, true) & HAS_64_BIT_ENTRY) !== 0,
    commandLineSize: version >= 0x0206 ? data.getUint32(Header.COMMAND_LINE_SIZE, true) : 255,
    initrdHighest: data.getUint32(Header.INITRD_HIGHEST, true),
  };
}

/** Where the kernel goes: where it prefers to be, or for want of RAM there the lowest aligned address from 1 MiB. */
function placeKernel(kernel: Kernel, { name }: DiskImage, memory: PhysicalMemory): number {
  const fits = (address: number): boolean => address >= EXTENDED_RAM && address + kernel.size <= memory.map.lowEnd;
  if (fits(kernel.preferred)) return kernel.preferred;
  const lowest = Math.ceil(EXTENDED_RAM / kernel.alignment) * kernel.alignment;
  if (kernel.relocatable && fits(lowest)) return lowest;
  const needed = Math.ceil((Math.max(kernel.preferred, EXTENDED_RAM) + kernel.size) / 2 ** 20);
  throw new UserError('boot.noRoom', `${name} does not fit: it needs RAM up to ${needed} MiB, and the machine has ${Math.floor(memory.map.lowEnd / 2 ** 20)} MiB; raise machine.memory.`);
}

/** The RAM disk goes as high as kernel and RAM allow. */
function placeInitrd({ name, bytes }: DiskImage, kernel: Kernel, kernelAddress: number, memory: PhysicalMemory): { address: number; size: number } {
  const highest = Math.min(memory.map.lowEnd, kernel.initrdHighest + 1);
  const address = Math.floor((highest - bytes.length) / PAGE) * PAGE;
  if (address < kernelAddress + kernel.size) {
    const needed = Math.ceil((kernelAddress + kernel.size + bytes.length + PAGE) / 2 ** 20);
    throw new UserError('boot.noRoom', `${name} does not fit behind the kernel: both need ${needed} MiB, and the machine has ${Math.floor(highest / 2 ** 20)} MiB; raise machine.memory.`);
  }
  memory.writeBytes(address, bytes);
  return { address, size: bytes.length };
}

function writeCommandLine(boot: Linux, kernel: Kernel, memory: PhysicalMemory): void {
  const text = new TextEncoder().encode(boot.append + '\0');
  const most = Math.min(kernel.commandLineSize, Low.COMMAND_LINE_END - Low.COMMAND_LINE - 1);
  if (text.length - 1 > most) throw new UserError('boot.append', `boot.append has ${text.length - 1} bytes, but ${boot.image.name} takes a command line of at most ${most}.`);
  memory.writeBytes(Low.COMMAND_LINE, text);
}

/** boot_params ("zero page"): the kernel's header with the loader's fields filled in, and the memory map. */
function writeParams(kernel: Kernel, initrd: { address: number; size: number } | undefined, memory: PhysicalMemory): void {
  const bytes = new Uint8Array(PARAMS_SIZE);
  const data = new DataView(bytes.buffer);
  bytes.set(kernel.header, Params.HEADER);
  data.setUint16(Header.VIDEO_MODE, 0xffff, true); // "normal"
  data.setUint8(Header.LOADER, UNKNOWN_LOADER);
  data.setUint8(Header.LOAD_FLAGS, data.getUint8(Header.LOAD_FLAGS) | HEAP_USABLE);
  data.setUint16(Header.HEAP_END, 0xe000, true);
  data.setUint32(Header.COMMAND_LINE, Low.COMMAND_LINE, true);
  data.setUint32(Header.INITRD_ADDRESS, initrd?.address ?? 0, true);
  data.setUint32(Header.INITRD_SIZE, initrd?.size ?? 0, true);
  const map = memory.map.e820().slice(0, E820_MOST);
  data.setUint8(Params.E820_ENTRIES, map.length);
  map.forEach(({ base, length, type }, i) => {
    const at = Params.E820_TABLE + i * 20;
    data.setBigUint64(at, base, true);
    data.setBigUint64(at + 8, length, true);
    data.setUint32(at + 16, type, true);
  });
  fillScreenInfo(data);
  memory.writeBytes(Low.PARAMS, bytes);
}

/** screen_info: the text screen that the firmware left, 80 columns by 25 rows on a VGA, cursor at the top. */
function fillScreenInfo(data: DataView): void {
  data.setUint8(0x06, 3); // video mode
  data.setUint8(0x07, 80);
  data.setUint8(0x0e, 25);
  data.setUint8(0x0f, 1); // it is a VGA
  data.setUint16(0x10, 16, true); // lines of a character
}

/** Machine state at entry: flat segments, interrupts off, RSI pointing to boot_params; with paging for the 64-bit entry. */
function enter(cpu: Processor, memory: PhysicalMemory, entry: number, wide: boolean): void {
  const s = cpu.state;
  const descriptors = new DataView(new ArrayBuffer(32));
  descriptors.setBigUint64(SELECTOR_CODE, wide ? 0x00af_9b00_0000_ffffn : 0x00cf_9b00_0000_ffffn, true);
  descriptors.setBigUint64(SELECTOR_DATA, 0x00cf_9300_0000_ffffn, true);
  memory.writeBytes(Low.GDT, new Uint8Array(descriptors.buffer));
  const segment = (seg: number, selector: number, access: number): void => {
    s.setSelector(seg, selector);
    s.setSegBase(seg, 0n);
    s.setLimit(seg, 0xffff_ffff);
    s.setAccess(seg, access);
  };
  segment(Seg.CS, SELECTOR_CODE, wide ? 0xa09b : 0xc09b);
  for (const seg of [Seg.DS, Seg.ES, Seg.FS, Seg.GS, Seg.SS]) segment(seg, SELECTOR_DATA, 0xc093);
  s.set64(Offset.GDTR_BASE, BigInt(Low.GDT));
  s.set32(Offset.GDTR_LIMIT, descriptors.byteLength - 1);
  s.set32(Offset.IDTR_LIMIT, 0);
  s.set32(Offset.CPL, 0);
  let cr0 = Cr0.PE | Cr0.ET;
  if (wide) {
    s.set64(Offset.CR3, BigInt(identityMap(memory)));
    s.set64(Offset.CR4, BigInt(Cr4.PAE));
    s.set32(Offset.EFER, Efer.LME | Efer.LMA);
    cr0 |= Cr0.PG;
  }
  s.set64(Offset.CR0, BigInt(cr0 >>> 0));
  for (let n = 0; n < 16; n++) s.setReg(n, 0n);
  s.setReg(Gpr.RSI, BigInt(Low.PARAMS));
  s.setReg(Gpr.RSP, BigInt(Low.STACK));
  writeFlags(s, 2);
  s.rip = BigInt(entry);
  cpu.stateChanged();
  cpu.flushTlb();
}

/** Page tables that map the first gigabytes one to one with 2-MiB pages; yields the address for CR3. */
function identityMap(memory: PhysicalMemory): number {
  const [pml4, pdpt, directories] = [Low.PAGE_TABLES, Low.PAGE_TABLES + PAGE, Low.PAGE_TABLES + 2 * PAGE];
  const present = 0x03n; // and writable
  const tables = new BigUint64Array((2 + MAPPED_GIGABYTES) * 512);
  tables[0] = BigInt(pdpt) | present;
  for (let i = 0; i < MAPPED_GIGABYTES; i++) tables[512 + i] = BigInt(directories + i * PAGE) | present;
  for (let i = 0; i < MAPPED_GIGABYTES * 512; i++) tables[1024 + i] = (BigInt(i) << 21n) | 0x80n | present;
  memory.writeBytes(pml4, new Uint8Array(tables.buffer));
  return pml4;
}
