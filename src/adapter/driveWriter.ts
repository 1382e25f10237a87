/** Writing back what the guest wrote to its drives (`persistDrives`), so that nothing is lost: neither the guest's writes nor anybody else's. */
import type { FileSource } from '../base/files';

export interface ChangedDrive {
  name: string;
  /** The image as the machine read it, and with what the guest wrote. */
  original: Uint8Array;
  bytes: Uint8Array;
}

const same = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((byte, i) => byte === b[i]);

/** A file that changed while the machine ran is left alone: the guest's version goes beside it. `tell` gets one sentence for each drive that could not simply be written. */
export async function writeDrives(files: FileSource, drives: readonly ChangedDrive[], tell: (sentence: string) => void): Promise<void> {
  for (const { name, original, bytes } of drives) {
    try {
      const now = await files.read(name).catch(() => undefined);
      const target = now && same(now, original) ? name : `${name}.guest`;
      await files.write(target, bytes);
      if (target !== name) tell(`${name} was ${now ? 'changed' : 'taken away'} while the machine ran and is left as it is; what the guest wrote is in ${target}.`);
    } catch (error) {
      tell(`What the guest wrote to ${name} could not be saved: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}
