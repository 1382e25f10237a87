/** Images that change on disk while a machine runs on what it has read of them: a kernel that is built again, mostly. */
import type { FileSource } from '../../base/files';
import type { MachineOptions } from '../../machine/machineInterface';

/** Names of the files that a machine was made from. */
export function imageNames({ drives, boot }: Pick<MachineOptions, 'drives' | 'boot'>): string[] {
  const names = drives.map(({ name }) => name);
  if ('image' in boot) names.push(boot.image.name);
  if (boot.kind === 'firmware') names.push(...boot.images.map(({ name }) => name), ...(boot.kernel ? [boot.kernel.name] : []));
  if ('initrd' in boot && boot.initrd) names.push(boot.initrd.name);
  if ('modules' in boot) names.push(...boot.modules.map(({ image }) => image.name));
  return names;
}

const imageSentence = (name: string, isThere: boolean): string =>
  `${name} was ${isThere ? 'changed' : 'taken away'} on disk while the machine ran, which keeps to what it had read${isThere ? ': start anew to boot the new one' : ''}.`;

/** Lines and variables are those of the program that was read, which is the one in memory. */
export const symbolsSentence = (name: string, isThere: boolean): string =>
  isThere ? `${name} was built again while the session runs, which keeps to the symbols that it had read: start anew to use it.` : `${name} was taken away while the session runs, which keeps to the symbols that it had read.`;

export class ImageTimes {
  private constructor(
    private readonly files: Pick<FileSource, 'modified'>,
    private readonly times: Map<string, number>,
    private readonly sentence: (name: string, isThere: boolean) => string,
  ) {}

  /** Notes when each file was modified last; files whose host cannot tell are left out. */
  static async of(files: Pick<FileSource, 'modified'>, names: readonly string[], sentence = imageSentence): Promise<ImageTimes> {
    const times = new Map<string, number>();
    for (const name of names) {
      const time = await files.modified(name);
      if (time !== undefined) times.set(name, time);
    }
    return new ImageTimes(files, times, sentence);
  }

  /** One sentence for each image that was changed or taken away since. Each is told once. */
  async changed(): Promise<string[]> {
    const sentences: string[] = [];
    for (const [name, before] of this.times) {
      const now = await this.files.modified(name);
      // Two may ask at the same time: the first to know tells it.
      if (now === before || !this.times.delete(name)) continue;
      sentences.push(this.sentence(name, now !== undefined));
    }
    return sentences;
  }
}
