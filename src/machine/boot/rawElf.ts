/**
 * Starting an ELF at its entry point, with nothing told: a 32-bit one in protected mode without paging, a 64-bit one in long
 * mode with the first gigabytes mapped one to one and its segments where they are linked.
 */
import { UserError } from '../../base/errors';
import type { Processor } from '../../cpu/processor';
import { Gpr } from '../../cpu/state';
import type { Boot, DiskImage } from '../machineInterface';
import type { PhysicalMemory } from '../memory/physicalMemory';
import { type LinkedElf, readElf } from './elfImage';
import { enableLongMode, enterFlat, enterProtectedMode, IdentityMap, LARGE_PAGE, loadDescriptorTable, MAPPED_GIGABYTES } from './entryState';
import { lowRoom, PAGE, placeSegment } from './placement';

type RawElf = Extract<Boot, { kind: 'elf' }>;

/** Root, pointers and directories of the identity map, and as many again for segments that are linked elsewhere. */
const PAGE_TABLES = 16;
const SELECTORS = { code: 0x08, data: 0x10 } as const;
const MAPPED = BigInt(MAPPED_GIGABYTES) << 30n;

/** Loads the segments at their physical addresses and enters the image. Throws a UserError that names the file. */
export function bootRawElf(boot: RawElf, cpu: Processor, memory: PhysicalMemory): void {
  const elf = rawKernelOf(boot.image);
  for (const segment of elf.segments) placeSegment(memory, segment, boot.image.name);
  // Tables, then a page for the descriptors and the stack below it.
  const base = lowRoom((PAGE_TABLES + 2) * PAGE, elf.segments, boot.image.name);
  const descriptors = base + (PAGE_TABLES + 1) * PAGE;
  if (!elf.wide) return enterProtectedMode(cpu, elf.entry, { [Gpr.RSP]: descriptors });
  const map = new IdentityMap(base, PAGE_TABLES);
  for (const s of elf.segments) if (s.linear !== BigInt(s.address)) map.map(s.linear, s.address, s.memorySize);
  loadDescriptorTable(cpu, memory, descriptors, SELECTORS, true);
  enableLongMode(cpu, map.write(memory));
  enterFlat(cpu, elf.linearEntry, SELECTORS, true, { [Gpr.RSP]: descriptors });
}

/** Checks an image without loading it. Throws the same UserErrors. */
export function rawKernelOf(image: DiskImage): LinkedElf {
  const elf = readElf(image);
  if (!elf.wide) return elf;
  for (const { linear, address, memorySize } of elf.segments) {
    const apart = (linear - BigInt(address)) % BigInt(LARGE_PAGE) !== 0n;
    if (linear === BigInt(address) && linear + BigInt(memorySize) <= MAPPED) continue;
    if (apart) throw new UserError('boot.elfAddresses', `${image.name} has a segment linked at 0x${linear.toString(16)} and loaded at 0x${address.toString(16)}: Hyperstep maps it where both have the same distance to a multiple of 2 MiB; change the load address (AT in the linker script), or give the kernel a multiboot header.`);
    if (linear < MAPPED) throw new UserError('boot.elfAddresses', `${image.name} has a segment linked at 0x${linear.toString(16)} and loaded at 0x${address.toString(16)}, but below 4 GiB memory is mapped one to one; give both the same address, or link it higher.`);
  }
  return elf;
}
