/** Booting a kernel by the PVH boot protocol: the entry point of an ELF note, with what there is told in `hvm_start_info` (Xen's public headers). */
import { UserError } from '../../base/errors';
import type { Processor } from '../../cpu/processor';
import { Gpr } from '../../cpu/state';
import type { Boot, DiskImage } from '../machineInterface';
import type { PhysicalMemory } from '../memory/physicalMemory';
import { type ElfImage, readElf } from './elfImage';
import { findNote } from './elfNotes';
import { enterProtectedMode } from './entryState';
import { endOf, Layout, lowRoom, placeModules, type PlacedModule, placeSegment } from './placement';

type Pvh = Extract<Boot, { kind: 'pvh' }>;

const NOTE_NAME = 'Xen';
/** XEN_ELFNOTE_PHYS32_ENTRY. */
const NOTE_ENTRY = 18;
const START_MAGIC = 0x336e_c578;
/** Version 1 has the memory map. */
const VERSION = 1;
const START_SIZE = 56;

export const hasPvhEntry = (image: DiskImage): boolean => findNote(image, NOTE_NAME, NOTE_ENTRY) !== undefined;

/** Checks an image without loading it. Throws the UserErrors of `bootPvh`. */
export function pvhKernelOf(image: DiskImage): ElfImage {
  const elf = readElf(image);
  const note = findNote(image, NOTE_NAME, NOTE_ENTRY);
  if (!note || note.length < 4) throw new UserError('boot.noPvhEntry', `${image.name} has no PVH entry (ELF note 18 of "Xen"): it cannot be booted by that protocol.`);
  return { ...elf, entry: new DataView(note.buffer, note.byteOffset).getUint32(0, true) };
}

/** Loads kernel and modules and enters the kernel; `rsdp` is the address of the ACPI root pointer. Throws a UserError that names the file. */
export function bootPvh(boot: Pvh, cpu: Processor, memory: PhysicalMemory, rsdp: number): void {
  const { entry, segments } = pvhKernelOf(boot.image);
  for (const segment of segments) placeSegment(memory, segment, boot.image.name);
  const modules = placeModules(boot.modules, endOf(segments), memory);
  const build = (base: number): Layout => startInfo(new Layout(base), boot, modules, memory, rsdp);
  const base = lowRoom(build(0).size, segments, boot.image.name);
  memory.writeBytes(base, build(base).toBytes());
  enterProtectedMode(cpu, entry, { [Gpr.RBX]: base });
}

function startInfo(out: Layout, boot: Pvh, modules: readonly PlacedModule[], memory: PhysicalMemory, rsdp: number): Layout {
  const map = memory.map.e820();
  const listAt = out.base + START_SIZE;
  const mapAt = listAt + modules.length * 32;
  let textAt = mapAt + map.length * 24;
  const text = (s: string): number => {
    textAt += s.length + 1;
    return textAt - s.length - 1;
  };
  // Texts are told by bytes: one that is not ASCII would be longer than its letters.
  const bytesOf = (s: string): string => String.fromCharCode(...new TextEncoder().encode(s));
  const append = bytesOf(boot.append);
  const commandLines = modules.map((m) => bytesOf(m.commandLine));
  const appendAt = text(append);
  out.u32(START_MAGIC).u32(VERSION).u32(0).u32(modules.length);
  out.u64(modules.length === 0 ? 0 : listAt).u64(appendAt).u64(rsdp).u64(mapAt).u32(map.length).u32(0);
  modules.forEach((m, i) => out.u64(m.start).u64(m.end - m.start).u64(text(commandLines[i]!)).u64(0));
  for (const { base, length, type } of map) out.u64(base).u64(length).u32(type).u32(0);
  for (const s of [append, ...commandLines]) out.raw([...s].map((c) => c.charCodeAt(0))).u8(0);
  return out;
}
