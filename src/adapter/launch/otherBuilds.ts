/** Symbols of another build than the image that boots: breakpoints would never be hit, and nothing would say why. */
import type { FileSource } from '../../base/files';
import { hasHeader, isElf, isWide, ProgramType, programHeaders, viewOf } from '../../machine/boot/elfHeader';
import type { DiskImage, MachineOptions } from '../../machine/machineInterface';
import type { LoadedSymbols } from './load';
import { shortName } from './paths';

/** A sample is this long, and within a block of its ELF file, so that file systems which scatter blocks do not matter. */
const SAMPLE = 32;
const MOST_SAMPLES = 4096;
/** A whole operating system is not what somebody has just built, and looking takes time: a quarter of a second for this much. */
const MOST_IMAGE = 64 * 2 ** 20;
const MOST_SYMBOLS = 32 * 2 ** 20;
/** Kernels of the same sources share some functions; another build of the same kernel shares most of its bytes. */
const LEAST_ALIKE = 0.4;

const word = (bytes: Uint8Array, at: number): number => bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);

/** The ELF header and the program headers, of which linkers make a part of the first segment, but objcopy -O binary none of the image. */
const headersEnd = (elf: Uint8Array): number => (isWide(elf) ? 64 + 56 * viewOf(elf).getUint16(56, true) : 52 + 32 * viewOf(elf).getUint16(44, true));

/** Places in an ELF whose bytes must be in an image that holds it. */
function samplesOf(elf: Uint8Array): number[] {
  const headers = isElf(elf) && hasHeader(elf) ? (programHeaders(elf) ?? []) : [];
  const places: number[] = [];
  for (const { type, offset, fileSize } of headers) {
    if (type !== ProgramType.LOAD) continue;
    const end = Math.min(offset + fileSize, elf.length) - SAMPLE;
    for (let at = Math.ceil(Math.max(offset, headersEnd(elf)) / SAMPLE) * SAMPLE; at <= end; at += SAMPLE) {
      // Of padding there is some everywhere.
      if (!elf.subarray(at, at + SAMPLE).every((byte) => byte === elf[at])) places.push(at);
    }
  }
  const every = Math.ceil(places.length / MOST_SAMPLES);
  return places.filter((_, i) => i % every === 0);
}

/** The part of an ELF's samples that an image holds, 0 to 1. */
function alike(elf: Uint8Array, image: Uint8Array): number {
  const samples = samplesOf(elf);
  if (samples.length === 0) return 0;
  const wanted = new Map<number, number[]>();
  const begins = new Uint8Array(0x10000);
  for (const at of samples) {
    const first = word(elf, at);
    const same = wanted.get(first);
    if (same) same.push(at);
    else wanted.set(first, [at]);
    begins[first & 0xffff] = 1;
  }
  const found = new Set<number>();
  const last = Math.min(image.length, MOST_IMAGE) - SAMPLE;
  for (let i = 0; i <= last; i++) {
    if (begins[image[i]! | (image[i + 1]! << 8)] === 0) continue;
    for (const at of wanted.get(word(image, i)) ?? []) {
      if (found.has(at)) continue;
      let n = 4;
      while (n < SAMPLE && elf[at + n] === image[i + n]) n++;
      if (n === SAMPLE) found.add(at);
    }
  }
  return found.size / samples.length;
}

/**
 * One sentence for each symbol file most of which is in an image of the machine, but not all of it. A file that is in
 * none, as a compressed kernel's, says nothing.
 */
export async function otherBuilds(files: FileSource, { drives, boot }: Pick<MachineOptions, 'drives' | 'boot'>, symbols: readonly Pick<LoadedSymbols, 'path' | 'world'>[], roots: readonly string[] = []): Promise<string[]> {
  const images: DiskImage[] = [...drives, ...('image' in boot ? [boot.image] : [])];
  const whole = new Set<DiskImage>();
  const partly: { path: string; image: DiskImage }[] = [];
  for (const { path, world } of symbols) {
    if (images.some(({ name }) => name === path) || (await files.size(path)) > MOST_SYMBOLS) continue;
    const elf = await files.read(path);
    // A guest is hardly on the disk that its VMM boots from.
    const places = world === 'guest' && drives.length > 1 ? images.slice(1) : images;
    const ratios = places.map((image) => ({ image, ratio: alike(elf, image.bytes) }));
    const full = ratios.find(({ ratio }) => ratio === 1);
    if (full) whole.add(full.image);
    const best = ratios.reduce((a, b) => (b.ratio > a.ratio ? b : a), { image: images[0], ratio: 0 });
    if (!full && best.image && best.ratio >= LEAST_ALIKE) partly.push({ path, image: best.image });
  }
  // What an image holds whole is what it holds: a kernel of the same sources is then another one.
  return partly.filter(({ image }) => !whole.has(image)).map(({ path, image }) => `${shortName(image.name, roots)} holds another build than ${shortName(path, roots)}, whose symbols are used: make both again, or breakpoints and lines will not fit.`);
}
