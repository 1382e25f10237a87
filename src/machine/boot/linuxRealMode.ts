/**
 * The 16-bit entry of the Linux boot protocol ("The Real-Mode Kernel Header"): the kernel's own setup code runs in real
 * mode and asks the BIOS for what it wants to know. Kernels before Linux 2.6.20 have no other.
 */
import { UserError } from '../../base/errors';
import { writeFlags } from '../../cpu/flags';
import type { Processor } from '../../cpu/processor';
import { Gpr, Seg } from '../../cpu/state';
import type { Boot, DiskImage } from '../machineInterface';
import { EXTENDED_RAM } from '../memory/addressMap';
import type { PhysicalMemory } from '../memory/physicalMemory';
import { commandLineBytes, Header, HEAP_USABLE, LOADED_HIGH, setupHeader, SECTOR, UNKNOWN_LOADER } from './linuxHeader';
import { PAGE, placeSegment } from './placement';

type Linux = Extract<Boot, { kind: 'linux' }>;

/** Where boot loaders have always put the setup code; heap and stack end where the command line begins. */
const SETUP = 0x9_0000;
const COMMAND_LINE = 0xe000;
const COMMAND_LINE_END = 0xf000;
const HEAP_END = COMMAND_LINE - 0x200;
/** Where a zImage goes. */
const LOW_KERNEL = 0x1_0000;
/** Before protocol 2.02 the command line is announced in the boot sector that nobody needs any more. */
const OLD_COMMAND_LINE = { MAGIC_AT: 0x20, OFFSET_AT: 0x22, MAGIC: 0xa33f } as const;
const OLD_COMMAND_LINE_SIZE = 255;
const OLD_INITRD_HIGHEST = 0x37ff_ffff;

/** Checks an image without loading it. Throws the UserErrors of `bootLinuxRealMode`. */
export function realModeKernelOf(image: DiskImage): { setup: Uint8Array; code: Uint8Array; version: number } {
  const { version, setupSize } = setupHeader(image);
  if (setupSize > COMMAND_LINE) throw new UserError('boot.notLinux', `${image.name} has ${setupSize / SECTOR} sectors of setup code, more than its 16-bit entry has room for.`);
  return { setup: image.bytes.slice(0, setupSize), code: image.bytes.subarray(setupSize), version };
}

/** Bytes and where they go. */
export interface Piece {
  address: number;
  bytes: Uint8Array;
}

/** Kernel, setup code with its header filled in, command line and initial RAM disk, which is to be below `initrdEnd`. Throws a UserError that names the file or key. */
export function realModePieces(boot: Linux, initrdEnd: number): [kernel: Piece, ...Piece[]] {
  const { setup, code, version } = realModeKernelOf(boot.image);
  const data = new DataView(setup.buffer);
  const high = (data.getUint8(Header.LOAD_FLAGS) & LOADED_HIGH) !== 0;
  const kernelAt = high ? EXTENDED_RAM : LOW_KERNEL;
  const pieces: [Piece, ...Piece[]] = [{ address: kernelAt, bytes: code }];

  data.setUint8(Header.LOADER, UNKNOWN_LOADER);
  if (version >= 0x0201) {
    data.setUint8(Header.LOAD_FLAGS, data.getUint8(Header.LOAD_FLAGS) | HEAP_USABLE);
    data.setUint16(Header.HEAP_END, HEAP_END, true);
  }
  if (boot.initrd) {
    const { bytes, name } = boot.initrd;
    const highest = version >= 0x0203 ? data.getUint32(Header.INITRD_HIGHEST, true) : OLD_INITRD_HIGHEST;
    const address = Math.floor((Math.min(initrdEnd, highest + 1) - bytes.length) / PAGE) * PAGE;
    if (address < kernelAt + code.length) throw new UserError('boot.noRoom', `${name} does not fit behind the kernel: the machine has ${Math.floor(initrdEnd / 2 ** 20)} MiB; raise machine.memory.`);
    pieces.push({ address, bytes });
    data.setUint32(Header.INITRD_ADDRESS, address, true);
    data.setUint32(Header.INITRD_SIZE, bytes.length, true);
  }
  const most = version >= 0x0206 ? data.getUint32(Header.COMMAND_LINE_SIZE, true) : OLD_COMMAND_LINE_SIZE;
  const text = commandLineBytes(boot, Math.min(most, COMMAND_LINE_END - COMMAND_LINE - 1));
  if (version >= 0x0202) data.setUint32(Header.COMMAND_LINE, SETUP + COMMAND_LINE, true);
  else {
    data.setUint16(OLD_COMMAND_LINE.MAGIC_AT, OLD_COMMAND_LINE.MAGIC, true);
    data.setUint16(OLD_COMMAND_LINE.OFFSET_AT, COMMAND_LINE, true);
    data.setUint16(Header.SETUP_MOVE_SIZE, COMMAND_LINE_END, true);
  }
  return [...pieces, { address: SETUP, bytes: setup }, { address: SETUP + COMMAND_LINE, bytes: text }];
}

/** Loads all of them and enters the setup code. Throws a UserError that names the file or key. */
export function bootLinuxRealMode(boot: Linux, cpu: Processor, memory: PhysicalMemory): void {
  const [kernel, ...others] = realModePieces(boot, memory.map.lowEnd);
  placeSegment(memory, { ...kernel, memorySize: kernel.bytes.length }, boot.image.name);
  for (const { address, bytes } of others) memory.writeBytes(address, bytes);
  enter(cpu);
}

/** Segments and stack pointer at the setup code's first instruction, which lies behind the boot sector. */
export const REAL_MODE_ENTRY = { code: (SETUP + SECTOR) / 16, data: SETUP / 16, stack: COMMAND_LINE } as const;

function enter(cpu: Processor): void {
  const s = cpu.state;
  const segment = (seg: number, selector: number): void => {
    s.setSelector(seg, selector);
    s.setSegBase(seg, BigInt(selector * 16));
  };
  segment(Seg.CS, REAL_MODE_ENTRY.code);
  for (const seg of [Seg.DS, Seg.ES, Seg.FS, Seg.GS, Seg.SS]) segment(seg, REAL_MODE_ENTRY.data);
  for (let n = 0; n < 16; n++) s.setReg(n, 0n);
  s.setReg(Gpr.RSP, BigInt(REAL_MODE_ENTRY.stack));
  writeFlags(s, 2);
  s.rip = 0n;
  cpu.stateChanged();
  cpu.flushTlb();
}
