/** The `#define` constants of sources, for images that were built without -g3. */
import type { FileSource } from '../../base/files';
import { SourceMacros } from '../../symbols/sourceMacros';
import type { SourceLookup } from '../../symbols/sourceLookup';
import type { LoadedSymbols } from './load';

/** The sources of a whole operating system are not read for their constants: that takes longer than anybody waits. */
const MOST_UNITS = 500;

/** Reads the constants of the images' sources as far as they are at hand. */
export async function readSourceMacros(files: FileSource, lookup: SourceLookup, symbols: readonly LoadedSymbols[], roots: readonly string[]): Promise<void> {
  for (const { image } of symbols) {
    if (image.macros.recorded || image.unitCount > MOST_UNITS) continue;
    image.macros.sources = await SourceMacros.read(files, lookup, image, roots);
  }
}
