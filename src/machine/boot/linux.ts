/**
 * Booting a Linux kernel by the boot protocol of its documentation ("The Linux/x86 Boot Protocol"): the kernel's own
 * setup header tells where it goes and which entries it has; the widest entry is used unless another is asked for.
 */
import { UserError } from '../../base/errors';
import { Cr0 } from '../../cpu/controlBits';
import type { Processor } from '../../cpu/processor';
import { Gpr, Offset } from '../../cpu/state';
import type { Boot, DiskImage } from '../machineInterface';
import { EXTENDED_RAM } from '../memory/addressMap';
import type { PhysicalMemory } from '../memory/physicalMemory';
import { commandLineBytes, Header, HEAP_USABLE, LOADED_HIGH, setupHeader, UNKNOWN_LOADER } from './linuxHeader';
import { bootLinuxRealMode, realModeKernelOf } from './linuxRealMode';
import { enableLongMode, enterFlat, IdentityMap, loadDescriptorTable } from './entryState';
import { PAGE } from './placement';

type Linux = Extract<Boot, { kind: 'linux' }>;

/** Fields of boot_params that the header does not have. */
const Params = { E820_ENTRIES: 0x1e8, HEADER: 0x1f1, E820_TABLE: 0x2d0 } as const;
const PARAMS_SIZE = 4096;
const E820_MOST = 128;

/** First version with a 32-bit entry that is told its command line and a relocatable kernel's needs. */
const OLDEST_VERSION = 0x0205;
const VERSION_WITH_INIT_SIZE = 0x020a;
const VERSION_WITH_64_BIT_ENTRY = 0x020c;
const HAS_64_BIT_ENTRY = 0x01;
const ENTRY_64 = 0x200;

/** What the loader leaves in low memory. The kernel keeps away from its first 64 KiB, and copies the rest before it uses it. */
const Low = { PAGE_TABLES: 0x1_0000, PARAMS: 0x1_8000, GDT: 0x1_9000, COMMAND_LINE: 0x2_0000, COMMAND_LINE_END: 0x3_0000, STACK: 0x7c00 } as const;
/** __BOOT_CS and __BOOT_DS of the protocol. */
const SELECTORS = { code: 0x10, data: 0x18 } as const;
/** Room for page tables, in pages. */
const PAGE_TABLES = 8;

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
  commandLineSize: number;
  initrdHighest: number;
}

/** Loads kernel and initial RAM disk and puts the processor at the kernel's entry. Throws a UserError that names the file or key. */
export function bootLinux(boot: Linux, cpu: Processor, memory: PhysicalMemory): void {
  if (entryOf(boot) === 16) return bootLinuxRealMode(boot, cpu, memory);
  const kernel = linuxKernelOf(boot.image);
  const wide = entryOf(boot) === 64 && cpu.features.has('lm');
  const address = placeKernel(kernel, boot.image, memory);
  memory.writeBytes(address, kernel.code);
  const initrd = boot.initrd ? placeInitrd(boot.initrd, kernel, address, memory) : undefined;
  writeCommandLine(boot, kernel, memory);
  writeParams(kernel, initrd, memory);
  loadDescriptorTable(cpu, memory, Low.GDT, SELECTORS, wide);
  if (wide) enableLongMode(cpu, new IdentityMap(Low.PAGE_TABLES, PAGE_TABLES).write(memory));
  else cpu.state.set64(Offset.CR0, BigInt(Cr0.PE | Cr0.ET));
  enterFlat(cpu, BigInt(wide ? address + ENTRY_64 : address), SELECTORS, wide, { [Gpr.RSI]: Low.PARAMS, [Gpr.RSP]: Low.STACK });
}

/** Checks an image without loading it. Throws the same UserErrors. */
export function checkLinux(boot: Linux): void {
  if (entryOf(boot) === 16) realModeKernelOf(boot.image);
  else linuxKernelOf(boot.image);
}

/** Which entry is taken, in bits: the one asked for, else the widest that the kernel has. Throws a UserError when it has not the one asked for. */
function entryOf({ image, entry }: Linux): 16 | 32 | 64 {
  const { bytes, name } = image;
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { version } = setupHeader(image);
  const high = (data.getUint8(Header.LOAD_FLAGS) & LOADED_HIGH) !== 0;
  // Boot programs that are no kernels, but say they are, name no address for 32-bit code.
  const real = version < OLDEST_VERSION || !high || data.getUint32(Header.ENTRY_32, true) === 0;
  const widest = real ? 16 : version >= VERSION_WITH_64_BIT_ENTRY && data.getUint16(Header.EXTENDED_LOAD_FLAGS, true) & HAS_64_BIT_ENTRY ? 64 : 32;
  if (entry !== undefined && entry > widest) throw new UserError('boot.entry', `${name} has no ${entry}-bit entry: its widest is the ${widest}-bit one (version ${version >> 8}.${String(version & 0xff).padStart(2, '0')} of the Linux boot protocol).`);
  return entry ?? widest;
}

/** What the header of a kernel with a 32-bit entry says. */
function linuxKernelOf(image: DiskImage): Kernel {
  const { bytes } = image;
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { version, setupSize: setup } = setupHeader(image);
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
  memory.writeBytes(Low.COMMAND_LINE, commandLineBytes(boot, Math.min(kernel.commandLineSize, Low.COMMAND_LINE_END - Low.COMMAND_LINE - 1)));
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
