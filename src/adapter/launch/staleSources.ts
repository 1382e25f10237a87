/** Sources changed after the image was built: lines and variables would be those of the old text. */
import type { FileSource } from '../../base/files';
import type { SourceLookup } from '../../symbols/sourceLookup';
import type { LoadedSymbols } from './load';
import { baseName, shortName } from './paths';

/** File systems store times with a second or two of precision, and copying rounds them. */
const TOLERANCE_MS = 2000;

/** The sources of a whole operating system are not looked for one by one: that takes longer than anybody waits. */
const MOST_UNITS = 500;

/** One sentence per image that is older than sources of it; they are named as seen from the folder that they are in. */
export async function staleSources(files: FileSource, lookup: SourceLookup, symbols: readonly LoadedSymbols[], roots: readonly string[]): Promise<string[]> {
  const sentences: string[] = [];
  for (const { path, image } of symbols) {
    const built = await files.modified(path);
    if (built === undefined || image.unitCount > MOST_UNITS) continue;
    const newer: string[] = [];
    for (const file of image.files()) {
      const source = await lookup.pathOf(file);
      const changed = source === undefined ? undefined : await files.modified(source);
      if (source !== undefined && changed !== undefined && changed > built + TOLERANCE_MS) newer.push(source);
    }
    if (newer.length === 0) continue;
    const others = newer.length > 1 ? ` and ${newer.length - 1} more` : '';
    sentences.push(`${shortName(newer[0]!, roots)}${others} changed after ${baseName(path)} was built: build it again, or lines and variables will not fit.`);
  }
  return sentences;
}
