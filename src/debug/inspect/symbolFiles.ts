/** The symbol files as lines: what they know, and where their code is in memory now. */
import { hex } from '../../base/bits';
import type { LoadedImage } from '../symbols/imageSet';
import type { Target } from '../target';
import { WORLD_NAME, type World } from '../world';
import type { InspectionNode } from './node';
import { textTable } from './table';

export interface SymbolFile {
  name: string;
  path: string;
  /** The world it was loaded for; undefined: any. */
  world: World | undefined;
  hasDebugInformation: boolean;
  sources: number;
  /** Address of one of its functions, as linked. */
  address: bigint;
  /** Worlds in whose memory its code is now. */
  appliesIn: World[];
}

/** So many functions of a file are looked for in memory. */
const PROBES = 6;

/** Addresses of functions spread over the whole file. */
function probes({ image }: LoadedImage): bigint[] {
  const functions = image.symbols.functions();
  // Labels of assembly are no functions: a boot sector has none.
  if (functions.length === 0) return [image.elf.entry];
  const step = Math.max(1, Math.floor(functions.length / PROBES));
  return functions.filter((_, i) => i % step === Math.floor(step / 2));
}

export function symbolFiles(target: Target): SymbolFile[] {
  return target.images.images.map((loaded) => {
    const functions = probes(loaded);
    const address = functions[0]!;
    const worlds: World[] = ['vmm', 'guest'];
    return {
      name: loaded.name,
      path: loaded.path,
      world: loaded.world,
      hasDebugInformation: loaded.image.hasDebugInformation,
      sources: loaded.image.files().length,
      address,
      appliesIn: worlds.filter((world) => target.exists(world) && functions.some((f) => target.images.at(world, f) === loaded)),
    };
  });
}

/** In words: `VMM`, `VMM and guest`, `in neither world's memory now`. */
export const appliesText = ({ appliesIn }: Pick<SymbolFile, 'appliesIn'>): string => (appliesIn.length === 0 ? 'in no memory now' : appliesIn.map((w) => WORLD_NAME[w]).join(' and '));

/** `symbols()`. */
export function symbolFilesNode(target: Target): InspectionNode {
  const files = symbolFiles(target);
  const row = (f: SymbolFile): string[] => [f.name, appliesText(f), hex(f.address), f.hasDebugInformation ? `${f.sources} source files` : 'no debug information', f.path];
  return {
    name: 'symbols()',
    value: `${files.length} file${files.length === 1 ? '' : 's'}`,
    children: () => files.map((f) => ({ name: f.name, value: row(f).slice(1).join(', ') })),
    table: () => textTable(['file', 'now in', 'code at', 'sources', 'path'], files.map(row)),
  };
}
